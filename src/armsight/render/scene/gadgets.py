"""Things bolted to a robot."""

from __future__ import annotations

from dataclasses import replace

from armsight.render.scene.appearance import Solid
from armsight.render.scene.rooms import Rng, colour


def sample_gadgets(rng: Rng, scale: float = 1.0, hand: bool = True) -> dict[str, Solid]:
    """Things bolted to the robot: a camera at the hand, finger tips, a cable along the forearm.

    Positions are in the frames of the links that carry them, for a hand whose z axis points
    along the fingers.

    Args:
        scale: the arm's reach in reaches of a Panda.
        hand: False puts another gripper, or nothing, in the place of the arm's own.
    """
    gadgets = _on_hand(rng) if hand else _another_gripper(rng)
    return {name: _scaled(solid, scale) for name, solid in gadgets.items()}


def _scaled(solid: Solid, scale: float) -> Solid:
    if scale == 1.0:
        return solid
    (a, b, c), (x, y, z) = solid.size, solid.position
    size, position = (scale * a, scale * b, scale * c), (scale * x, scale * y, scale * z)
    return replace(solid, size=size, position=position)


def _another_gripper(rng: Rng) -> dict[str, Solid]:
    """An adapter, a body and two fingers; one in five arms has no gripper at all."""
    if rng.random() < 0.2:
        return {}
    shade = colour(rng) if rng.random() < 0.3 else (float(rng.uniform(0.02, 0.3)),) * 3
    radius, tall = rng.uniform(0.03, 0.05), rng.uniform(0.02, 0.05)
    gadgets = {
        "hand0": Solid("cylinder", (radius, tall, 0), (0, 0, tall), rgb=shade, specular=0.5),
    }
    if rng.random() < 0.15:  # a suction cup or a tool
        long = rng.uniform(0.02, 0.08)
        gadgets["hand1"] = Solid(
            "cylinder", (rng.uniform(0.008, 0.025), long, 0), (0, 0, 2 * tall + long),
            rgb=colour(rng), specular=0.5,
        )  # fmt: skip
        return gadgets
    wide, high = rng.uniform(0.025, 0.09), rng.uniform(0.015, 0.04)
    gadgets["hand1"] = Solid(
        "box", (rng.uniform(0.015, 0.035), wide, high), (0, 0, 2 * tall + high), rgb=shade
    )
    opening, long = rng.uniform(0.005, 0.9) * wide, rng.uniform(0.02, 0.05)
    finger = (rng.uniform(0.006, 0.015), rng.uniform(0.005, 0.012), long)
    paint = colour(rng) if rng.random() < 0.4 else shade
    for name, side in (("hand2", 1), ("hand3", -1)):
        place = (0, side * opening, 2 * (tall + high) + long)
        gadgets[name] = Solid("box", finger, place, rgb=paint)
    return gadgets


def _on_hand(rng: Rng) -> dict[str, Solid]:
    gadgets: dict[str, Solid] = {}
    if rng.random() < 0.25:  # a camera on a bracket
        side = rng.choice([-1.0, 1.0])
        shade = float(rng.choice([0.08, 0.35, 0.75]))
        x, z = side * rng.uniform(0.05, 0.09), rng.uniform(-0.02, 0.06)
        gadgets["hand0"] = Solid("box", (0.0125, rng.uniform(0.03, 0.05), 0.0125), (x, 0, z),
                                 rgb=(shade,) * 3, specular=0.6)  # fmt: skip
        gadgets["hand1"] = Solid("box", (abs(x) / 2, 0.015, 0.003), (x / 2, 0, z - 0.012),
                                 rgb=colour(rng))  # fmt: skip
    if rng.random() < 0.15:  # an adapter between flange and hand
        shade = float(rng.uniform(0.1, 0.8))
        gadgets["hand2"] = Solid("cylinder", (rng.uniform(0.033, 0.045), 0.008, 0), (0, 0, -0.006),
                                 rgb=(shade,) * 3, specular=0.8, shininess=0.8)  # fmt: skip
    if rng.random() < 0.1:  # a box or a sensor at the side of the hand
        gadgets["hand3"] = Solid(
            "box", tuple(rng.uniform(0.01, 0.035, 3).tolist()),
            (rng.uniform(-0.05, 0.05), rng.choice([-1, 1]) * 0.1, rng.uniform(0, 0.06)),
            rgb=colour(rng),
        )  # fmt: skip
    if rng.random() < 0.3:  # longer or coloured finger tips
        paint, half = colour(rng), rng.uniform(0.008, 0.03)
        size = (rng.uniform(0.007, 0.012), rng.uniform(0.004, 0.01), half)
        for name in ("tip0", "tip1"):
            gadgets[name] = Solid("box", size, (0, size[1], 0.04 + half * 0.7), rgb=paint)
    return gadgets
