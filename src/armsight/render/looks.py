"""Random looks: lights, robot materials, furniture and objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from armsight.render.backgrounds import procedural, random_colour
from armsight.render.scene import NUM_OBJECTS, TEXTURE_SIZE, Light, Look, Solid, Surface

Array = NDArray[np.float64]
RGB = tuple[float, float, float]

BASE_COLOURS: dict[str, RGB] = {
    "white": (0.95, 0.95, 0.95),
    "dark": (0.22, 0.23, 0.24),
    "metal": (0.68, 0.68, 0.68),
    "red": (0.8, 0.05, 0.05),
    "green": (0.05, 0.7, 0.1),
    "blue": (0.15, 0.5, 0.8),
}


def sample_look(
    rng: np.random.Generator, materials: Sequence[str], room: bool, arm_points: Array
) -> Look:
    """A random look.

    Args:
        materials: names of the robot's materials, `<group>_<part class>`.
        room: with floor, walls and table; otherwise only the robot, its pedestal and objects.
        arm_points: (N, 3) [m, base frame] points along the arm.
    """
    look = Look(shadows=bool(rng.random() < 0.5))
    look.lights = sample_lights(rng, look.shadows)
    look.ambient = _rgb(np.full(3, rng.uniform(0.2, 0.6)) * (1 + rng.normal(0, 0.03, 3)))
    look.robot = sample_robot(rng, materials)
    if room:
        look.furniture = sample_room(rng)
        for name in ("floor", "wall", "tabletop"):
            look.textures[name] = procedural(rng, TEXTURE_SIZE, TEXTURE_SIZE)
    look.objects = sample_objects(rng, arm_points)
    return look


def sample_lights(rng: np.random.Generator, shadows: bool) -> list[Light]:
    """One to four lights whose sum neither blinds nor leaves the arm black."""
    count = int(rng.integers(1, 5))
    shares = rng.dirichlet(np.full(count, 2.0))
    total = rng.uniform(0.4, 0.8)
    lights = []
    for i in range(count):
        azimuth, up = rng.uniform(-np.pi, np.pi), rng.uniform(0.25, 1.0)
        flat = np.sqrt(1 - up**2)
        source = np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), up])
        tint = 1 + rng.normal(0, 0.05) * np.array([1.0, 0.0, -1.0])
        diffuse = np.clip(total * shares[i] * tint, 0, 1)
        position = np.array([0.2, 0, 0.4]) + source * rng.uniform(1.5, 3.5)
        lights.append(
            Light(
                tuple(position),
                tuple(-source),
                bool(rng.random() < 0.6),
                tuple(diffuse),
                tuple(diffuse * rng.uniform(0.2, 0.9)),
                shadows and i < 2,
                float(rng.uniform(35, 80)),
            )  # fmt: skip
        )
    return lights


def sample_robot(rng: np.random.Generator, materials: Sequence[str]) -> dict[str, Surface]:
    """The maker's colours, slightly or strongly changed."""
    surfaces = {}
    specular, shininess = rng.uniform(0.05, 0.8), rng.uniform(0.1, 0.8)
    tint = 1 + rng.normal(0, 0.02, 3)
    worn, dark_hand = rng.uniform(0.8, 1.0), rng.random() < 0.12
    for name in materials:
        group, _, part = name.partition("_")
        rgb = np.array(BASE_COLOURS.get(part, (0.8, 0.8, 0.8)))
        if part == "dark":
            rgb = rgb * rng.uniform(0.3, 1.8)
        if dark_hand and group == "hand":
            rgb = rgb * 0.25
        if group == "finger":
            rgb = np.array([0.1, 0.1, 0.1]) if rng.random() < 0.4 else rgb
        surfaces[name] = Surface(tuple(np.clip(rgb * tint * worn, 0, 1)), specular, shininess)
    return surfaces


def sample_room(rng: np.random.Generator) -> dict[str, Solid]:
    """Floor, walls, and a table or a pedestal below the robot."""
    ground = -rng.choice([0.0, rng.uniform(0.3, 0.9)])
    size, repeat = rng.uniform(2.5, 5.0), rng.uniform(1, 6)
    room = {
        "floor": Solid("plane", (size, size, 1), (0, 0, ground), rgba=(1, 1, 1, 1),
                       texture="floor", texture_repeat=(repeat, repeat)),
    }  # fmt: skip
    s = np.sqrt(0.5)
    turns = {"wall0": (-size, 0, (0.5, 0.5, 0.5, 0.5)), "wall1": (size, 0, (0.5, -0.5, -0.5, 0.5)),
             "wall2": (0, size, (s, s, 0.0, 0.0)), "wall3": (0, -size, (0.0, 0.0, s, s))}  # fmt: skip
    for name, (x, y, rotation) in turns.items():
        room[name] = Solid("plane", (size, 2.0, 1), (x, y, ground + 2.0), rotation, texture="wall")
    if ground < 0:
        width, depth = rng.uniform(0.3, 1.2), rng.uniform(0.3, 1.0)
        x = depth - rng.uniform(0.15, 0.4)
        shade = tuple(random_colour(rng) / 255)
        if rng.random() < 0.6:
            room["tabletop"] = Solid("plane", (depth, width, 1), (x, 0, -0.001), texture="tabletop")
            room["table"] = Solid("box", (depth, width, 0.02), (x, 0, -0.023), rgba=(*shade, 1))
        half = -ground / 2
        room["pedestal"] = Solid(
            "box", (rng.uniform(0.08, 0.3), rng.uniform(0.08, 0.3), half - 0.005),
            (-0.04, 0, -half - 0.005), rgba=(*shade, 1),
        )  # fmt: skip
    return room


def sample_objects(rng: np.random.Generator, arm_points: Array) -> list[Solid]:
    """Boxes, balls, cylinders and capsules around the arm, sometimes before it."""
    count = int(rng.integers(0, NUM_OBJECTS + 1)) if rng.random() < 0.75 else 0
    objects = []
    for _ in range(count):
        size = rng.uniform(0.01, 0.09, 3)
        position = np.array([rng.uniform(-0.7, 1.1), rng.uniform(-0.9, 0.9), size[2]])
        if rng.random() < 0.3:
            position[2] = rng.uniform(0, 1.0)
        if np.linalg.norm(arm_points - position, axis=1).min() < 0.12:
            continue
        q = rng.normal(size=4) if rng.random() < 0.3 else np.array(
            [np.cos(a := rng.uniform(0, np.pi)), 0, 0, np.sin(a)])  # fmt: skip
        objects.append(
            Solid(
                str(
                    rng.choice(
                        ["box", "sphere", "cylinder", "capsule", "ellipsoid"],
                        p=[0.5, 0.1, 0.2, 0.1, 0.1],
                    )
                ),
                tuple(size),
                tuple(position),
                tuple(q / np.linalg.norm(q)),
                (*(random_colour(rng) / 255), 1.0),
                float(rng.uniform(0, 0.8)),
            )  # fmt: skip
        )
    return objects


def _rgb(values: Array) -> RGB:
    r, g, b = np.clip(values, 0, 1).tolist()
    return (r, g, b)
