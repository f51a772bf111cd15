"""ROS 2 bags (.mcap, .db3, and their folders): images, cameras and joints. Needs no ROS."""
