"""From the network's words on a crop to the whole image and to metres."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.camera.image import load_image
from armsight.estimate.crop_reading import Crop, read_crops
from armsight.estimate.session import PoseOutput

K = np.array([[500.0, 0, 159.5], [0, 500.0, 119.5], [0, 0, 1]])


class OneSize:
    """Says the same of every crop: log depth over focal length is 0.3."""

    input_size = 64

    def read(
        self, crops: NDArray[np.uint8], cameras: NDArray[Any], hypotheses: int, seed: int = 0
    ) -> PoseOutput:
        B, Kp = len(crops), 3
        ones = np.ones((B, Kp))
        return PoseOutput(
            np.ones(B), np.full((B, Kp, 2), 31.5), ones, ones, 0.3 * ones, 0.1 * ones,
            np.zeros((B, 0, 7)), np.zeros((B, 0, Kp, 3)),
        )  # fmt: skip


def test_depth_is_that_of_the_camera_whatever_the_crop() -> None:
    """An arm that fills a crop of half the side is twice as far away: z = e^0.3 f / side."""
    image = load_image(np.zeros((240, 320, 3), np.uint8))
    for box in ((-0.5, -0.5, 239.5, 239.5), (99.5, 59.5, 219.5, 179.5)):
        (seen,) = read_crops(OneSize(), [Crop(image, K, box)], 0)  # type: ignore[arg-type]
        want = np.exp(0.3) * K[0, 0] / (box[2] - box[0])
        np.testing.assert_allclose(np.exp(seen.keypoints_log_depth), want, rtol=1e-6)
        np.testing.assert_allclose(seen.keypoints_log_depth_std, 0.1)
        middle = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]
        np.testing.assert_allclose(seen.keypoints_2d, np.tile(middle, (3, 1)))
