"""Recipes: what a person says about a robot, from which its data file is made.

A recipe is a JSON file with these keys; see docs/train-your-own.md.

- `name`: of the robot and its files.
- `joints`: names of the arm's joints, base first.
- `ready_positions`: a usual working pose [rad], one number for each joint.
- `joint_limits` (optional): joint name -> [lower, upper] [rad], where the model's do not fit.
- `max_velocity` [rad/s], `max_acceleration` [rad/s^2] (optional): one number for each joint, by the
  maker's data sheet; paths that are written for the robot keep them.
- `tool_frames` (optional): name -> `link`, `translation` [m], `rotation_wxyz`: frames by which an
  end effector is known.
- `origin_links`: links whose frame origins are keypoints, the base first.
- `skeleton` (optional): pairs of origin links that a drawing joins; by default each with the next.
- `more_links` (optional): further links that move with the arm, such as a hand's: they have shapes
  and no keypoints.
- `num_surface_keypoints` (24), `seed` (0): points spread over the links.
- `simulation`: where the model is, see model_file.py.
"""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from armsight.errors import ConfigError
from armsight.robots import load_robot
from armsight.robots.description.link_tree import LinkTree
from armsight.robots.description.model_file import (
    ATTACH_KEYS,
    SIMULATION_KEYS,
    assembled_spec,
    compiled,
)
from armsight.robots.description.robot_file import make_robot_file
from armsight.robots.robot import DATA_FOLDER

RECIPES = DATA_FOLDER / "recipes"
REQUIRED = ("name", "joints", "ready_positions", "origin_links", "simulation")
KINDS: dict[str, type] = {
    "package": str, "install": str, "model": str, "body": str, "to": str, "base": str,
    "radians": bool, "package_folders": dict, "visual_groups": list, "colours": str,
}  # fmt: skip
SPEED_LIMITS = ("max_velocity", "max_acceleration")
OPTIONAL = ("joint_limits", "skeleton", "num_surface_keypoints", "seed", "more_links",
            "tool_frames", *SPEED_LIMITS)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """A recipe, read from `path`; see the module's docstring."""

    name: str
    joints: list[str]
    ready_positions: list[float]
    origin_links: list[str]
    simulation: dict[str, Any]
    skeleton: list[tuple[str, str]]
    joint_limits: dict[str, tuple[float, float]] = field(default_factory=dict)
    num_surface_keypoints: int = 24
    seed: int = 0
    more_links: list[str] = field(default_factory=list)
    speed_limits: dict[str, list[float]] = field(default_factory=dict)
    tool_frames: dict[str, Any] = field(default_factory=dict)
    path: Path = Path("recipe.json")

    @property
    def folder(self) -> Path:
        """From which paths of model files start."""
        return self.path.parent


def available_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    return tuple(sorted(path.stem for path in RECIPES.glob("*.json")))


def read_recipe(name: str | Path) -> Recipe:
    """The recipe of that name, or in a file.

    Raises:
        ConfigError: there is none, or it is broken; the message names the key.
    """
    path = RECIPES / f"{name}.json" if str(name) in available_recipes() else Path(name)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read recipe {path}: {error.strerror}; give a JSON file, or one of the "
            f"recipes that come along: {', '.join(available_recipes())}"
        ) from error
    except ValueError as error:
        raise ConfigError(f"recipe {path} is no JSON: {error}") from error
    try:
        return _checked(data, path)
    except ValueError as error:
        raise ConfigError(f"recipe {path}: {error}") from error


def make_robot(recipe: Recipe, out: Path, notes: tuple[str, ...] = ()) -> tuple[Path, list[str]]:
    """Write the robot's data file into `out`; return its path, and remarks for the user.

    Raises:
        ConfigError: the recipe does not fit the model, or would be overwritten.
        MissingExtraError: MuJoCo or the package with the model is not installed.
        OutputError: the files cannot be written.
    """
    if (out / f"{recipe.name}.json").resolve() == recipe.path.resolve():
        raise ConfigError(
            f"the robot's data file would overwrite its recipe {recipe.path}; choose another --out "
            f"or call the recipe {recipe.name}.recipe.json"
        )
    spec = assembled_spec(recipe.simulation, recipe.folder)
    model = compiled(spec, f"the model of {recipe.name}")
    gripper = [model.joint(i).name.rpartition("/")[2] for i in range(model.njnt)]
    for joint in recipe.simulation.get("gripper_joints", []):
        if joint not in gripper:
            known = ", ".join(gripper)
            raise ConfigError(f"there is no gripper joint {joint!r} in the model; it has {known}")
    path = make_robot_file(
        model,
        name=recipe.name,
        joint_names=recipe.joints,
        ready_positions=recipe.ready_positions,
        origin_links=recipe.origin_links,
        skeleton=recipe.skeleton,
        num_surface_keypoints=recipe.num_surface_keypoints,
        simulation=_moved(recipe.simulation, recipe.folder, out),
        joint_limits=recipe.joint_limits,
        out=out,
        seed=recipe.seed,
        more_links=recipe.more_links,
        speed_limits=recipe.speed_limits,
        tool_frames=recipe.tool_frames,
        notes=notes,
    )
    return path, _remarks(
        LinkTree(model, recipe.joints, recipe.origin_links, recipe.more_links), path
    )


