"""Rooms to put a robot in: floor, walls, table, furniture, things that lie about, gadgets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from armsight.render.scene.appearance import NUM_OBJECTS, RGB, Solid
from armsight.render.scene.lathe import PROFILES
from armsight.render.scene.textures import random_colour

Array = NDArray[np.float64]
Rng = np.random.Generator
UPRIGHT = (1.0, 0.0, 0.0, 0.0)


def colour(rng: Rng) -> RGB:
    """An RGB colour in 0..1; a third are black, white or grey, as lab things are."""
    if rng.random() < 0.35:
        grey = float(rng.choice([rng.uniform(0.02, 0.2), rng.uniform(0.75, 1.0), rng.random()]))
        return (grey, grey, grey)
    r, g, b = (random_colour(rng) / 255).tolist()
    return (r, g, b)


def turned(yaw: float) -> tuple[float, float, float, float]:
    """The quaternion (wxyz) of a turn about z [rad]."""
    return (float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2)))


def sample_room(
    rng: Rng, arm_points: Array, camera_position: Array
) -> tuple[dict[str, Solid], float, float]:
    """Furniture around a robot that stands at the origin, and the heights of floor and table [m].

    Args:
        arm_points: (N, 3) [m, base frame] points along the arm; an arm that reaches below its
            base mostly stands on a pedestal without a table.
        camera_position: (3,) [m, base frame]; no wall stands before the camera.
    """
    on_floor = rng.random() < 0.15
    ground = 0.0 if on_floor else float(-rng.uniform(0.25, 0.95))
    half = rng.uniform(1.3, 4.5)
    repeat = rng.uniform(0.7, 2.5) * half
    tall = rng.uniform(1.2, 2.2)
    s = float(np.sqrt(0.5))
    # Walls stand off centre and turned as a whole, so that the base's axes do not follow them.
    yaw = rng.uniform(-np.pi, np.pi)
    off = rng.uniform(-0.4, 0.4, 2) * half
    room = {
        "floor": Solid("plane", (2 * half, 2 * half, 1), (0, 0, ground), turned(yaw),
                       (1, 1, 1), texture="floor", texture_repeat=(repeat, repeat)),
    }  # fmt: skip
    sides = ((-1, 0, (0.5, 0.5, 0.5, 0.5)), (1, 0, (0.5, 0.5, -0.5, -0.5)),
             (0, 1, (s, s, 0.0, 0.0)), (0, -1, (0.0, 0.0, s, s)))  # fmt: skip
    for i, (x, y, rotation) in enumerate(sides):
        if rng.random() < 0.1:
            continue
        place = _turn(yaw, (x * half + off[0], y * half + off[1], 0.0))
        inwards = -_turn(yaw, (float(x), float(y), 0.0))
        if inwards @ (camera_position - place) < 0.15:
            continue
        room[f"wall{i}"] = Solid(
            "plane", (half * 1.5, tall, 1), (place[0], place[1], ground + tall),
            product(turned(yaw), rotation), (1, 1, 1), float(rng.uniform(0, 0.2)),
            texture="wall" if i % 2 else "backwall",
            texture_repeat=(1.0, 1.0) if rng.random() < 0.7 else (3.0, 2.0),
        )  # fmt: skip
    if not on_floor:
        low = float(arm_points[:, 2].min()) < -0.03
        room |= _support(rng, ground, table=bool(rng.random() < (0.15 if low else 0.8)))
    if "tabletop" in room:
        return room, ground, room["tabletop"].position[2]
    return room, ground, ground


def _support(rng: Rng, ground: float, table: bool) -> dict[str, Solid]:
    """What the robot stands on above the floor."""
    things: dict[str, Solid] = {}
    shade, thick = colour(rng), rng.uniform(0.01, 0.04)
    if table:
        depth, width = rng.uniform(0.35, 1.0), rng.uniform(0.35, 1.1)
        x, y = depth - rng.uniform(0.12, 0.45), rng.uniform(-0.4, 0.4) * width
        lower = rng.choice([0.0, rng.uniform(0.0, 0.2)], p=[0.75, 0.25])
        things["tabletop"] = Solid(
            "plane", (depth, width, 1), (x, y, -lower - 0.002), UPRIGHT, (1, 1, 1),
            float(rng.uniform(0, 0.5)), float(rng.uniform(0.1, 0.9)), "tabletop",
            (float(rng.uniform(0.7, 4)),) * 2,
        )  # fmt: skip
        things["table"] = Solid(
            "box", (depth, width, thick), (x, y, -lower - 0.004 - thick), rgb=shade
        )
    tall = -ground / 2
    a = rng.uniform(0.07, 0.3)
    b = a if rng.random() < 0.5 else rng.uniform(0.07, 0.3)
    round_foot = a < 0.15 and rng.random() < 0.5
    things["pedestal"] = Solid(
        "cylinder" if round_foot else "box",
        (a, tall - 0.004, 0.0) if round_foot else (a, b, tall - 0.004),
        (-0.04, 0, -tall - 0.006), rgb=colour(rng), specular=float(rng.uniform(0, 0.8)),
    )  # fmt: skip
    if rng.random() < 0.5:
        things["plate"] = Solid(
            "box", (rng.uniform(0.1, 0.22), rng.uniform(0.1, 0.22), 0.006), (-0.04, 0, -0.006),
            rgb=(0.6, 0.6, 0.62) if rng.random() < 0.6 else colour(rng),
            specular=float(rng.uniform(0.2, 1)),
        )  # fmt: skip
    return things


def sample_objects(
    rng: Rng, arm_points: Array, heights: tuple[float, float] | None, camera_position: Array
) -> list[Solid]:
    """Things around the arm, some before it, furniture further away.

    Args:
        arm_points: (N, 3) [m, base frame] points along the arm; nothing is put into the arm.
        heights: of floor and table [m]; None where there is nothing but a flat picture.
        camera_position: (3,) [m, base frame].
    """
    things: list[list[Solid]] = []
    if rng.random() < 0.8:
        rest = heights[1] if heights else 0.0
        things += [[_small_thing(rng, rest)] for _ in range(int(rng.integers(1, 14)))]
    if heights and rng.random() < 0.7:
        cabinets = [_cabinet(rng, *heights) for _ in range(int(rng.integers(1, 4)))]
        things += [
            parts for parts in cabinets if not _between(parts[0], arm_points, camera_position)
        ]
    if rng.random() < 0.2:
        things += [[thing] for thing in _occluders(rng, arm_points, camera_position)]
    if rng.random() < 0.25:
        things += [[part] for part in _cable(rng)]
    kept: list[Solid] = []
    for parts in things:
        thing = parts[0]
        reach = 0.09 + (max(thing.size) if thing.shape != "mesh" else 0.1)
        position = np.array(thing.position)
        in_arm = np.linalg.norm(arm_points - position, axis=1).min() < min(reach, 0.45)
        at_camera = np.linalg.norm(camera_position - position) < reach + 0.1
        if not (in_arm or at_camera):
            kept += parts
    return kept[:NUM_OBJECTS]


def _between(thing: Solid, arm_points: Array, camera_position: Array) -> bool:
    """Whether a line from the camera to the arm passes through a thing or close by it."""
    centre, radius = np.array(thing.position), float(np.linalg.norm(thing.size)) + 0.05
    along = arm_points - camera_position
    t = np.clip(((centre - camera_position) * along).sum(1) / (along**2).sum(1), 0, 1)
    nearest = camera_position + t[:, None] * along
    return bool(np.linalg.norm(nearest - centre, axis=1).min() < radius)


def _small_thing(rng: Rng, rest: float) -> Solid:
    """A box, can, ball, bottle, ... at the height `rest` or, rarely, in the air."""
    position = (rng.uniform(-0.7, 1.1), rng.uniform(-0.9, 0.9))
    if rng.random() < 0.35:
        return Solid(
            "mesh", position=(*position, rest), rotation_wxyz=turned(rng.uniform(0, 6.3)),
            rgb=colour(rng), specular=float(rng.uniform(0, 1)), shininess=float(rng.random()),
            mesh=int(rng.integers(len(PROFILES))),
        )  # fmt: skip
    shape = str(rng.choice(["box", "cylinder", "sphere", "capsule", "ellipsoid"],
                           p=[0.55, 0.2, 0.08, 0.1, 0.07]))  # fmt: skip
    a, b, c = rng.uniform(0.01, 0.08, 3)
    if rng.random() < 0.08:
        a, b, c = rng.uniform(0.05, 0.17, 3)
    height = {"box": c, "cylinder": b, "sphere": a, "capsule": a + b, "ellipsoid": c}[shape]
    if rng.random() < 0.1:
        height = rng.uniform(0.1, 0.9) - rest
    textured = shape == "box" and rng.random() < 0.3
    return Solid(
        shape, (a, b, c), (*position, height + rest), turned(rng.uniform(0, 6.3)),
        (1, 1, 1) if textured else colour(rng), float(rng.uniform(0, 0.8)),
        float(rng.random()), str(rng.choice(["object0", "object1"])) if textured else None,
    )  # fmt: skip


def _cabinet(rng: Rng, ground: float, table: float) -> list[Solid]:
    """A box on the floor or table with doors or drawers and handles."""
    yaw, distance = rng.uniform(-np.pi, np.pi), rng.uniform(0.55, 2.2)
    around = rng.uniform(-np.pi, np.pi)
    w, d, h = rng.uniform(0.1, 0.5), rng.uniform(0.1, 0.35), rng.uniform(0.12, 0.7)
    foot = ground if rng.random() < 0.6 else table
    centre = np.array([distance * np.cos(around), distance * np.sin(around), foot + h])
    body, front = colour(rng), colour(rng)
    parts = [Solid("box", (d, w, h), _xyz(centre), turned(yaw), body, float(rng.uniform(0, 0.5)))]
    rows, columns = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    if rng.random() < 0.25:
        return parts
    for i in range(rows):
        for k in range(columns):
            local = np.array([
                d + 0.006, (2 * k + 1 - columns) * w / columns, (2 * i + 1 - rows) * h / rows
            ])  # fmt: skip
            size = (0.008, 0.94 * w / columns, 0.94 * h / rows)
            parts.append(
                Solid("box", size, _xyz(centre + _turn(yaw, local)), turned(yaw), front, 0.3)
            )
    handle = centre + _turn(yaw, np.array([d + 0.03, 0.0, rng.uniform(-0.5, 0.5) * h]))
    parts.append(
        Solid("capsule", (0.006, 0.06, 0.0), _xyz(handle), product(turned(yaw), _level(rng)),
              colour(rng), 0.8)
    )  # fmt: skip
    return parts


def _occluders(rng: Rng, arm_points: Array, camera_position: Array) -> list[Solid]:
    """One or two things between the camera and the arm."""
    things = []
    for _ in range(int(rng.integers(1, 3))):
        target = arm_points[int(rng.integers(len(arm_points)))]
        at = target + rng.uniform(0.25, 0.7) * (camera_position - target)
        at = at + rng.normal(0, 0.06, 3)
        near = float(np.linalg.norm(camera_position - at))
        size = near * rng.uniform(0.006, 0.06, 3)
        q = rng.normal(size=4)
        q /= np.linalg.norm(q)
        things.append(
            Solid(str(rng.choice(["box", "capsule", "ellipsoid", "cylinder"])), _xyz(size),
                  _xyz(at), (q[0], q[1], q[2], q[3]), colour(rng), float(rng.uniform(0, 0.8)))
        )  # fmt: skip
    return things


def _cable(rng: Rng) -> list[Solid]:
    """A bent cable on the table behind the base, as short capsules."""
    at = np.array([-0.16, rng.uniform(-0.06, 0.06), 0.03])
    heading, radius = np.pi + rng.normal(0, 0.5), rng.uniform(0.004, 0.012)
    shade = colour(rng) if rng.random() < 0.3 else (0.05, 0.05, 0.05)
    parts = []
    for _ in range(7):
        heading += rng.normal(0, 0.4)
        step = np.array([0.07 * np.cos(heading), 0.07 * np.sin(heading), 0.0])
        tilt = product(turned(heading), (float(np.sqrt(0.5)), 0.0, float(np.sqrt(0.5)), 0.0))
        parts.append(Solid("capsule", (radius, 0.035, 0), _xyz(at + step / 2), tilt, shade))
        at = at + step
        at[2] = max(at[2] - 0.01, radius)
    return parts


def _xyz(v: Array) -> tuple[float, float, float]:
    return (float(v[0]), float(v[1]), float(v[2]))


def _turn(yaw: float, v: Array | tuple[float, float, float]) -> Array:
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([c * v[0] - s * v[1], s * v[0] + c * v[1], v[2]])


def _level(rng: Rng) -> tuple[float, float, float, float]:
    """Upright or lying along y."""
    return UPRIGHT if rng.random() < 0.5 else (float(np.sqrt(0.5)), float(np.sqrt(0.5)), 0.0, 0.0)


def product(
    a: tuple[float, float, float, float], b: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    """The product of two quaternions (wxyz): first b, then a."""
    w, x, y, z = a
    p, q, r, s = b
    return (
        w * p - x * q - y * r - z * s,
        w * q + x * p + y * s - z * r,
        w * r - x * s + y * p + z * q,
        w * s + x * r - y * q + z * p,
    )
