"""Cameras as robots that learn have them: half of an arm, other hands, arms of every size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from armsight.render.frame import FrameMaker, RenderedFrame, reach_scale
from armsight.render.imaging.camera import CameraRanges
from armsight.render.presets import preset
from armsight.render.scene.scene import painted
from armsight.robots import load_robot

COUNT = 24


@pytest.fixture(scope="module", params=["panda", "so101"])
def close_ups(request: pytest.FixtureRequest) -> Iterator[tuple[FrameMaker, list[RenderedFrame]]]:
    settings = replace(
        preset("train-robot-camera"), close_up=1.0, no_robot=0.0, other_arm=0.0, size=96
    )
    maker = FrameMaker(load_robot(request.param), settings, None)
    yield maker, [maker.make(i) for i in range(COUNT)]
    maker.close()


def origins_in_frame(maker: FrameMaker, frame: RenderedFrame) -> int:
    uv, count = frame.keypoints_2d, maker.robot.num_origin_keypoints
    x0, y0, x1, y1 = frame.frame_rect
    inside = (uv[:, 0] > x0) & (uv[:, 0] < x1) & (uv[:, 1] > y0) & (uv[:, 1] < y1)
    return int((inside & (frame.keypoints_3d_cam[:, 2] > 0))[:count].sum())


def test_parts_of_the_arm_are_cut_off(close_ups: tuple[FrameMaker, list[RenderedFrame]]) -> None:
    maker, frames = close_ups
    counts = [origins_in_frame(maker, frame) for frame in frames]
    assert min(counts) >= 1
    assert sum(count < maker.robot.num_origin_keypoints for count in counts) > COUNT / 3
    assert len(set(counts)) >= 4


def test_visible_keypoints_lie_on_the_mask(
    close_ups: tuple[FrameMaker, list[RenderedFrame]],
) -> None:
    _, frames = close_ups
    on = total = 0
    for frame in frames:
        seen = frame.keypoints_visible == 1
        px = np.clip(frame.keypoints_2d[seen].round().astype(int), 0, 95)
        near = cv2.dilate(frame.mask, np.ones((3, 3), np.uint8))
        on += int((near[px[:, 1], px[:, 0]] > 0).sum())
        total += int(seen.sum())
    assert total > 100
    assert on / total > 0.95


def test_cameras_stand_as_near_as_the_arm_is_small() -> None:
    panda, small = load_robot("panda"), load_robot("so101")
    assert reach_scale(panda) == 1.0
    assert reach_scale(small) == pytest.approx(small.reach / panda.reach, rel=1e-3)
    ranges = CameraRanges().scaled(0.5)
    assert ranges.distance == (0.25, 1.25)
    assert (ranges.aim_sd, ranges.nearest) == (0.09, 0.15)
    assert ranges.fov_deg == CameraRanges().fov_deg


def test_reach_is_below_the_length_of_the_whole_chain() -> None:
    robot = load_robot("panda")
    chain = np.linalg.norm(robot.chain.translations, axis=-1).sum()
    chain += np.linalg.norm(robot.keypoint_positions, axis=-1).max()
    straight = np.array([0, 0, 0, robot.joint_limits[3, 1], 0, np.pi / 2, 0])
    assert np.linalg.norm(robot.keypoints(straight), axis=-1).max() < robot.reach < chain


def test_another_hand_takes_the_place_of_the_own_one() -> None:
    settings = replace(
        preset("train-robot-camera"), other_hand=1.0, no_robot=0.0, other_arm=0.0, size=96
    )
    maker = FrameMaker(load_robot("panda"), settings, None)
    hand = maker.robot.keypoint_links == len(maker.robot.link_names) - 1
    hand[: maker.robot.num_origin_keypoints] = False
    for index in range(6):
        assert (maker.make(index).keypoints_visible[hand] == 0).all()
    maker.close()


def test_paint_leaves_motors_dark() -> None:
    assert painted((0.9, 0.9, 0.8), ((0.1, 0.6, 0.2), 1.0)) == (0.1, 0.6, 0.2)
    assert painted((0.1, 0.1, 0.1), ((0.1, 0.6, 0.2), 1.0)) == (0.1, 0.1, 0.1)
    assert painted((0.5, 0.5, 0.9), (None, 2.0)) == (1.0, 1.0, 1.0)
