"""How a picture looks, as data: lights, furniture, objects, robot surfaces, textures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

RGB = tuple[float, float, float]
Vector = tuple[float, float, float]

NUM_SPOTS, NUM_SUNS = 2, 5
"""Lamps with a cone, and directional lights. OpenGL has eight lights; the eighth is the light from
all sides. Which slots are of which kind is fixed: each new combination would cost Mesa the
compilation of a shader."""
NUM_OBJECTS = 36
PLANES = ("floor", "wall0", "wall1", "wall2", "wall3", "tabletop")
FURNITURE = (*PLANES, "table", "pedestal", "plate")
GADGETS = {
    "hand": ("hand0", "hand1", "hand2", "hand3"),
    "fingers": ("tip0", "tip1"),
    "forearm": ("cable0", "cable1"),
}
"""What can be bolted to the robot: place -> slot names."""
TEXTURES = ("floor", "wall", "backwall", "tabletop", "object0", "object1")
TEXTURE_SIZE = 192


@dataclass
class Solid:
    """A piece of furniture, an object or a gadget: a primitive of MuJoCo or a made-up mesh."""

    shape: str = "box"
    """plane, box, sphere, cylinder, capsule, ellipsoid, or mesh"""
    size: Vector = (0.1, 0.1, 0.1)
    """MuJoCo's half sizes [m]; a mesh has its own"""
    position: Vector = (0.0, 0.0, 0.0)
    rotation_wxyz: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    rgb: RGB = (0.5, 0.5, 0.5)
    specular: float = 0.2
    shininess: float = 0.3
    texture: str | None = None
    """one of TEXTURES"""
    texture_repeat: tuple[float, float] = (1.0, 1.0)
    mesh: int = 0
    """which of the made-up meshes"""


@dataclass
class Light:
    """A light; colours are RGB in 0..1."""

    position: Vector = (0.0, 0.0, 3.0)
    direction: Vector = (0.0, 0.0, -1.0)
    directional: bool = True
    diffuse: RGB = (0.6, 0.6, 0.6)
    specular: RGB = (0.3, 0.3, 0.3)
    casts_shadow: bool = False
    cutoff_deg: float = 60.0


@dataclass
class Surface:
    """How a part of the robot looks."""

    rgb: RGB
    specular: float = 0.4
    shininess: float = 0.4
    emission: float = 0.0


@dataclass
class Appearance:
    """Everything about a picture but the robot's joints and the camera."""

    lights: list[Light] = field(default_factory=lambda: [Light()])
    """at most NUM_SPOTS that are not directional and NUM_SUNS that are"""
    ambient: RGB = (0.3, 0.3, 0.3)
    """light from all sides"""
    furniture: dict[str, Solid] = field(default_factory=dict)
    """keys from FURNITURE"""
    objects: list[Solid] = field(default_factory=list)
    """at most NUM_OBJECTS, in the base frame"""
    gadgets: dict[str, Solid] = field(default_factory=dict)
    """keys are slot names from GADGETS, poses in the frame of the link that carries them"""
    robot: dict[str, Surface] = field(default_factory=dict)
    """keys are the names of the robot's materials; those not named keep their maker's look"""
    paint: tuple[RGB | None, float] = (None, 1.0)
    """of parts that are not named in `robot`: a colour for those that are not dark, and how bright
    all are, as a multiple of their maker's colour"""
    hand_visible: bool = True
    """whether the end effector, the last link and what hangs on it, is drawn"""
    decals: bool = False
    """small dark caps of screws on the robot's shells"""
    textures: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    """TEXTURES name -> (TEXTURE_SIZE, TEXTURE_SIZE, 3) RGB"""
    robot_visible: bool = True
    shadows: bool = True
    gamma: float = 1.0
    """colours are drawn to this power and the picture to its inverse: 1 mixes light as old
    graphics libraries do, about 2 as real light"""
