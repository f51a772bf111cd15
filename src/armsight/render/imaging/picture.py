"""From what the graphics library drew to the picture that a camera stores."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.render.imaging import effects
from armsight.render.imaging.gl import Buffers
from armsight.render.imaging.view import SUPERSAMPLING, CameraView
from armsight.render.scene.appearance import Appearance
from armsight.render.scene.backgrounds import Pictures, backdrop
from armsight.render.scene.scene import Scene

Metered = dict[str, Any]
"""What a camera measured in a picture, by name. Handed on, it is not measured again: a camera of
fixed exposure."""


class Finisher:
    """Adds backdrop, soft shadows and ambient occlusion to what was drawn.

    Args:
        split: whose surfaces backdrops show.
        pictures: the user's backdrops.
    """

    def __init__(self, split: str, pictures: Pictures) -> None:
        self._split, self._pictures = split, pictures

    def __call__(
        self, rng: np.random.Generator, scene: Scene, view: CameraView, look: Appearance,
        buffers: Buffers,
        metered: Metered | None = None,
    ) -> NDArray[np.uint8]:  # fmt: skip
        """The picture (H, W, 3) that was drawn, with its backdrop, as light reaches the camera."""
        metered = {} if metered is None else metered
        w, h = view.size
        light = _light(buffers.rgb, view.size)
        if buffers.shadowed is not None:
            # The graphics library's shadows have hard, jagged edges; lamps are not points.
            shadow = light - _light(buffers.shadowed, view.size)
            soft = max(rng.uniform(0.2, 3.5) * view.K[0, 0] / 400, 0.3)
            light = light - cv2.GaussianBlur(shadow, (0, 0), soft)
        if rng.random() < 0.8:
            light *= self._occlusion(rng, buffers, view, metered)[..., None]
        drawn = scene.drawn_mask(buffers)
        if drawn.all():
            return _to_bytes(_encoded(light, look.gamma))
        alpha = shrunk(drawn, view.size).astype(np.float32)[..., None] / 255
        back = self._backdrop(rng, h, w).astype(np.float32) / 255
        # MuJoCo clears to black, so that `light` is premultiplied by alpha.
        colour = _encoded(light / np.maximum(alpha, 1e-3), look.gamma)
        # Light the robot about as brightly as its surroundings, and in their colour.
        body = alpha[..., 0] > 0.5
        seen, surrounding = float(colour[body].mean()) if body.any() else 0.5, back.mean((0, 1))
        ratio = np.exp(rng.normal(0.0, 0.35))
        bright = float(np.quantile(colour[body], 0.9)) if body.any() else 1.0
        gain = ratio * float(surrounding.mean()) / max(seen, 0.02)
        gain = metered.setdefault("gain", np.clip(min(gain, 1.05 / max(bright, 0.02)), 0.5, 2.3))
        tint = (surrounding / max(float(surrounding.mean()), 0.02)) ** np.float32(rng.random() / 2)
        colour = np.clip(colour * (gain * tint).astype(np.float32), 0, 1)
        return _to_bytes(back + alpha * (colour - back))

    def _occlusion(
        self, rng: np.random.Generator, buffers: Buffers, view: CameraView, metered: Metered
    ) -> NDArray[np.float32]:
        depth = buffers.depth[::SUPERSAMPLING, ::SUPERSAMPLING]
        radius_m = rng.uniform(0.04, 0.12)
        away = metered.setdefault("distance", float(np.median(np.minimum(depth, 3))))
        radius_px = float(np.clip(view.K[0, 0] * radius_m / away, 2, 40))
        share = effects.ambient_occlusion(depth, radius_px, radius_m)
        return np.asarray(1 - rng.uniform(0.3, 1.0) * (1 - share), np.float32)

    def _backdrop(self, rng: np.random.Generator, h: int, w: int) -> NDArray[np.uint8]:
        if len(self._pictures) and rng.random() < 0.65:
            return self._pictures.sample(rng, h, w)
        return backdrop(rng, self._split, h, w)


def through_camera(
    rng: np.random.Generator,
    image: NDArray[np.uint8],
    scale: float,
    metered: Metered | None = None,
    noise_seed: int | None = None,
) -> NDArray[np.uint8]:
    """Camera effects at the resolution that the frame had before it was cropped."""
    h, w = image.shape[:2]
    if scale <= 1.05:
        return effects.apply_effects(rng, image, scale, metered, noise_seed)
    small = (max(round(w / scale), 16), max(round(h / scale), 16))
    image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.uint8)
    image = effects.apply_effects(rng, image, 1.0, metered, noise_seed)
    return np.asarray(cv2.resize(image, (w, h), interpolation=cv2.INTER_LINEAR), np.uint8)


def _light(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[Any]:
    """Pixels (h, w, 3) in 0..1 of a picture shrunk to size (w, h)."""
    small: NDArray[Any] = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small.astype(np.float32) / 255)


def _encoded(light: NDArray[Any], gamma: float) -> NDArray[Any]:
    if gamma == 1:
        return light
    return np.asarray(cv2.pow(np.maximum(light, 0), 1 / gamma), np.float32)


def _to_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)


def shrunk(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A mask (H, W) at another size (width, height), 0 to 255."""
    big = mask.view(np.uint8) * np.uint8(255)
    return np.asarray(cv2.resize(big, size, interpolation=cv2.INTER_AREA), np.uint8)
