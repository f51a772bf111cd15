"""A second robot is a data file and a training run, no code: from its recipe to an answer.

One arm is another maker's, from its URDF; the other has three joints and everything unusual.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from armsight.cli import group
from armsight.errors import ArmsightError, UnknownRobotError, WeightsError
from armsight.geometry import project, transform_points
from armsight.render.scene.other_arms import TEST_ARMS, TRAIN_ARMS, arms_unlike
from armsight.robots import Robot, load_robot
from armsight.robots.description.recipe import RECIPES
from tests.made_arms import write_arm

pytest.importorskip("mujoco")
# The exporter of torch warns, and the training loop leaves its log to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore")
SIZE = 96
SMALL = {"input_size": 64, "batch_size": 2, "noise_draws": 1, "denoiser_width": 16,
         "denoiser_depth": 1, "num_threads": 1, "warmup_steps": 1}  # fmt: skip


@dataclass
class Arm:
    robot: Robot
    file: Path
    folder: Path


def run(*arguments: object) -> str:
    result = CliRunner().invoke(group, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module", params=["hard", "xarm7"])
def arm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Arm:
    folder = tmp_path_factory.mktemp(request.param)
    recipe = write_arm(folder) if request.param == "hard" else RECIPES / f"{request.param}.json"
    try:
        run("make-robot", recipe, "--out", folder / "robots")
        file = folder / "robots" / f"{request.param}.json"
        common = ["render", "--robot", file, "--workers", 1, "--poses", "eval"]
        run(*common, "--count", 8, "--size", SIZE, "--out", folder / "shards")
        run(*common, "--count", 4, "--preset", "held-out", "--out", folder / "frames")
    except ArmsightError as error:
        pytest.skip(f"nothing can be made or drawn here: {error}")
    return Arm(load_robot(file), file, folder)


@pytest.fixture(scope="module")
def weights(arm: Arm) -> Path:
    """Weights of a network that has learned for two steps."""
    pytest.importorskip("torch")
    from armsight.train.config import TrainConfig
    from armsight.train.loop import train

    config = TrainConfig(robot=str(arm.file), data=(str(arm.folder / "shards"),), steps=2, **SMALL)
    train(config, arm.folder / "run")
    out = arm.folder / "weights"
    run("export", arm.folder / "run" / "checkpoint", "--out", out, "--num-inference-steps", 2)
    return out


def test_drawn_keypoints_lie_on_the_drawn_robot(arm: Arm) -> None:
    from safetensors.numpy import load_file

    rows = load_file(arm.folder / "shards" / "shard-00000.safetensors")
    seen = 0
    for i in range(len(rows["images"])):
        points = arm.robot.keypoints(rows["joint_positions"][i])
        cam = transform_points(rows["T_cam_base"][i], points)
        uv = project(cam, rows["K"][i])
        np.testing.assert_allclose(cam, rows["keypoints_3d_cam"][i], atol=1e-5)
        front = cam[:, 2] > 0.05
        np.testing.assert_allclose(uv[front], rows["keypoints_2d"][i][front], atol=1e-2)
        # The origin of a link may lie in the air beside it.
        visible = rows["keypoints_visible"][i] == 1
        visible[: arm.robot.num_origin_keypoints] = False
        # A keypoint on an outline may round to the pixel beside it.
        near = np.pad(rows["masks"][i] > 0, 1)
        x, y = (np.clip(uv[visible].round().astype(int), 0, SIZE - 1) + 1).T
        assert all(near[b - 1 : b + 2, a - 1 : a + 2].any() for a, b in zip(x, y, strict=True))
        seen += int(visible.sum())
    assert seen > 30


def test_frames_can_be_read_and_scored(arm: Arm) -> None:
    from armsight.data.dataset import open_dataset

    data = open_dataset(arm.folder / "frames", str(arm.file))
    assert len(data.frames) == 4
    answer = json.loads(
        run("evaluate", "pose", arm.folder / "frames", "--robot", arm.file, "--method",
            "ready-pose", "--json")
    )  # fmt: skip
    assert answer


def test_the_denoiser_learns_its_kinematics(arm: Arm, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    settings = {**SMALL, "robot": str(arm.file), "stage": "kinematic", "steps": 2}
    (tmp_path / "stage.toml").write_text(
        "\n".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
    )
    from armsight.train.config import read_config
    from armsight.train.loop import train

    assert train(read_config(tmp_path / "stage.toml", {}), tmp_path / "run")["step"] == 2


def test_an_estimator_answers_from_the_weights_folder_alone(
    arm: Arm, weights: Path, tmp_path: Path
) -> None:
    from armsight.estimate.estimator import Estimator
    from armsight.viz.overlay import draw_overlay

    there = shutil.copytree(weights, tmp_path / "sent")
    estimator = Estimator.from_pretrained(there)
    assert estimator.robot.joint_names == arm.robot.joint_names
    assert set(estimator.robot.link_shapes()) == set(arm.robot.link_shapes())
    # Two steps teach little: make it look, and take any robot that it sees for one.
    estimator = estimator.with_tuning(
        type(estimator.tuning)(first_look=0.0, robot_found=0.0, keypoint_seen=0.0)
    )
    image = np.asarray(Image.open(arm.folder / "frames" / "000000.rgb.jpg"))
    estimate = estimator(image)
    assert estimate.robot == arm.robot.name
    assert estimate.joint_positions is not None
    low, high = arm.robot.joint_limits.T
    assert ((estimate.joint_positions >= low) & (estimate.joint_positions <= high)).all()
    assert draw_overlay(image, estimate, estimator.robot).shape[2] == 3


def test_the_command_line_takes_the_weights_folder(arm: Arm, weights: Path, tmp_path: Path) -> None:
    frame = arm.folder / "frames" / "000001.rgb.jpg"
    answer = json.loads(run("estimate", frame, "--robot", weights, "--out", tmp_path, "--json"))
    assert answer["robot"] == arm.robot.name
    scored = run("evaluate", "pose", arm.folder / "frames", "--robot", arm.file, "--limit", 1,
                 "--weights", weights, "--json")  # fmt: skip
    assert json.loads(scored)


def test_weights_and_a_data_file_that_was_made_anew(
    arm: Arm, weights: Path, tmp_path: Path
) -> None:
    """Keypoints of another recipe are not what the network was trained for."""
    before = {path: path.read_bytes() for path in arm.file.parent.iterdir()}
    changed = json.loads(arm.file.read_text())
    changed["keypoints"].pop()
    checkpoint = arm.folder / "run" / "checkpoint"
    try:
        arm.file.write_text(json.dumps(changed))
        with pytest.raises(WeightsError, match=r"other joints or keypoints than the checkpoint"):
            run("export", checkpoint, "--out", tmp_path)
        arm.file.unlink()
        with pytest.raises(UnknownRobotError, match="No such file"):
            run("export", checkpoint, "--out", tmp_path)
        assert not any(tmp_path.iterdir())
    finally:
        for path, content in before.items():
            path.write_bytes(content)


@pytest.mark.parametrize(
    "name, left_out",
    [("panda", ()), ("ur10", ("ur5e",)), ("my_xArm6", ("xarm7",)), ("kinova_gen3", ("kinova3",))],
)
def test_a_robot_is_no_negative_of_itself(
    name: str, left_out: tuple[str, ...], tmp_path: Path
) -> None:
    panda = load_robot("panda")
    data = json.loads((Path(panda.folder) / "panda.json").read_text())
    (tmp_path / "mine.json").write_text(json.dumps({**data, "name": name}))
    arms = (*TRAIN_ARMS, *TEST_ARMS)
    kept = arms_unlike(load_robot(tmp_path / "mine.json"), arms)
    assert set(arms) - set(kept) == set(left_out)
