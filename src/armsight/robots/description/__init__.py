"""Robot descriptions (URDF, MJCF) and recipes: from them a robot's data file is made."""
