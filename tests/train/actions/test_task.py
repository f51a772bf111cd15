"""Action models train, validate, resume, and start from a pose model's encoder."""

import dataclasses
import json

import pytest
import torch

from armsight.errors import ConfigError, DatasetError
from armsight.models.checkpoint import load_action_model, read_tensors, save_checkpoint
from armsight.train.actions.task import ActionTask
from armsight.train.config import TrainConfig
from armsight.train.loop import train
from armsight.train.task import build_model
from tests.train.made_demonstrations import make_demonstrations
from tests.train.made_shards import make_shards

pytest.importorskip("pyarrow")
pytestmark = [pytest.mark.filterwarnings("ignore")]
SMALL = {"input_size": 64, "batch_size": 2, "window": 3, "noise_draws": 2, "denoiser_width": 32,
         "denoiser_depth": 1, "num_threads": 1, "log_every": 1, "warmup_steps": 2}  # fmt: skip


@pytest.fixture
def config(tmp_path):
    data = str(make_demonstrations(tmp_path / "data"))
    return TrainConfig(task="actions", data=(data,), validation_data=(data,), steps=4,
                       checkpoint_every=2, validate_every=4, **SMALL)  # fmt: skip


@pytest.fixture
def start(config, tmp_path):
    """A checkpoint of an untrained model: a frozen encoder comes from somewhere."""
    model = build_model(ActionTask(), config)
    info = {"step": 0, "model": model.config.to_json()}
    save_checkpoint(tmp_path / "start", {"ema": dict(model.state_dict())}, info)
    return str(tmp_path / "start")


def totals(out):
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return {line["step"]: line["total"] for line in lines if "total" in line}


def test_a_resumed_run_has_the_same_loss_curve_though_its_data_grew(config, tmp_path):
    train(config, tmp_path / "whole")
    train(config, tmp_path / "parts", until_step=2)
    before = load_action_model(tmp_path / "parts" / "checkpoint")[0].config
    train(config, tmp_path / "parts")
    whole, parts = totals(tmp_path / "whole"), totals(tmp_path / "parts")
    assert parts == pytest.approx(whole, rel=1e-4)
    lines = (tmp_path / "parts" / "log.jsonl").read_text()
    assert '"position_median_mm"' in lines
    grown = dataclasses.replace(config, data=config.data * 2)
    again = build_model(ActionTask(), grown, {"model": before.to_json()})
    assert again.config.action_spec == before.action_spec


def test_the_denoiser_learns_the_steps(config, start, tmp_path):
    longer = dataclasses.replace(config, steps=60, checkpoint_every=60, validate_every=1000,
                                 stage="denoiser", init_from=start, learning_rate=3e-3)  # fmt: skip
    train(longer, tmp_path / "run")
    losses = list(totals(tmp_path / "run").values())
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])


@pytest.mark.parametrize("denoiser", ["mlp", "transformer"])
def test_training_from_memory_resumes_on_the_same_curve(config, start, tmp_path, denoiser):
    cached = dataclasses.replace(config, stage="denoiser", init_from=start, denoiser=denoiser,
                                 cached_batches=4, cached_per_step=2,
                                 validation_data=())  # fmt: skip
    train(cached, tmp_path / "whole")
    train(cached, tmp_path / "parts", until_step=2)
    train(cached, tmp_path / "parts")
    assert totals(tmp_path / "parts") == pytest.approx(totals(tmp_path / "whole"), rel=1e-4)


def test_the_encoder_starts_from_a_pose_model(config, tmp_path):
    shards = str(make_shards(tmp_path / "shards"))
    pose = TrainConfig(data=(shards,), steps=1, **{**SMALL, "batch_size": 4})
    train(pose, tmp_path / "pose")
    start = tmp_path / "pose" / "checkpoint"
    model = build_model(ActionTask(), dataclasses.replace(config, init_from=str(start)))
    encoder = {k: v for k, v in read_tensors(start, "ema").items() if k.startswith("encoder.")}
    own = model.state_dict()
    assert encoder
    assert all(torch.equal(own[name], value) for name, value in encoder.items())


def test_settings_that_make_no_sense_are_named(config, tmp_path):
    with pytest.raises(ConfigError, match="kinematic"):
        dataclasses.replace(config, stage="kinematic")
    with pytest.raises(ConfigError, match="window must be at least 2"):
        dataclasses.replace(config, window=1)
    with pytest.raises(ConfigError, match="at least cached_per_step"):
        dataclasses.replace(config, stage="denoiser", init_from="start", cached_batches=2)
    with pytest.raises(DatasetError, match="lower `window`"):
        train(dataclasses.replace(config, window=50), tmp_path / "run")
    with pytest.raises(ConfigError, match="unknown training task 'walk'"):
        dataclasses.replace(config, task="walk")
