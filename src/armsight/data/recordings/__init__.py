"""Recordings of an arm: photos, a video or a data set's episodes, and the joint log beside them."""

from armsight.data.recordings.recording import FrameSource, JointLog, ReadFrames, Recording

__all__ = ["FrameSource", "JointLog", "ReadFrames", "Recording"]
