"""Many frames of one camera that stands still, read by the network: one camera, smooth paths."""
