"""Whether anything moves in frames, and which orders of joints are tried."""

from __future__ import annotations

import numpy as np
import pytest

from armsight.fit.extrinsics.diagnosis import (
    MOST_ORDERS,
    Course,
    known_orders,
    likely_orders,
    nothing_moves,
)
from armsight.fit.extrinsics.inputs import joint_path
from armsight.fit.extrinsics.motion import WIDTH, shrunk
from tests.fit.recorded_arm import ROBOT, camera_at, record, working_poses


@pytest.mark.parametrize("gain", [1.0, 0.35])
def test_an_arm_moves_also_in_a_dark_room_and_far_away(gain: float) -> None:
    images = record(working_poses(10, 0), camera_at(40, 25, distance=2.6), 0).images
    assert not nothing_moves(shrunk([(gain * x).astype(np.uint8) for x in images], WIDTH))


def test_noise_and_exposure_are_no_motion() -> None:
    """`record` gives each frame noise and an exposure of its own."""
    still = np.repeat(working_poses(1, 0), 10, axis=0)
    assert nothing_moves(shrunk(record(still, camera_at(40, 25), 0).images, WIDTH))


def test_the_order_that_fits_the_motion_is_among_those_searched_with() -> None:
    """Columns are exchanged in every way that is known; few of the ways back are tried."""
    recorded = record(working_poses(8, 1), camera_at(-50, 25), 1)
    course = Course.of(shrunk(recorded.images, WIDTH))
    for order, names in known_orders(ROBOT):
        path, _ = joint_path(ROBOT, 8, recorded.q[:, np.argsort(order)], None, None)
        assert path is not None
        likely = likely_orders(ROBOT, course, path)
        assert len(likely) <= MOST_ORDERS < len(list(known_orders(ROBOT)))
        assert names in [words for _, words in likely]
