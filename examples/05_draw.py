"""Draw an estimate, and all hypotheses behind it, over its image.

python examples/05_draw.py IMAGE OUT.png
"""

import sys
from dataclasses import replace

import numpy as np
from PIL import Image

from armsight import Estimator, draw_overlay
from armsight.geometry import project, transform_points

estimator = Estimator.from_pretrained("panda")
with Image.open(sys.argv[1]) as file:
    image = np.asarray(file.convert("RGB"))
state = estimator(image)
drawn = draw_overlay(image, state)

if state.T_cam_base is not None:
    pictures = [drawn]
    for sample in state.samples[:3]:  # the same camera, other joint angles
        points = transform_points(state.T_cam_base, estimator.robot.keypoints(sample))
        guess = replace(
            state,
            joint_positions=sample,
            joint_std=None,
            keypoints_2d=project(points, state.K),
            keypoints_2d_std=None,
        )
        pictures.append(draw_overlay(image, guess))
    drawn = np.concatenate(pictures, axis=1)

Image.fromarray(drawn).save(sys.argv[2])
print("wrote", sys.argv[2])
