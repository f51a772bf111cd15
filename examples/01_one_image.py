"""One image in, the arm's state out.

python examples/01_one_image.py [IMAGE]
"""

import sys

import numpy as np

from armsight import Estimator

image = sys.argv[1] if len(sys.argv) > 1 else "src/armsight/weights/panda/example.jpg"

estimator = Estimator.from_pretrained("panda")
state = estimator(image)  # K=[[fx, 0, cx], [0, fy, cy], [0, 0, 1]] if you know your camera

for message in state.messages:
    print("note:", message)
if not state.robot_found:
    sys.exit(f"no {state.robot} in {image}")

print(f"confidence {state.confidence:.2f}")
for name, angle, std in zip(state.joint_names, state.joint_positions, state.joint_std, strict=True):
    print(f"{name}  {np.degrees(angle):7.1f} ± {np.degrees(std):.1f} deg")

hand = state.keypoint_names.index("panda_hand")
print("hand in the image [px]:", state.keypoints_2d[hand].round(1))
print("hand seen from the camera [m]:", state.keypoints_3d_cam[hand].round(3))
