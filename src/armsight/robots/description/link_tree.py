"""What a compiled MuJoCo model says of an arm: links, joints and shapes, by their names.

A name may leave out the prefix that an attached model got: `hand` is `attached0/hand`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.errors import ConfigError
from armsight.robots.description import surface
from armsight.robots.description.simulator import load_mujoco
from armsight.robots.description.surface import Mesh

Array = NDArray[np.floating]


class LinkTree:
    """The bodies that lead from an arm's base to its last links."""

    def __init__(
        self, model: Any, joint_names: list[str], origin_links: list[str],
        more_links: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Find them.

        Raises:
            ConfigError: a name is not in the model, is there twice, or a joint is no hinge that
                turns about its body's origin.
        """
        self._mj = load_mujoco()
        self.model = model
        self._joint_names = joint_names
        self._base = self._body(origin_links[0])
        wanted: set[int] = set()
        for link in (*origin_links, *more_links):
            body = self._body(link)
            while body != self._base:
                if body == 0:
                    raise ConfigError(
                        f"link {link!r} does not hang on {origin_links[0]!r}; the first of the "
                        "origin links must be the base that carries the others"
                    )
                wanted.add(body)
                body = int(model.body_parentid[body])
        self.bodies = [self._base, *sorted(wanted)]
        self._listed = {joint: self._check_joint(joint) for joint in joint_names}
        self._at_zero = self._mj.MjData(model)
        self._at_zero.qpos[:] = 0
        self._mj.mj_kinematics(model, self._at_zero)

    def links(self) -> list[dict[str, Any]]:
        """Links of a robot data file, parents first."""
        turned = {body: joint for joint, body in self._listed.items()}
        result = []
        for body in self.bodies:
            is_base = body == self._base
            translation, rotation = self._from_parent(body)
            result.append(
                {
                    "name": self._name(body),
                    "parent": None if is_base else self._name(self.model.body_parentid[body]),
                    "translation": [0.0] * 3 if is_base else translation.tolist(),
                    "rotation_wxyz": [1.0, 0, 0, 0] if is_base else rotation.tolist(),
                    "joint": turned.get(body),
                }
            )
        return result

    def axis(self, joint: str) -> list[float]:
        """Unit axis of a joint in its link's frame."""
        axis: list[float] = self.model.joint(joint).axis.tolist()
        return axis

    def limits(self, joint: str) -> list[float]:
        """Lower and upper limit [rad]; a joint without limits turns all the way."""
        if not self.model.jnt_limited[self.model.joint(joint).id]:
            return [-np.pi, np.pi]
        limits: list[float] = self.model.joint(joint).range.tolist()
        return limits

    def fixed_joints(self) -> list[str]:
        """Joints between base and links that are not listed, and count as fixed at zero."""
        return [name for name in self._on_the_way() if name not in self._listed]

    def base_at_origin(self) -> bool:
        """Whether the base's frame is the world's."""
        data = self._at_zero
        still = np.allclose(data.xpos[self._base], 0, atol=1e-12)
        return bool(still and np.allclose(abs(data.xquat[self._base][0]), 1, atol=1e-12))

    def mesh(self, link: str) -> Mesh:
        """All visible shapes of a link as one mesh in the link's frame; empty without any."""
        m, body = self.model, self._body(link)
        vertices, faces, count = [], [], 0
        for geom in range(m.body_geomadr[body], m.body_geomadr[body] + m.body_geomnum[body]):
            shape = self._shape(geom)
            if shape is None or m.geom_group[geom] > 2:
                continue
            R = np.zeros(9)
            self._mj.mju_quat2Mat(R, m.geom_quat[geom])
            vertices.append(shape[0] @ R.reshape(3, 3).T + m.geom_pos[geom])
            faces.append(shape[1] + count)
            count += len(shape[0])
        if not vertices:
            return np.zeros((0, 3)), np.zeros((0, 3), dtype=np.intp)
        return np.concatenate(vertices), np.concatenate(faces).astype(np.intp)

    def _shape(self, geom: int) -> Mesh | None:
        """A geom in its own frame; None for planes and the like."""
        m, kind, size = self.model, self._mj.mjtGeom, self.model.geom_size[geom]
        match m.geom_type[geom]:
            case kind.mjGEOM_MESH:
                mesh = m.geom_dataid[geom]
                v0, nv = m.mesh_vertadr[mesh], m.mesh_vertnum[mesh]
                f0, nf = m.mesh_faceadr[mesh], m.mesh_facenum[mesh]
                return m.mesh_vert[v0 : v0 + nv], m.mesh_face[f0 : f0 + nf]
            case kind.mjGEOM_BOX:
                return surface.box(size)
            case kind.mjGEOM_SPHERE:
                return surface.ellipsoid(np.full(3, size[0]))
            case kind.mjGEOM_ELLIPSOID:
                return surface.ellipsoid(size)
            case kind.mjGEOM_CYLINDER:
                return surface.cylinder(size[0], size[1])
            case kind.mjGEOM_CAPSULE:
                return surface.capsule(size[0], size[1])
        return None

    def _from_parent(self, body: int) -> tuple[Array, Array]:
        """Translation (3,) [m] and quaternion (4,) wxyz from the parent, all joints at zero."""
        joints = self._joints_of(body)
        m, data, parent = self.model, self._at_zero, self.model.body_parentid[body]
        # MuJoCo's angles count from `ref`, so that zero need not be how the model was drawn.
        if not any(np.any(data.qpos[self._qpos(j)] != m.qpos0[self._qpos(j)]) for j in joints):
            return m.body_pos[body], m.body_quat[body]
        back, translation, rotation = np.zeros(4), np.zeros(3), np.zeros(4)
        self._mj.mju_negQuat(back, data.xquat[parent])
        self._mj.mju_rotVecQuat(translation, data.xpos[body] - data.xpos[parent], back)
        self._mj.mju_mulQuat(rotation, back, data.xquat[body])
        return translation, rotation

    def _qpos(self, joint: int) -> slice:
        kind = self._mj.mjtJoint
        start = self.model.jnt_qposadr[joint]
        widths = {int(kind.mjJNT_FREE): 7, int(kind.mjJNT_BALL): 4}
        return slice(start, start + widths.get(int(self.model.jnt_type[joint]), 1))

    def _joints_of(self, body: int) -> range:
        start = self.model.body_jntadr[body]
        return range(start, start + self.model.body_jntnum[body])

    def _name(self, body: int) -> str:
        return re.sub(r"^(attached\d+/)+", "", self.model.body(int(body)).name)

    def _body(self, name: str) -> int:
        fitting = [i for i in range(self.model.nbody) if self._name(i) == name]
        if not fitting:
            names = ", ".join(self._name(i) for i in range(self.model.nbody))
            raise ConfigError(f"there is no link {name!r} in the model; it has {names}")
        if len(fitting) > 1:
            raise ConfigError(f"the model has {len(fitting)} links called {name!r}; rename one")
        return fitting[0]

    def _check_joint(self, name: str) -> int:
        """The body that a listed joint turns."""
        m, kind = self.model, self._mj.mjtJoint
        names = [m.joint(i).name for i in range(m.njnt)]
        if name not in names:
            raise ConfigError(f"there is no joint {name!r} in the model; it has {', '.join(names)}")
        joint = names.index(name)
        body = int(m.jnt_bodyid[joint])
        if m.jnt_type[joint] != kind.mjJNT_HINGE:
            words = {int(kind.mjJNT_SLIDE): "slides", int(kind.mjJNT_BALL): "is a ball joint",
                     int(kind.mjJNT_FREE): "is free"}  # fmt: skip
            raise ConfigError(
                f"joint {name!r} {words[int(m.jnt_type[joint])]}, and a state holds angles only; "
                "leave it out, and it counts as fixed at zero"
            )
        if body == self._base or body not in self.bodies:
            raise ConfigError(
                f"joint {name!r} is not between the base and the last of the origin links; the "
                f"joints there are {', '.join(self._on_the_way()) or 'none'}"
            )
        if np.any(m.jnt_pos[joint]):
            raise ConfigError(
                f"joint {name!r} turns about {m.jnt_pos[joint].tolist()} in the frame of its link "
                f"{self._name(body)!r}; it must turn about the link's origin: set the joint's "
                "`pos` to 0 0 0 and move the body's frame there"
            )
        others = [j for j in self._joints_of(body) if j != joint]
        if any(np.any(m.qpos0[self._qpos(j)]) for j in others) or any(
            m.joint(j).name in self._joint_names for j in others
        ):
            raise ConfigError(
                f"link {self._name(body)!r} has several joints; put each onto a body of its own"
            )
        return body

    def _on_the_way(self) -> list[str]:
        return [
            self.model.joint(j).name
            for body in self.bodies
            if body != self._base
            for j in self._joints_of(body)
        ]
