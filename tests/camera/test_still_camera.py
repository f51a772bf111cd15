"""Whether a camera stands still, from pictures that were shifted, jittered or covered."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from armsight.camera.still_camera import camera_stands_still, small_grey
from armsight.geometry import intrinsics_from_fov, rotation_from_rotvec

WIDTH, HEIGHT = 640, 480


def room(seed: int = 0) -> NDArray[np.uint8]:
    """A wall (2 H, 2 W, 3) with things on it."""
    rng = np.random.default_rng(seed)
    picture = np.full((2 * HEIGHT, 2 * WIDTH, 3), 120, np.uint8)
    for _ in range(300):
        x, y = rng.integers(0, [2 * WIDTH, 2 * HEIGHT])
        w, h = rng.integers(15, 90, 2)
        colour = [int(c) for c in rng.integers(0, 255, 3)]
        cv2.rectangle(picture, (int(x), int(y)), (int(x + w), int(y + h)), colour, -1)
    return picture


def seen(wall: NDArray[np.uint8], x: float, y: float, arm: float | None) -> NDArray[np.uint8]:
    """What a camera at (x, y) sees, with an arm a third as wide as the picture before it."""
    move = np.array([[1.0, 0, -x], [0, 1, -y]])
    picture = np.asarray(cv2.warpAffine(wall, move, (WIDTH, HEIGHT)), np.uint8)
    if arm is not None:
        left = int(arm)
        pattern = room(1)[100:500, : WIDTH // 3]
        picture[40:440, left : left + WIDTH // 3] = pattern[:, : WIDTH - left]
    return picture


def verdict(pictures: list[NDArray[np.uint8]]) -> str:
    return camera_stands_still([small_grey(one) for one in pictures]).verdict


def test_a_still_camera_before_a_moving_arm() -> None:
    wall = room()
    pictures = [seen(wall, 300, 200, arm) for arm in np.linspace(0, WIDTH * 0.6, 12)]
    assert verdict(pictures) == "still"


def test_noise_jitter_and_exposure_do_not_move_it() -> None:
    wall, rng = room(), np.random.default_rng(0)
    pictures = []
    for i in range(10):
        dx, dy = rng.uniform(-0.4, 0.4, 2)
        one = seen(wall, 300 + dx, 200 + dy, 30.0 * i).astype(float)
        one = one * (0.7 + 0.05 * i) + rng.normal(0, 6, one.shape)
        pictures.append(np.clip(one, 0, 255).astype(np.uint8))
    assert verdict(pictures) == "still"


@pytest.mark.parametrize("speed", [20.0, 40.0, 200.0])
def test_a_camera_that_moves(speed: float) -> None:
    """From a slow pan to pictures that have nothing in common."""
    wall = room()
    pictures = [seen(wall, speed * i % WIDTH, 100, 20.0 * i) for i in range(10)]
    assert verdict(pictures) == "moves"


def test_a_camera_that_moves_in_the_middle() -> None:
    wall = room()
    pictures = [seen(wall, 300 if i < 6 else 420, 200, 20.0 * i) for i in range(12)]
    assert verdict(pictures) == "moves"


def test_nothing_to_go_by() -> None:
    plain = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    found = camera_stands_still([small_grey(plain)] * 8)
    assert found.verdict == "unknown"
    assert "texture" in found.reason
    assert camera_stands_still([small_grey(plain)]).verdict == "unknown"


def test_a_camera_that_sways_is_told_its_turn() -> None:
    """Turned pictures of a far wall: the turn comes back, whatever the arm does."""
    wall, focal, rng = room(), 0.9, np.random.default_rng(1)
    K = intrinsics_from_fov(WIDTH, HEIGHT, np.degrees(2 * np.arctan(0.5 / focal)))
    turns = np.radians(rng.uniform(-2, 2, (9, 3)))
    turns[4] = 0  # the reference picture
    pictures = []
    for i, turn in enumerate(turns):
        H = K @ rotation_from_rotvec(turn) @ np.linalg.inv(K)
        far = np.asarray(cv2.warpPerspective(seen(wall, 300, 200, None), H, (WIDTH, HEIGHT)))
        far[100:300, 30 * i : 30 * i + 120] = room(1)[100:300, :120]
        pictures.append(small_grey(far.astype(np.uint8)))
    found = camera_stands_still(pictures)
    assert found.verdict == "sways"
    assert found.background is not None
    for picture, turn in zip(pictures, turns, strict=True):
        measured = found.background.turn(picture, focal)
        assert measured is not None
        np.testing.assert_allclose(measured, turn, atol=np.radians(0.15))
