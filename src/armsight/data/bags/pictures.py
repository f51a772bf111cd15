"""The pixels of image messages.

Encodings: sensor_msgs/image_encodings.hpp and cv_bridge; CompressedImage holds a JPEG or PNG file.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.camera.image import load_image
from armsight.errors import DatasetError

Pixels = NDArray[np.uint8]

CHANNELS = {
    "rgb8": 3, "bgr8": 3, "8uc3": 3, "rgba8": 4, "bgra8": 4, "8uc4": 4, "mono8": 1, "8uc1": 1,
    "rgb16": 3, "bgr16": 3, "mono16": 1,
}  # fmt: skip
"""What is read as it lies, and how many numbers a pixel has"""
# OpenCV names a Bayer pattern by its second row, ROS by its first.
BAYER = {
    "bayer_rggb8": cv2.COLOR_BayerBG2RGB, "bayer_bggr8": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg8": cv2.COLOR_BayerGR2RGB, "bayer_grbg8": cv2.COLOR_BayerGB2RGB,
}  # fmt: skip
YUV = {
    "yuv422": cv2.COLOR_YUV2RGB_UYVY, "uyvy": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUYV, "yuyv": cv2.COLOR_YUV2RGB_YUYV,
}  # fmt: skip
KNOWN = (*CHANNELS, *BAYER, *YUV)


def is_colour(message: Any) -> bool:
    """Whether a message is a picture that an arm could be seen in: no depth, no other codec."""
    if hasattr(message, "encoding"):
        return message.encoding.lower() in KNOWN
    return _is_file(message.format)


def pixels_of(message: Any, where: str) -> Pixels:
    """(H, W, 3) RGB of an Image or CompressedImage message.

    Raises:
        DatasetError: it has an encoding that is no picture, or too few bytes.
        BadImageError: its JPEG or PNG is damaged.
    """
    if not hasattr(message, "encoding"):
        if not _is_file(message.format):
            raise DatasetError(f"{where} has format {message.format!r}; JPEG and PNG are read")
        return load_image(bytes(message.data)).pixels
    encoding = message.encoding.lower()
    height, width, step = int(message.height), int(message.width), int(message.step)
    channels = CHANNELS.get(encoding, 2 if encoding in YUV else 1)
    kind = np.dtype(np.uint16 if encoding.endswith("16") else np.uint8)
    row = width * channels * kind.itemsize
    if encoding not in KNOWN:
        raise DatasetError(f"{where} has encoding {message.encoding!r}; read: {', '.join(KNOWN)}")
    data = np.frombuffer(message.data, np.uint8)
    if step < row or data.size < height * step:
        raise DatasetError(
            f"{where} has {data.size} bytes in rows of {step}; {width}x{height} pixels of "
            f"{message.encoding} need {height * row}"
        )
    lines = np.ascontiguousarray(data[: height * step].reshape(height, step)[:, :row])
    if encoding in BAYER:
        return np.asarray(cv2.cvtColor(lines, BAYER[encoding]), np.uint8)
    if encoding in YUV:
        return np.asarray(cv2.cvtColor(lines.reshape(height, width, 2), YUV[encoding]), np.uint8)
    if kind.itemsize == 2:
        kind = kind.newbyteorder(">" if message.is_bigendian else "<")
    pixels: NDArray[Any] = lines.view(kind).reshape(height, width, channels)
    if encoding.startswith(("bgr", "8uc3", "8uc4")):
        pixels = pixels[..., [2, 1, 0]]  # cv_bridge's 8UC3 is OpenCV's order
    pixels = np.repeat(pixels, 3, axis=2) if channels == 1 else pixels[..., :3]
    return load_image(pixels.astype(kind.newbyteorder("="))).pixels


def _is_file(format_: str) -> bool:
    """'jpeg', 'png', 'rgb8; jpeg compressed bgr8'; but not 'compressedDepth' and 'h264'."""
    words = format_.lower()
    return ("jpeg" in words or "jpg" in words or "png" in words) and "depth" not in words
