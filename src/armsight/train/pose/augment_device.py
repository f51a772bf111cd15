"""Making many training pictures out of one rendered one, on the training device.

What augment.py does to one row with OpenCV, done to a whole batch with tensors: a GPU varies
thousands of pictures a second, of which CPU cores manage hundreds. The ranges are the same; the
frame's edges are moved besides, since many cameras see a part of the arm only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from armsight.train.draws import Draws
from armsight.train.pose.augment import (
    LARGEST_ZOOM,
    MARGIN_RANGE,
    MAX_ROLL_DEG,
    SECOND_LOOK,
    SECOND_SHIFT,
    SHIFT,
    ZOOM_RANGE,
    Backgrounds,
)

Rows = dict[str, Tensor]

FRAME_CUT = 0.2
"""Share of pictures whose camera frame is made to end before the arm does."""
LARGEST_CUT = 0.65
"""of the seen keypoints' extent"""
FEWEST_LEFT = 6
"""Keypoints that must stay in a frame that was cut."""
REPLACED = 0.6
"""Share of composited pictures that get another background."""
COVERED = 0.35
SHRUNK = 0.7
"""Below this scale pictures are blurred first: the smaller grid cannot hold everything."""


def augment_rows(
    rows: Rows, size: int, g: torch.Generator, backgrounds: Tensor | None = None, *,
    repainted: float = 0.0, strength: float = 1.0,
) -> Rows:  # fmt: skip
    """A random variant of each of B rows; `strength` 0 only resizes to `size`.

    Args:
        rows: images (B, H, H, 3) and masks (B, H, H) uint8, keypoints_2d (B, K, 2) [px],
            keypoints_visible (B, K), K (B, 3, 3) [px], frame_rect (B, 4) [px], composited (B,).
        g: of the rows' device.
        backgrounds: (N, 3, P, P) uint8 pictures to put behind composited robots.
        repainted: share of pictures whose robot gets another colour.

    Returns:
        image (B, 3, size, size) float in 0..255, keypoints_2d, keypoints_visible, in_crop (B, K),
        camera (B, 4); as `armsight.train.pose.batches.make_batch`.
    """
    draw = Draws(g, len(rows["images"]))
    image = rows["images"].permute(0, 3, 1, 2).float()
    points, visible = rows["keypoints_2d"], rows["keypoints_visible"].float()
    source = image.shape[-1]
    if strength:
        if repainted:
            image = _repainted(image, rows["masks"], repainted, draw)
        if backgrounds is not None:
            image = _with_backgrounds(image, rows, backgrounds, draw)
        image, visible = _with_moved_edges(image, rows, visible, draw)
    A = random_similarities(points, visible > 0, source, size, draw, strength)
    scale = torch.linalg.det(A[:, :, :2]).abs().sqrt()
    image = blur(image, torch.where(scale < SHRUNK, 0.35 / scale, torch.zeros_like(scale)))
    image = warp(image, A, size)
    points = points @ A[:, :, :2].transpose(1, 2) + A[:, None, :, 2]
    in_crop = ((points > -0.5) & (points < size - 0.5)).all(-1)
    visible = visible * in_crop
    if strength:
        image, visible = _with_covers(image, points, visible, backgrounds, draw)
        image = _with_light_and_film(image, draw)
    K = rows["K"]
    focal = torch.log(((K[:, 0, 0] + K[:, 1, 1]) / 2 * scale / size).clamp(min=1e-3))
    principal = (A[:, :, :2] @ K[:, :2, 2:])[..., 0] + A[:, :, 2]
    centre = (principal - (size - 1) / 2) / size
    return {
        "image": image,
        "keypoints_2d": points,
        "keypoints_visible": visible,
        "in_crop": in_crop.float(),
        "camera": torch.cat([focal[:, None].expand(-1, 2), centre], 1),
    }


def background_bank(folder: Path, side: int = 320) -> Tensor:
    """The pictures of a folder as squares (N, 3, side, side) uint8."""
    rng = np.random.default_rng(0)
    pictures = Backgrounds(folder)
    squares = [pictures.crop(rng, side) for _ in range(2 * len(pictures.pictures))]
    stack = np.stack(squares) if squares else np.zeros((0, side, side, 3), np.uint8)
    return torch.from_numpy(stack).permute(0, 3, 1, 2).contiguous()


