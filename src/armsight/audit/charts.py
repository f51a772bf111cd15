"""Charts of an audit, drawn by matplotlib (extra `viz`) as SVG for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.audit.cameras import FoundCamera
from armsight.audit.judge import Audit, Judgement
from armsight.reports.charts import LIGHT, svg, themed_figure
from armsight.robots import Robot

Array = NDArray[np.floating]

FRUSTUM_M = 0.15
"""Length of the drawn pyramid of a camera [m]"""


def camera_sketch(cameras: Sequence[FoundCamera], robot: Robot) -> str:
    """The arm in its ready pose and every camera as a small pyramid, in the base frame [m]."""
    with themed_figure(460, 375) as figure:
        axes: Any = figure.add_subplot(projection="3d")
        points = robot.keypoints(robot.ready_positions)
        for a, b in robot.skeleton:
            axes.plot(*points[[a, b]].T, color=LIGHT["muted"], linewidth=4, solid_capstyle="round")
        corners = [points]
        keys = list(dict.fromkeys(camera.camera_key for camera in cameras))
        labelled: set[str] = set()
        for camera in cameras:
            colour = f"C{keys.index(camera.camera_key)}"
            tip, base = _frustum(camera)
            for i in range(4):
                for line in (np.stack([tip, base[i]]), np.stack([base[i], base[(i + 1) % 4]])):
                    axes.plot(*line.T, color=colour, linewidth=1.2)
            label = None if camera.camera_key in labelled else camera.camera_key
            labelled.add(camera.camera_key)
            axes.plot(*tip[:, None], "o", color=colour, markersize=4, label=label)
            corners += [tip[None], base]
        every = np.concatenate(corners)
        axes.set_xlabel("x [m]")
        axes.set_ylabel("y [m]")
        axes.set_zlabel("z [m]")
        axes.set_box_aspect(np.maximum(np.ptp(every, axis=0), 0.2))
        axes.view_init(elev=28, azim=-58)
        if cameras:
            axes.legend(loc="upper left", fontsize=8)
        return svg(figure)


def lag_chart(audit: Audit) -> str:
    """The time offset of every episode with its two standard deviations [s]."""
    with themed_figure(460, 216) as figure:
        axes: Any = figure.add_subplot()
        for i, key in enumerate(dict.fromkeys(j.row["camera_key"] for j in audit.judgements)):
            found = [
                (j.row["episode"], j.calibration)
                for j in audit.judgements
                if j.row["camera_key"] == key and j.calibration.get("time_offset") is not None
            ]
            rows = [(e, c["time_offset"], c["time_offset_std"] or 0) for e, c in found]
            if rows:
                episodes, offsets, stds = np.array(rows, float).T
                axes.errorbar(episodes, offsets, 2 * stds, fmt="o", markersize=4, color=f"C{i}",
                              capsize=2, label=key)  # fmt: skip
                axes.legend(fontsize=8)
        axes.axhline(0, color=LIGHT["axis"], linewidth=0.8)
        axes.locator_params(axis="x", integer=True)
        axes.set_xlabel("episode")
        axes.set_ylabel("time offset of the log [s]")
        return svg(figure)


def alignment_chart(judgement: Judgement) -> str:
    """How well the outline lies on the edges along an episode; frames left out are crosses."""
    with themed_figure(302, 108) as figure:
        axes: Any = figure.add_subplot()
        for used, marker, colour in ((True, "o", "C0"), (False, "x", LIGHT["bad"])):
            chosen = [f for f in judgement.frames if bool(f["used"]) == used]
            axes.plot([judgement.row["frames"][f["index"]] for f in chosen],
                      [f["edge_alignment"] for f in chosen], marker, color=colour,
                      markersize=4)  # fmt: skip
        axes.set_ylim(0, 1)
        axes.set_xlim(-0.5, max(1, judgement.row["num_frames"]) - 0.5)
        axes.locator_params(axis="x", integer=True)
        axes.set_xlabel("frame", fontsize=8)
        axes.set_ylabel("alignment", fontsize=8)
        axes.tick_params(labelsize=8)
        return svg(figure)


def _frustum(camera: FoundCamera) -> tuple[Array, Array]:
    """Tip (3,) and corners (4, 3) of what a camera sees, in the base frame [m]."""
    width, height = camera.image_size
    pixels = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1.0]])
    rays = pixels @ np.linalg.inv(camera.K).T * FRUSTUM_M
    T = camera.T_base_cam
    return T[:3, 3], rays @ T[:3, :3].T + T[:3, 3]
