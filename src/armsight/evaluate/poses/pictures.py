"""Frames with the true and the estimated skeleton drawn on them, for a report."""

from __future__ import annotations

import base64

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.errors import OutputError
from armsight.evaluate.poses.scores import Scores
from armsight.robots import Robot

Array = NDArray[np.floating]

TRUE_RGB = (30, 220, 90)
ESTIMATE_RGB = (255, 40, 200)
WIDTH = 480
"""Pictures are reduced to at most this width [px], to keep a report small"""


def draw_frame(scores: Scores, index: int) -> NDArray[np.uint8]:
    """One frame (h, w, 3) RGB: truth in green, estimate in magenta.

    Raises:
        DatasetError: the picture cannot be read any more.
    """
    image = scores.frames[index].load_image()
    scale = min(1.0, WIDTH / image.shape[1])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    canvas = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    # Pixel centres are at integers, in the large and in the small picture.
    _draw_skeleton(canvas, scores.robot, (scores.true_2d[index] + 0.5) * scale - 0.5, TRUE_RGB)
    drawn = (scores.points_2d[index] + 0.5) * scale - 0.5
    _draw_skeleton(canvas, scores.robot, drawn, ESTIMATE_RGB)
    return canvas


def _draw_skeleton(
    canvas: NDArray[np.uint8], robot: Robot, points: Array, colour: tuple[int, int, int]
) -> None:
    """Draw the keypoints (K, 2) [px] that are known, and the lines between them."""
    # A point far outside would overflow OpenCV's fixed-point coordinates.
    usable = (np.abs(points) < 20 * max(canvas.shape)).all(axis=1)
    shift = 4
    fixed = np.round(np.where(usable[:, None], points, 0) * 2**shift).astype(int)
    for outline, tint in ((2, (0, 0, 0)), (0, colour)):
        for i, j in robot.skeleton:
            if usable[i] and usable[j]:
                ends = tuple(fixed[i].tolist()), tuple(fixed[j].tolist())
                cv2.line(canvas, *ends, tint, 2 + outline, cv2.LINE_AA, shift)
        for k in np.flatnonzero(usable[: robot.num_origin_keypoints]):
            radius = (3 * 2**shift) + outline * 2 ** (shift - 1)
            cv2.circle(canvas, tuple(fixed[k].tolist()), radius, tint, -1, cv2.LINE_AA, shift)


def data_uri(image: NDArray[np.uint8]) -> str:
    """A picture (h, w, 3) RGB as a JPEG that stands inside of a page."""
    done, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])
    if not done:
        raise OutputError("OpenCV could not write a JPEG for the report")
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


def badness(scores: Scores) -> Array:
    """(N,) what orders images from good to bad: ADD [m], or, without 3D truth, joint error [deg].

    Infinite without an answer, NaN where nothing is known.
    """
    if scores.has_3d.any():
        return scores.add
    known = ~np.isnan(scores.true_joints).any(axis=1)
    worst: Array = np.where(known & np.isnan(scores.mean_joint_error), np.inf, np.nan)
    return np.where(np.isnan(scores.mean_joint_error), worst, scores.mean_joint_error)


def chosen_frames(scores: Scores, count: int, seed: int = 0) -> dict[str, list[int]]:
    """Indices of the frames that a report shows: without an answer, worst answered, random."""
    bad = badness(scores)
    failed = np.flatnonzero(~scores.found)
    answered = np.flatnonzero(scores.found & np.isfinite(bad))
    rng = np.random.default_rng(seed)
    return {
        "worst": answered[np.argsort(-bad[answered], kind="stable")][:count].tolist(),
        "failed": rng.permutation(failed)[:count].tolist(),
        "random": rng.permutation(len(bad))[:count].tolist(),
    }
