"""Robots as data: one JSON file and one mesh file each, and forward kinematics for all."""

from armsight.robots.robot import Robot, available_robots, is_description, load_robot

__all__ = ["Robot", "available_robots", "is_description", "load_robot"]
