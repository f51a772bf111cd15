"""What else robot-learning cameras see, and a lens that bends."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from armsight.render.frame import FrameMaker
from armsight.render.imaging.conditions import BentLens, Conditions, add_conditions
from armsight.render.presets import PRESETS
from armsight.render.scene.appearance import NUM_OBJECTS, Appearance, Light

K = np.array([[200.0, 0, 127.0], [0, 201.0, 130.0], [0, 0, 1]])
RECT = np.array([-20.0, -0.5, 255.5, 255.5])
ARM = np.array([[0, 0, z] for z in np.linspace(0, 0.8, 8)])
CAMERA = np.array([2.0, 0.0, 0.5])


def test_a_point_of_the_picture_goes_where_the_lens_says() -> None:
    for seed in range(4):
        lens = BentLens(np.random.default_rng(seed), K, RECT)
        for point in ((40, 60), (200, 31), (128, 128), (230, 240)):
            picture = np.zeros((256, 256), np.uint8)
            cv2.circle(picture, point, 4, 255, -1)
            bent = lens.image(picture).astype(float)
            centre = [(bent.sum(axis) * np.arange(256)).sum() / bent.sum() for axis in (0, 1)]
            expected = lens.points(np.array([point], dtype=float))[0]
            np.testing.assert_allclose(centre, expected, atol=0.15)


def test_a_lens_moves_the_corners_by_two_percent_at_most() -> None:
    corners = np.array([[-20.0, -0.5], [255.5, 255.5], [255.5, -0.5]])
    moved = []
    for seed in range(30):
        lens = BentLens(np.random.default_rng(seed), K, RECT)
        from_axis = np.linalg.norm(corners - K[:2, 2], axis=1)
        moved.append(np.linalg.norm(lens.points(corners) - corners, axis=1) / from_axis)
    assert 0.01 < np.max(moved) < 0.022


def test_each_condition_changes_the_look_and_none_leaves_it() -> None:
    def look_with(**shares: float) -> Appearance:
        look = Appearance(lights=[Light()])
        rng = np.random.default_rng(4)
        add_conditions(rng, Conditions(**shares), look, ARM, CAMERA)
        return look

    plain = look_with()
    assert not plain.objects
    assert plain.lights == [Light()]
    assert len(look_with(people=1.0).objects) >= 6
    cable = look_with(cables=1.0).objects
    assert len(cable) >= 5
    assert all(solid.shape == "capsule" and solid.size[0] < 0.01 for solid in cable)
    assert look_with(overexposed=1.0).lights[0].diffuse[0] > Light().diffuse[0]
    everything = [look_with(people=1.0, cables=1.0) for _ in range(3)]
    assert all(len(look.objects) <= NUM_OBJECTS for look in everything)


def test_robot_cameras_labels_agree_with_what_is_drawn(maker: FrameMaker) -> None:
    settings = replace(
        PRESETS["train-robot-camera"], size=96, no_robot=0.0, other_arm=0.0, close_up=1.0,
        conditions=Conditions(people=0.3, cables=0.3, overexposed=0.3, bent_lens=1.0),
    )  # fmt: skip
    made = FrameMaker(maker.robot, settings, None)
    on = total = cut = 0
    for index in range(20):
        frame, again = made.make(index), made.make(index)
        np.testing.assert_array_equal(frame.image, again.image)
        seen = frame.keypoints_visible == 1
        px = np.clip(frame.keypoints_2d[seen].round().astype(int), 0, 95)
        near = cv2.dilate(frame.mask, np.ones((3, 3), np.uint8))
        on += int((near[px[:, 1], px[:, 0]] > 0).sum())
        total += int(seen.sum())
        cut += int((frame.keypoints_visible[: maker.robot.num_origin_keypoints] == 0).any())
    made.close()
    assert total > 100
    assert on / total > 0.97
    assert cut > 8


@pytest.mark.parametrize("name", ["train", "held-out"])
def test_other_sets_have_no_conditions(name: str) -> None:
    assert PRESETS[name].conditions == Conditions()
