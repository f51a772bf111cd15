"""`init_from`: one checkpoint, the mean of several, and what is said of what does not fit."""

import dataclasses

import pytest
import torch

from armsight.errors import ConfigError
from armsight.models.checkpoint import read_tensors, save_checkpoint
from armsight.models.pose_model import PoseModel, PoseModelConfig
from armsight.robots import load_robot
from armsight.train.config import TrainConfig, read_config
from armsight.train.loop import train
from armsight.train.pose.task import PoseTask
from armsight.train.start import read_start
from armsight.train.task import build_model, network_settings
from tests.train.made_shards import make_shards

SMALL = {"input_size": 64, "batch_size": 2, "noise_draws": 1, "denoiser_width": 32,
         "denoiser_depth": 1, "num_threads": 1, "data": ("unused",)}  # fmt: skip


def saved(folder, seed, **changes):
    """A checkpoint of a small model with random weights."""
    torch.manual_seed(seed)
    settings = network_settings(TrainConfig(**{**SMALL, **changes}))
    model = PoseModel(PoseModelConfig.for_robot(load_robot("panda"), **settings))
    tensors = {
        k: v + seed / 100 if v.is_floating_point() else v for k, v in model.state_dict().items()
    }
    save_checkpoint(folder, {"ema": tensors}, {"step": 1, "model": model.config.to_json()})
    return str(folder)


def test_several_checkpoints_start_from_their_mean(tmp_path):
    folders = tuple(saved(tmp_path / str(seed), seed) for seed in (1, 2, 5))
    model = build_model(PoseTask(), TrainConfig(**SMALL, init_from=folders))
    each = [read_tensors(tmp_path / str(seed), "ema") for seed in (1, 2, 5)]
    own = model.state_dict()
    assert set(own) == set(each[0])
    for name, value in own.items():
        if value.is_floating_point():
            mean = torch.stack([tensors[name] for tensors in each]).mean(0)
            torch.testing.assert_close(value, mean, atol=1e-5, rtol=1e-5)
        else:
            assert torch.equal(value, each[0][name])


def test_one_checkpoint_is_taken_as_it_is_alone_or_in_a_list(tmp_path):
    folder = saved(tmp_path / "one", 3)
    for init_from in (folder, (folder,)):
        own = build_model(PoseTask(), TrainConfig(**SMALL, init_from=init_from)).state_dict()
        tensors = read_tensors(tmp_path / "one", "ema")
        assert all(torch.equal(own[name], value) for name, value in tensors.items())


def test_checkpoints_that_cannot_be_averaged_are_named(tmp_path):
    one, wide, noise = (
        saved(tmp_path / "one", 1),
        saved(tmp_path / "wide", 1, denoiser_width=64),
        saved(tmp_path / "noise", 1, prediction_type="epsilon"),
    )
    for other, setting in ((wide, "denoiser"), (noise, "diffusion")):
        with pytest.raises(ConfigError, match=rf"cannot average .*one and {other}.*{setting};"):
            read_start((one, other))
    tensors = read_tensors(tmp_path / "one", "ema")
    tensors["denoiser.extra"] = torch.zeros(2, 3)
    config = PoseModelConfig.for_robot(
        load_robot("panda"), **network_settings(TrainConfig(**SMALL))
    )
    save_checkpoint(tmp_path / "more", {"ema": tensors}, {"model": config.to_json()})
    with pytest.raises(
        ConfigError, match=r"denoiser\.extra is missing in .* \(2, 3\) in the other"
    ):
        read_start((one, str(tmp_path / "more")))


def test_what_does_not_fit_is_counted(tmp_path, capsys):
    config = TrainConfig(**SMALL, init_from=saved(tmp_path / "one", 1))
    build_model(PoseTask(), config)
    assert capsys.readouterr().err == ""
    model = build_model(PoseTask(), dataclasses.replace(config, denoiser="mlp"))
    said = capsys.readouterr().err
    count = sum(name.startswith("denoiser.") for name in model.state_dict())
    assert f"denoiser {count} of {count}\n" in said
    assert "encoder" not in said
    build_model(PoseTask(), dataclasses.replace(config, denoiser="mlp"), announce=False)
    assert capsys.readouterr().err == ""


def test_settings_take_a_folder_or_a_list(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text('data = "d"\ninit_from = ["a", "b"]\n')
    assert read_config(path, {}).starts == ("a", "b")
    assert read_config(path, {"init_from": "c"}).starts == ("c",)
    assert read_config(path, {"init_from": ["c", "d"]}).starts == ("c", "d")
    assert TrainConfig(data=("d",)).starts == ()
    for wrong in (3, [], ["a", 1], ""):
        with pytest.raises(ConfigError, match="init_from must be a checkpoint folder or a list"):
            read_config(path, {"init_from": wrong})


@pytest.mark.filterwarnings("ignore")
def test_a_run_from_a_mean_resumes(tmp_path):
    folders = tuple(saved(tmp_path / str(seed), seed) for seed in (0, 1))
    data = (str(make_shards(tmp_path / "data")),)
    config = TrainConfig(**{**SMALL, "data": data}, init_from=folders, steps=2, checkpoint_every=1)
    train(config, tmp_path / "run", until_step=1)
    assert train(config, tmp_path / "run")["step"] == 2
