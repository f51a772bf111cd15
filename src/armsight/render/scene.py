"""One MuJoCo model with slots for everything that changes from picture to picture.

Compiling a model takes a second, so it happens once per worker. A picture then sets the fields of
the slots (lights, materials, textures, furniture, objects) and the joints, all of them, so that
nothing of the picture before shines through.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.render.gl import FAR, Buffers, Canvas, load_mujoco
from armsight.render.robot_model import panda_spec
from armsight.robots import Robot

NUM_LIGHTS = 4
NUM_OBJECTS = 14
FURNITURE = ("floor", "wall0", "wall1", "wall2", "wall3", "tabletop", "table", "pedestal", "mount")
PLANES = ("floor", "wall0", "wall1", "wall2", "wall3", "tabletop")
TEXTURES = ("floor", "wall", "tabletop", "object")
TEXTURE_SIZE = 256
SHOWN, HIDDEN = 0, 4
"""Geom groups: MuJoCo draws groups 0 to 2."""


@dataclass
class Solid:
    """A piece of furniture or an object: a primitive of MuJoCo."""

    shape: str = "box"
    """plane, box, sphere, cylinder, capsule or ellipsoid"""
    size: tuple[float, float, float] = (0.1, 0.1, 0.1)
    """MuJoCo's half sizes [m]"""
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation_wxyz: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    rgba: tuple[float, float, float, float] = (0.5, 0.5, 0.5, 1.0)
    specular: float = 0.2
    shininess: float = 0.3
    texture: str | None = None
    """one of TEXTURES"""
    texture_repeat: tuple[float, float] = (1.0, 1.0)


@dataclass
class Light:
    """A light; colours are RGB in 0..1."""

    position: tuple[float, float, float] = (0.0, 0.0, 3.0)
    direction: tuple[float, float, float] = (0.0, 0.0, -1.0)
    directional: bool = True
    diffuse: tuple[float, float, float] = (0.6, 0.6, 0.6)
    specular: tuple[float, float, float] = (0.3, 0.3, 0.3)
    casts_shadow: bool = False
    cutoff_deg: float = 60.0


@dataclass
class Surface:
    """How a part of the robot looks."""

    rgb: tuple[float, float, float]
    specular: float = 0.4
    shininess: float = 0.4


@dataclass
class Look:
    """Everything about a picture but the robot's joints and the camera."""

    lights: list[Light] = field(default_factory=lambda: [Light()])
    ambient: tuple[float, float, float] = (0.3, 0.3, 0.3)
    """light from all sides, RGB"""
    furniture: dict[str, Solid] = field(default_factory=dict)
    """keys from FURNITURE"""
    objects: list[Solid] = field(default_factory=list)
    robot: dict[str, Surface] = field(default_factory=dict)
    """keys are the names of the robot's materials; those not named keep their maker's look"""
    textures: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    """TEXTURES name -> (TEXTURE_SIZE, TEXTURE_SIZE, 3) RGB"""
    robot_visible: bool = True
    shadows: bool = True


