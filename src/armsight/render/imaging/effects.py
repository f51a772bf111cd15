"""What light, a camera and a file format do to a picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Pixels = NDArray[Any]
"""(H, W, 3) RGB in 0..1"""
Rng = np.random.Generator


def ambient_occlusion(depth: Pixels, radius_px: float, radius_m: float) -> Pixels:
    """How much of the light from all sides reaches each pixel, (H, W) in 0..1.

    Screen-space: a neighbour that is nearer to the camera, but by less than `radius_m`, hides
    some of the light. Rough, but it puts the dark seams where links meet and things touch.
    """
    small: Pixels = cv2.resize(depth, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_NEAREST)
    hidden = np.zeros_like(small)
    for ring, count in ((0.35, 4), (1.0, 6)):
        for k in range(count):
            angle = 2 * np.pi * (k + ring) / count
            dx = round(ring * radius_px / 2 * np.cos(angle))
            dy = round(ring * radius_px / 2 * np.sin(angle))
            nearer = (small - _shifted(small, dx, dy)) / np.float32(radius_m)
            # Rises to 1 at half of the radius and falls to 0 at the whole.
            hidden += np.clip(nearer * 2, 0, 1) * np.clip(2 - nearer * 2, 0, 1)
    open_share = cv2.GaussianBlur(1 - hidden / 10, (0, 0), 1.5)
    size = (depth.shape[1], depth.shape[0])
    return np.asarray(cv2.resize(open_share, size, interpolation=cv2.INTER_LINEAR), np.float32)


def apply_effects(
    rng: Rng,
    image: Image,
    blur_scale: float = 1.0,
    metered: dict[str, Any] | None = None,
    noise_seed: int | None = None,
) -> Image:
    """A picture (H, W, 3) as a real camera would have stored it.

    Args:
        blur_scale: pixels of the picture per pixel of the 640 px wide frame it was cut from.
        metered: brightness by which the exposure is chosen, where it is fixed; filled where not.
        noise_seed: of the noise, where it must differ between calls with the same `rng`.
    """
    x = _tone(rng, image.astype(np.float32) / 255, {} if metered is None else metered)
    if rng.random() < 0.2:
        x = _vignette(rng, x)
    if rng.random() < 0.15:
        x = _bloom(rng, x, blur_scale)
    if rng.random() < 0.08:
        x = _motion_blur(rng, x, blur_scale)
    if rng.random() < 0.35:
        x = cv2.GaussianBlur(x, (0, 0), max(rng.uniform(0.3, 1.2) * blur_scale, 0.2))
    if rng.random() < 0.15:  # a camera's own sharpening
        soft = cv2.GaussianBlur(x, (0, 0), max(1.0 * blur_scale, 0.5))
        x = x + (x - soft) * np.float32(rng.uniform(0.2, 1.0))
    if rng.random() < 0.8:
        x = _noise(rng, x, noise_seed)
    out = (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.6:
        out = jpeg(out, int(rng.integers(30, 98)))
    return out


def jpeg(image: Image, quality: int) -> Image:
    """The picture after JPEG compression of that quality (1 to 100)."""
    bgr = np.ascontiguousarray(image[..., ::-1])
    ok, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if ok else None
    return image if decoded is None else np.asarray(decoded[..., ::-1], np.uint8)


def _shifted(x: Pixels, dx: int, dy: int) -> Pixels:
    """x moved by whole pixels, the edge repeated."""
    h, w = x.shape
    px, py = min(abs(dx), w - 1), min(abs(dy), h - 1)
    padded = cv2.copyMakeBorder(x, py, py, px, px, cv2.BORDER_REPLICATE)
    x0, y0 = px + (px if dx > 0 else -px), py + (py if dy > 0 else -py)
    return np.asarray(padded[y0 : y0 + h, x0 : x0 + w], np.float32)


def _tone(rng: Rng, x: Pixels, metered: dict[str, Any]) -> Pixels:
    """Exposure, white balance, gamma, contrast and saturation."""
    temperature = rng.normal(0, 0.06)
    gains = np.array([1 + temperature, 1 + rng.normal(0, 0.025), 1 - temperature])
    lamp = rng.random()
    if lamp < 0.08:  # a warm lamp, not balanced by the camera
        gains = gains * np.array([1.0, rng.uniform(0.72, 0.95), rng.uniform(0.5, 0.85)])
    elif lamp < 0.10:  # a cold or coloured one
        gains = gains * rng.uniform(0.6, 1.0, 3)
    # Cameras choose the exposure so that the mean is near middle grey.
    mean = metered.setdefault("mean", max(float(x.mean()), 0.02))
    chosen = float(np.clip(rng.normal(0.5, 0.09) / mean, 0.6, 3.0))
    exposure = chosen if rng.random() < 0.8 else float(np.exp(rng.normal(0, 0.2)))
    if rng.random() < 0.04:
        exposure *= rng.uniform(0.4, 0.8)
    # The brightest tenth may be overexposed, but not by much.
    bright = metered.setdefault("bright", max(float(np.quantile(x[::4, ::4, 1], 0.9)), 0.05))
    exposure = float(np.clip(min(exposure, 1.4 / bright), 0.13 / mean, 0.75 / mean))
    x = np.clip(x * (gains * exposure).astype(np.float32), 0, 1)
    x = cv2.pow(x, float(np.exp(rng.normal(0, 0.18))))
    contrast, brightness = rng.uniform(0.75, 1.2), rng.normal(0, 0.03)
    saturation = 0.0 if rng.random() < 0.02 else rng.uniform(0.6, 1.25)
    # Saturation and contrast as one colour matrix: x' = A x + b.
    grey = metered.setdefault("grey", float(x.mean()))
    A = contrast * (saturation * np.eye(3) + (1 - saturation) / 3)
    offset = np.full((3, 1), (1 - contrast) * grey + brightness)
    x = cv2.transform(x, np.hstack([A, offset]).astype(np.float32))
    return np.asarray(np.clip(x, 0, 1), np.float32)


def _vignette(rng: Rng, x: Pixels) -> Pixels:
    h, w = x.shape[:2]
    v = np.linspace(-1, 1, h, dtype=np.float32)[:, None] ** 2
    u = np.linspace(-1, 1, w, dtype=np.float32)[None] ** 2
    shade: Pixels = 1 - np.float32(rng.uniform(0.05, 0.4) / 2) * (u + v)
    return x * shade[..., None]


def _bloom(rng: Rng, x: Pixels, scale: float) -> Pixels:
    """Light that spills from what is overexposed."""
    bright = np.maximum(x - np.float32(0.8), 0)
    glow = cv2.GaussianBlur(bright, (0, 0), max(rng.uniform(2, 8) * scale, 0.5))
    return np.asarray(x + glow * np.float32(rng.uniform(0.5, 2.0)), np.float32)


def _motion_blur(rng: Rng, x: Pixels, scale: float) -> Pixels:
    length = max(round(rng.uniform(2, 8) * scale), 2)
    kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
    angle = rng.uniform(0, np.pi)
    end = (length * np.array([np.cos(angle), np.sin(angle)]) / 2).round().astype(int)
    a = (int(length - end[0]), int(length - end[1]))
    b = (int(length + end[0]), int(length + end[1]))
    cv2.line(kernel, a, b, 1.0)
    return np.asarray(cv2.filter2D(x, -1, kernel / kernel.sum()), np.float32)


def _noise(rng: Rng, x: Pixels, seed: int | None) -> Pixels:
    """Read noise and shot noise; sometimes blotchy, as after a camera's own denoising."""
    read, shot = rng.uniform(0, 0.02), rng.uniform(0, 0.03)
    grain: Pixels = np.empty(x.shape, np.float32)
    drawn = int(rng.integers(2**31))
    cv2.setRNGSeed(drawn if seed is None else seed)
    cv2.randn(grain, np.zeros(1), np.ones(1))
    if rng.random() < 0.3:
        grain = cv2.GaussianBlur(grain, (0, 0), 0.8) * np.float32(2.0)
    deviation = cv2.sqrt(np.float32(read**2) + np.float32(shot**2) * np.clip(x, 0, 1))
    return np.asarray(x + grain * deviation, np.float32)
