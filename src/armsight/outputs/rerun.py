"""Estimates in Rerun, a viewer of pictures, scenes and curves: written to a file, or shown at once.

The world is the robot's base frame. Entities:

    world/arm/LINK              meshes of the links, with their frames
    world/camera                where the camera is, and its frustum
    world/camera/picture        the picture; over it `outline`, `skeleton` and `keypoints`
    joints/NAME/...             angle [deg], and one standard deviation above and below
    confidence, notes           curve and log

Timelines are `frame`, which counts on over all pictures, and `time` [s] in each video.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.camera.image import LoadedImage
from armsight.errors import ConfigError, MissingExtraError
from armsight.geometry import invert_transform, scale_matrix
from armsight.outputs.files import GrowingFile
from armsight.outputs.sink import Shot
from armsight.robots import Robot, load_robot
from armsight.state import Estimate
from armsight.viz.silhouette import outline, silhouette

Array = NDArray[np.floating]

SUFFIX = ".rrd"
VIEWER = ""
"""In place of a file: open the viewer"""
LONGEST = 1280
"""Longer side [px] of the pictures that are kept"""
QUALITY = 85
CYAN, GREY = (40, 225, 255), (205, 210, 216)
FRUSTUM_DEPTH = 0.3
"""[m]"""
CAMERA, PICTURE = "world/camera", "world/camera/picture"


class RerunSink:
    """A Rerun recording; one for all pictures of a call."""

    def __init__(self, target: str | Path, robot: Robot | None = None) -> None:
        """Begin a recording.

        Args:
            target: a .rrd file, or `VIEWER`.
            robot: that is drawn; None for each estimate's own.

        Raises:
            ConfigError: `target` is no .rrd file.
            MissingExtraError: Rerun is not installed.
            OutputError: the file cannot be written.
        """
        if target != VIEWER and Path(target).suffix != SUFFIX:
            raise ConfigError(
                f"--rerun is {str(target)!r}; give the name of a {SUFFIX} file, or put --rerun "
                "last to open the viewer"
            )
        self._rerun, self._blueprints = _import_rerun()
        self._robot = robot
        self._begun: set[str] = set()
        self._shown: str | None = None
        self._frames = 0
        self._file: GrowingFile | None = None
        self._recording = self._rerun.RecordingStream("armsight")
        if target == VIEWER:
            self._recording.spawn()
        else:
            self._file = GrowingFile(Path(target))
            self._recording.save(self._file.path)
        z_up = self._rerun.ViewCoordinates.RIGHT_HAND_Z_UP
        self._recording.log("world", z_up, static=True)

    def write(self, shot: Shot, estimate: Estimate) -> None:
        """Add a picture and what was read in it."""
        self._at(self._frames, shot.time)
        self._frames += 1
        robot = self._robot or load_robot(estimate.robot)
        self._begin_robot(robot)
        image = shot.image
        K = estimate.K
        self._log_picture(image, K)
        self._recording.log("confidence", self._rerun.Scalars(estimate.confidence))
        for message in estimate.messages:
            self._recording.log("notes", self._rerun.TextLog(message))
        if not estimate.robot_found or estimate.joint_positions is None:
            self._clear()
            return
        self._log_arm(robot, estimate.joint_positions)
        self._log_joints(robot, estimate.joint_positions, estimate.joint_std)
        if estimate.T_cam_base is not None and K is not None:
            self._log_camera(estimate.T_cam_base)
            self._log_outline(robot, estimate.joint_positions, estimate.T_cam_base, image, K)
        self._log_keypoints(robot, estimate, image)

    def write_known(
        self, shot: Shot, robot: Robot, joint_positions: Array, T_cam_base: Array | None, K: Array
    ) -> None:
        """Add a picture with joints (J,) [rad] that a log tells and a camera that was found.

        Args:
            T_cam_base: (4, 4) [m]; None where no camera was found.
            K: (3, 3) [px].
        """
        self._at(self._frames, shot.time)
        self._frames += 1
        self._begin_robot(robot)
        self._log_picture(shot.image, K)
        if not np.isfinite(joint_positions).all():
            self._clear()
            return
        self._log_arm(robot, joint_positions)
        self._log_joints(robot, joint_positions, None)
        if T_cam_base is not None:
            self._log_camera(T_cam_base)
            self._log_outline(robot, joint_positions, T_cam_base, shot.image, K)

    def close(self, keep: bool) -> None:
        """Write what is left; see `Sink`."""
        self._recording.flush()
        self._recording.disconnect()
        if self._file is not None:
            self._file.finish(keep)

    def _at(self, frame: int, time: float) -> None:
        self._recording.set_time("frame", sequence=frame)
        self._recording.set_time("time", duration=time)

    def _begin_robot(self, robot: Robot) -> None:
        """Curves of a robot, and a layout that shows them, once."""
        if robot.name in self._begun:
            return
        self._begun.add(robot.name)
        for name in robot.joint_names:
            for part, colour, width in (("angle", CYAN, 2.0), ("upper", GREY, 1.0),
                                        ("lower", GREY, 1.0)):  # fmt: skip
                label = name if part == "angle" else f"{'+' if part == 'upper' else '-'} 1 std"
                lines = self._rerun.SeriesLines(colors=[colour], widths=[width], names=[label])
                self._recording.log(f"joints/{name}/{part}", lines, static=True)
        self._recording.send_blueprint(_layout(self._blueprints, robot))

    def _show_meshes(self, robot: Robot) -> None:
        """Meshes where another robot, or none, was shown before.

        They are not static: what is static cannot be cleared while no arm is found.
        """
        if self._shown == robot.name:
            return
        self._clear()
        self._shown = robot.name
        for name, (vertices, faces) in robot.link_shapes().items():
            mesh = self._rerun.Mesh3D(
                vertex_positions=vertices.astype(np.float32),
                triangle_indices=faces.astype(np.uint32),
                vertex_normals=_normals(vertices, faces),
                albedo_factor=GREY,
            )
            self._recording.log(f"world/arm/{name}", mesh)

    def _clear(self) -> None:
        """Take away the arm that is shown, and break its curves off."""
        if self._shown is not None:
            for place in ("world/arm", f"{PICTURE}/arm", "joints"):
                self._recording.log(place, self._rerun.Clear(recursive=True))
        self._shown = None

    def _log_picture(self, image: LoadedImage, K: Array | None) -> None:
        rr, pixels = self._rerun, image.pixels
        factor = min(1.0, LONGEST / max(pixels.shape[:2]))
        if factor < 1.0:
            pixels = cv2.resize(  # type: ignore[assignment]
                pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA
            )
        _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        height, width = pixels.shape[:2]
        if K is not None:
            camera = rr.Pinhole(
                image_from_camera=_scaled(image, width) @ K,
                resolution=[width, height],
                camera_xyz=rr.ViewCoordinates.RDF,
                image_plane_distance=FRUSTUM_DEPTH,
            )
            self._recording.log(CAMERA, camera)
        self._recording.log(
            PICTURE, rr.EncodedImage(contents=encoded.tobytes(), media_type="image/jpeg")
        )

    def _log_camera(self, T_cam_base: Array) -> None:
        T_base_cam = invert_transform(T_cam_base)
        pose = self._rerun.Transform3D(translation=T_base_cam[:3, 3], mat3x3=T_base_cam[:3, :3])
        self._recording.log(CAMERA, pose)

    def _log_arm(self, robot: Robot, joint_positions: Array) -> None:
        self._show_meshes(robot)
        frames = robot.forward_kinematics(joint_positions)
        for name, frame in zip(robot.link_names, frames, strict=True):
            pose = self._rerun.Transform3D(translation=frame[:3, 3], mat3x3=frame[:3, :3])
            self._recording.log(f"world/arm/{name}", pose)

    def _log_outline(
        self, robot: Robot, joint_positions: Array, T_cam_base: Array, image: LoadedImage, K: Array
    ) -> None:
        width = min(image.width, LONGEST * image.width // max(image.width, image.height))
        height = round(image.height * width / image.width)
        K = _scaled(image, width) @ K
        mask = silhouette(robot, joint_positions, T_cam_base, K, width, height)
        strips = [contour.reshape(-1, 2) for contour in outline(mask)]
        closed = [np.concatenate([strip, strip[:1]]) + 0.5 for strip in strips]
        lines = self._rerun.LineStrips2D(closed, colors=[CYAN], radii=[1.0], draw_order=20)
        self._recording.log(f"{PICTURE}/arm/outline", lines)

    def _log_keypoints(self, robot: Robot, estimate: Estimate, image: LoadedImage) -> None:
        if estimate.keypoints_2d is None:
            return
        width = min(image.width, LONGEST * image.width // max(image.width, image.height))
        points = (estimate.keypoints_2d + 0.5) * width / image.width
        known = np.asarray(np.isfinite(points).all(axis=1))
        bones = [points[[a, b]] for a, b in robot.skeleton if known[a] and known[b]]
        rr = self._rerun
        lines = rr.LineStrips2D(bones, colors=[(255, 215, 60)], radii=[1.5], draw_order=21)
        self._recording.log(f"{PICTURE}/arm/skeleton", lines)
        origins = np.flatnonzero(known[: robot.num_origin_keypoints])
        labels = [robot.keypoint_names[i] for i in origins]
        dots = rr.Points2D(points[origins], colors=[(255, 70, 150)], radii=[3.0], labels=labels,
                           show_labels=False, draw_order=22)  # fmt: skip
        self._recording.log(f"{PICTURE}/arm/keypoints", dots)

    def _log_joints(self, robot: Robot, joint_positions: Array, std: Array | None) -> None:
        for i, name in enumerate(robot.joint_names):
            angle = np.degrees(joint_positions[i])
            values = {"angle": angle}
            if std is not None and np.isfinite(std[i]):
                spread = np.degrees(std[i])
                values |= {"upper": angle + spread, "lower": angle - spread}
            for part, value in values.items():
                self._recording.log(f"joints/{name}/{part}", self._rerun.Scalars(value))


def _import_rerun() -> tuple[Any, Any]:
    try:
        import rerun
        import rerun.blueprint
    except ImportError:
        raise MissingExtraError("--rerun", "rerun-sdk", "pip install 'armsight[viz]'") from None
    return rerun, rerun.blueprint


def _layout(rrb: Any, robot: Robot) -> Any:
    """Picture and scene above, a curve for each joint below."""
    curves: Sequence[Any] = [
        rrb.TimeSeriesView(origin=f"joints/{name}", name=name) for name in robot.joint_names
    ]
    views = rrb.Horizontal(
        rrb.Spatial2DView(origin=PICTURE, name="Picture"),
        rrb.Spatial3DView(origin="world", name="Scene"),
    )
    return rrb.Blueprint(
        rrb.Vertical(views, rrb.Grid(*curves, grid_columns=4), row_shares=[3, 2]),
        collapse_panels=True,
    )


def _scaled(image: LoadedImage, width: int) -> Array:
    """(3, 3) from pixels of an image to those of a copy of that width."""
    factor = width / image.width
    return scale_matrix(factor, factor)


def _normals(vertices: Array, faces: NDArray[np.int64]) -> NDArray[np.float32]:
    """(V, 3) unit normals, means of the faces around each vertex."""
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices)
    for i in range(3):
        np.add.at(normals, faces[:, i], across)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (normals / np.maximum(lengths, 1e-12)).astype(np.float32)
    return unit