def random_similarities(
    points: Tensor, seen: Tensor, source: int, size: int, draw: Draws, strength: float
) -> Tensor:
    """Maps (B, 2, 3) from source pixels to input pixels, pixel centres at integers.

    Most are cut around the keypoints (B, K, 2) that are `seen` (B, K), as the estimator cuts.
    """
    small = draw.chance(0.5)
    spread = torch.where(small, MAX_ROLL_DEG / 4, MAX_ROLL_DEG) * strength
    angle = torch.deg2rad(draw.uniform(-1, 1) * spread)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).reshape(-1, 2, 2)
    middle = torch.full((2,), (source - 1) / 2, device=points.device)
    centre = turn @ middle
    scale = torch.exp(draw.uniform(*np.log(ZOOM_RANGE)) * strength) * size / source
    shift = draw.uniform(-SHIFT, SHIFT, 2) * size * strength
    if strength:
        turned = points @ turn.transpose(1, 2)
        far = torch.full_like(turned, 1e6)
        low = torch.where(seen[..., None], turned, far).amin(1)
        high = torch.where(seen[..., None], turned, -far).amax(1)
        margin = torch.exp(draw.uniform(*np.log(MARGIN_RANGE)))
        close = size / (margin * (high - low).amax(1)).clamp(min=1.0)
        close = close.clamp(max=LARGEST_ZOOM * size / source)
        around = draw.chance(SECOND_LOOK) & (seen.sum(1) >= 2)
        scale = torch.where(around, close, scale)
        centre = torch.where(around[:, None], (low + high) / 2, centre)
        moved = draw.uniform(-SECOND_SHIFT, SECOND_SHIFT, 2) * size
        shift = torch.where(around[:, None], moved, shift)
    offset = (size - 1) / 2 + shift - scale[:, None] * centre
    return torch.cat([scale[:, None, None] * turn, offset[..., None]], -1)


def warp(image: Tensor, A: Tensor, size: int) -> Tensor:
    """Pictures (B, C, H, H) through maps A (B, 2, 3) of pixels; black where nothing was."""
    source = image.shape[-1]
    inverse = torch.linalg.inv(A[:, :, :2])
    line = torch.arange(size, device=image.device, dtype=image.dtype)
    y, x = torch.meshgrid(line, line, indexing="ij")
    there = torch.stack([x, y], -1).reshape(1, -1, 2) - A[:, None, :, 2]
    pixels = there @ inverse.transpose(1, 2)
    grid = ((2 * pixels + 1) / source - 1).reshape(-1, size, size, 2)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def blur(image: Tensor, sigma: Tensor, radius: int = 3) -> Tensor:
    """Each picture (B, C, H, W) blurred by its own Gaussian (B,) [px]; 0 leaves it as it is."""
    steps = torch.arange(-radius, radius + 1, device=image.device)
    weights = torch.exp(-0.5 * (steps / sigma.clamp(min=1e-3)[:, None]) ** 2)
    weights = (weights / weights.sum(1, keepdim=True)).to(image.dtype)
    for dim in (2, 3):
        pad = (radius, radius, 0, 0) if dim == 3 else (0, 0, radius, radius)
        padded, length = F.pad(image, pad, mode="reflect"), image.shape[dim]
        image = sum(
            (
                padded.narrow(dim, i, length) * weights[:, i, None, None, None]
                for i in range(2 * radius + 1)
            ),
            torch.zeros((), device=image.device, dtype=image.dtype),
        )
    return image


def _inside(rect: Tensor, side: int) -> Tensor:
    """(B, 1, side, side), which pixels lie in rectangles (B, 4)."""
    line = torch.arange(side, device=rect.device)
    across = (line > rect[:, 0, None]) & (line < rect[:, 2, None])
    down = (line > rect[:, 1, None]) & (line < rect[:, 3, None])
    return (down[:, :, None] & across[:, None, :])[:, None]


def _repainted(image: Tensor, masks: Tensor, share: float, draw: Draws) -> Tensor:
    """Some robots in one colour of any kind, with their light, shade and dark parts as they are."""
    alpha = masks[:, None].float() / 255 * draw.chance(share)[:, None, None, None]
    grey = image.mean(1, keepdim=True)
    mean = (grey * alpha).sum((2, 3)) / alpha.sum((2, 3)).clamp(min=1.0)
    colour = draw.uniform(15, 235, 3)
    colour = torch.where(draw.chance(0.4)[:, None], colour[:, :1], colour)  # black, grey, white
    painted = (grey * (colour / mean.clamp(min=8.0))[..., None, None]).clamp(max=255)
    return image + alpha * (painted - image)


def _with_backgrounds(image: Tensor, rows: Rows, bank: Tensor, draw: Draws) -> Tensor:
    if not len(bank):
        return image
    chosen = draw.chance(REPLACED) & (rows["composited"] > 0)
    alpha = blur(rows["masks"][:, None].float() / 255, draw.uniform(0.4, 0.9))
    behind = _pieces(bank, image.shape[-1], draw) * _inside(rows["frame_rect"], image.shape[-1])
    mixed = image * alpha + behind * (1 - alpha)
    return torch.where(chosen[:, None, None, None], mixed, image)


