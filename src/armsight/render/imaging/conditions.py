"""What robot-learning cameras see beside the arm: people, hands, cables, glare, a bent lens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.render.scene.appearance import NUM_OBJECTS, Appearance, Solid
from armsight.render.scene.people import SKIN, limb, person, placed
from armsight.render.scene.rooms import Rng, colour

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Conditions:
    """Shares of pictures, independent of each other; nothing of it by default."""

    people: float = 0.0
    """someone stands by, or reaches for the arm"""
    cables: float = 0.0
    """a cable hangs along the arm"""
    overexposed: float = 0.0
    """light links burn out, and so do the walls"""
    bent_lens: float = 0.0
    """the lens' distortion was not, or not quite, undone"""


def add_conditions(
    rng: Rng, conditions: Conditions, look: Appearance, arm_points: Array, camera_position: Array
) -> None:
    """Change `look`.

    Args:
        arm_points: (N, 3) [m, base frame] on the arm, base to hand.
        camera_position: (3,) [m, base frame].
    """
    added: list[Solid] = []
    people, cables, overexposed = rng.random(3)
    if people < conditions.people:
        if rng.random() < 0.5:
            added += _bystander(rng, look, arm_points, camera_position)
        else:
            added += _hand(rng, arm_points[int(rng.integers(len(arm_points)))])
    if cables < conditions.cables:
        added += _arm_cable(rng, arm_points)
    look.objects = [*added, *look.objects][:NUM_OBJECTS]
    if overexposed < conditions.overexposed:
        _overexpose(rng, look)


def _bystander(
    rng: Rng, look: Appearance, arm_points: Array, camera_position: Array
) -> list[Solid]:
    middle, azimuth = arm_points.mean(0), rng.uniform(-np.pi, np.pi)
    away = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    floor = look.furniture.get("floor")
    at = middle + rng.uniform(0.45, 1.8) * away
    at[2] = floor.position[2] if floor else rng.uniform(-1.0, -0.6)
    if np.linalg.norm((camera_position - at)[:2]) < 0.5:
        return []
    return placed(person(rng), at, rng.uniform(-np.pi, np.pi))


def _hand(rng: Rng, target: Array) -> list[Solid]:
    """A forearm whose hand is at the arm: palm, four fingers, thumb."""
    skin = SKIN[int(rng.integers(len(SKIN)))]
    reach = rng.normal(size=3) + [0, 0, 0.6]
    reach /= np.linalg.norm(reach)
    wrist = target + rng.uniform(0.1, 0.2) * reach
    elbow = wrist + 0.3 * reach
    sleeve = colour(rng) if rng.random() < 0.6 else skin
    side = np.cross(reach, rng.normal(size=3))
    side /= np.linalg.norm(side)
    knuckles = wrist - 0.09 * reach
    parts = [limb(elbow, wrist, 0.04, sleeve), limb(wrist, knuckles, 0.033, skin)]
    bend = np.cross(reach, side)
    for k in range(4):
        root = knuckles + (k - 1.5) * 0.021 * side
        tip = root - 0.06 * reach + rng.uniform(-0.05, 0.05) * bend
        parts.append(limb(root, tip, 0.009, skin))
    thumb = wrist - 0.03 * reach + 0.035 * side
    parts.append(limb(thumb, thumb - 0.05 * reach + 0.03 * side, 0.011, skin))
    return parts


def _arm_cable(rng: Rng, arm_points: Array) -> list[Solid]:
    """A cable that sags between some points of the arm, as short capsules."""
    chosen = np.sort(rng.choice(len(arm_points), min(3, len(arm_points)), replace=False))
    shade = colour(rng) if rng.random() < 0.3 else (float(rng.uniform(0.02, 0.12)),) * 3
    radius = float(rng.uniform(0.003, 0.009))
    knots: list[Array] = []
    for a, b in zip(arm_points[chosen[:-1]], arm_points[chosen[1:]], strict=True):
        span, offset = float(np.linalg.norm(b - a)), rng.normal(0, 0.05, 3)
        for share in np.linspace(0, 1, 6)[:-1]:
            # Off the axis of the link, and hanging down in the middle.
            sag = 4 * share * (1 - share) * rng.uniform(0.9, 1.1) * (0.05 + 0.25 * span)
            knots.append(a + share * (b - a) + offset - [0, 0, sag])
    return [
        limb(a, b, radius, (shade[0], shade[1], shade[2]))
        for a, b in pairwise(knots)
        if np.linalg.norm(b - a) > 1e-4
    ]


def _overexpose(rng: Rng, look: Appearance) -> None:
    gain, white = rng.uniform(1.4, 2.4), rng.uniform(0.0, 0.4)
    look.lights = [
        replace(light, diffuse=(gain * r, gain * g, gain * b))
        for light in look.lights
        for r, g, b in [light.diffuse]
    ]
    for name in ("wall", "backwall"):
        if name in look.textures:
            dark = 255 - look.textures[name].astype(np.float32)
            look.textures[name] = (255 - white * dark).astype(np.uint8)


class BentLens:
    """What radial distortion is left in a picture: x_pinhole = x (1 + k r^2), r off the axis."""

    def __init__(self, rng: Rng, K: Array, frame_rect: Array) -> None:
        """Bends the corners of the camera's frame by up to 2 % of their distance from the axis.

        Args:
            K: (3, 3) [px] of the picture.
            frame_rect: x0, y0, x1, y1 [px] of the camera's frame in the picture.
        """
        corners = frame_rect[[[0, 1], [2, 1], [0, 3], [2, 3]]]
        self._K, farthest = K, float((self._rays(corners, K) ** 2).sum(1).max())
        self._k = rng.uniform(-0.02, 0.02) / farthest
        self._farthest = farthest

    def image(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture (H, W) or (H, W, 3) as this lens takes it."""
        height, width = picture.shape[:2]
        rows, columns = np.mgrid[:height, :width].astype(float)
        x = self._rays(np.stack([columns, rows], -1), self._K)
        x = x * (1 + self._k * (x**2).sum(-1, keepdims=True))
        source = (x * self._K[[0, 1], [0, 1]] + self._K[:2, 2]).astype(np.float32)
        u, v, border = source[..., 0], source[..., 1], cv2.BORDER_REPLICATE
        bent = cv2.remap(picture, u, v, cv2.INTER_LINEAR, borderMode=border)
        return np.asarray(bent, np.uint8)

    def points(self, uv: Array) -> Array:
        """Where pixels (N, 2) of the pinhole picture lie in this one."""
        pinhole = self._rays(uv, self._K)
        x = pinhole
        for _ in range(6):
            # Beyond the frame the polynomial means nothing.
            square = np.minimum((x**2).sum(-1, keepdims=True), 1.5 * self._farthest)
            x = pinhole / (1 + self._k * square)
        return np.asarray(x * self._K[[0, 1], [0, 1]] + self._K[:2, 2])

    @staticmethod
    def _rays(uv: Array, K: Array) -> Array:
        return np.asarray((uv - K[:2, 2]) / K[[0, 1], [0, 1]])
