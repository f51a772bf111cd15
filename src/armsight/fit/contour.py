"""How well an arm's outline lies on a picture's edges.

The outline is what a line drawing of the arm shows: where a part of it ends, be it before another
part, and creases. Its points are carried by their links, so that they move with joints and camera,
and each looks for the nearest edge of its own direction. Drawing the arm anew is needed only once
it has moved far.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from armsight.fit.edges import EdgeMap, direction
from armsight.fit.gauss_newton import States
from armsight.fit.residuals import NEAREST_DEPTH, screws
from armsight.geometry import make_transform
from armsight.robots import Robot
from armsight.robots.kinematics import link_frames
from armsight.robots.projected import Projected
from armsight.robots.surface_mesh import SurfaceMesh

Array = NDArray[np.floating]
Indices = NDArray[np.intp]
Frames = tuple[Array, Array]

ALIGNMENT_SCALE_PX = 3.8
"""[px] An edge at this distance counts e^-1 of a hit"""
SPACING_PX = 3.0
"""[px] between neighbouring points of the outline"""
CELL_PX = 3.0
"""[px] Side of the grid cells in which occlusion is resolved"""
HIDDEN_TOLERANCE_M = 0.006
"""[m] How far behind the visible surface a point may lie and still count as visible. A larger value
keeps hidden lines; a smaller one loses the ends of round links, whose surface comes nearer within a
cell"""
FEWEST_POINTS, MOST_ON_EDGE = 10, 50
"""of a whole outline; of one edge of a mesh, which may run far off the picture"""


class ContourView(NamedTuple):
    """Outlines in B states of the arm: where their N points are, and how far from edges."""

    points: Array
    """(B, 3, N) [m] in camera axes, from the base's origin"""
    rays: Array
    """(B, 2, N) x / z and y / z in the camera frame"""
    inverse_depth: Array
    """(B, N) [1/m]; 0 behind the camera"""
    distance: Array
    """(B, N) [px] to the nearest edge of the point's direction"""
    gradient: Array
    """(B, 2, N) of the distance, by u and v"""
    inside: NDArray[np.bool_]
    """(B, N) in the picture"""


@dataclass(frozen=True)
class Contour:
    """N points of the outlines of R arms, each drawn in some state.

    Where B states are looked at, R is B, each with its own outline, or 1, the same for all.
    """

    robot: Robot
    links: Indices
    """(R, N) that carry the points"""
    positions: Array
    """(R, N, 3) [m, link frame]"""
    directions: Indices
    """(R, N) of the outline's normals in the picture, see `edges.direction`"""
    known: NDArray[np.bool_]
    """(R, N) False where this arm has no more points"""

    @property
    def in_view(self) -> NDArray[np.bool_]:
        """(R,) whether enough of the outline is in view to judge by."""
        result: NDArray[np.bool_] = self.known.sum(-1) >= FEWEST_POINTS
        return result

    def __getitem__(self, index: NDArray[np.generic] | slice) -> Contour:
        return Contour(
            self.robot,
            self.links[index],
            self.positions[index],
            self.directions[index],
            self.known[index],
        )

    def thinned(self, step: int) -> Contour:
        """Every n-th point only: rougher, and faster to compare."""
        points = slice(None), slice(None, None, step)
        return Contour(
            self.robot,
            self.links[points],
            self.positions[points],
            self.directions[points],
            self.known[points],
        )

    def joined(self, *others: Contour) -> Contour:
        """This and others, one after the other."""
        contours = (self, *others)
        most = max(contour.known.shape[1] for contour in contours)

        def padded(name: str) -> NDArray[Any]:
            parts = (getattr(contour, name) for contour in contours)
            return np.concatenate([
                np.pad(part, ((0, 0), (0, most - part.shape[1])) + ((0, 0),) * (part.ndim - 2))
                for part in parts
            ])  # fmt: skip

        return Contour(self.robot, *map(padded, ("links", "positions", "directions", "known")))

    def measure(self, edges: EdgeMap, states: States, frames: Frames | None = None) -> ContourView:
        """At B states of the arm; `frames` are its `link_frames`, where they are known already."""
        rotations, origins = frames or link_frames(self.robot.chain, states.q, np)
        rows = np.arange(len(states.q))[:, None]
        turned = (rotations[rows, self.links] @ self.positions[..., None])[..., 0]
        points = states.R @ (turned + origins[rows, self.links]).swapaxes(-1, -2)
        depth = points[:, 2] + states.t[:, 2:]
        in_front = depth > NEAREST_DEPTH
        inverse = in_front / np.where(in_front, depth, 1.0)
        rays = (points[:, :2] + states.t[:, :2, None]) * inverse[:, None]
        pixels = states.focal_lengths(edges.K) @ rays + edges.K[:2, 2:]
        distance, gradient, inside = edges.nearest(self.directions, pixels[:, 0], pixels[:, 1])
        return ContourView(
            points, rays, inverse, distance, gradient, inside & in_front & self.known
        )

    def edge_alignment(self, edges: EdgeMap, states: States) -> Array:
        """(B,) in [0, 1]: how near the points are to edges, in each of B states of the arm."""
        seen = self.measure(edges, states)
        hits = np.where(seen.inside, np.exp(-seen.distance / ALIGNMENT_SCALE_PX), 0.0).sum(-1)
        mean: Array = hits / np.maximum(seen.inside.sum(-1), FEWEST_POINTS)
        return mean

    def jacobian(self, edges: EdgeMap, states: States, seen: ContourView, frames: Frames) -> Array:
        """(B, J + 7, N) derivatives [px] of the distances, see `residuals`."""
        x, y, z = seen.points.swapaxes(0, 1)
        wrench = np.empty((len(x), 6, x.shape[-1]))
        pull = states.focal_lengths(edges.K).swapaxes(-1, -2) @ seen.gradient
        wrench[:, 3:5] = pull * seen.inverse_depth[:, None]
        wrench[:, 5] = -(wrench[:, 3:5] * seen.rays).sum(1)
        wrench[:, 0] = y * wrench[:, 5] - z * wrench[:, 4]
        wrench[:, 1] = z * wrench[:, 3] - x * wrench[:, 5]
        wrench[:, 2] = x * wrench[:, 4] - y * wrench[:, 3]
        by_joint = screws(self.robot, frames, states.R).swapaxes(-1, -2) @ wrench
        by_focal = (pull * seen.rays).sum(1, keepdims=True)
        return np.concatenate([by_joint * self._moves, wrench, by_focal], axis=1)

    @cached_property
    def _moves(self) -> NDArray[np.bool_]:
        """(R, J, N) whether each joint moves each point."""
        moves: NDArray[np.bool_] = self.robot.joint_moves[:, self.links].swapaxes(0, 1)
        return moves


