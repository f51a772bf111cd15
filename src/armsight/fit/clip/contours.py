"""The contours of all frames of a clip as evidence, see armsight.fit.contour."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from armsight.fit.clip.shared_camera import SharedCamera
from armsight.fit.contour import Contour, draw_contour
from armsight.fit.edges import EdgeMap
from armsight.fit.gauss_newton import States
from armsight.robots import Robot
from armsight.robots.kinematics import link_frames

Array = NDArray[np.floating]

EFFECTIVE_SHARE = 0.2
"""A point of a contour counts for so many independent ones: neighbours err together."""


class ClipContours:
    """The contours of N frames, as last drawn, and the pictures' edges."""

    def __init__(
        self, robot: Robot, edges: Sequence[EdgeMap | None], q: Array, camera: SharedCamera
    ) -> None:
        """Draw the contours at joints q (N, J) [rad]; frames without edges have none."""
        self._edges = edges
        self._contours: list[Contour | None] = []
        for n, one in enumerate(edges):
            drawn = None
            if one is not None:
                drawn = draw_contour(robot, _state(q[n], camera), _seen_by(one, camera))
            self._contours.append(drawn if drawn is not None and drawn.in_view[0] else None)

    @property
    def weight(self) -> Array:
        """(N,) the cost of a frame none of whose contour lies near an edge"""
        points = [0 if one is None else int(one.known.sum()) for one in self._contours]
        return EFFECTIVE_SHARE * np.array(points, dtype=float)

    def cost(self, q: Array, camera: SharedCamera, scale: float) -> Array:
        """(N,) Welsch's loss of the distances to edges, with `scale` [px]."""
        costs = np.zeros(len(q))
        for n, contour, edges in self._drawn(camera):
            seen = contour.measure(edges, _state(q[n], camera))
            fit = np.where(seen.inside, np.exp(-0.5 * (seen.distance / scale) ** 2), 0.0)
            costs[n] = EFFECTIVE_SHARE * float(contour.known.sum() - fit.sum())
        return costs

    def terms(self, q: Array, camera: SharedCamera, scale: float) -> tuple[Array, Array]:
        """Gradient (N, J + 7) and Gauss-Newton's matrix (N, J + 7, J + 7)."""
        N, size = len(q), q.shape[1] + 7
        gradient, matrix = np.zeros((N, size)), np.zeros((N, size, size))
        for n, contour, edges in self._drawn(camera):
            state = _state(q[n], camera)
            frames = link_frames(contour.robot.chain, state.q, np)
            seen = contour.measure(edges, state, frames)
            jacobian = contour.jacobian(edges, state, seen, frames)[0]
            fit = np.where(seen.inside, np.exp(-0.5 * (seen.distance / scale) ** 2), 0.0)[0]
            weighted = jacobian * (EFFECTIVE_SHARE / scale**2 * fit)
            gradient[n] = weighted @ seen.distance[0]
            matrix[n] = weighted @ jacobian.T
        return gradient, matrix

    def edge_alignment(self, q: Array, camera: SharedCamera) -> Array:
        """(N,) in [0, 1], see `Contour.edge_alignment`; 0 where there is no contour."""
        alignment = np.zeros(len(q))
        for n, contour, edges in self._drawn(camera):
            alignment[n] = contour.edge_alignment(edges, _state(q[n], camera))[0]
        return alignment

    def _drawn(self, camera: SharedCamera) -> list[tuple[int, Contour, EdgeMap]]:
        return [
            (n, contour, _seen_by(edges, camera))
            for n, (contour, edges) in enumerate(zip(self._contours, self._edges, strict=True))
            if contour is not None and edges is not None
        ]


def _seen_by(edges: EdgeMap, camera: SharedCamera) -> EdgeMap:
    """The same edges with the camera's focal length in place of the nominal one."""
    zoomed = copy.copy(edges)
    zoomed.K = camera.K(edges.K)
    return zoomed


def _state(q: Array, camera: SharedCamera) -> States:
    return States(q[None], camera.R[None], camera.t[None])
