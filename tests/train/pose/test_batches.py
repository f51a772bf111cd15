"""Batches are a function of seed, step and rank, and nothing else."""

import itertools

import pytest
import torch

from armsight.errors import DatasetError
from armsight.robots import load_robot
from armsight.train.pose.batches import batches
from armsight.train.pose.shards import ShardTable
from tests.train.made_shards import make_shards


@pytest.fixture
def table(tmp_path):
    return ShardTable([make_shards(tmp_path / "d", rows=12, shards=2)], load_robot("panda"))


def take(table, first, count, **kw):
    stream = batches(table, 64, 4, seed=5, first_step=first, **kw)
    taken = list(itertools.islice(stream, count))
    stream.close()
    return taken


def same(a, b):
    return all(torch.equal(a[k], b[k]) for k in a)


def test_a_stream_started_later_goes_on_with_the_same_batches(table):
    whole, tail = take(table, 0, 9), take(table, 6, 3, threads=3)
    assert all(same(a, b) for a, b in zip(whole[6:], tail, strict=True))


def test_ranks_take_different_rows(table):
    assert not same(take(table, 0, 1)[0], take(table, 0, 1, rank=1)[0])


def test_an_epoch_holds_every_row_once(table):
    positions = torch.cat([b["joint_positions"] for b in take(table, 0, 6)])
    expected = torch.from_numpy(table.labels["joint_positions"])
    assert sorted(positions[:, 0].tolist()) == sorted(expected[:, 0].tolist())


def test_folders_without_shards_say_what_to_do(tmp_path):
    with pytest.raises(DatasetError, match="armsight render"):
        ShardTable([tmp_path], load_robot("panda"))
    folder = make_shards(tmp_path / "d")
    text = (folder / "dataset.json").read_text().replace("panda_hand", "panda_paw")
    (folder / "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match="other keypoints"):
        ShardTable([folder], load_robot("panda"))
