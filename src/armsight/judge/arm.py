"""One arm with one base: where it would be in every frame, and how well that explains the picture.

Two ways lead there. Where the scene's camera is known and action weights know it (`arm_in_scene`),
the end effector's path gives the joints by inverse kinematics: nothing is fitted to the picture
that the picture is then held against. For any other clip (`arm_in_clip`), one camera and all joints
are fitted to the pictures themselves, which explains some faults away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from armsight.actions.sequence import ActionSequence
from armsight.camera.image import load_image
from armsight.camera.intrinsics import find_intrinsics
from armsight.errors import KeyframesError
from armsight.estimate.clips.reading import clip_keypoints, clip_samples
from armsight.estimate.clips.survey import shared_camera
from armsight.estimate.estimator import Estimator
from armsight.fit.clip.path import follow_path
from armsight.fit.contour import ALIGNMENT_SCALE_PX, draw_contour
from armsight.fit.edges import EdgeMap
from armsight.fit.gauss_newton import States
from armsight.geometry import project, transform_points
from armsight.judge.scenes import Scene
from armsight.robots import Robot
from armsight.robots.inverse_kinematics import solve_ik
from armsight.viz.silhouette import silhouette

Array = NDArray[np.floating]
Pixels = NDArray[np.uint8]

MOST_FRAMES = 24
"""Of a clip that poses are fitted to, from all over it"""
SMALLEST_SIDE = 384
"""[px] to which small pictures are enlarged"""
FEWEST_POINTS = 8
"""Of a link's contour, below which it does not tell"""


@dataclass(frozen=True)
class ArmInClip:
    """The arm in N frames of a clip."""

    robot: Robot
    frames: NDArray[np.intp]
    """(N,) of the clip"""
    times: Array
    """(N,) [s]"""
    joint_positions: Array
    """(N, J) [rad]"""
    T_cam_base: Array
    """(4, 4) [m]"""
    K: Array
    """(3, 3) [px] of the enlarged pictures"""
    images: list[Pixels]
    """N enlarged pictures (H, W, 3)"""
    doubt: Array
    """(N,) [m] how far the network's hypotheses differ at the hand; 0 where it was not asked"""
    way: str
    """`scene` or `poses`"""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the pictures [px]."""
        height, width = self.images[0].shape[:2]
        return width, height

    def mask(self, n: int) -> Pixels:
        """(H, W) of where frame n has the arm's links, 0 or 255."""
        return silhouette(self.robot, self.joint_positions[n], self.T_cam_base, self.K, *self.size)

    def hand(self, n: int) -> Array:
        """(2,) [px] of the robot's first tool frame, such as the point between the fingertips, or
        of its last link."""
        point: Array = project(transform_points(self.T_cam_base, self._tool(n)[None]), self.K)[0]
        return point

    def below_hand(self, n: int) -> Array:
        """(2,) [px] of the point of the base's plane that is straight below `hand`."""
        point = self._tool(n) * [1, 1, 0]
        below: Array = project(transform_points(self.T_cam_base, point[None]), self.K)[0]
        return below

    def _tool(self, n: int) -> Array:
        """(3,) [m] in the base frame."""
        tool = self.robot.tool_frame([*self.robot.tool_frames, self.robot.link_names[-1]][0])
        T_base_link = self.robot.forward_kinematics(self.joint_positions[n])
        T = T_base_link[self.robot.link_names.index(tool.link)] @ tool.T_link_tool
        place: Array = T[:3, 3]
        return place

    def alignment(self) -> tuple[Array, Array]:
        """How near the arm's contour lies to edges, in [0, 1]: (N,) all of it, (N, L) each link's;
        NaN where too little is in view."""
        whole = np.full(len(self.frames), np.nan)
        links = np.full((len(self.frames), len(self.robot.link_names)), np.nan)
        R, t = self.T_cam_base[None, :3, :3], self.T_cam_base[None, :3, 3]
        for n, image in enumerate(self.images):
            edges = EdgeMap(image, self.K)
            state = States(self.joint_positions[n : n + 1], R, t)
            contour = draw_contour(self.robot, state, edges)
            seen = contour.measure(edges, state)
            inside = seen.inside[0]
            hits = np.exp(-seen.distance[0] / ALIGNMENT_SCALE_PX)
            if inside.sum() >= FEWEST_POINTS:
                whole[n] = hits[inside].mean()
            for link in range(links.shape[1]):
                own = inside & (contour.links[0] == link)
                if own.sum() >= FEWEST_POINTS:
                    links[n, link] = hits[own].mean()
        return whole, links


def arm_in_scene(
    sequence: ActionSequence, frames: Sequence[Pixels], robot: Robot, scene: Scene
) -> ArmInClip:
    """The arm at the keyframes of a clip whose camera is known.

    Args:
        sequence: read from the clip; its keyframes are `frames`.
        frames: (K) pictures (H, W, 3) RGB, square.
        robot: whose links.
        scene: its camera.
    """
    images = [enlarged(frame) for frame in frames]
    at_rest = replace(robot, ready_positions=np.array(scene.ready_positions))
    keys = sequence.keyframe_steps
    tool = robot.tool_frame(sequence.spec.end_effector)
    reached = solve_ik(at_rest, sequence.T_base_ee[keys], tool)
    return ArmInClip(
        robot, np.arange(len(frames)), sequence.times[keys], reached.joint_positions,
        np.array(scene.T_cam_base), scene.K(images[0].shape[1]), images,
        sequence.ee_position_std[keys].max(axis=1), "scene",
    )  # fmt: skip


def arm_in_clip(
    estimator: Estimator, frames: Sequence[Pixels], times: ArrayLike, fov_deg: float | None = None
) -> ArmInClip:
    """One camera and the arm's joints, fitted to frames from all over a clip.

    Args:
        estimator: of the robot.
        frames: pictures (H, W, 3) RGB of one size.
        times: [s] of each, rising.
        fov_deg: horizontal field of view of the camera, where it is known.

    Raises:
        KeyframesError: the arm is plain in too few frames.
        BadImageError, BadIntrinsicsError: an argument makes no sense.
    """
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), MOST_FRAMES)).astype(int))
    moments = np.asarray(times, dtype=float)[chosen]
    pixels = [enlarged(frames[i]) for i in chosen]
    images = [load_image(one) for one in pixels]
    intrinsics = find_intrinsics(images[0], None, None, fov_deg)
    found = shared_camera(estimator, images, intrinsics, moments)
    path = None
    if found is not None:
        camera, readings = found
        path = follow_path(
            clip_keypoints(estimator.robot, estimator.tuning, intrinsics.K, readings),
            clip_samples(estimator.robot, readings), [one.edges for one in readings], moments,
            camera, estimator.tuning.prior_std,
        )  # fmt: skip
    if path is None:
        raise KeyframesError(
            f"the {estimator.robot.name} is plain in too few of {len(chosen)} frames, so nothing "
            "can be said of it"
        )
    return ArmInClip(
        estimator.robot, chosen, moments, path.q, camera.T_cam_base, camera.K(intrinsics.K), pixels,
        np.zeros(len(chosen)), "poses",
    )  # fmt: skip


def enlarged(frame: Pixels) -> Pixels:
    """A picture whose smaller side is SMALLEST_SIDE or more."""
    factor = SMALLEST_SIDE / min(frame.shape[:2])
    if factor <= 1:
        return frame
    size = round(frame.shape[1] * factor), round(frame.shape[0] * factor)
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC), np.uint8)
