"""What one frame promises: the same pixels again, labels that fit the picture."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from armsight.errors import ConfigError
from armsight.render.frame import FrameMaker, FrameSettings, rng_of
from armsight.render.presets import PRESETS, preset, with_poses
from armsight.render.scene import randomization, textures
from armsight.render.scene.backgrounds import Pictures
from armsight.render.scene.other_arms import arms_unlike
from armsight.robots import available_robots, load_robot


def test_same_index_same_pixels_whatever_was_made_between(maker: FrameMaker) -> None:
    first = maker.make(3)
    for index in (7, 1, 12):
        maker.make(index)
    again = maker.make(3)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.mask, again.mask)
    np.testing.assert_array_equal(first.keypoints_visible, again.keypoints_visible)
    assert (first.image != maker.make(4).image).mean() > 0.5


def test_labels_agree_with_each_other(maker: FrameMaker) -> None:
    for index in range(12):
        f = maker.make(index)
        p = np.asarray(maker.robot.keypoints(f.joint_positions))
        cam = p @ f.T_cam_base[:3, :3].T + f.T_cam_base[:3, 3]
        np.testing.assert_allclose(cam, f.keypoints_3d_cam, atol=1e-9)
        uv = cam @ f.K.T
        front = cam[:, 2] > 0.05
        np.testing.assert_allclose((uv[:, :2] / uv[:, 2:])[front], f.keypoints_2d[front], atol=1e-6)
        low, high = maker.robot.joint_limits.T
        assert ((f.joint_positions >= low) & (f.joint_positions <= high)).all()


def test_visible_keypoints_lie_on_the_mask(maker: FrameMaker) -> None:
    on = total = 0
    for index in range(25):
        f = maker.make(index)
        seen = f.keypoints_visible == 1
        px = np.clip(f.keypoints_2d[seen].round().astype(int), 0, f.mask.shape[0] - 1)
        near = cv2.dilate(f.mask, np.ones((3, 3), np.uint8))
        on += int((near[px[:, 1], px[:, 0]] > 0).sum())
        total += int(seen.sum())
    # Some origins, such as the base's, lie in a gap or at an edge of the meshes.
    assert total > 150
    assert on / total > 0.98


def test_hidden_keypoints_are_out_of_the_picture_or_behind_something(maker: FrameMaker) -> None:
    for index in range(25):
        f = maker.make(index)
        x0, y0, x1, y1 = f.frame_rect
        u, v = f.keypoints_2d.T
        outside = (u < x0) | (u > x1) | (v < y0) | (v > y1) | (f.keypoints_3d_cam[:, 2] < 0)
        assert (f.keypoints_visible[outside] == 0).all()


def test_outside_of_the_camera_frame_is_black(maker: FrameMaker) -> None:
    checked = 0
    for index in range(25):
        f = maker.make(index)
        rows, columns = np.indices(f.mask.shape)
        x0, y0, x1, y1 = f.frame_rect
        outside = (columns < x0) | (columns > x1) | (rows < y0) | (rows > y1)
        assert not f.image[outside].any()
        assert not f.mask[outside].any()
        checked += int(outside.any())
    assert checked > 5


def test_pictures_without_robot_have_no_labels(maker: FrameMaker) -> None:
    settings = replace(maker.settings, no_robot=1.0)
    empty = FrameMaker(maker.robot, settings, None)
    empty._scenes = maker._scenes
    f = empty.make(5)
    assert not f.robot_found
    for values in (f.mask, f.joint_positions, f.T_cam_base, f.keypoints_2d, f.keypoints_visible):
        assert not np.asarray(values).any()
    assert f.image.any()


def test_splits_share_no_random_numbers() -> None:
    drawn = {
        tuple(rng_of(FrameSettings(split=split, seed=seed), index).integers(2**63, size=2))
        for split in ("train", "eval")
        for seed in range(20)
        for index in range(50)
    }
    assert len(drawn) == 2 * 20 * 50


@pytest.mark.parametrize("table", [textures.FAMILIES, randomization.ROBOT_FAMILIES])
def test_splits_share_no_surfaces(table: dict[str, dict[str, object]]) -> None:
    assert set(table) == {"train", "eval"}
    assert not set(table["train"]) & set(table["eval"])
    functions = [{str(f) for f in table[split].values()} for split in ("train", "eval")]
    assert not functions[0] & functions[1]


@pytest.mark.parametrize("split, other", [("train", "eval"), ("eval", "train")])
def test_a_look_uses_surfaces_of_its_split_only(
    split: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other split's families are taken away: nothing may miss them."""
    monkeypatch.setitem(textures.FAMILIES, other, {})
    monkeypatch.setitem(randomization.ROBOT_FAMILIES, other, {})
    arm = np.array([[0, 0, 0.1], [0.3, 0, 0.6], [0.5, 0, 0.4]])
    for seed in range(40):
        rng = np.random.default_rng(seed)
        look = randomization.sample_appearance(
            rng, split, ["link1_white", "hand_dark"], True, arm, np.array([1.5, 0, 1]),
            Pictures(None),
        )  # fmt: skip
        assert look.textures


def test_test_arms_are_in_no_training_picture() -> None:
    for test in ("other-arm", "unknown-arm"):
        for train in ("train", "train-robot-camera"):
            assert not set(PRESETS[train].arms) & set(PRESETS[test].arms)
    assert PRESETS["train"].split == "train"
    for name in ("held-out", "no-robot", "other-arm", "unknown-arm", "robot-camera"):
        assert PRESETS[name].split == "eval"


def test_arms_that_no_robot_of_the_package_looks_like() -> None:
    arms = PRESETS["unknown-arm"].arms
    for name in available_robots():
        assert arms_unlike(load_robot(name), arms) == arms


def test_held_out_cameras_are_as_the_set_promises(maker: FrameMaker) -> None:
    settings = preset("held-out")
    cameras = FrameMaker(maker.robot, settings, None)
    kinds = []
    for index in range(200):
        rng = rng_of(settings, index)
        q = np.clip(rng.normal(0, 1, 7), *maker.robot.joint_limits.T)
        p = np.asarray(maker.robot.keypoints(q))
        view = cameras._sample_view(rng, p, 7, 1.0)
        cam = p[:7] @ view.T_cam_base[:3, :3].T + view.T_cam_base[:3, 3]
        uv = cam @ view.K.T
        u, v = (uv[:, :2] / uv[:, 2:]).T
        inside = (u > -0.5) & (u < 639.5) & (v > -0.5) & (v < 479.5) & (cam[:, 2] > 0)
        assert inside.sum() >= 5
        kinds.append(np.linalg.norm(cam.mean(0)))
    assert 0.8 <= min(kinds) < 1.0
    assert 1.8 < max(kinds) <= 2.0


def test_impossible_views_are_told(maker: FrameMaker) -> None:
    far = replace(maker.settings, arm_distance=(9.0, 9.1))
    lost = FrameMaker(maker.robot, far, None)
    lost._scenes = maker._scenes
    with pytest.raises(ConfigError, match="none of 2000 cameras"):
        lost.make(0)


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="held-out"):
        preset("heldout")
    with pytest.raises(ConfigError, match="mixed"):
        with_poses(preset("train"), "all")
