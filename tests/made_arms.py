"""Small arms made of text, with everything in them that real robot files do differently.

The MJCF arm stands turned and away from its world's origin, its joints count from `ref`, a rail
lies between two links, links have several shapes or none, meshes are in millimetres or mirrored,
visible and collision shapes are in groups 2 and 3, and its gripper is a file of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WEDGE = """v 0 0 0
v 60 0 0
v 0 80 0
v 60 80 0
v 0 0 100
v 0 80 100
f 1 3 4
f 1 4 2
f 1 2 5
f 3 6 4
f 1 5 6
f 1 6 3
f 2 4 6
f 2 6 5
"""

ARM = """<mujoco model="hard">
 <compiler angle="radian" meshdir="assets" autolimits="true"/>
 <default>
  <default class="visual"><geom group="2" contype="0" conaffinity="0"/></default>
  <default class="collision"><geom group="3"/></default>
 </default>
 <asset>
  <material name="paint" rgba="0.8 0.3 0.1 1"/>
  <mesh file="wedge.obj" scale="0.001 0.001 0.001"/>
  <mesh name="mirrored" file="wedge.obj" scale="-0.001 0.001 0.001"/>
 </asset>
 <worldbody>
  <light pos="0 0 3"/>
  <geom name="floor" type="plane" size="2 2 0.1"/>
  <body name="mount" pos="0.3 -0.2 0.1" euler="0.2 0 0.4">
   <body name="base" pos="0.1 0.2 0.3" euler="0 0.3 1.2">
    <geom class="visual" type="cylinder" size="0.06 0.05" material="paint"/>
    <geom class="visual" type="box" size="0.08 0.05 0.01" pos="0 0 -0.05" euler="0 0 0.5"/>
    <geom class="collision" type="sphere" size="0.5"/>
    <body name="shoulder" pos="0 0 0.1" euler="0 1.3 0">
     <joint name="turn" axis="0 0 2" range="-2 2" ref="0.3"/>
     <geom class="visual" type="capsule" size="0.04" fromto="0 0 0 0.2 0 0.1" material="paint"/>
     <body name="rail" pos="0.2 0 0.1">
      <joint name="slide" type="slide" axis="1 0 0" range="0 0.1" ref="0.02"/>
      <body name="upper" euler="0 0 0.7">
       <joint name="bend" axis="1 2 2"/>
       <geom class="visual" type="mesh" mesh="wedge" pos="0.01 0 0" euler="0 0 1" material="paint"/>
       <geom class="visual" type="mesh" mesh="mirrored" pos="0 0 0.05"/>
       <geom class="visual" type="ellipsoid" size="0.03 0.05 0.02" pos="0 0 0.2"/>
       <body name="wrist" pos="0.05 0.02 0.3">
        <joint name="twist" axis="0 1 0" range="-1.5 1"/>
        <geom class="visual" type="sphere" size="0.05" pos="0 0 0.1"/>
        <body name="flange" pos="0 0 0.16" quat="0.6 0 0.8 0"/>
       </body>
      </body>
     </body>
    </body>
   </body>
  </body>
 </worldbody>
 <contact><exclude body1="base" body2="upper"/></contact>
 <actuator><motor joint="turn"/></actuator>
</mujoco>
"""
GRIPPER = """<mujoco model="gripper">
 <worldbody>
  <body name="hand" pos="0 0 0.01">
   <geom type="box" size="0.02 0.06 0.03"/>
   <body name="finger" pos="0 0.03 0.03">
    <joint name="close" type="slide" axis="0 1 0" range="0 0.04"/>
    <geom type="box" size="0.01 0.01 0.03" pos="0 0 0.03"/>
   </body>
  </body>
 </worldbody>
