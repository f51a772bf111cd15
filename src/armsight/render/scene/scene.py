"""One MuJoCo model with slots for everything that changes from picture to picture.

Compiling a model takes a second, so it happens once per worker. A picture then sets the fields of
the slots (lights, materials, textures, furniture, objects) and the joints, all of them, so that
nothing of the picture before shines through.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from armsight.render.imaging.gl import FAR_M, Buffers, Canvas
from armsight.render.scene.appearance import (
    FURNITURE,
    GADGETS,
    NUM_OBJECTS,
    NUM_SPOTS,
    NUM_SUNS,
    PLANES,
    RGB,
    TEXTURE_SIZE,
    TEXTURES,
    Appearance,
    Light,
    Solid,
    Surface,
)
from armsight.render.scene.lathe import turned_meshes
from armsight.render.scene.other_arms import OtherArm
from armsight.render.scene.robot_model import DECALS, robot_spec
from armsight.robots import Robot
from armsight.robots.description.simulator import load_mujoco

DARK = 0.25
"""Parts all of whose channels are darker keep their colour when an arm is painted"""
SHOWN, HIDDEN = 0, 4
"""Geom groups: MuJoCo draws groups 0 to 2."""


class Scene:
    """A robot in a room, drawn by MuJoCo. The robot's base frame is the world frame.

    Args:
        arm: a `Robot` or an `OtherArm`.
        width, height: largest picture [px], supersampling included.
    """

    def __init__(self, arm: Robot | OtherArm, width: int, height: int) -> None:
        self._mj = load_mujoco()
        self.arm = arm
        spec = robot_spec(arm.simulation, arm.folder)
        self.robot_materials = tuple(m.name for m in spec.materials)
        gadgets = self._add_gadgets(spec)
        robot_geoms = len(spec.geoms)
        self._add_slots(spec, width, height)
        self.model = m = spec.compile()
        self.data = self._mj.MjData(m)
        self.canvas = Canvas(m, width, height)
        counts = {"geom": m.ngeom, "mat": m.nmat, "tex": m.ntex, "mesh": m.nmesh}
        self._id = {
            kind: {getattr(m, kind)(i).name: i for i in range(count)}
            for kind, count in counts.items()
        }
        world = {*FURNITURE, *(f"object{i}" for i in range(NUM_OBJECTS))}
        self.robot_geoms = np.array([i for n, i in self._id["geom"].items() if n not in world])
        assert len(self.robot_geoms) == robot_geoms
        gadget_geoms = {self._id["geom"][name] for name in gadgets}
        self._gadgets = gadgets
        names = {i: name for name, i in self._id["geom"].items()}
        self._decal_geoms = np.array([i for i in self.robot_geoms if DECALS in names[i]], int)
        self._shell_geoms = np.array([i for i in self.robot_geoms if i not in gadget_geoms])
        self.link_of_geom = self._links_of_geoms(gadget_geoms)
        self._plain_geoms = [i for i in self._shell_geoms if m.geom_matid[i] < 0]
        last = len(arm.link_names) - 1
        self._hand_geoms = self._shell_geoms[self.link_of_geom[self._shell_geoms] == last]
        self._joints = [m.joint(name).qposadr[0] for name in arm.joint_names]
        grip = arm.simulation.get("gripper_joints", [])
        ends = {m.joint(i).name.rpartition("/")[2]: i for i in range(m.njnt)}
        self._fingers = [m.joint(ends[name]).qposadr[0] for name in grip]
        self._finger_range = [m.joint(ends[name]).range.copy() for name in grip]
        bodies = {m.body(i).name.rpartition("/")[2]: i for i in range(m.nbody)}
        self._link_bodies = [bodies[name] for name in arm.link_names]
        self._rest = np.zeros(m.nq)
        self._maker = {
            name: Surface(_rgb(m.mat_rgba[i]), m.mat_specular[i], m.mat_shininess[i])
            for name in self.robot_materials
            for i in [self._id["mat"][name]]
        }
        self._maker_rgba = m.geom_rgba.copy()
        m.vis.headlight.active = 1
        m.vis.headlight.diffuse[:] = m.vis.headlight.specular[:] = 0
        m.stat.extent, m.stat.center[:] = 1.5, (0.2, 0, 0.4)
        self._shadows = False

    def apply(self, look: Appearance) -> None:
        """Set every slot from `look`; slots that it does not name are hidden or reset."""
        m, g = self.model, look.gamma
        for name in FURNITURE:
            self._set_solid(name, look.furniture.get(name), g)
        for i in range(NUM_OBJECTS):
            solid = look.objects[i] if i < len(look.objects) else None
            self._set_solid(f"object{i}", solid, g)
        for name in self._gadgets:
            self._set_solid(name, look.gadgets.get(name) if look.robot_visible else None, g)
        for name, maker in self._maker.items():
            surface = look.robot.get(name) or replace(maker, rgb=painted(maker.rgb, look.paint))
            i = self._id["mat"][name]
            m.mat_rgba[i][:3] = np.power(surface.rgb, g)
            m.mat_specular[i], m.mat_shininess[i] = surface.specular, surface.shininess
            m.mat_emission[i] = surface.emission
        for i in self._plain_geoms:
            m.geom_rgba[i][:3] = np.power(painted(_rgb(self._maker_rgba[i]), look.paint), g)
        m.geom_group[self._shell_geoms] = SHOWN if look.robot_visible else HIDDEN
        if not look.hand_visible:
            m.geom_group[self._hand_geoms] = HIDDEN
        if not look.decals:
            m.geom_group[self._decal_geoms] = HIDDEN
        spots = [light for light in look.lights if not light.directional]
        suns = [light for light in look.lights if light.directional]
        for i in range(NUM_SPOTS):
            self._set_light(i, spots[i] if i < len(spots) else None)
        for i in range(NUM_SUNS):
            self._set_light(NUM_SPOTS + i, suns[i] if i < len(suns) else None)
        m.vis.headlight.ambient[:] = look.ambient
        table = (np.power(np.arange(256) / 255, g) * 255 + 0.5).astype(np.uint8)
        for name, pixels in look.textures.items():
            i = self._id["tex"][name]
            start = m.tex_adr[i]
            m.tex_data[start : start + pixels.size] = cv2.LUT(pixels, table).ravel()
            self.canvas.upload_texture(i)
        self._shadows = look.shadows
        self._place()

    def pose(self, joint_positions: NDArray[np.floating], finger_opening: float) -> None:
        """Move the robot.

        Args:
            joint_positions: (J,) [rad].
            finger_opening: 0 (closed, or the lower limit) to 1 (upper limit).
        """
        self.data.qpos[:] = self._rest
        self.data.qpos[self._joints] = joint_positions
        for address, (low, high) in zip(self._fingers, self._finger_range, strict=True):
            self.data.qpos[address] = low + finger_opening * (high - low)
        self._place()

    def _place(self) -> None:
        """Where geoms and lights are in the world."""
        self._mj.mj_kinematics(self.model, self.data)
        self._mj.mj_camlight(self.model, self.data)

    def draw(
        self, K: NDArray[np.floating], T_cam_base: NDArray[np.floating], size: tuple[int, int]
    ) -> Buffers:
        """Draw the scene as a camera sees it.

        Args:
            K: (3, 3) [px] for a picture of `size`.
            T_cam_base: (4, 4).
            size: (width, height) [px].
        """
        return self.canvas.draw(self.data, K, T_cam_base, self._shadows, size)

    def finger_positions(self) -> NDArray[np.float64]:
        """Joint positions of the gripper as posed last."""
        return np.array(self.data.qpos[self._fingers])

    def link_origins(self) -> NDArray[np.float64]:
        """(L, 3) [m]: the origins of the arm's links as posed last."""
        return np.array([self.data.xpos[i] for i in self._link_bodies])

    def robot_mask(self, buffers: Buffers) -> NDArray[np.bool_]:
        """(H, W): the pixel shows the robot or something bolted to it."""
        is_robot = np.zeros(self.model.ngeom + 1, bool)
        is_robot[self.robot_geoms] = True
        return is_robot[buffers.geom]

    def drawn_mask(self, buffers: Buffers) -> NDArray[np.bool_]:
        """(H, W): the pixel shows anything at all."""
        return (buffers.geom >= 0) & (buffers.depth < FAR_M * 0.999)

    def close(self) -> None:
        """Free the graphics library's memory."""
        self.canvas.close()

    def _links_of_geoms(self, gadgets: set[int]) -> NDArray[np.intp]:
        """Link index of each geom, -1 for what is no link; the last entry is 'nothing drawn'."""
        m, links = self.model, {name: i for i, name in enumerate(self.arm.link_names)}
        result = np.full(m.ngeom + 1, -1)
        for geom in self.robot_geoms:
            body = m.geom_bodyid[geom]
            while body > 0 and m.body(body).name.rpartition("/")[2] not in links:
                body = m.body_parentid[body]
            if geom not in gadgets:
                result[geom] = links.get(m.body(body).name.rpartition("/")[2], -1)
        return result

    def _add_gadgets(self, spec: Any) -> tuple[str, ...]:
        """Slots on the robot; returns the names of those that this robot has a place for."""
        bodies = {body.name.rpartition("/")[2]: body for body in spec.bodies}
        links = self.arm.link_names
        joints = {joint.name.rpartition("/")[2]: joint for joint in spec.joints}
        grip = [joints[name].parent for name in self.arm.simulation.get("gripper_joints", [])[:2]]
        places = {
            "hand": [bodies[links[-1]]] * 4,
            "fingers": grip,
            "forearm": [bodies[links[len(links) // 2]]] * 2,
        }
        added = []
        for place, slots in GADGETS.items():
            for name, body in zip(slots, places[place], strict=False):
                self._add_slot(spec, body, name)
                added.append(name)
        return tuple(added)

    def _add_slot(self, spec: Any, body: Any, name: str) -> None:
        mj = self._mj
        textures = (None, *TEXTURES) if name not in sum(GADGETS.values(), ()) else (None,)
        for texture in textures:
            # One material each: which texture a material has cannot change later.
            material = spec.add_material(name=f"{name}:{texture}", rgba=[1, 1, 1, 1])
            if texture:
                material.textures[mj.mjtTextureRole.mjTEXROLE_RGB] = texture
                material.texuniform = False
        # A pose that is not the identity keeps MuJoCo from skipping the slot's placement.
        body.add_geom(
            name=name, material=f"{name}:None", contype=0, conaffinity=0, mass=0,
            type=mj.mjtGeom.mjGEOM_PLANE if name in PLANES else mj.mjtGeom.mjGEOM_BOX,
            size=[1, 1, 1], pos=[0.1, 0.2, 0.3], quat=[0.5, 0.5, 0.5, 0.5],
        )  # fmt: skip

    def _add_slots(self, spec: Any, width: int, height: int) -> None:
        mj = self._mj
        for name in TEXTURES:
            spec.add_texture(
                name=name, type=mj.mjtTexture.mjTEXTURE_2D, width=TEXTURE_SIZE,
                height=TEXTURE_SIZE, builtin=mj.mjtBuiltin.mjBUILTIN_FLAT,
            )  # fmt: skip
        for name in (*FURNITURE, *(f"object{i}" for i in range(NUM_OBJECTS))):
            self._add_slot(spec, spec.worldbody, name)
        for i, (vertices, faces) in enumerate(turned_meshes()):
            spec.add_mesh(
                name=f"turned{i}", uservert=vertices.ravel(), userface=faces.ravel(),
                inertia=mj.mjtMeshInertia.mjMESH_INERTIA_SHELL,
            )  # fmt: skip
        kind = mj.mjtLightType
        for i in range(NUM_SPOTS + NUM_SUNS):
            spec.worldbody.add_light(
                name=f"light{i}", pos=[0.1, 0.2, 3], dir=[0.1, 0.2, -1],
                type=kind.mjLIGHT_SPOT if i < NUM_SPOTS else kind.mjLIGHT_DIRECTIONAL,
            )  # fmt: skip
        spec.visual.global_.offwidth, spec.visual.global_.offheight = width, height
        spec.visual.quality.offsamples = 0
        spec.visual.quality.shadowsize = 2048
        spec.visual.map.shadowclip = 1.0

    def _set_solid(self, name: str, solid: Solid | None, gamma: float) -> None:
        m, i = self.model, self._id["geom"][name]
        m.geom_group[i] = HIDDEN if solid is None else SHOWN
        if solid is None:
            return
        m.geom_type[i] = int(getattr(self._mj.mjtGeom, f"mjGEOM_{solid.shape.upper()}"))
        m.geom_size[i], m.geom_pos[i] = solid.size, solid.position
        m.geom_quat[i], m.geom_dataid[i] = solid.rotation_wxyz, -1
        if solid.shape == "mesh":
            # The compiler moves a mesh to its centre and main axes.
            mesh = m.geom_dataid[i] = self._id["mesh"][f"turned{solid.mesh}"]
            moved = np.zeros(3)
            self._mj.mju_rotVecQuat(moved, m.mesh_pos[mesh], m.geom_quat[i])
            m.geom_pos[i] += moved
            self._mj.mju_mulQuat(m.geom_quat[i], m.geom_quat[i].copy(), m.mesh_quat[mesh])
        material = self._id["mat"][f"{name}:{solid.texture}"]
        m.geom_matid[i] = material
        m.geom_rgba[i][:3] = m.mat_rgba[material][:3] = np.power(solid.rgb, gamma)
        m.mat_specular[material], m.mat_shininess[material] = solid.specular, solid.shininess
        m.mat_texrepeat[material] = solid.texture_repeat

    def _set_light(self, i: int, light: Light | None) -> None:
        m = self.model
        m.light_ambient[i] = 0
        if light is None:
            m.light_diffuse[i] = m.light_specular[i] = m.light_castshadow[i] = 0
            return
        m.light_pos[i] = light.position
        m.light_dir[i] = np.array(light.direction) / np.linalg.norm(light.direction)
        m.light_diffuse[i], m.light_specular[i] = light.diffuse, light.specular
        m.light_castshadow[i] = light.casts_shadow
        m.light_cutoff[i], m.light_exponent[i] = light.cutoff_deg, 3.0
        m.light_attenuation[i] = (1.0, 0.0, 0.0)


def painted(rgb: RGB, paint: tuple[RGB | None, float]) -> RGB:
    """A part's colour after painting, see `Appearance.paint`; motors and screws stay dark."""
    colour, gain = paint
    if colour is not None and max(rgb) > DARK:
        rgb = colour
    r, g, b = (min(1.0, gain * channel) for channel in rgb)
    return (r, g, b)


def _rgb(rgba: NDArray[np.floating]) -> RGB:
    return (float(rgba[0]), float(rgba[1]), float(rgba[2]))
