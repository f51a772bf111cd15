"""Where the objects of a simulated scene are and how wide: what only the expert may know."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armsight.control.simulation import Simulation

Points = NDArray[np.float64]

# A grid over a box: corners, middles of edges and faces, and the centre.
_GRID = np.array(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)))
_FINGER_REACH = 0.07
"""From the middle of the open gripper to the outside of a finger [m]"""
_FINGER_WIDTH = 0.018
_PALM = (0.11, 0.045, 0.04)
"""Half length, half width, height over the grip site of the gripper's palm [m]"""


@dataclass(frozen=True)
class Body:
    """One object: points on the boxes that it collides with, in the robot's base frame [m]."""

    name: str
    boxes: NDArray[np.float64]
    """(B, 27, 3)"""

    @property
    def low(self) -> NDArray[np.float64]:
        """(3,) lowest coordinates."""
        return np.asarray(self.boxes.min((0, 1)))

    @property
    def high(self) -> NDArray[np.float64]:
        """(3,) highest coordinates."""
        return np.asarray(self.boxes.max((0, 1)))

    def slice(self, z: float, half: float = 0.008) -> Points:
        """(N, 3) points of the boxes that reach into the heights z ± half."""
        bottom, top = self.boxes[..., 2].min(1), self.boxes[..., 2].max(1)
        hit = (bottom < z + half) & (top > z - half)
        return (self.boxes[hit] if hit.any() else self.boxes).reshape(-1, 3)


def bodies(sim: Simulation) -> dict[str, Body]:
    """The objects of the scene by name; the robot and the floor are none of them."""
    model, data = sim.model, sim.seen
    T_base_world = np.linalg.inv(sim.T_world_base)
    found = {}
    for name, body in sim._env.obj_body_id.items():
        boxes = []
        for geom in range(model.ngeom):
            root = model.body_rootid[model.geom_bodyid[geom]]
            if root != model.body_rootid[body] or not model.geom_contype[geom]:
                continue
            R = data.geom_xmat[geom].reshape(3, 3)
            corners = (_GRID * model.geom_size[geom]) @ R.T + data.geom_xpos[geom]
            boxes.append(corners @ T_base_world[:3, :3].T + T_base_world[:3, 3])
        if boxes:
            found[name] = Body(name, np.array(boxes))
    return found


def target_and_basket(sim: Simulation) -> tuple[str, str]:
    """Names of the object to pick and of what to put it into."""
    first, second = sim._env.obj_of_interest[:2]
    return str(first), str(second)


@dataclass(frozen=True)
class Grasp:
    """A way to hold an object from above."""

    position: NDArray[np.float64]
    """(3,) of the grip site, base frame [m]"""
    yaw: float
    """Turn of the gripper about the vertical [rad]; at 0 the fingers close along y"""
    width: float
    """Of the object between the fingers [m]"""
    cost: float


def grasps(scene: dict[str, Body], target: str, depth: float, lowest: float) -> list[Grasp]:
    """All turns of the gripper in steps of 7.5°, the best first.

    A good one is narrow, keeps its fingers and palm off the neighbours, and turns little.

    Args:
        depth: how far below the object's top the grip site goes [m].
        lowest: the grip site stays this far above the ground [m].
    """
    body = scene[target]
    z = max(body.high[2] - depth, body.low[2] + lowest)
    points = body.slice(z)[:, :2]
    beside = [b.boxes.reshape(-1, 3) for name, b in scene.items() if name != target]
    others = np.concatenate([np.zeros((0, 3)), *beside])
    found = []
    for yaw in np.radians(np.arange(-90, 90, 7.5)):
        along = np.array([-np.sin(yaw), np.cos(yaw)])
        across = np.array([np.cos(yaw), np.sin(yaw)])
        a, c = points @ along, points @ across
        centre = along * (a.max() + a.min()) / 2 + across * (c.max() + c.min()) / 2
        width = float(np.ptp(a))
        offset = others[:, :2] - centre
        side, front = np.abs(offset @ along), np.abs(offset @ across)
        fingers = (side < _FINGER_REACH) & (front < _FINGER_WIDTH) & (others[:, 2] > z - 0.02)
        palm = (side < _PALM[0]) & (front < _PALM[1]) & (others[:, 2] > z + _PALM[2])
        cost = 20 * max(width - 0.055, 0) + 6 * max(width - 0.068, 0) / 0.01
        for hit in (fingers, palm):
            cost += 0.4 * bool(hit.any()) + 0.05 * np.count_nonzero(hit)
        cost += 0.15 * abs(yaw)
        found.append(Grasp(np.array([*centre, z]), float(yaw), width, float(cost)))
    return sorted(found, key=lambda grasp: grasp.cost)
