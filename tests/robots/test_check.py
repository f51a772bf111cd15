"""Robot data files: each kind of damage is named, and nothing that is whole is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armsight.errors import UnknownRobotError
from armsight.robots import load_robot
from armsight.robots.check import check_robot
from armsight.robots.robot import _from_json

PANDA = Path(load_robot("panda").folder) / "panda.json"
WHOLE: dict[str, Any] = json.loads(PANDA.read_text())
Change = Callable[[dict[str, Any]], Any]


def setter(*path: Any) -> Change:
    """Sets the last of `path` at the place that the others lead to."""

    def change(data: dict[str, Any]) -> None:
        *way, last, value = path
        place: Any = data
        for key in way:
            place = place[key]
        place[last] = value

    return change


def remover(*path: Any) -> Change:
    def change(data: dict[str, Any]) -> None:
        *way, last = path
        place: Any = data
        for key in way:
            place = place[key]
        del place[last]

    return change


DAMAGE: dict[str, Change] = {
    "the robot lacks 'joints'": remover("joints"),
    "the robot lacks 'skeleton'": remover("skeleton"),
    r"joints\[2\] lacks 'name'": remover("joints", 2, "name"),
    "joint 'panda_joint3' lacks 'limits'": remover("joints", 2, "limits"),
    "link 'panda_link2' lacks 'rotation_wxyz'": remover("links", 2, "rotation_wxyz"),
    "keypoint 'panda_link0' lacks 'position'": remover("keypoints", 0, "position"),
    "the robot's name is 7": setter("name", 7),
    "joints must be a list that is not empty": setter("joints", []),
    "links must be a list": setter("links", {"a": 1}),
    r"links\[1\] is 5, not an object": setter("links", 1, 5),
    r"name of joints\[0\] is None": setter("joints", 0, "name", None),
    "two joints have the name 'panda_joint1'": setter("joints", 1, "name", "panda_joint1"),
    "two links have the name 'panda_link0'": setter("links", 1, "name", "panda_link0"),
    "two keypoints have the name 'panda_link2'": setter("keypoints", 0, "name", "panda_link2"),
    "'panda_link1' names the unknown parent 'base'; known: panda_link0": setter(
        "links", 1, "parent", "base"
    ),
    "'panda_link1' comes before its parent 'panda_link2'": setter(
        "links", 1, "parent", "panda_link2"
    ),
    "'panda_link1' comes before its parent 'panda_link1'": setter(
        "links", 1, "parent", "panda_link1"
    ),
    "'panda_link3' has no parent; only the first": setter("links", 3, "parent", None),
    "'panda_link2': rotation_wxyz .* must have length 1, not 0": setter(
        "links", 2, "rotation_wxyz", [0, 0, 0, 0]
    ),
    "'panda_link2': rotation_wxyz .* must have length 1, not 2": setter(
        "links", 2, "rotation_wxyz", [0, 2.0, 0, 0]
    ),
    "rotation_wxyz is .*; it must be a list of 4 numbers": setter(
        "links", 2, "rotation_wxyz", [1, 0, 0]
    ),
    "'panda_link4': translation holds nan": setter("links", 4, "translation", [0, float("nan"), 0]),
    "'panda_link4': translation holds '1'": setter("links", 4, "translation", [0, "1", 0]),
    "'panda_link4': translation is 0": setter("links", 4, "translation", 0),
    "'panda_joint1': axis .* must have length 1": setter("joints", 0, "axis", [0, 0, 2]),
    "'panda_joint1': axis holds inf": setter("joints", 0, "axis", [0, 0, float("inf")]),
    "'panda_joint1': limits is .* list of 2": setter("joints", 0, "limits", [1, 2, 3]),
    "'panda_joint1': the lower limit 1.0 must be below": setter("joints", 0, "limits", [1, -1]),
    "'panda_joint1': ready 9.0 lies outside of its limits": setter("joints", 0, "ready", 9),
    "'panda_joint1': ready holds 'a'": setter("joints", 0, "ready", "a"),
    "'panda_link1' names the unknown joint 'j'; known: panda_joint1": setter(
        "links", 1, "joint", "j"
    ),
    "joint 'panda_joint1' turns two links, 'panda_link1' and 'panda_link2'": setter(
        "links", 2, "joint", "panda_joint1"
    ),
    "joint 'panda_joint1' turns no link": setter("links", 1, "joint", None),
    "'panda_link0' names the unknown link 'arm'": setter("keypoints", 0, "link", "arm"),
    "'panda_link0': position holds nan": setter("keypoints", 0, "position", [0, 0, float("nan")]),
    "kind is 'corner'; it must be one of origin, surface": setter("keypoints", 9, "kind", "corner"),
    "is an origin behind surface keypoints": setter("keypoints", 20, "kind", "origin"),
    "2 origins and 1 surface keypoints are too few": lambda d: setter(
        "keypoints", [d["keypoints"][i] for i in (0, 1, 9)]
    )(d),
    "0 origins and 24 surface keypoints are too few": lambda d: setter(
        "keypoints", d["keypoints"][7:]
    )(d),
    "the skeleton names the unknown keypoint 'tip'": setter("skeleton", 0, 1, "tip"),
    "the skeleton holds 'ab', not a pair": setter("skeleton", 0, "ab"),
    "the skeleton must be a list": setter("skeleton", None),
    "the simulation must be an object": setter("simulation", "here"),
}


@pytest.mark.parametrize("message", DAMAGE)
def test_damage_is_named(message: str, tmp_path: Path) -> None:
    data = copy.deepcopy(WHOLE)
    DAMAGE[message](data)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(data))
    with pytest.raises(UnknownRobotError, match=rf"mine\.json is broken: .*{message}"):
        load_robot(path)


@pytest.mark.parametrize("content", [b"\xff\xfe{}", b'{"name": ', b"3", b"null", b'"panda"'])
def test_what_is_no_object_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    with pytest.raises(UnknownRobotError, match=r"mine\.json is broken"):
        load_robot(path)


JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_value_anywhere_is_refused_or_works(data: Any) -> None:
    """Whatever stands in for one value: a ValueError, or a robot with finite kinematics."""
    changed = copy.deepcopy(WHOLE)
    place: Any = changed
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else
                                        range(len(place))))  # fmt: skip
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JUNK)
    try:
        check_robot(changed)
    except ValueError:
        return
    robot = _from_json(changed, PANDA.parent)
    assert np.isfinite(robot.keypoints(robot.ready_positions)).all()


def test_a_quaternion_that_was_rounded_by_hand_is_made_exact(tmp_path: Path) -> None:
    data = copy.deepcopy(WHOLE)
    data["links"][2]["rotation_wxyz"] = [0.7071, -0.7071, 0, 0]
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(data))
    R = load_robot(path).forward_kinematics(np.zeros(7))[..., :3, :3]
    identity = np.broadcast_to(np.eye(3), R.shape)
    np.testing.assert_allclose(R @ np.swapaxes(R, -1, -2), identity, atol=1e-12)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 not a zip", b"half"])
def test_broken_link_shapes(content: bytes | None, tmp_path: Path) -> None:
    (tmp_path / "panda.json").write_text(PANDA.read_text())
    if content == b"half":
        content = PANDA.with_suffix(".npz").read_bytes()[:5000]
    if content is not None:
        (tmp_path / "panda.npz").write_bytes(content)
    robot = load_robot(tmp_path / "panda.json")
    with pytest.raises(UnknownRobotError, match=r"link shapes of panda .*panda\.npz.*make-robot"):
        robot.link_shapes()