def draw_contour(robot: Robot, states: States, edges: EdgeMap) -> Contour:
    """The outlines of the arm in R >= 1 states; with few points where it is out of view."""
    skin = SurfaceMesh.of(robot)
    found = []
    for q, R, t, focal in zip(
        states.q, states.R, states.t, states.focal_lengths(edges.K), strict=True
    ):
        T_cam_link = make_transform(R, t) @ robot.forward_kinematics(q)
        K = edges.K.copy()
        K[:2, :2] = focal
        found.append(_lines(Projected.of(skin, T_cam_link, K, max(edges.size)), edges))
    contours = [
        Contour(
            robot, links[None], positions[None], directions[None], np.ones((1, len(links)), bool)
        )
        for links, positions, directions in found
    ]
    return Contour.joined(*contours)


def _lines(seen: Projected, edges: EdgeMap) -> tuple[Indices, Array, Indices]:
    """Points of what a drawing shows as lines: links (N,), positions (N, 3), directions (N,)."""
    ends = np.concatenate([seen.turning[0], seen.creased])
    edge, share = _points_on(seen, ends)
    one, other = seen.pixels[ends[edge, 0]], seen.pixels[ends[edge, 1]]
    pixels = one + share[:, None] * (other - one)
    # 1 / z is even along a line of the picture, and so are places on the line divided by z.
    w_one, w_other = 1 / seen.depth[ends[edge]].T
    w = w_one + share * (w_other - w_one)
    width, height = edges.size
    u, v = pixels.T
    inside = np.flatnonzero((u > 0) & (u < width - 1) & (v > 0) & (v < height - 1))
    cell = np.floor((pixels[inside] + 0.5) / CELL_PX).astype(np.intp)
    w_nearest = seen.nearest(width, height, CELL_PX)[cell[:, 1], cell[:, 0]]
    # 1 / (z - HIDDEN_TOLERANCE_M), nearly.
    kept = inside[w[inside] * (1 + HIDDEN_TOLERANCE_M * w[inside]) > w_nearest]
    # One point in each place.
    kept = kept[
        np.unique(np.round(pixels[kept] / SPACING_PX) @ [height, 1.0], return_index=True)[1]
    ]
    edge, far = edge[kept], (share * w_other / w)[kept, None]
    corners = seen.skin.vertices[ends[edge]]
    positions = corners[:, 0] * (1 - far) + corners[:, 1] * far
    along = (other - one)[kept]
    return seen.skin.links[ends[edge, 0]], positions, direction(-along[:, 1], along[:, 0])


def _points_on(seen: Projected, ends: Indices) -> tuple[Indices, Array]:
    """Points on edges (E, 2), SPACING_PX apart: which edge (P,), and where on it (P,), 0 to 1."""
    where = seen.pixels[ends]
    length = np.linalg.norm(where[:, 0] - where[:, 1], axis=-1)
    count = np.clip(length // SPACING_PX + 1, 1, MOST_ON_EDGE).astype(int)
    edge = np.repeat(np.arange(len(ends)), count)
    first = np.cumsum(count) - count
    return edge, (np.arange(len(edge)) - first[edge] + 0.5) / count[edge]
