"""Recordings of an arm: photos, a video or a data set's episodes, and the joint log beside them."""

from armsight.data.recordings.log_files import read_joint_log
from armsight.data.recordings.open_recordings import (
    episode_log,
    episode_recording,
    open_recordings,
)
from armsight.data.recordings.recording import FrameSource, JointLog, ReadFrames, Recording

__all__ = [
    "FrameSource",
    "JointLog",
    "ReadFrames",
    "Recording",
    "episode_log",
    "episode_recording",
    "open_recordings",
    "read_joint_log",
]
