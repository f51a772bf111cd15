"""Parts of `armsight.fit.calibrate_camera`: the camera of frames whose joints are known."""
