"""Camera poses as other programs read them: OpenCV YAML, and ROS 2's static_transform_publisher."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def opencv_yaml(K: Array, size: tuple[int, int], T_cam_base: Array) -> str:
    """The text of a file that `cv2.FileStorage` reads: image_width, image_height, camera_matrix,
    distortion_coefficients and T_cam_base (4x4, metres)."""
    storage = cv2.FileStorage(".yaml", cv2.FILE_STORAGE_WRITE | cv2.FILE_STORAGE_MEMORY)
    storage.write("image_width", size[0])
    storage.write("image_height", size[1])
    storage.write("camera_matrix", np.ascontiguousarray(K))
    storage.write("distortion_coefficients", np.zeros((1, 5)))
    storage.write("T_cam_base", np.ascontiguousarray(T_cam_base))
    text: str = storage.releaseAndGetString()
    return text


def static_transform_publisher(T_base_cam: Array, base_frame: str, camera_frame: str) -> str:
    """The ROS 2 command that publishes where the camera's optical frame is in the base frame.

    The optical frame is OpenCV's: x right, y down, z forward (REP 103).
    """
    x, y, z = T_base_cam[:3, 3]
    qx, qy, qz, qw = quaternion_xyzw(T_base_cam[:3, :3])
    return (
        f"ros2 run tf2_ros static_transform_publisher --x {x:.6f} --y {y:.6f} --z {z:.6f} "
        f"--qx {qx:.6f} --qy {qy:.6f} --qz {qz:.6f} --qw {qw:.6f} "
        f"--frame-id {base_frame} --child-frame-id {camera_frame}"
    )


def quaternion_xyzw(R: Array) -> Array:
    """The unit quaternion (4,) xyzw, w >= 0, of a rotation (3, 3)."""
    # The eigenvector of the largest eigenvalue of this matrix is the quaternion (Bar-Itzhack 2000).
    K = np.array([
        [R[0, 0] - R[1, 1] - R[2, 2], 0, 0, 0],
        [R[0, 1] + R[1, 0], R[1, 1] - R[0, 0] - R[2, 2], 0, 0],
        [R[0, 2] + R[2, 0], R[1, 2] + R[2, 1], R[2, 2] - R[0, 0] - R[1, 1], 0],
        [R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1], np.trace(R)],
    ])  # fmt: skip
    q: Array = np.linalg.eigh(K)[1][:, -1]
    return q if q[3] >= 0 else -q
