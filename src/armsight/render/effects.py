"""What a camera and a file format do to a picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def apply_effects(rng: np.random.Generator, image: Image, blur_scale: float = 1.0) -> Image:
    """A picture (H, W, 3) as a real camera would have stored it.

    Args:
        blur_scale: size of blurs relative to a 640 px wide frame.
    """
    x = image.astype(np.float32) / 255
    x = _tone(rng, x)
    if rng.random() < 0.25:
        x = _vignette(rng, x)
    if rng.random() < 0.12:
        x = _motion_blur(rng, x, blur_scale)
    if rng.random() < 0.35:
        x = cv2.GaussianBlur(x, (0, 0), max(rng.uniform(0.3, 1.3) * blur_scale, 0.2))
    if rng.random() < 0.8:
        x = _noise(rng, x)
    out = (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.6:
        out = jpeg(out, int(rng.integers(35, 98)))
    return out


def jpeg(image: Image, quality: int) -> Image:
    """The picture after JPEG compression of that quality (1 to 100)."""
    bgr = np.ascontiguousarray(image[..., ::-1])
    ok, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if ok else None
    return image if decoded is None else decoded[..., ::-1].astype(np.uint8)


def _tone(rng: np.random.Generator, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Exposure, white balance, gamma, contrast and saturation."""
    temperature = rng.normal(0, 0.06)
    gains = np.array([1 + temperature, 1 + rng.normal(0, 0.02), 1 - temperature])
    if rng.random() < 0.06:  # a coloured lamp
        gains = gains * np.array([1.0, rng.uniform(0.75, 0.95), rng.uniform(0.5, 0.8)])
    x = x * (gains * rng.uniform(0.75, 1.25)).astype(np.float32)
    x = np.clip(x, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.22)))
    mean = x.mean()
    x = mean + (x - mean) * np.float32(rng.uniform(0.7, 1.15)) + np.float32(rng.normal(0, 0.04))
    grey = x.mean(axis=2, keepdims=True)
    saturation = 0.0 if rng.random() < 0.02 else rng.uniform(0.6, 1.25)
    return np.clip(grey + (x - grey) * np.float32(saturation), 0, 1).astype(np.float32)


def _vignette(rng: np.random.Generator, x: NDArray[np.float32]) -> NDArray[np.float32]:
    h, w = x.shape[:2]
    v, u = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j].astype(np.float32)
    shade = 1 - np.float32(rng.uniform(0.05, 0.4)) * (u**2 + v**2) / 2
    return x * shade[..., None]


def _motion_blur(
    rng: np.random.Generator, x: NDArray[np.float32], scale: float
) -> NDArray[np.float32]:
    length = max(int(rng.uniform(3, 11) * scale), 2)
    kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
    angle = rng.uniform(0, np.pi)
    end = (length * np.array([np.cos(angle), np.sin(angle)]) / 2).round().astype(int)
    a = (int(length - end[0]), int(length - end[1]))
    b = (int(length + end[0]), int(length + end[1]))
    cv2.line(kernel, a, b, 1.0)
    return np.asarray(cv2.filter2D(x, -1, kernel / kernel.sum()), np.float32)


def _noise(rng: np.random.Generator, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Read noise and shot noise; sometimes blotchy, as after a camera's own denoising."""
    read, shot = rng.uniform(0, 0.02), rng.uniform(0, 0.03)
    grain = rng.standard_normal(x.shape, dtype=np.float32)
    if rng.random() < 0.3:
        grain = cv2.GaussianBlur(grain, (0, 0), 0.8) * np.float32(2.0)
    return x + grain * np.sqrt(read**2 + shot**2 * np.clip(x, 0, 1)).astype(np.float32)