class Scene:
    """A robot in a room, drawn by MuJoCo. The robot's base frame is the world frame.

    Args:
        robot: the robot to draw.
        width, height: largest picture [px], supersampling included.
    """

    def __init__(self, robot: Robot, width: int, height: int) -> None:
        self._mj = load_mujoco()
        self.robot = robot
        spec = panda_spec()
        self.robot_materials = tuple(m.name for m in spec.materials)
        self._add_slots(spec, width, height)
        self.model = spec.compile()
        self.data = self._mj.MjData(self.model)
        self.canvas = Canvas(self.model, width, height)
        m = self.model
        self._id = {kind: {getattr(m, kind)(i).name: i for i in range(count)}
                    for kind, count in (("geom", m.ngeom), ("mat", m.nmat), ("tex", m.ntex))}  # fmt: skip
        slots = {*FURNITURE, *(f"object{i}" for i in range(NUM_OBJECTS))}
        self.robot_geoms = np.array(
            [i for name, i in self._id["geom"].items() if name not in slots], dtype=int
        )
        self.link_of_geom = self._links_of_geoms()
        self._joints = [m.joint(name).qposadr[0] for name in robot.joint_names]
        self._fingers = [
            m.joint(i).qposadr[0] for i in range(m.njnt) if "finger" in m.joint(i).name
        ]
        self._maker = {
            name: Surface(tuple(m.mat_rgba[i][:3]), m.mat_specular[i], m.mat_shininess[i])
            for name, i in self._id["mat"].items()
            if name in self.robot_materials
        }
        m.vis.headlight.active = 1
        m.vis.headlight.diffuse[:] = m.vis.headlight.specular[:] = 0
        m.stat.extent, m.stat.center[:] = 1.5, (0.2, 0, 0.4)

    def apply(self, look: Look) -> None:
        """Set every slot from `look`; slots that it does not name are hidden or reset."""
        m = self.model
        for name in FURNITURE:
            self._set_solid(name, look.furniture.get(name))
        for i in range(NUM_OBJECTS):
            solid = look.objects[i] if i < len(look.objects) else None
            self._set_solid(f"object{i}", solid)
        for name, maker in self._maker.items():
            surface = look.robot.get(name, maker)
            i = self._id["mat"][name]
            m.mat_rgba[i][:3] = surface.rgb
            m.mat_specular[i], m.mat_shininess[i] = surface.specular, surface.shininess
        m.geom_group[self.robot_geoms] = SHOWN if look.robot_visible else HIDDEN
        for i in range(NUM_LIGHTS):
            self._set_light(i, look.lights[i] if i < len(look.lights) else None)
        m.vis.headlight.ambient[:] = look.ambient
        for name, pixels in look.textures.items():
            i = self._id["tex"][name]
            start = m.tex_adr[i]
            m.tex_data[start : start + pixels.size] = np.ascontiguousarray(pixels).ravel()
            self.canvas.upload_texture(i)
        self._shadows = look.shadows

    def draw(
        self,
        joint_positions: NDArray[np.floating],
        finger_opening: float,
        K: NDArray[np.floating],
        T_cam_base: NDArray[np.floating],
        size: tuple[int, int],
    ) -> Buffers:
        """Draw the robot in a pose, seen by a camera.

        Args:
            joint_positions: (J,) [rad].
            finger_opening: how far each finger is out [m].
            K: (3, 3) [px] for a picture of `size`.
            T_cam_base: (4, 4).
            size: (width, height) [px].
        """
        self.data.qpos[:] = 0
        self.data.qpos[self._joints] = joint_positions
        self.data.qpos[self._fingers] = finger_opening
        self._mj.mj_kinematics(self.model, self.data)
        self._mj.mj_camlight(self.model, self.data)
        return self.canvas.draw(self.data, K, T_cam_base, self._shadows, size)

    def robot_mask(self, buffers: Buffers) -> NDArray[np.bool_]:
        """(H, W): the pixel shows the robot."""
        is_robot = np.zeros(self.model.ngeom + 1, bool)
        is_robot[self.robot_geoms] = True
        return is_robot[buffers.geom]

    def drawn_mask(self, buffers: Buffers) -> NDArray[np.bool_]:
        """(H, W): the pixel shows anything at all."""
        return (buffers.geom >= 0) & (buffers.depth < FAR * 0.999)

    def close(self) -> None:
        """Free the graphics library's memory."""
        self.canvas.close()

    def _links_of_geoms(self) -> NDArray[np.intp]:
        """Robot link index of each geom, -1 for the others; last entry for 'nothing drawn'."""
        m, links = self.model, {name: i for i, name in enumerate(self.robot.link_names)}
        result = np.full(m.ngeom + 1, -1)
        for geom in self.robot_geoms:
            body = m.geom_bodyid[geom]
            while body > 0 and m.body(body).name.rpartition("/")[2] not in links:
                body = m.body_parentid[body]
            result[geom] = links.get(m.body(body).name.rpartition("/")[2], -1)
        return result

    def _add_slots(self, spec: Any, width: int, height: int) -> None:
        mj = self._mj
        for name in TEXTURES:
            spec.add_texture(
                name=name, type=mj.mjtTexture.mjTEXTURE_2D, width=TEXTURE_SIZE,
                height=TEXTURE_SIZE, builtin=mj.mjtBuiltin.mjBUILTIN_FLAT,
            )  # fmt: skip
        for name in (*FURNITURE, *(f"object{i}" for i in range(NUM_OBJECTS))):
            # One material each, with and without texture: which texture a material has is fixed.
            for texture in (None, *TEXTURES):
                material = spec.add_material(name=f"{name}:{texture}", rgba=[1, 1, 1, 1])
                if texture:
                    material.textures[mj.mjtTextureRole.mjTEXROLE_RGB] = texture
                    material.texuniform = False
            plane = name in PLANES
            # A pose that is not the identity keeps MuJoCo from skipping the slot's placement.
            spec.worldbody.add_geom(
                name=name, material=f"{name}:None", contype=0, conaffinity=0,
                type=mj.mjtGeom.mjGEOM_PLANE if plane else mj.mjtGeom.mjGEOM_BOX,
                size=[1, 1, 1], pos=[0.1, 0.2, 0.3], quat=[0.5, 0.5, 0.5, 0.5],
            )  # fmt: skip
        for i in range(NUM_LIGHTS):
            spec.worldbody.add_light(name=f"light{i}", pos=[0.1, 0.2, 3], dir=[0.1, 0.2, -1])
        spec.visual.global_.offwidth, spec.visual.global_.offheight = width, height
        spec.visual.quality.offsamples = 0
        spec.visual.quality.shadowsize = 1024
        spec.visual.map.shadowclip = 1.0

    def _set_solid(self, name: str, solid: Solid | None) -> None:
        m, i = self.model, self._id["geom"][name]
        m.geom_group[i] = HIDDEN if solid is None else SHOWN
        if solid is None:
            return
        m.geom_type[i] = int(getattr(self._mj.mjtGeom, f"mjGEOM_{solid.shape.upper()}"))
        m.geom_size[i], m.geom_pos[i] = solid.size, solid.position
        m.geom_quat[i], m.geom_rgba[i] = solid.rotation_wxyz, solid.rgba
        material = self._id["mat"][f"{name}:{solid.texture}"]
        m.geom_matid[i] = material
        m.mat_rgba[material] = solid.rgba
        m.mat_specular[material], m.mat_shininess[material] = solid.specular, solid.shininess
        m.mat_texrepeat[material] = solid.texture_repeat

    def _set_light(self, i: int, light: Light | None) -> None:
        m = self.model
        m.light_active[i] = light is not None
        if light is None:
            return
        kind = self._mj.mjtLightType
        m.light_type[i] = int(kind.mjLIGHT_DIRECTIONAL if light.directional else kind.mjLIGHT_SPOT)
        m.light_pos[i] = light.position
        m.light_dir[i] = np.array(light.direction) / np.linalg.norm(light.direction)
        m.light_diffuse[i], m.light_specular[i] = light.diffuse, light.specular
        m.light_ambient[i], m.light_castshadow[i] = 0, light.casts_shadow
        m.light_cutoff[i], m.light_exponent[i] = light.cutoff_deg, 5.0
        m.light_attenuation[i] = (1.0, 0.0, 0.0)