def _pieces(bank: Tensor, side: int, draw: Draws) -> Tensor:
    """Random squares (B, 3, side, side) of the bank's pictures, half of them mirrored."""
    pictures = bank[draw.below(len(bank))].float()
    whole = bank.shape[-1]
    scale = side / (whole * draw.uniform(0.4, 1.0))
    mirror = torch.where(draw.chance(0.5), -1.0, 1.0)
    # What is left over when the piece has its size, shared out to both of its sides at random.
    spare = (whole * scale - side)[:, None] * draw.uniform(-0.5, 0.5, 2)
    diagonal = torch.stack([scale * mirror, scale], 1)
    offset = (side - 1) / 2 + spare - diagonal * ((whole - 1) / 2)
    return warp(pictures, torch.cat([torch.diag_embed(diagonal), offset[..., None]], -1), side)


def _with_moved_edges(
    image: Tensor, rows: Rows, visible: Tensor, draw: Draws
) -> tuple[Tensor, Tensor]:
    """Some frames end earlier, through the arm: black beyond, as off any frame's edge."""
    points, side = rows["keypoints_2d"], image.shape[-1]
    seen = (visible > 0)[..., None]
    low = torch.where(seen, points, torch.full_like(points, float(side))).amin(1)
    high = torch.where(seen, points, torch.zeros_like(points)).amax(1)
    extent = (high - low).clamp(min=0)
    share = draw.uniform(0.05, LARGEST_CUT, 4)
    # One edge always moves, each of the others once in six times.
    moves = draw.chance(1 / 6, 4) | F.one_hot(draw.below(4), 4).bool()
    cut = torch.cat([low + share[:, :2] * extent, high - share[:, 2:] * extent], 1)
    off = torch.tensor([-1e6, -1e6, 1e6, 1e6], device=image.device)
    rect = torch.where(moves & draw.chance(FRAME_CUT)[:, None], cut, off)
    inside = ((points > rect[:, None, :2]) & (points < rect[:, None, 2:])).all(-1)
    enough = ((visible > 0) & inside).sum(1) >= FEWEST_LEFT
    rect = torch.where(enough[:, None], rect, off)
    visible = torch.where(enough[:, None], visible * inside, visible)
    return image * _inside(rect, side), visible


def _with_covers(
    image: Tensor, points: Tensor, visible: Tensor, bank: Tensor | None, draw: Draws
) -> tuple[Tensor, Tensor]:
    """Hide parts of some pictures behind a rectangle or an ellipse; keypoints there become 0."""
    size = image.shape[-1]
    covered = draw.chance(COVERED)
    line = torch.arange(size, device=image.device, dtype=image.dtype)
    y, x = torch.meshgrid(line, line, indexing="ij")
    for i in range(2):
        here = covered if i == 0 else covered & draw.chance(0.5)
        centre, axes = draw.uniform(0, size, 2), size * draw.uniform(0.05, 0.18, 2)
        angle, round_ = draw.uniform(0, np.pi), draw.chance(0.5)
        colour = draw.uniform(0, 256, 3)[..., None, None].expand_as(image)
        if bank is not None and len(bank):
            textured = draw.chance(0.5)[:, None, None, None]
            colour = torch.where(textured, _pieces(bank, size, draw), colour)

        def within(
            u: Tensor, v: Tensor, centre: Tensor = centre, axes: Tensor = axes,
            angle: Tensor = angle, round_: Tensor = round_, here: Tensor = here,
        ) -> Tensor:  # fmt: skip
            shape = (-1, *[1] * (u.ndim - 1))
            cos, sin = angle.cos().reshape(shape), angle.sin().reshape(shape)
            du, dv = u - centre[:, 0].reshape(shape), v - centre[:, 1].reshape(shape)
            a = ((cos * du + sin * dv) / axes[:, 0].reshape(shape)).abs()
            b = ((cos * dv - sin * du) / axes[:, 1].reshape(shape)).abs()
            ellipse, box = a**2 + b**2 < 1, (a < 1) & (b < 1)
            return torch.where(round_.reshape(shape), ellipse, box) & here.reshape(shape)

        image = torch.where(within(x[None], y[None])[:, None], colour, image)
        visible = visible * ~within(points[..., 0], points[..., 1])
    return image, visible


def _with_light_and_film(image: Tensor, draw: Draws) -> Tensor:
    """Tone curve, colour cast, sometimes grey, blurred or noisy; see `augment.Photometric`."""
    gamma = torch.exp(draw.uniform(-0.4, 0.4))[:, None, None, None]
    gain = torch.exp(draw.uniform(-0.3, 0.3)[:, None] + 0.06 * draw.normal(3))[..., None, None]
    offset = draw.uniform(-0.1, 0.1)[:, None, None, None]
    levels = (image / 255).clamp(1e-4, 1)
    image = (levels**gamma * gain + offset).clamp(0, 1) * 255
    grey = (image * image.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    image = torch.where(draw.chance(0.05)[:, None, None, None], grey, image)
    image = blur(image, draw.uniform(0.4, 1.3) * draw.chance(0.15))
    noise = draw.uniform(1, 8) * draw.chance(0.3)
    image = image + noise[:, None, None, None] * draw.normal_like(image)
    return image.clamp(0, 255).round()
