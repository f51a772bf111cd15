"""Settings: from file and command line, and what is refused."""

import pytest

from armsight.errors import ConfigError
from armsight.train.config import read_config


def test_file_then_overrides(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text('data = ["a", "b"]\nsteps = 9\nlearning_rate = 1\n[loss_weights]\nseen = 2.0\n')
    config = read_config(path, {"steps": 11})
    assert (config.data, config.steps, config.learning_rate) == (("a", "b"), 11, 1.0)
    assert config.loss_weights["seen"] == 2.0
    assert config.loss_weights["heatmap"] == 1.0


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"stepz": 3}, "unknown training settings.*stepz.*steps"),
        ({"stage": "magic"}, "unknown training stage 'magic'.*joint"),
        ({"data": ["x"], "input_size": 100}, "multiple of 32.*100"),
        ({"data": ["x"], "steps": 0}, "steps must be at least 1"),
        ({}, "no training data.*armsight render"),
        ({"data": ["x"], "stage": "denoiser"}, "'denoiser' leaves the encoder.*set init_from"),
        ({"data": ["x"], "steps": "many"}, "steps must be of type int, not 'many'"),
        ({"data": ["x"], "loss_weights": {"color": 1}}, "unknown loss weights.*color"),
    ],
)
def test_errors_name_the_value_and_the_choices(settings, words):
    with pytest.raises(ConfigError, match=words):
        read_config(None, settings)


def test_broken_file(tmp_path):
    (tmp_path / "c.toml").write_text("steps = = 3")
    with pytest.raises(ConfigError, match=r"c\.toml"):
        read_config(tmp_path / "c.toml", {})
