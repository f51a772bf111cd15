"""What a data set says of its actions is read as it is, and what it does not say is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from armsight.action_spec import ActionSpec
from armsight.data.lerobot import LeRobotReader, LeRobotWriter
from armsight.errors import DatasetError
from armsight.train.recorded.action_space import read_action_space
from tests.train.recorded.made_recordings import NAMES, make_recordings

pytest.importorskip("pyarrow")
ODD = Path(__file__).parents[4] / "shared" / "data" / "odd_inputs" / "lerobot_v3"


@pytest.mark.parametrize("relative", [False, True])
def test_targets_and_steps_are_told_apart(tmp_path: Path, relative: bool) -> None:
    reader = LeRobotReader(make_recordings(tmp_path / "d", relative=relative, fps=30))
    spec = read_action_space(reader, [0, 1, 2])
    kind = "relative" if relative else "absolute"
    assert [one.kind for one in spec.actions] == [kind, kind, "absolute"]
    assert [one.follows for one in spec.actions] == NAMES
    assert [one.gripper for one in spec.actions] == [False, False, True]
    assert [one.binary for one in spec.actions] == [False, False, True]
    assert (spec.rate_hz, spec.robot, spec.dataset) == (30, "square", "d")
    assert spec.cameras == ("observation.images.front",)
    assert ActionSpec.from_json(spec.to_json()) == spec


def test_ranges_and_normalisation_are_of_the_chosen_episodes_alone(tmp_path: Path) -> None:
    reader = LeRobotReader(make_recordings(tmp_path / "d"))
    spec = read_action_space(reader, [1, 3])
    rows = np.concatenate([reader.rows(e)["action"] for e in (1, 3)]).astype(float)
    assert [one.offset for one in spec.actions[:2]] == pytest.approx(rows[:, :2].mean(0).tolist())
    assert [one.scale for one in spec.actions[:2]] == pytest.approx(rows[:, :2].std(0).tolist())
    assert spec.actions[0].low < rows[:, 0].min() < rows[:, 0].max() < spec.actions[0].high


@pytest.mark.parametrize(
    ("names", "expected"),
    [("list", NAMES), ("dict", NAMES), (None, ["action_0", "action_1", "action_2"])],
)
def test_names_in_every_form(tmp_path: Path, names: Any, expected: list[str]) -> None:
    reader = LeRobotReader(make_recordings(tmp_path / "d", names=names))
    assert list(read_action_space(reader, [0, 1]).action_names) == expected


def test_cameras_by_full_or_short_name_in_the_order_given(tmp_path: Path) -> None:
    reader = LeRobotReader(make_recordings(tmp_path / "d", (20, 20), cameras=("front", "wrist")))
    spec = read_action_space(reader, [0], ["wrist", "observation.images.front"])
    assert spec.cameras == ("observation.images.wrist", "observation.images.front")
    with pytest.raises(DatasetError, match=r"no camera 'top'.*valid: observation\.images\.front"):
        read_action_space(reader, [0], ["top"])


def test_what_is_missing_is_named_with_what_there_is(tmp_path: Path) -> None:
    reader = LeRobotReader(make_recordings(tmp_path / "d", (20, 20)))
    with pytest.raises(DatasetError, match="'act'; valid: action, observation.state"):
        read_action_space(reader, [0], action_key="act")


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    vector = {"dtype": "float32", "shape": (2,), "names": None}
    video = {"dtype": "video", "shape": (64, 64, 3), "names": ["height", "width", "channels"]}
    features = {"action": vector, "observation.images.a": video}
    with LeRobotWriter(tmp_path, fps=10, robot_type="x", features=features) as writer:
        still = {"observation.images.a": np.zeros((4, 64, 64, 3), np.uint8)}
        writer.add_episode({"action": np.zeros((4, 2), np.float32)}, still, "t")
    reader = LeRobotReader(tmp_path)
    spec = read_action_space(reader, [0])
    assert [one.kind for one in spec.actions] == ["unknown", "unknown"]  # there is no state
    assert [one.scale for one in spec.actions] == [1, 1]  # what stands still is not blown up
    rows = {**reader.rows(0), "action": np.full((4, 2), np.nan)}
    reader.rows = lambda episode: rows  # type: ignore[method-assign]
    with pytest.raises(DatasetError, match="action of episode 0 holds NaN"):
        read_action_space(reader, [0])


@pytest.mark.skipif(not ODD.is_dir(), reason="the shared data are not here")
def test_a_small_foreign_set() -> None:
    spec = read_action_space(LeRobotReader(ODD), [0])
    assert (len(spec.actions), len(spec.states), spec.rate_hz) == (7, 8, 10)
    assert spec.states[0].name == "m0"