def _remarks(tree: LinkTree, path: Path) -> list[str]:
    robot = load_robot(path)
    remarks = [
        f"joint {name} is not listed and counts as fixed at zero" for name in tree.fixed_joints()
    ]
    for name, (low, high) in zip(robot.joint_names, robot.joint_limits, strict=True):
        if high - low > 2 * math.pi + 1e-3:
            remarks.append(
                f"joint {name} turns by {math.degrees(high - low):.0f} degrees, and no picture "
                "shows which turn it is in: give it at most one turn under `joint_limits`"
            )
    bare = [name for name in robot.link_names if name not in robot.link_shapes()]
    if bare:
        remarks.append(f"without a shape, so without surface keypoints: {', '.join(bare)}")
    return remarks


def _moved(simulation: dict[str, Any], before: Path, after: Path) -> dict[str, Any]:
    """The block with paths of model files from the folder `after` in place of `before`."""

    def path(model: str) -> str:
        absolute = before / model
        if Path(model).is_absolute():
            return model
        return Path(os.path.relpath(absolute.resolve(), after.resolve())).as_posix()

    if "package" not in simulation:
        simulation = {**simulation, "model": path(simulation["model"])}
    attach = [
        extra if "package" in {**simulation, **extra} else {**extra, "model": path(extra["model"])}
        for extra in simulation.get("attach", [])
    ]
    return {**simulation, "attach": attach} if attach else simulation


def _checked(data: Any, path: Path) -> Recipe:
    """A recipe of decoded JSON.

    Raises:
        ValueError: a key is missing, unknown or of the wrong kind.
    """
    if not isinstance(data, dict):
        raise ValueError(f"it holds a {type(data).__name__}, not an object")
    _keys("the recipe", data, REQUIRED, OPTIONAL)
    name, joints, origins = data["name"], data["joints"], data["origin_links"]
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(f"name is {name!r}; it must be made of letters, digits, '_', '.', '-'")
    _texts("joints", joints)
    _texts("origin_links", origins)
    _texts("more_links", data.get("more_links", []), empty=True)
    ready = _numbers("ready_positions", data["ready_positions"], len(joints))
    limits = data.get("joint_limits", {})
    if not isinstance(limits, dict) or not set(limits) <= set(joints):
        raise ValueError(f"joint_limits must map joints to [lower, upper]: {', '.join(joints)}")
    skeleton = data.get("skeleton", [*pairwise(origins)])
    if not isinstance(skeleton, list) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 and all(end in origins for end in pair)
        for pair in skeleton
    ):
        raise ValueError(f"skeleton must be a list of pairs of {', '.join(origins)}")
    for key in ("num_surface_keypoints", "seed"):
        if type(data.get(key, 0)) is not int or data.get(key, 0) < 0:
            raise ValueError(f"{key} is {data[key]!r}; it must be a whole number, 0 or more")
    return Recipe(
        name=name,
        joints=joints,
        ready_positions=ready,
        origin_links=origins,
        simulation=_checked_simulation(data["simulation"]),
        skeleton=[(a, b) for a, b in skeleton],
        joint_limits={
            joint: (low, high)
            for joint, pair in limits.items()
            for low, high in [_numbers(f"joint_limits of {joint}", pair, 2)]
        },
        num_surface_keypoints=data.get("num_surface_keypoints", 24),
        seed=data.get("seed", 0),
        more_links=data.get("more_links", []),
        speed_limits={
            key: _numbers(key, data[key], len(joints)) for key in SPEED_LIMITS if key in data
        },
        tool_frames=data.get("tool_frames", {}),
        path=path,
    )


def _checked_simulation(block: Any) -> dict[str, Any]:
    if not isinstance(block, dict):
        raise ValueError(f"simulation is {block!r}; it must be an object")
    _keys("simulation", block, ("model",), SIMULATION_KEYS)
    attach = block.get("attach", [])
    if not isinstance(attach, list) or not all(isinstance(extra, dict) for extra in attach):
        raise ValueError("simulation.attach must be a list of objects")
    for i, extra in enumerate(attach):
        where = f"simulation.attach[{i}]"
        _keys(where, extra, ("model", "to"), ATTACH_KEYS)
        _kinds(where, extra)
        for key, count in (("rotation_wxyz", 4), ("translation", 3)):
            if key in extra:
                _numbers(f"{where}.{key}", extra[key], count)
    _kinds("simulation", block)
    if "gripper_joints" in block:
        _texts("simulation.gripper_joints", block["gripper_joints"], empty=True)
    return block


def _kinds(where: str, item: dict[str, Any]) -> None:
    words = {str: "a text", bool: "true or false", dict: "an object", list: "a list"}
    for key, kind in KINDS.items():
        if key in item and not isinstance(item[key], kind):
            raise ValueError(f"{where}.{key} is {item[key]!r}; it must be {words[kind]}")


def _keys(
    where: str, item: dict[str, Any], required: tuple[str, ...], optional: tuple[str, ...]
) -> None:
    if missing := [key for key in required if key not in item]:
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    if unknown := sorted(set(item) - set(required) - set(optional)):
        known = ", ".join(dict.fromkeys((*required, *optional)))
        raise ValueError(f"{where} has the unknown {', '.join(unknown)}; known: {known}")


def _texts(where: str, items: Any, *, empty: bool = False) -> None:
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError(f"{where} is {items!r}; it must be a list of names")
    if not items and not empty:
        raise ValueError(f"{where} is empty")
    if doubled := [item for item in items if items.count(item) > 1]:
        raise ValueError(f"{where} names {doubled[0]!r} twice")


def _numbers(where: str, values: Any, count: int) -> list[float]:
    good = isinstance(values, list) and all(
        isinstance(v, int | float) and math.isfinite(v) for v in values
    )
    if not good or len(values) != count:
        raise ValueError(f"{where} is {values!r}; it must be a list of {count} finite numbers")
    numbers: list[float] = values
    return numbers
