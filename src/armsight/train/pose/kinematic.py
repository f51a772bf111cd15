"""Training samples from kinematics alone: what an encoder might measure, without rendering.

Joint angles and a camera are drawn, keypoints projected, disturbed and partly hidden. Millions
of such samples cost nothing, and teach the denoiser geometry before it sees an image.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from armsight.models.kinematics import TorchKinematics
from armsight.models.state_model import EncoderOutput

READY_SD_RAD = 0.6


def draw_poses(kinematics: TorchKinematics, count: int, g: torch.Generator) -> Tensor:
    """(count, J) [rad]: two thirds around the ready pose, one third uniform in the limits."""
    low, high = kinematics.joint_limits.unbind(1)
    J = len(low)
    uniform = low + (high - low) * torch.rand(count, J, generator=g)
    normal = kinematics.ready_positions + READY_SD_RAD * torch.randn(count, J, generator=g)
    # The first and the last joint turn the whole arm and the hand: both are filmed at any angle.
    normal[:, 0] += 0.6 * torch.randn(count, generator=g)
    normal[:, -1] += 0.6 * torch.randn(count, generator=g)
    pick = torch.rand(count, 1, generator=g) < 1 / 3
    return torch.where(pick, uniform, normal.clamp(low, high))


def draw_cameras(points: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rotations (B, 3, 3) and translations (B, 3) [m] of cameras that look at points (B, K, 3)."""
    B, K, _ = points.shape

    def uniform(lo: float, hi: float, *shape: int) -> Tensor:
        return lo + (hi - lo) * torch.rand(B, *shape, generator=g)

    target = points[torch.arange(B), torch.randint(K, (B,), generator=g)]
    target = (target + points.mean(1)) / 2 + 0.1 * torch.randn(B, 3, generator=g)
    azimuth, elevation = uniform(-math.pi, math.pi), torch.asin(uniform(-0.25, 0.95))
    distance = uniform(0.5, 2.5)
    direction = torch.stack(
        [azimuth.cos() * elevation.cos(), azimuth.sin() * elevation.cos(), elevation.sin()], -1
    )
    z = -direction
    up = torch.tensor([0.0, 0.0, 1.0]).expand(B, 3)
    x = torch.nn.functional.normalize(torch.linalg.cross(z, up), dim=-1)
    y = torch.linalg.cross(z, x)
    roll = 0.3 * torch.randn(B, 1, generator=g)
    x, y = roll.cos() * x + roll.sin() * y, roll.cos() * y - roll.sin() * x
    R = torch.stack([x, y, z], 1)
    centre = target + distance[:, None] * direction
    return R, -(R @ centre[..., None])[..., 0]


def draw_samples(
    kinematics: TorchKinematics, count: int, size: int, g: torch.Generator
) -> tuple[EncoderOutput, dict[str, Tensor]]:
    """Measurements and true states {joint_positions, keypoints_2d, log_depth} of `count` views."""
    q = draw_poses(kinematics, count, g)
    points = kinematics.keypoints(q)
    R, t = draw_cameras(points, g)
    cam = points @ R.transpose(1, 2) + t[:, None]
    depth = cam[..., 2].clamp(min=0.05)
    B, K = depth.shape

    def uniform(lo: float, hi: float, *shape: int) -> Tensor:
        return lo + (hi - lo) * torch.rand(B, *shape, generator=g)

    # A 4:3 frame of unit width, then a square crop around what is inside of the frame.
    focal = 0.5 / torch.tan(torch.deg2rad(uniform(35, 90)) / 2)
    uv = cam[..., :2] / depth[..., None] * focal[:, None, None]
    inside = (uv[..., 0].abs() < 0.5) & (uv[..., 1].abs() < 0.375) & (cam[..., 2] > 0.05)
    big = torch.full_like(uv, 9.0)
    low = torch.where(inside[..., None], uv, big).amin(1)
    high = torch.where(inside[..., None], uv, -big).amax(1)
    empty = inside.sum(1) < 2
    low[empty], high[empty] = -0.5, 0.5
    side = ((high - low).amax(1) * uniform(1.05, 2.0)).clamp(min=0.05)
    middle = (low + high) / 2 + 0.15 * side[:, None] * (2 * torch.rand(B, 2, generator=g) - 1)
    pixels = size * ((uv - middle[:, None]) / side[:, None, None]) + (size - 1) / 2
    camera = torch.cat([(focal / side).log()[:, None].repeat(1, 2), -middle / side[:, None]], 1)

    in_crop = inside & ((pixels > -0.5) & (pixels < size - 0.5)).all(-1)
    seen = in_crop & (torch.rand(B, K, generator=g) > uniform(0, 0.35, 1))
    # Each picture has its own sharpness, each keypoint its own; a few are simply wrong.
    log_std = uniform(-1.0, 1.3, 1) + 0.5 * torch.randn(B, K, generator=g)
    log_std = torch.where(seen, log_std, log_std.clamp(min=0) + uniform(0.8, 2.2, 1))
    error = log_std.exp()[..., None] * torch.randn(B, K, 2, generator=g)
    wrong = torch.rand(B, K, 1, generator=g) < uniform(0, 0.08, 1, 1)
    error = torch.where(wrong, 0.15 * size * torch.randn(B, K, 2, generator=g), error)
    measured = (pixels + error).clamp(0, size - 1)
    logit = torch.where(seen, 4.0, -4.0) + 1.5 * torch.randn(B, K, generator=g)
    truth = {
        "joint_positions": q,
        "keypoints_2d": pixels,
        "log_depth": depth.log(),
    }
    return EncoderOutput(measured, log_std, logit, camera), truth
