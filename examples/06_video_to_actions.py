"""Actions between the frames of a video, from Python; saved, and read back by anybody.

python examples/06_video_to_actions.py VIDEO [STRIDE]     (the command: `armsight actions VIDEO`)
"""

import sys

import numpy as np

from armsight import ActionModel
from armsight.actions.files import read_actions, write_actions

model = ActionModel.from_pretrained("libero_object")
stride = int(sys.argv[2]) if len(sys.argv) > 2 else model.default_stride

# A video, a folder of pictures, or an array (N, H, W, 3), upright RGB; each frame a keyframe.
sequence = model.predict_action_chunk(sys.argv[1], stride)

write_actions(sequence, "actions.npz")
actions = read_actions("actions.npz")

meaning = actions.spec
print(f"{len(actions)} actions of {meaning.controller} at {meaning.control_hz:g} Hz")
print(f"axes of the {meaning.frame}; gripper: {meaning.gripper_sign}")

# What the first action commands: metres and radians.
step = np.asarray(actions)[0] * meaning.action_scale
print(
    "first step [mm]:", (1000 * step[:3]).round(1), " turn [deg]:", np.degrees(step[3:6]).round(1)
)

# How far the end effector goes, and when the gripper closes for the first time.
travelled = np.linalg.norm(np.diff(actions.ee_position, axis=0), axis=1).sum()
closed = np.flatnonzero(actions.actions[:, 6] > 0)
print(f"the end effector travels {travelled:.2f} m")
print(f"the gripper closes at {actions.times[closed[0]]:.2f} s" if len(closed) else "it stays open")
