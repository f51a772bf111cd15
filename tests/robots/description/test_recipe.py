"""Recipes: what is wrong is named before MuJoCo is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from armsight.errors import ConfigError
from armsight.robots.description.model_file import SIMULATION_KEYS
from armsight.robots.description.recipe import OPTIONAL, REQUIRED, available_recipes, read_recipe
from tests.made_arms import write_arm

MANUAL = Path(__file__).parents[3] / "docs" / "train-your-own.md"

DAMAGE: dict[str, dict[str, Any]] = {
    "lacks origin_links": {"origin_links": None},
    "has the unknown joint_name; known: name, joints": {"joint_name": ["turn"]},
    "name is 'a/b'; it must be made of": {"name": "a/b"},
    "name is '../x'": {"name": "../x"},
    "joints is 'turn'; it must be a list of names": {"joints": "turn"},
    "joints is empty": {"joints": []},
    "joints names 'turn' twice": {"joints": ["turn", "turn"]},
    r"ready_positions is \[0, 1\]; it must be a list of 3": {"ready_positions": [0, 1]},
    r"ready_positions is \[0, 1, 'a'\]": {"ready_positions": [0, 1, "a"]},
    r"ready_positions is \[0, 1, nan\]": {"ready_positions": [0, 1, float("nan")]},
    "joint_limits must map joints to": {"joint_limits": {"elbow": [0, 1]}},
    "joint_limits of bend is 3; it must be a list of 2": {"joint_limits": {"bend": 3}},
    "skeleton must be a list of pairs of base, shoulder": {"skeleton": [["base", "tip"]]},
    "skeleton must be a list of pairs": {"skeleton": [["base", ["hand"]]]},
    "num_surface_keypoints is 2.5; it must be a whole number": {"num_surface_keypoints": 2.5},
    "num_surface_keypoints is -1": {"num_surface_keypoints": -1},
    "seed is True": {"seed": True},
    "simulation is 'arm.xml'; it must be an object": {"simulation": "arm.xml"},
    "simulation has the unknown models; known: model": {"simulation": {"models": "a.xml"}},
    "simulation.model is 3; it must be a text": {"simulation": {"model": 3}},
    "simulation.radians is 'yes'; it must be true or false": {"simulation": {"radians": "yes"}},
    "simulation.visual_groups is 1; it must be a list": {"simulation": {"visual_groups": 1}},
    "simulation.gripper_joints is 'close'": {"simulation": {"gripper_joints": "close"}},
    "simulation.attach must be a list of objects": {"simulation": {"attach": ["gripper.xml"]}},
    r"attach\[0\] lacks to": {"simulation": {"attach": [{"model": "gripper.xml"}]}},
    r"attach\[0\].rotation_wxyz is .*; it must be a list of 4": {
        "simulation": {"attach": [{"model": "g.xml", "to": "hand", "rotation_wxyz": [0, 0, 1]}]},
    },
    r"attach\[0\].to is 3; it must be a text": {
        "simulation": {"attach": [{"model": "g.xml", "to": 3}]},
    },
}


@pytest.mark.parametrize("message", DAMAGE)
def test_damage_is_named(message: str, tmp_path: Path) -> None:
    recipe = write_arm(tmp_path, **DAMAGE[message])
    with pytest.raises(ConfigError, match=rf"recipe .*hard\.recipe\.json: .*{message}"):
        read_recipe(recipe)


@pytest.mark.parametrize("content", ["", "{", "[]", "3"])
def test_what_is_no_object_is_told(content: str, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(content)
    with pytest.raises(ConfigError, match=r"mine\.json"):
        read_recipe(tmp_path / "mine.json")


def test_an_unknown_recipe_lists_the_known() -> None:
    with pytest.raises(ConfigError, match="cannot read recipe pandu: .* come along: .*panda"):
        read_recipe("pandu")


def test_defaults(tmp_path: Path) -> None:
    recipe = read_recipe(write_arm(tmp_path, num_surface_keypoints=None))
    assert recipe.num_surface_keypoints == 24
    assert recipe.skeleton == [("base", "shoulder"), ("shoulder", "upper"), ("upper", "wrist"),
                               ("wrist", "hand")]  # fmt: skip
    assert recipe.folder == tmp_path
    drawn = read_recipe(write_arm(tmp_path, skeleton=[["base", "hand"]]))
    assert drawn.skeleton == [("base", "hand")]


def test_recipes_that_come_along_can_be_read() -> None:
    assert "panda" in available_recipes()
    for name in available_recipes():
        assert json.loads((read_recipe(name).folder / f"{name}.json").read_text())["name"] == name


def test_the_recipe_of_the_manual(tmp_path: Path) -> None:
    text = MANUAL.read_text()
    recipe = text.split("```json\n")[1].split("```")[0]
    (tmp_path / "xarm7.recipe.json").write_text(recipe)
    assert read_recipe(tmp_path / "xarm7.recipe.json").name == "xarm7"
    # What it says of the keys is what the code knows.
    for key in (*REQUIRED, *OPTIONAL, *SIMULATION_KEYS):
        assert f"`{key}`" in text or key == "base", key


def test_the_training_settings_of_the_manual(tmp_path: Path) -> None:
    config = pytest.importorskip("armsight.train.config")
    settings = MANUAL.read_text().split("```toml\n")[1].split("```")[0]
    (tmp_path / "stage.toml").write_text(settings)
    read = config.read_config(tmp_path / "stage.toml", {})
    assert read.robot == "xarm7.json"
    for stage in config.STAGES:
        assert f"| `{stage}` |" in MANUAL.read_text()
