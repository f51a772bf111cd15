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
    # All joints at once; a link without a joint borrows joint 0, and its zero skew undoes that.
    turning = [max(joint, 0) for joint in chain.joints]
    sin, cos = xp.sin(q)[..., turning], xp.cos(q)[..., turning]
    RW = chain.rotations @ chain.axis_skews
    local = chain.rotations + sin[..., None, None] * RW
    local = local + (1 - cos[..., None, None]) * (RW @ chain.axis_skews)
    rotations: list[Any] = []
    origins: list[Any] = []
    for i, parent in enumerate(chain.parents):
        R, t = local[..., i, :, :], chain.translations[i]
        if parent < 0:
            rotations.append(R)
            origins.append(xp.broadcast_to(t, (*q.shape[:-1], 3)))
        else:
            rotations.append(rotations[parent] @ R)
            origins.append(origins[parent] + rotations[parent] @ t)
    return xp.stack(rotations, -3), xp.stack(origins, -2)


def points_on_links(frames: tuple[Any, Any], links: Any, positions: Any) -> Any:
    """Points (..., K, 3) [m, base frame] from link frames, link indices (K,) and offsets (K, 3)."""
    rotations, origins = frames
    return (rotations[..., links, :, :] @ positions[:, :, None])[..., 0] + origins[..., links, :]
