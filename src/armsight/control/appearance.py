"""How a scene looks: lights, colours and camera that differ a little from the suite's own.

Physics is untouched: only what is drawn changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.errors import ControlError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedAppearance:
    """What to multiply, add and move; the defaults change nothing."""

    ambient: float = 0.0
    """Light from everywhere, added to each lamp"""
    diffuse: float = 1.0
    """Brightness of the lamps, as a factor"""
    specular: float = 1.0
    """Strength of highlights, as a factor"""
    lamp_shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """How far the lamps are moved [m]"""
    light_rgb: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Colour of the light"""
    tint: float = 0.0
    """Largest change of each material's own colour"""
    floor: float = 1.0
    """Brightness of the floor, as a factor"""
    wash: float = 0.0
    """Part of `wash_rgb` in the floor's texture; older renderers drew it so"""
    wash_rgb: tuple[float, float, float] = (215.0, 208.0, 196.0)
    """[0, 255]"""
    even: bool = False
    """Lamps that shine everywhere, also on the walls, rather than in a cone"""
    T_jittered_cam: Array = field(default_factory=lambda: np.eye(4))
    """(4, 4) from the suite's camera frame to the one that is drawn with (OpenCV axes)"""
    camera_zoom: float = 1.0
    """Field of view, as a factor"""
    seed: int = 0
    """For the tint of each material"""

    FIELDS: ClassVar[tuple[str, ...]] = (
        "light_ambient", "light_diffuse", "light_specular", "light_pos", "light_cutoff",
        "light_exponent", "mat_rgba",
    )  # fmt: skip
    """Arrays of the MuJoCo model that `apply` changes"""

    def apply(self, model: Any) -> None:
        """Change a MuJoCo model's lights and materials in place."""
        colour = np.array(self.light_rgb)
        model.light_ambient[:] = (model.light_ambient + self.ambient) * colour
        model.light_diffuse[:] = model.light_diffuse * self.diffuse * colour
        model.light_specular[:] = model.light_specular * self.specular
        model.light_pos[:] = model.light_pos + np.array(self.lamp_shift)
        if self.even:
            model.light_cutoff[:], model.light_exponent[:] = 180, 0
        floor = model.mat("floorplane").id
        pixels = model.tex_data[floor_texture(model)[1]]
        grey = np.resize(np.array(self.wash_rgb), pixels.shape)
        pixels[:] = np.round((1 - self.wash) * pixels + self.wash * grey)
        rng = np.random.default_rng(self.seed)
        factors = 1 + self.tint * rng.uniform(-1, 1, (model.nmat, 3))
        factors[floor] *= self.floor
        model.mat_rgba[:, :3] = np.clip(model.mat_rgba[:, :3] * factors, 0, 2)


def floor_texture(model: Any) -> tuple[int, slice]:
    """Number of the floor's texture, and where its RGB values lie in `model.tex_data`."""
    index = model.tex("texplane").id
    if model.tex_nchannel[index] != 3:
        raise ControlError(f"the floor's texture has {model.tex_nchannel[index]} channels, not 3")
    start = int(model.tex_adr[index])
    size = int(model.tex_height[index]) * int(model.tex_width[index]) * 3
    return index, slice(start, start + size)


def draw_appearance(rng: np.random.Generator, plain: float = 0.2) -> SimulatedAppearance | None:
    """A random appearance; with chance `plain` the suite's own (None)."""
    if rng.random() < plain:
        return None
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(np.radians(rng.normal(0, 0.5, 3).clip(-1.2, 1.2)))[0]
    T[:3, 3] = rng.normal(0, 0.004, 3).clip(-0.01, 0.01)
    shift = rng.normal(0, 0.6, 3).clip(-1.5, 1.5)
    wash = rng.uniform(120, 240) + rng.normal(0, 10, 3)
    rgb = rng.normal(1, 0.05, 3).clip(0.85, 1.15)
    return SimulatedAppearance(
        ambient=float(rng.uniform(0, 0.3)),
        diffuse=float(rng.uniform(0.7, 1.3)),
        specular=float(rng.uniform(0, 2)),
        lamp_shift=(float(shift[0]), float(shift[1]), float(shift[2])),
        light_rgb=(float(rgb[0]), float(rgb[1]), float(rgb[2])),
        tint=float(rng.uniform(0, 0.15)),
        floor=float(rng.uniform(0.9, 1.4)),
        T_jittered_cam=T,
        camera_zoom=float(np.clip(rng.normal(1, 0.005), 0.985, 1.015)),
        wash=float(rng.uniform(0, 0.7)) if rng.random() < 0.6 else 0.0,
        wash_rgb=(float(wash[0]), float(wash[1]), float(wash[2])),
        even=bool(rng.random() < 0.6),
        seed=int(rng.integers(2**31)),
    )
