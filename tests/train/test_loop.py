"""Training learns, and a run that was stopped or killed goes on as if it had not been."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from armsight.errors import ConfigError
from armsight.models.checkpoint import read_info
from armsight.train.config import TrainConfig
from armsight.train.loop import train
from tests.train.made_shards import make_shards

pytestmark = [pytest.mark.filterwarnings("ignore")]
SMALL = {"input_size": 64, "batch_size": 4, "noise_draws": 2, "denoiser_width": 32,
         "denoiser_depth": 1, "num_threads": 1, "log_every": 1, "warmup_steps": 2}  # fmt: skip


@pytest.fixture
def config(tmp_path):
    data = make_shards(tmp_path / "data")
    return TrainConfig(data=(str(data),), steps=8, checkpoint_every=2, **SMALL)


def curve(out):
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return {row["step"]: row["total"] for row in rows}


def test_a_resumed_run_has_the_same_loss_curve(config, tmp_path):
    train(config, tmp_path / "whole")
    train(config, tmp_path / "parts", until_step=4)
    train(config, tmp_path / "parts")
    whole, parts = curve(tmp_path / "whole"), curve(tmp_path / "parts")
    assert sorted(parts) == list(range(1, 9))
    for step in whole:
        assert parts[step] == pytest.approx(whole[step], rel=1e-4), step


def test_the_denoiser_learns_from_kinematics_alone(tmp_path):
    config = TrainConfig(stage="kinematic", steps=60, checkpoint_every=60, learning_rate=3e-3,
                         **{**SMALL, "batch_size": 32})  # fmt: skip
    train(config, tmp_path / "run")
    losses = list(curve(tmp_path / "run").values())
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])


def test_each_stage_trains_its_part_only(config, tmp_path):
    from armsight.models.checkpoint import read_tensors
    from armsight.train.pose.task import PoseTask
    from armsight.train.task import build_model

    for stage, moves in (("encoder", {"encoder"}), ("denoiser", {"denoiser"})):
        start = str(tmp_path / "encoder" / "checkpoint") if stage == "denoiser" else None
        short = dataclasses.replace(config, stage=stage, steps=2, init_from=start)
        before = dict(build_model(PoseTask(), short).named_parameters())
        train(short, tmp_path / stage)
        after = read_tensors(tmp_path / stage / "checkpoint", "model")
        moved = {
            "encoder" if name.startswith("encoder.") else "denoiser"
            for name, value in before.items()
            if not torch.equal(value, after[name])
        }
        assert moved == moves


def test_frozen_blocks_stay_as_they_were_statistics_included(config, tmp_path):
    from armsight.models.checkpoint import read_tensors
    from armsight.train.pose.task import PoseTask
    from armsight.train.task import build_model

    short = dataclasses.replace(config, stage="encoder", steps=2, frozen_blocks=3)
    before = build_model(PoseTask(), short).state_dict()
    train(short, tmp_path / "run")
    after = read_tensors(tmp_path / "run" / "checkpoint", "model")
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    early = ("encoder.backbone._conv_stem", "encoder.backbone._bn0",
             *(f"encoder.backbone._blocks.{i}." for i in range(3)))  # fmt: skip
    assert not [name for name in changed if name.startswith(early)]
    assert any(name.startswith("encoder.backbone._blocks.3.") for name in changed)
    with pytest.raises(ConfigError, match="frozen_blocks must be 0 to 16"):
        dataclasses.replace(config, frozen_blocks=17)


def test_other_settings_are_refused_on_resume(config, tmp_path):
    train(config, tmp_path / "run", until_step=2)
    with pytest.raises(ConfigError, match="learning_rate.*init_from"):
        train(dataclasses.replace(config, learning_rate=0.5), tmp_path / "run")


def command(config, out, *launcher):
    settings = {"data": list(config.data), "steps": 400, "checkpoint_every": 2, **SMALL}
    pairs = [x for k, v in settings.items() for x in ("--set", f"{k}={json.dumps(v)}")]
    return [*launcher, "-m", "armsight", "train", "pose", "--out", str(out), *pairs]


def wait_for_checkpoint(out, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not (out / "checkpoint" / "checkpoint.json").exists():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline, "no checkpoint in time"
        time.sleep(0.05)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_leaves_a_checkpoint_that_resumes(config, tmp_path, how):
    out = tmp_path / "run"
    process = subprocess.Popen(
        command(config, out, sys.executable), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    wait_for_checkpoint(out, process)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert (process.returncode == 0) == (how == signal.SIGTERM)
    step = read_info(out / "checkpoint")["step"]
    assert step >= 2
    longer = dataclasses.replace(config, steps=400)
    result = train(longer, out, until_step=step + 2)
    assert result["step"] == step + 2


def test_two_processes_train_one_model(config, tmp_path):
    out = tmp_path / "run"
    small = dataclasses.replace(config, steps=4)
    done = launch_two(small, out)
    assert done.returncode == 0, done.stderr[-3000:]
    assert read_info(out / "checkpoint")["step"] == 4
    # One curve of a shared model: rank 0 alone, on the same seed, would give another second step.
    alone = tmp_path / "alone"
    train(small, alone)
    both, single = curve(out), curve(alone)
    assert both[1] == pytest.approx(single[1], rel=1e-3)
    assert both[3] != pytest.approx(single[3], rel=1e-6)


SLOW_RENAME = """
import pathlib, time
rename = pathlib.Path.rename
def slowly(self, target):
    if self.name.endswith(".old"):
        time.sleep(3)
    return rename(self, target)
pathlib.Path.rename = slowly
"""


def test_one_of_two_processes_recovers_the_checkpoint(config, tmp_path):
    # As a process killed between the two renames of a checkpoint leaves it; a slow file system
    # gives every process the time to find it so.
    out = tmp_path / "run"
    small = dataclasses.replace(config, steps=4)
    train(small, out)
    (out / "checkpoint").rename(out / ".checkpoint.old")
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "sitecustomize.py").write_text(SLOW_RENAME)
    done = launch_two(small, out, PYTHONPATH=str(tmp_path / "slow"))
    assert done.returncode == 0, done.stderr[-3000:]
    assert read_info(out / "checkpoint")["step"] == 4
    assert not (out / ".checkpoint.old").exists()


def launch_two(config, out, **environment):
    # `--multi_gpu` only chooses the launcher of several processes; the variable keeps them on CPU.
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu",
                "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no",
                "--dynamo_backend", "no", "--main_process_port", "0"]  # fmt: skip
    arguments = command(config, out, *launcher)
    arguments = [a.replace("steps=400", f"steps={config.steps}") for a in arguments]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", **environment}
    return subprocess.run(arguments, capture_output=True, text=True, env=env, timeout=300)