</mujoco>
"""
RECIPE: dict[str, Any] = {
    "name": "hard",
    "joints": ["turn", "bend", "twist"],
    "ready_positions": [0.1, -0.2, 0.3],
    "origin_links": ["base", "shoulder", "upper", "wrist", "hand"],
    "num_surface_keypoints": 20,
    "simulation": {
        "model": "model/arm.xml",
        "attach": [
            {"model": "model/gripper.xml", "to": "flange", "rotation_wxyz": [0.6, 0, 0, 0.8],
             "translation": [0, 0.01, 0.02]}
        ],
        "gripper_joints": ["close"],
    },
}  # fmt: skip

URDF = """<?xml version="1.0"?>
<robot name="bare" version="1.0">
 <material name="grey"><color rgba="0.6 0.6 0.6 1"/></material>
 <link name="base_link">
  <visual><geometry><box size="0.1 0.12 0.05"/></geometry><material name="grey"/></visual>
  <collision><geometry><mesh filename="package://bare_description/lost.stl"/></geometry></collision>
 </link>
 <link name="first">
  <visual>
   <origin xyz="0 0 0.1" rpy="0.1 0.2 0.3"/>
   <geometry>
    <mesh scale="0.001 0.001 0.001" filename="package://bare_description/meshes/wedge.obj"/>
   </geometry>
  </visual>
 </link>
 <link name="second">
  <visual>
   <origin xyz="0.1 0 0"/><geometry><cylinder radius="0.03" length="0.2"/></geometry>
  </visual>
 </link>
 <link name="third"><visual><geometry><sphere radius="0.04"/></geometry></visual></link>
 <joint name="pan" type="continuous">
  <parent link="base_link"/><child link="first"/><origin xyz="0 0 0.1" rpy="0.1 0 -0.4"/>
  <axis xyz="0 0 -1"/>
 </joint>
 <joint name="lift" type="revolute">
  <parent link="first"/><child link="second"/><origin xyz="0.02 0 0.2" rpy="1.5 0.3 0"/>
  <axis xyz="0.6 0.8 0"/><limit lower="-2" upper="1.5" effort="1" velocity="1"/>
 </joint>
 <joint name="reach" type="prismatic">
  <parent link="second"/><child link="third"/><origin xyz="0.2 0 0"/>
  <axis xyz="1 0 0"/><limit lower="0" upper="0.1" effort="1" velocity="1"/>
 </joint>
</robot>
"""
URDF_RECIPE: dict[str, Any] = {
    "name": "bare",
    "joints": ["pan", "lift"],
    "ready_positions": [0, 0.5],
    "origin_links": ["base_link", "first", "second", "third"],
    "num_surface_keypoints": 12,
    "simulation": {"model": "bare_description/urdf/bare.urdf"},
}


def write_arm(folder: Path, arm: str = ARM, **changes: Any) -> Path:
    """The MJCF arm, its gripper and its recipe; returns the recipe's path."""
    (folder / "model" / "assets").mkdir(parents=True, exist_ok=True)
    (folder / "model" / "assets" / "wedge.obj").write_text(WEDGE)
    (folder / "model" / "arm.xml").write_text(arm)
    (folder / "model" / "gripper.xml").write_text(GRIPPER)
    return _write_recipe(folder / "hard.recipe.json", RECIPE, changes)


def write_urdf(folder: Path, urdf: str = URDF, **changes: Any) -> Path:
    """The URDF arm in a ROS package, and its recipe; returns the recipe's path."""
    for name, text in (("urdf/bare.urdf", urdf), ("meshes/wedge.obj", WEDGE)):
        path = folder / "bare_description" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return _write_recipe(folder / "bare.recipe.json", URDF_RECIPE, changes)


def _write_recipe(path: Path, recipe: dict[str, Any], changes: dict[str, Any]) -> Path:
    """Changes of `simulation` are merged; a value of None takes a key away."""
    merged = {**recipe, **changes}
    if isinstance(changes.get("simulation"), dict):
        merged["simulation"] = {**recipe["simulation"], **changes["simulation"]}
    kept = {key: value for key, value in merged.items() if value is not None}
    path.write_text(json.dumps(kept))
    return path
