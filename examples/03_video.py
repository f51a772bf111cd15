"""Follow an arm through a video, frame by frame, from Python.

python examples/03_video.py VIDEO        (the command `armsight estimate VIDEO` also writes files)
"""

import sys

import numpy as np

from armsight import Estimator, Tracker
from armsight.data.video import VideoReader

tracker = Tracker(Estimator.from_pretrained("panda"), fov_deg=60)

with VideoReader(sys.argv[1]) as video:
    for frame in video:  # frame.pixels is (H, W, 3) RGB, so a webcam's frames work as well
        state = tracker(frame.pixels)
        if state.robot_found:
            angles = " ".join(f"{angle:7.1f}" for angle in np.degrees(state.joint_positions))
            print(f"{frame.time:7.2f} s  {angles}")
        else:
            print(f"{frame.time:7.2f} s  no {state.robot} found")
