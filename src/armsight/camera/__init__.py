"""Cameras and their pictures: intrinsics, camera files, decoded images, crops."""
