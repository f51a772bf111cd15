"""Many frames of one camera that stands still: one camera pose, and the joints of every frame."""
