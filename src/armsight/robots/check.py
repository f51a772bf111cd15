"""What a robot data file must hold; the first thing that is wrong is named."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

FEWEST_KEYPOINTS = 4
"""A camera pose from points needs four."""
FEWEST_ORIGINS = 2
"""Cameras are aimed at the line that joins the link origins."""
KINDS = ("origin", "surface")


def check_robot(data: Any) -> None:
    """See that decoded JSON is a whole robot.

    Raises:
        ValueError: it is not; the message says where and what would be right.
    """
    if not isinstance(data, dict):
        raise ValueError(f"it holds a {type(data).__name__}, not an object")
    if not isinstance(_of(data, "the robot", "name"), str) or not data["name"]:
        raise ValueError(f"the robot's name is {data['name']!r}; it must be a text")
    joints, links, keypoints = (_named(data, key) for key in ("joints", "links", "keypoints"))
    for name, joint in joints.items():
        _check_joint(f"joint {name!r}", joint)
    _check_tree(links, joints)
    _check_keypoints(keypoints, links)
    skeleton = _of(data, "the robot", "skeleton")
    if not isinstance(skeleton, list):
        raise ValueError("the skeleton must be a list of pairs of keypoint names")
    for pair in skeleton:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f"the skeleton holds {pair!r}, not a pair of keypoint names")
        for end in pair:
            _known(end, keypoints, "the skeleton", "keypoint")
    _check_tool_frames(data.get("tool_frames", {}), links)
    if not isinstance(data.get("simulation", {}), dict):
        raise ValueError("the simulation must be an object")


def _named(data: dict[str, Any], key: str) -> dict[str, dict[str, Any]]:
    """The objects of a list by their names, in order."""
    items = _of(data, "the robot", key)
    if not isinstance(items, list) or not items:
        raise ValueError(f"{key} must be a list that is not empty")
    result: dict[str, dict[str, Any]] = {}
    for i, item in enumerate(items):
        where = f"{key}[{i}]"
        if not isinstance(item, dict):
            raise ValueError(f"{where} is {item!r}, not an object")
        name = _of(item, where, "name")
        if not isinstance(name, str) or not name:
            raise ValueError(f"the name of {where} is {name!r}; it must be a text")
        if name in result:
            raise ValueError(f"two {key} have the name {name!r}")
        result[name] = item
    return result


def _check_joint(where: str, joint: dict[str, Any]) -> None:
    axis = _numbers(joint, where, "axis", 3)
    if abs(math.hypot(*axis) - 1) > 1e-6:
        raise ValueError(f"{where}: axis {axis} must have length 1, not {math.hypot(*axis):.6g}")
    low, high = _numbers(joint, where, "limits", 2)
    if not low < high:
        raise ValueError(f"{where}: the lower limit {low} must be below the upper limit {high}")
    (ready,) = _numbers({"ready": [_of(joint, where, "ready")]}, where, "ready", 1)
    if not low <= ready <= high:
        raise ValueError(f"{where}: ready {ready} lies outside of its limits {low} to {high}")
    for key in ("max_velocity", "max_acceleration"):
        if key in joint and not _numbers({key: [joint[key]]}, where, key, 1)[0] > 0:
            raise ValueError(f"{where}: {key} is {joint[key]}; it must be above 0")


def _check_tree(links: dict[str, dict[str, Any]], joints: dict[str, dict[str, Any]]) -> None:
    turned: dict[str, str] = {}
    before: list[str] = []
    for name, link in links.items():
        where = f"link {name!r}"
        parent = _of(link, where, "parent")
        if parent is None and before:
            raise ValueError(f"{where} has no parent; only the first link, the base, may have none")
        if parent is not None:
            _known(parent, links, where, "parent")
            if parent not in before:
                raise ValueError(f"{where} comes before its parent {parent!r}; parents come first")
        _check_pose(where, link)
        joint = _of(link, where, "joint")
        if joint is not None:
            _known(joint, joints, where, "joint")
            if joint in turned:
                raise ValueError(f"joint {joint!r} turns two links, {turned[joint]!r} and {name!r}")
            turned[joint] = name
        before.append(name)
    for joint in joints:
        if joint not in turned:
            raise ValueError(f"joint {joint!r} turns no link")


def _check_pose(where: str, item: dict[str, Any]) -> None:
    _numbers(item, where, "translation", 3)
    quaternion = _numbers(item, where, "rotation_wxyz", 4)
    if abs(math.hypot(*quaternion) - 1) > 1e-3:
        length = math.hypot(*quaternion)
        raise ValueError(
            f"{where}: rotation_wxyz {quaternion} must have length 1, not {length:.6g}"
        )


def _check_tool_frames(frames: Any, links: Iterable[str]) -> None:
    if not isinstance(frames, dict):
        raise ValueError("tool_frames must be an object: name -> link, translation, rotation_wxyz")
    for name, frame in frames.items():
        where = f"tool frame {name!r}"
        if not isinstance(frame, dict):
            raise ValueError(f"{where} is {frame!r}, not an object")
        _known(_of(frame, where, "link"), links, where, "link")
        _check_pose(where, frame)


def _check_keypoints(keypoints: dict[str, dict[str, Any]], links: Iterable[str]) -> None:
    kinds = []
    for name, keypoint in keypoints.items():
        where = f"keypoint {name!r}"
        _known(_of(keypoint, where, "link"), links, where, "link")
        _numbers(keypoint, where, "position", 3)
        kind = _of(keypoint, where, "kind")
        if kind not in KINDS:
            raise ValueError(f"{where}: kind is {kind!r}; it must be one of {', '.join(KINDS)}")
        if kind == "origin" and "surface" in kinds:
            raise ValueError(f"{where} is an origin behind surface keypoints; origins come first")
        kinds.append(kind)
    if len(kinds) < FEWEST_KEYPOINTS or kinds.count("origin") < FEWEST_ORIGINS:
        raise ValueError(
            f"{kinds.count('origin')} origins and {kinds.count('surface')} surface keypoints are "
            f"too few; at least {FEWEST_KEYPOINTS}, {FEWEST_ORIGINS} of them origins, are needed"
        )


def _of(item: dict[str, Any], where: str, key: str) -> Any:
    if key not in item:
        raise ValueError(f"{where} lacks {key!r}")
    return item[key]


def _known(name: Any, names: Iterable[str], where: str, what: str) -> None:
    known = list(names)
    if name not in known:
        raise ValueError(f"{where} names the unknown {what} {name!r}; known: {', '.join(known)}")


def _numbers(item: dict[str, Any], where: str, key: str, count: int) -> list[float]:
    values = _of(item, where, key)
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"{where}: {key} is {values!r}; it must be a list of {count} numbers")
    for value in values:
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{where}: {key} holds {value!r}, which is no finite number")
    return [float(value) for value in values]
