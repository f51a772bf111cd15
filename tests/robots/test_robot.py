"""Robots as data: kinematics against MuJoCo and a real frame, and broken files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from armsight.errors import BadShapeError, UnknownRobotError
from armsight.geometry import make_transform, project, transform_points
from armsight.robots import available_robots, load_robot

PANDA = load_robot("panda")
DREAM = ("panda_link0", "panda_link2", "panda_link3", "panda_link4", "panda_link6", "panda_link7",
         "panda_hand")  # fmt: skip


def random_joints(count: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).uniform(*PANDA.joint_limits.T, (count, 7))


def test_panda_comes_with_the_package() -> None:
    assert "panda" in available_robots()
    assert PANDA.joint_names == tuple(f"panda_joint{i}" for i in range(1, 8))
    assert PANDA.keypoint_names[: PANDA.num_origin_keypoints] == DREAM
    assert 24 <= len(PANDA.keypoint_names) <= 40
    assert load_robot("panda") is load_robot("panda")  # read once


def test_forward_kinematics_against_mujoco() -> None:
    """Against dm-robotics-panda's own MJCF, link by link, to 1e-9 m and 1e-9 in rotation."""
    mujoco = pytest.importorskip("mujoco")
    panda = pytest.importorskip("dm_robotics.panda", reason="dm-robotics-panda not installed")
    path = Path(next(iter(panda.__path__))) / "assets" / "panda" / "panda.xml"
    if not path.is_file():
        pytest.skip(f"no {path.name} in dm-robotics-panda")
    model = mujoco.MjModel.from_xml_path(str(path))
    data = mujoco.MjData(model)
    q = random_joints(50)
    frames = PANDA.forward_kinematics(q)
    for i in range(len(q)):
        data.qpos[:7] = q[i]
        mujoco.mj_kinematics(model, data)
        base = data.body("panda_link0")
        T_world_base = make_transform(base.xmat.reshape(3, 3), base.xpos)
        compared = 0
        for j, name in enumerate(PANDA.link_names):
            try:
                body = data.body(name)
            except KeyError:
                continue
            T = make_transform(body.xmat.reshape(3, 3), body.xpos)
            np.testing.assert_allclose(T_world_base @ frames[i, j], T, atol=1e-9)
            compared += 1
        assert compared >= 8


def test_keypoints_of_a_real_frame(shared_data: Path) -> None:
    """DREAM's frame 0: one rigid transform brings all seven points to within 1e-6 m."""
    sample = json.loads((shared_data / "dream_sample" / "000000.json").read_text())
    settings = json.loads((shared_data / "dream_sample" / "_camera_settings.json").read_text())
    q = np.array([joint["position"] for joint in sample["sim_state"]["joints"][:7]])
    by_name = {k["name"]: k for k in sample["objects"][0]["keypoints"]}
    truth = np.array([by_name[name]["location"] for name in DREAM])
    ours = PANDA.keypoints(q)[:7]
    a, b = ours - ours.mean(0), truth - truth.mean(0)
    U, _, Vt = np.linalg.svd(b.T @ a)
    R = U @ np.diag([1, 1, np.sign(np.linalg.det(U @ Vt))]) @ Vt
    points = transform_points(make_transform(R, truth.mean(0) - R @ ours.mean(0)), ours)
    assert np.abs(points - truth).max() < 1e-6
    camera = settings["camera_settings"][0]["intrinsic_settings"]
    K = np.array([[camera["fx"], 0, camera["cx"]], [0, camera["fy"], camera["cy"]], [0, 0, 1]])
    pixels = np.array([by_name[name]["projected_location"] for name in DREAM])
    assert np.abs(project(points, K) - pixels).max() < 1e-3


