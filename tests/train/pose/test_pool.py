"""Pictures in memory: what is drawn is what was written, shards that come later join."""

import json
import time

import pytest
import torch

from armsight.errors import ConfigError, DatasetError
from armsight.robots import load_robot
from armsight.train.config import TrainConfig
from armsight.train.pose.pool import PicturePool, ShardWatcher
from armsight.train.pose.pool_task import PoolTask
from armsight.train.pose.render_processes import shared_out
from tests.train.made_shards import make_shards


@pytest.fixture
def robots():
    return {"panda": load_robot("panda")}


def pools_of(robots, capacity=100):
    return {name: PicturePool(robot, capacity, torch.device("cpu"))
            for name, robot in robots.items()}  # fmt: skip


def test_rows_are_those_of_the_shards(robots, tmp_path):
    from safetensors.torch import load_file

    folder = make_shards(tmp_path / "data")
    pools = pools_of(robots)
    watcher = ShardWatcher([folder], robots)
    watcher.wait(pools, 1000)  # more than there is: all that is there must do
    watcher.close()
    shard = load_file(folder / "shard-00000.safetensors")
    rows = pools["panda"].draw(200, torch.Generator().manual_seed(0))
    for i in range(0, 200, 20):
        same = [j for j in range(24) if torch.equal(shard["images"][j], rows["images"][i])]
        assert len(same) == 1
        torch.testing.assert_close(rows["keypoints_2d"][i], shard["keypoints_2d"][same[0]])
    assert {int(f) for f in rows["robot_found"]} == {0, 1}


def test_shards_that_appear_later_join(robots, tmp_path):
    folder = make_shards(tmp_path / "data")
    pools, watcher = pools_of(robots), ShardWatcher([folder], robots)
    watcher.wait(pools, 1)
    assert len(pools["panda"]) == 24
    new = make_shards(tmp_path / "more", seed=1)
    (new / "shard-00000.safetensors").rename(folder / "shard-00001.safetensors")
    deadline = time.monotonic() + 20
    while len(pools["panda"]) < 48 and time.monotonic() < deadline:
        watcher.fill(pools)
        time.sleep(0.02)
    watcher.close()
    assert len(pools["panda"]) == 48


def test_a_full_pool_keeps_the_newest(robots, tmp_path):
    from safetensors.torch import load_file

    folder = make_shards(tmp_path / "data", shards=2)
    pool = pools_of(robots, capacity=24)["panda"]
    first, second = (load_file(folder / f"shard-0000{i}.safetensors") for i in (0, 1))
    pool.add(first)
    pool.add({name: values[:10] for name, values in second.items()})
    assert (len(pool), pool.added) == (24, 34)
    rows = pool.draw(300, torch.Generator().manual_seed(0))
    there = {tuple(image.flatten()[:64].tolist()) for image in rows["images"]}
    expected = [*second["images"][:10], *first["images"][10:]]
    assert there == {tuple(image.flatten()[:64].tolist()) for image in expected}


def test_another_robots_shards_are_named(robots, tmp_path):
    folder = make_shards(tmp_path / "data")
    index = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**index, "robot": "sawyer"}))
    watcher = ShardWatcher([folder], robots)
    with pytest.raises(DatasetError, match="shows robot 'sawyer'; this run trains panda"):
        watcher.wait(pools_of(robots), 1)
    watcher.close()


def test_things_are_shared_out_whole():
    assert shared_out(16, (3, 2, 2, 2, 2)) == [4, 3, 3, 3, 3]
    assert shared_out(100, (5, 3, 2)) == [50, 30, 20]
    assert shared_out(2, (1, 1, 1)) == [1, 1, 1]
    assert sum(shared_out(100, (0.3, 0.2, 0.5))) == 100


def test_batches_hold_each_robots_rows_by_name(tmp_path):
    folder = make_shards(tmp_path / "data")
    config = TrainConfig(data=(str(folder),), input_size=64, batch_size=6, picture_pool=64)
    source = PoolTask().batches(config, 0, 0)
    batch = next(source)["panda"]
    source.close()
    assert batch["image"].shape == (6, 3, 64, 64)
    assert batch["keypoints_visible"].shape == batch["log_depth"].shape == (6, 31)
    assert batch["joint_positions"].shape == (6, 7)


def test_settings_that_do_not_fit_together_are_named():
    with pytest.raises(ConfigError, match="need picture_pool"):
        TrainConfig(robot=("panda", "b"), data=("x",))
    with pytest.raises(ConfigError, match="each robot once"):
        TrainConfig(robot=("panda", "panda"), data=("x",), picture_pool=10)
    with pytest.raises(ConfigError, match="robot_shares must hold a positive number"):
        TrainConfig(robot=("panda", "b"), data=("x",), picture_pool=10, robot_shares=(1.0,))
