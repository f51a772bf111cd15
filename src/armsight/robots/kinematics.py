"""Forward kinematics of a tree of revolute joints, the same lines for NumPy and torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Chain:
    """The constants of forward kinematics, as arrays of NumPy or of torch.

    Link i hangs on link `parents[i]` (-1: the base frame itself) by the fixed transform
    (`rotations[i]`, `translations[i]`), followed by a turn about the axis of joint `joints[i]`
    (-1: no joint). Parents come before their children.
    """

    parents: tuple[int, ...]
    joints: tuple[int, ...]
    rotations: Any
    """(L, 3, 3)"""
    translations: Any
    """(L, 3) [m]"""
    axis_skews: Any
    """(L, 3, 3), the cross-product matrix of each joint's unit axis"""


def link_frames(chain: Chain, q: Any, xp: Any) -> tuple[Any, Any]:
    """Rotations (..., L, 3, 3) and origins (..., L, 3) [m] of all links in the base frame.

    Args:
        chain: constants in the array namespace `xp`.
        q: (..., J) joint positions [rad].
        xp: the array namespace, `numpy` or `torch`; torch keeps the gradient.

    A joint turns by Rodrigues' formula, R = 1 + sin(q) W + (1 - cos(q)) W^2.
    """
    sin, cos = xp.sin(q)[..., None, None], xp.cos(q)[..., None, None]
    rotations: list[Any] = []
    origins: list[Any] = []
    for i, (parent, joint) in enumerate(zip(chain.parents, chain.joints, strict=True)):
        R, t = chain.rotations[i], chain.translations[i]
        if joint >= 0:
            W = chain.axis_skews[i]
            R = R + sin[..., joint, :, :] * (R @ W) + (1 - cos[..., joint, :, :]) * (R @ (W @ W))
        if parent >= 0:
            t = origins[parent] + (rotations[parent] @ t[:, None])[..., 0]
            R = rotations[parent] @ R
        batch = q.shape[:-1]
        rotations.append(xp.broadcast_to(R, (*batch, 3, 3)))
        origins.append(xp.broadcast_to(t, (*batch, 3)))
    return xp.stack(rotations, -3), xp.stack(origins, -2)


def points_on_links(frames: tuple[Any, Any], links: Any, positions: Any) -> Any:
    """Points (..., K, 3) [m, base frame] from link frames, link indices (K,) and offsets (K, 3)."""
    rotations, origins = frames
    return (rotations[..., links, :, :] @ positions[:, :, None])[..., 0] + origins[..., links, :]
