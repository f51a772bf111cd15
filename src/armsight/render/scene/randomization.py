"""Random looks: lights and robot surfaces, and all of a picture's look put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from armsight.render.scene.appearance import (
    NUM_SPOTS,
    NUM_SUNS,
    RGB,
    TEXTURE_SIZE,
    Appearance,
    Light,
    Surface,
)
from armsight.render.scene.backgrounds import Pictures
from armsight.render.scene.gadgets import sample_gadgets
from armsight.render.scene.rooms import colour, sample_objects, sample_room
from armsight.render.scene.textures import surface

Array = NDArray[np.float64]
Rng = np.random.Generator

PART_COLOURS: dict[str, RGB] = {
    "white": (0.95, 0.95, 0.95),
    "dark": (0.24, 0.25, 0.26),
    "metal": (0.66, 0.66, 0.66),
    "decals": (0.25, 0.25, 0.25),
    "red": (0.8, 0.05, 0.05),
    "green": (0.05, 0.7, 0.1),
    "blue": (0.15, 0.5, 0.8),
}


def sample_appearance(
    rng: Rng, split: str, materials: Sequence[str], room: bool, arm_points: Array,
    camera_position: Array, pictures: Pictures, scale: float = 1.0, printed: bool = False,
    other_hand: float = 0.0, hand_comes_off: bool = False,
) -> Appearance:  # fmt: skip
    """A random look.

    Args:
        split: `train` or `eval`: their surfaces have no family in common.
        materials: names of the robot's materials, `<mesh>_<part class>`.
        room: with floor, walls and table; otherwise only the robot and objects.
        arm_points: (N, 3) [m, base frame] points along the arm.
        camera_position: (3,) [m, base frame].
        pictures: may hang on walls and lie on tables.
        scale: the arm's reach in reaches of a Panda.
        printed: the arm comes in any colour, as 3D-printed ones do.
        other_hand: share of pictures with another end effector, or none.
        hand_comes_off: the last link is the arm's own hand, in whose place the other one stands.
    """
    look = Appearance(shadows=bool(rng.random() < 0.5), decals=bool(rng.random() < 0.6))
    look.gamma = 1.0 if rng.random() < 0.35 else float(rng.uniform(1.2, 1.8))
    look.lights, look.ambient = sample_lights(rng, look.shadows)
    look.robot = sample_robot(rng, split, materials)
    heights: tuple[float, float] | None = None
    shown: set[str | None]
    if room:
        look.furniture, floor, table = sample_room(rng, arm_points, camera_position)
        heights = (floor, table)
        shown = {solid.texture for solid in look.furniture.values()}
        for name in ("floor", "wall", "backwall", "tabletop"):
            if name in shown:
                look.textures[name] = _texture(rng, split, pictures)
    look.objects = sample_objects(rng, arm_points, heights, camera_position)
    shown = {solid.texture for solid in look.objects}
    for name in ("object0", "object1"):
        if name in shown:
            look.textures[name] = _texture(rng, split, pictures)
    another = False
    if scale != 1.0 or printed or other_hand:
        another = bool(rng.random() < other_hand)
        look.paint = sample_paint(rng, printed)
    look.hand_visible = not (another and hand_comes_off)
    look.gadgets = sample_gadgets(rng, scale, hand=not another)
    return look


def _texture(rng: Rng, split: str, pictures: Pictures) -> NDArray[np.uint8]:
    if len(pictures) and rng.random() < 0.35:
        return pictures.sample(rng, TEXTURE_SIZE, TEXTURE_SIZE)
    return surface(rng, split, TEXTURE_SIZE)


def sample_lights(rng: Rng, shadows: bool) -> tuple[list[Light], RGB]:
    """One to four lamps, weak light from further sides, and light from everywhere.

    The sum is drawn first, so that many lamps do not mean a white picture.
    """
    lamps = int(rng.integers(1, 5))
    spots = int(rng.binomial(min(lamps, NUM_SPOTS), 0.3))
    fills = int(rng.integers(1, NUM_SUNS - (lamps - spots) + 1))
    lamp_sum, fill_sum = rng.uniform(0.3, 0.85), rng.uniform(0.1, 0.4)
    everywhere = rng.uniform(0.15, 0.5)
    # What exceeds 1 in the sum is lost to the eight bits that are drawn: a white patch.
    dimmed = min(1.0, rng.uniform(0.75, 1.1) / (lamp_sum + fill_sum + everywhere))
    lamp_sum, fill_sum, everywhere = lamp_sum * dimmed, fill_sum * dimmed, everywhere * dimmed
    warmth = rng.normal(0, 0.04)
    lights = []
    shares = rng.dirichlet(np.full(lamps, 2.0)) * lamp_sum
    shadow_lamps = 1 if rng.random() < 0.75 else 2
    for i, share in enumerate(shares):
        source = _direction(rng, rng.uniform(0.3, 1.0))
        tint = 1 + (warmth + rng.normal(0, 0.03)) * np.array([1.0, 0.0, -1.0])
        diffuse = np.clip(share * tint, 0, 1)
        position = np.array([0.2, 0, 0.4]) + source * rng.uniform(1.5, 3.0)
        lights.append(
            Light(
                _xyz(position),
                _xyz(-source + rng.normal(0, 0.1, 3)),
                i >= spots,
                _rgb(diffuse),
                _rgb(diffuse * rng.uniform(0.3, 1.5)),
                shadows and i < shadow_lamps,
                float(rng.uniform(45, 80)),
            )
        )
    for share in rng.dirichlet(np.full(fills, 2.0)) * fill_sum:
        # Some of it comes from below: what floor and table throw back.
        source = _direction(rng, rng.uniform(-1.0, 1.0))
        diffuse = np.clip(share * (1 + rng.normal(0, 0.06, 3)), 0, 1)
        lights.append(Light(_xyz(source * 3), _xyz(-source), True, _rgb(diffuse), (0, 0, 0)))
    ambient = everywhere * (1 + warmth * np.array([1.0, 0.0, -1.0]))
    return lights, _rgb(ambient)


def _direction(rng: Rng, up: float) -> Array:
    azimuth, flat = rng.uniform(-np.pi, np.pi), np.sqrt(1 - up**2)
    return np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), up])


# Robot surface families: a function of rng gives (gain on white, gain on dark parts, specular,
# shininess); gains are RGB.
Family = Callable[[Rng], tuple[Array, Array, float, float]]


def _factory(rng: Rng) -> tuple[Array, Array, float, float]:
    return (np.full(3, rng.uniform(0.9, 1.05)), np.full(3, rng.uniform(0.6, 1.3)),
            rng.uniform(0.2, 0.7), rng.uniform(0.3, 0.8))  # fmt: skip


def _tinted(rng: Rng) -> tuple[Array, Array, float, float]:
    return (rng.uniform(0.8, 1.05) * (1 + rng.normal(0, 0.035, 3)),
            rng.uniform(0.4, 1.6) * (1 + rng.normal(0, 0.08, 3)),
            rng.uniform(0.1, 0.7), rng.uniform(0.2, 0.8))  # fmt: skip


def _worn(rng: Rng) -> tuple[Array, Array, float, float]:
    return (np.full(3, rng.uniform(0.62, 0.9)) * (1 + rng.normal(0, 0.015, 3)),
            np.full(3, rng.uniform(0.6, 1.8)), rng.uniform(0.05, 0.3),
            rng.uniform(0.05, 0.4))  # fmt: skip


def _grey(rng: Rng) -> tuple[Array, Array, float, float]:
    return (np.full(3, rng.uniform(0.35, 0.65)), np.full(3, rng.uniform(0.3, 1.0)),
            rng.uniform(0.1, 0.6), rng.uniform(0.2, 0.8))  # fmt: skip


def _ivory(rng: Rng) -> tuple[Array, Array, float, float]:
    return (np.array([1.0, 0.965, 0.9]) * rng.uniform(0.85, 1.0), np.full(3, rng.uniform(0.8, 1.2)),
            rng.uniform(0.3, 0.6), rng.uniform(0.4, 0.7))  # fmt: skip


def _matte(rng: Rng) -> tuple[Array, Array, float, float]:
    return (np.full(3, rng.uniform(0.85, 1.0)), np.full(3, rng.uniform(0.5, 1.2)), 0.0, 0.0)


def _gloss(rng: Rng) -> tuple[Array, Array, float, float]:
    return (np.full(3, rng.uniform(0.85, 1.0)), np.array([0.8, 0.9, 1.2]) * rng.uniform(0.5, 1.2),
            rng.uniform(0.8, 1.0), rng.uniform(0.85, 1.0))  # fmt: skip


ROBOT_FAMILIES: dict[str, dict[str, tuple[float, Family]]] = {
    "train": {"factory": (0.4, _factory), "tinted": (0.25, _tinted), "worn": (0.22, _worn),
              "grey": (0.07, _grey)},
    "eval": {"ivory": (0.3, _ivory), "matte": (0.35, _matte), "gloss": (0.35, _gloss)},
}  # fmt: skip
"""split -> family name -> (share, function)"""


def sample_robot(rng: Rng, split: str, materials: Sequence[str]) -> dict[str, Surface]:
    """Surfaces of a robot whose materials are named `<mesh>_<part class>`."""
    families = ROBOT_FAMILIES[split]
    shares = np.array([share for share, _ in families.values()])
    name = list(families)[int(rng.choice(len(shares), p=shares / shares.sum()))]
    white, dark, specular, shininess = families[name][1](rng)
    hand_gain = rng.uniform(0.1, 0.3) if rng.random() < 0.08 else 1.0
    finger = 0.1 if rng.random() < 0.3 else rng.uniform(0.4, 1.1)
    glow = float(rng.uniform(0.3, 1.0)) if rng.random() < 0.5 else 0.0
    mark = rng.uniform(0.5, 3.0)
    surfaces = {}
    for material in materials:
        mesh, _, part = material.rpartition("/")[2].rpartition("_")
        if part not in PART_COLOURS:
            continue
        rgb = np.array(PART_COLOURS[part]) * (dark if part == "dark" else white)
        if part == "decals":
            rgb = rgb * mark
        if mesh == "hand":
            rgb = rgb * hand_gain
        if mesh == "finger":
            rgb = rgb * finger
        shiny = part == "metal"
        surfaces[material] = Surface(
            _rgb(rgb), 0.9 if shiny else specular, 0.7 if shiny else shininess,
            glow if part == "blue" else 0.0,
        )  # fmt: skip
    return surfaces


def sample_paint(rng: Rng, printed: bool) -> tuple[RGB | None, float]:
    """Paint of the parts whose material is not known: see `Appearance.paint`."""
    gain = float(np.exp(rng.normal(0, 0.15)))
    if not printed or rng.random() < 0.15:
        return None, gain
    if rng.random() < 0.35:  # white, black and grey filament sell best
        grey = float(rng.choice([rng.uniform(0.8, 1.0), rng.uniform(0.03, 0.2), rng.random()]))
        return (grey, grey, grey), 1.0
    return colour(rng), 1.0


def _rgb(values: Array) -> RGB:
    r, g, b = np.clip(values, 0, 1).tolist()
    return (r, g, b)


def _xyz(v: Array) -> tuple[float, float, float]:
    return (float(v[0]), float(v[1]), float(v[2]))
