"""Where is the camera? Extrinsic calibration from one picture of the arm, without a marker.

python examples/04_camera_in_robot_frame.py IMAGE CAMERA_FILE
"""

import sys

import numpy as np

from armsight import Estimator, read_camera_file
from armsight.geometry import invert_transform

state = Estimator.from_pretrained("panda")(sys.argv[1], camera=read_camera_file(sys.argv[2]))
if state.T_cam_base is None:
    sys.exit("no camera pose: " + "; ".join(state.messages))

T_base_cam = invert_transform(state.T_cam_base)
print("camera in the robot's base frame, metres and OpenCV axes (T_base_cam):")
print(np.array2string(T_base_cam, precision=4, suppress_small=True))
print(f"distance to the base: {np.linalg.norm(state.T_cam_base[:3, 3]):.3f} m")
if not state.metric_depth_reliable:
    print("the focal length is only a guess, so distances are not reliable")
