"""Several kinds of robot in one picture, with stand-ins for their networks (charted_arm.py)."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from armsight.errors import ConfigError
from armsight.estimate.estimator import Estimator
from armsight.estimate.several_robots import SeveralRobots
from armsight.robots import Robot, load_robot
from armsight.robots.robot import DATA_FOLDER
from tests.charted_arm import ROBOT, Arm, StubSession, chart, make_arm


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Robot:
    """The same arm under another name."""
    folder = tmp_path_factory.mktemp("robots")
    data = {**json.loads((DATA_FOLDER / "panda.json").read_text()), "name": "twin"}
    (folder / "twin.json").write_text(json.dumps(data))
    shutil.copy(DATA_FOLDER / "panda.npz", folder / "twin.npz")
    return load_robot(folder / "twin.json")


def estimator(robot: Robot, *arms: Arm, **options: object) -> Estimator:
    session = StubSession(list(arms), entries={"robot": robot.name}, **options)  # type: ignore[arg-type]
    return Estimator(session, robot)  # type: ignore[arg-type]


def looked_at(one: Estimator) -> int:
    assert isinstance(one.session, StubSession)
    return len(one.session.boxes)


def test_each_kind_of_arm_is_read_once(twin: Robot) -> None:
    left, right = (
        make_arm(1280, 480, x=-0.7, focal=0.5),
        make_arm(1280, 480, x=0.7, seed=1, focal=0.5),
    )
    several = SeveralRobots([estimator(ROBOT, left), estimator(twin, right)])
    estimate = several(chart(1280, 480), K=left.K)
    arms = (estimate, *estimate.others)
    assert {arm.robot for arm in arms} == {"panda", "twin"}
    assert estimate.confidence >= estimate.others[0].confidence
    assert all(arm.others == () for arm in estimate.others)
    assert "2 arms in view (panda, twin); this is the surest answer" in estimate.messages
    for arm in arms:
        truth = left if arm.robot == "panda" else right
        assert arm.joint_positions is not None
        assert np.degrees(np.abs(arm.joint_positions - truth.q)).max() < 1
    assert {other["robot"] for other in estimate.to_json()["others"]} < {"panda", "twin"}


def test_two_robots_answers_to_one_arm_are_one_arm(twin: Robot) -> None:
    arm = make_arm()
    sure, unsure = estimator(ROBOT, arm), estimator(twin, arm, keypoint_std=6.0)
    alone = sure(chart(), K=arm.K), unsure(chart(), K=arm.K)
    assert alone[0].confidence > alone[1].confidence
    estimate = SeveralRobots([unsure, sure])(chart(), K=arm.K)
    assert estimate.robot == "panda"
    assert estimate.others == ()


def test_only_what_the_first_look_sees_is_read(twin: Robot) -> None:
    arm = make_arm()
    here, elsewhere = estimator(ROBOT, arm), estimator(twin, make_arm(x=40.0))
    estimate = SeveralRobots([elsewhere, here])(chart(), K=arm.K)
    assert estimate.robot == "panda"
    assert looked_at(elsewhere) == 1
    assert looked_at(here) > 1


def test_no_robot_at_all(twin: Robot) -> None:
    far = make_arm(x=40.0)
    estimate = SeveralRobots([estimator(ROBOT, far), estimator(twin, far)])(chart(), K=far.K)
    assert not estimate.robot_found
    assert "none of panda, twin found" in estimate.messages


def test_the_robot_of_a_video(twin: Robot) -> None:
    arm = make_arm()
    several = SeveralRobots([estimator(twin, make_arm(x=40.0)), estimator(ROBOT, arm)])
    assert several.most_seen([chart(), chart()]).robot.name == "panda"


@pytest.mark.parametrize("count", [0, 2])
def test_one_estimator_for_each_robot(count: int) -> None:
    with pytest.raises(ConfigError, match="one estimator for each robot"):
        SeveralRobots([estimator(ROBOT, make_arm())] * count)