@pytest.mark.parametrize("batch", [(), (1,), (4,), (2, 3), (0,)])
def test_batches(batch: tuple[int, ...]) -> None:
    q = random_joints(max(1, int(np.prod(batch))))[: int(np.prod(batch))].reshape(*batch, 7)
    frames, points = PANDA.forward_kinematics(q), PANDA.keypoints(q)
    assert frames.shape == (*batch, len(PANDA.link_names), 4, 4)
    assert points.shape == (*batch, len(PANDA.keypoint_names), 3)
    for index in np.ndindex(batch):
        np.testing.assert_allclose(PANDA.forward_kinematics(q[index]), frames[index])
        np.testing.assert_allclose(PANDA.keypoints(q[index]), points[index])


def test_link_frames_are_rigid() -> None:
    R = PANDA.forward_kinematics(random_joints(20))[..., :3, :3]
    np.testing.assert_allclose(
        R @ np.swapaxes(R, -1, -2), np.broadcast_to(np.eye(3), R.shape), atol=1e-12
    )


def test_keypoints_stay_on_their_links() -> None:
    q = random_joints(10)
    frames, points = PANDA.forward_kinematics(q), PANDA.keypoints(q)
    for k, link in enumerate(PANDA.keypoint_links):
        local = PANDA.keypoint_positions[k]
        expected = transform_points(frames[:, link], np.broadcast_to(local, (10, 1, 3)))[:, 0]
        np.testing.assert_allclose(points[:, k], expected)


def test_a_joint_moves_only_what_comes_after_it() -> None:
    q = PANDA.ready_positions
    for joint in range(7):
        turned = q.copy()
        turned[joint] += 0.3
        moved = np.abs(PANDA.forward_kinematics(turned) - PANDA.forward_kinematics(q)).max((1, 2))
        before = [i for i, name in enumerate(PANDA.link_names) if name <= f"panda_link{joint}"]
        before = [i for i in before if PANDA.link_names[i] != "panda_hand"]
        assert (moved[before] < 1e-12).all()
        assert moved[PANDA.link_names.index("panda_hand")] > 0.01


def test_surface_keypoints_lie_on_the_meshes() -> None:
    shapes = PANDA.link_shapes()
    corners = np.random.default_rng(0).dirichlet(np.ones(3), 12)
    for k in range(PANDA.num_origin_keypoints, len(PANDA.keypoint_names)):
        name = PANDA.link_names[PANDA.keypoint_links[k]]
        vertices, faces = shapes[name]
        surface = np.einsum("sc,fcx->fsx", corners, vertices[faces]).reshape(-1, 3)
        distances = np.linalg.norm(surface - PANDA.keypoint_positions[k], axis=1)
        assert distances.min() < 0.006


def test_limits_hold_the_ready_pose_and_clip() -> None:
    low, high = PANDA.joint_limits.T
    assert (low < PANDA.ready_positions).all()
    assert (high > PANDA.ready_positions).all()
    np.testing.assert_array_equal(PANDA.clip(np.full(7, 99.0)), high)
    np.testing.assert_array_equal(PANDA.clip(np.full((2, 7), -99.0)), [low, low])


@pytest.mark.parametrize("shape", [(6,), (8,), (3, 6), (7, 2), ()])
def test_wrong_number_of_joints(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadShapeError, match="7 long, one value .* panda_joint1"):
        PANDA.forward_kinematics(np.zeros(shape))


def test_unknown_robot_lists_the_known() -> None:
    with pytest.raises(UnknownRobotError, match="unknown robot 'pandu'; known: .*panda"):
        load_robot("pandu")


def test_a_robot_from_a_file(tmp_path: Path) -> None:
    source = Path(PANDA.folder) / "panda.json"
    (tmp_path / "mine.json").write_text(source.read_text())
    mine = load_robot(tmp_path / "mine.json")
    q = random_joints(3)
    np.testing.assert_array_equal(mine.keypoints(q), PANDA.keypoints(q))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"links": [], "joints": []}'])
def test_broken_robot_files_are_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(content)
    with pytest.raises(UnknownRobotError, match=r"broken\.json is broken"):
        load_robot(path)


def test_missing_robot_file(tmp_path: Path) -> None:
    with pytest.raises(UnknownRobotError, match="No such file"):
        load_robot(tmp_path / "none.json")
