"""The joints of all frames of a clip whose camera is known: a smooth path, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from armsight.fit.clip.chain import ChainSystem, Motion
from armsight.fit.clip.choose import choose_path
from armsight.fit.clip.find_camera import ACCELERATION, SCALES, Hypotheses
from armsight.fit.clip.keypoints import ClipKeypoints
from armsight.fit.clip.modes import Answers
from armsight.fit.clip.problem import ClipProblem, minimise
from armsight.fit.clip.shared_camera import SharedCamera
from armsight.fit.edges import EdgeMap
from armsight.fit.gauss_newton import Prior

Array = NDArray[np.floating]


@dataclass(frozen=True)
class ClipPath:
    """The joints in N frames of one camera."""

    q: Array
    """(N, J) [rad]"""
    covariance: Array
    """(N, J + 7, J + 7) of each frame's joints and the camera: (dq [rad], omega [rad], v [m], log
    focal length); not calibrated"""
    state: Array
    """(N, 2J) joints [rad] and their velocities [rad/s]"""
    state_covariance: Array
    """(N, 2J, 2J) with the camera as it is"""
    edge_alignment: Array
    """(N,) in [0, 1] how near contours lie to edges; 0: not looked at"""
    keypoints_2d_std: Array
    """(N, Kp) [px] of the keypoints' projections, from `covariance`"""

    def __getitem__(self, part: slice) -> ClipPath:
        return ClipPath(*(getattr(self, one.name)[part] for one in fields(self)))


def follow_path(
    keypoints: ClipKeypoints,
    samples: Sequence[Array],
    edges: Sequence[EdgeMap | None],
    times: Array,
    camera: SharedCamera,
    prior_std: float,
    before: tuple[Array, Array] | None = None,
) -> ClipPath | None:
    """The joints' path through N frames with the camera held, both ways in time.

    Args:
        keypoints: of the N frames; a frame in which nothing was measured learns from the others.
        samples: hypotheses (S, J) [rad] of each frame; S may be 0.
        edges: of each frame's picture; empty: keypoints only.
        times: (N,) [s], rising.
        camera: the clip's.
        prior_std: [rad] as in `solve`.
        before: where the first of the frames was answered already, and the path goes on from
            there: its `state` (2J,) and `state_covariance` (2J, 2J).

    None where no frame has a hypothesis.
    """
    if not any(map(len, samples)):
        return None
    answers = Hypotheses.of(samples, prior_std).answers(keypoints, camera)
    where = None if before is None else before[0][: len(keypoints.robot.joint_names)]
    chosen = choose_path(keypoints, answers, edges, times, camera, where)
    q = _between(chosen, len(keypoints), times)
    belief = _belief(chosen, len(keypoints))
    motion = Motion.of(times, q.shape[1], ACCELERATION, before)
    problem = ClipProblem(keypoints, belief, 1.0, motion, edges)
    x, _, system = minimise(problem, problem.start(q), camera, move_camera=False)
    contours = None
    for scale in SCALES if len(edges) else ():
        contours = problem.contours(x, camera)
        x, _, system = minimise(
            problem, x, camera, contours=contours, scale_px=scale, move_camera=False
        )
    q = x[:, : q.shape[1]]
    covariance = _with_camera(system, q.shape[1], camera)
    return ClipPath(
        q=q,
        covariance=covariance,
        state=x,
        state_covariance=system.with_shared_held().covariance()[0],
        edge_alignment=np.zeros(len(q)) if contours is None else contours.edge_alignment(q, camera),
        keypoints_2d_std=keypoints.projected_std(q, camera, covariance),
    )


def _between(chosen: Answers, count: int, times: Array) -> Array:
    """(count, J) [rad] the chosen frames' joints, and between them straight lines."""
    known = times[chosen.frames]
    return np.stack([np.interp(times[:count], known, column) for column in chosen.q.T], axis=-1)


def _belief(chosen: Answers, count: int) -> Prior:
    belief = Prior.flat(count, chosen.q.shape[1])
    belief.mean[chosen.frames], belief.std[chosen.frames] = chosen.belief.mean, chosen.belief.std
    return belief


def _with_camera(system: ChainSystem, num_joints: int, camera: SharedCamera) -> Array:
    """(N, J + 7, J + 7) covariance of each frame's joints and the camera's seven numbers."""
    frames, shared = system.covariance(camera.covariance)
    by_camera = -system.response()[:, :num_joints] @ shared
    own = frames[:, :num_joints, :num_joints]
    lower = np.concatenate([by_camera.swapaxes(-1, -2), np.broadcast_to(
        shared, (len(own), *shared.shape))], axis=-1)  # fmt: skip
    covariance: Array = np.concatenate([np.concatenate([own, by_camera], axis=-1), lower], axis=-2)
    return covariance
