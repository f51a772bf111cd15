"""Which joints of a robot description are the arm: the longest chain of hinges from its base."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from armsight.errors import ConfigError
from armsight.robots.description.simulator import load_mujoco

FINGERS = re.compile(r"finger|grip(?!per_(base|mount))|jaw|knuckle|thumb|claw|hand_joint", re.I)
"""Names of joints that open and close a hand."""
FEWEST_BEFORE_HAND = 3
"""Hinges after which a fork is a hand's, not a torso's."""


@dataclass(frozen=True)
class ArmChain:
    """An arm in a model, its links and joints by name, base first."""

    base_link: str
    tip_link: str
    joints: list[str]
    turned_links: list[str]
    """(J) the link that each joint turns"""
    fixed_joints: list[str]
    """on the way from base to tip, but no hinges of the arm: taken as fixed at zero"""
    more_links: list[str]
    """links beside the chain that move with it: hand, fingers, mounts"""


def find_arm(
    model: Any, *, base_link: str | None = None, tip_link: str | None = None,
    mimic_joints: frozenset[str] = frozenset(), what: str = "the model",
) -> ArmChain:  # fmt: skip
    """The arm of a compiled `mujoco.MjModel`.

    Args:
        base_link, tip_link: where it begins and ends; by default the root and the end of the
            longest chain of hinge joints, without fingers.
        mimic_joints: joints that follow others, so that they are none of the arm's.
        what: names the model in errors.

    Raises:
        ConfigError: there is no arm, there are several, or a link is not there; the message lists
            the links to choose from.
    """
    tree = _Tree(model, mimic_joints)
    if tip_link is None:
        below = tree.body(base_link, what) if base_link else 0
        tip = _only_tip(tree, below, what)
    else:
        tip = tree.body(tip_link, what)
    path = tree.path(tip)
    if base_link is not None:
        base = tree.body(base_link, what)
        if base not in path:
            raise ConfigError(f"link {tip_link!r} of {what} does not hang on {base_link!r}")
        path = path[path.index(base) :]
    else:
        path = path[1:] if not tree.hinges(path[1]) else path
    turned = [(body, joint) for body in path[1:] for joint in tree.hinges(body)]
    if len(turned) < 2:
        raise ConfigError(
            f"{what} has {len(turned)} hinge joints between {tree.names[path[0]]!r} and "
            f"{tree.names[tip]!r}, too few for an arm; tips of longer chains: {tree.listed_tips()}"
        )
    # Rigid links behind the last joint end in a flange or a tool's frame.
    rigid = [body for body in tree.below(tip) if tree.rigid_to(body, tip)]
    far = max(rigid, key=lambda body: tree.distance(body, tip), default=tip)
    if tree.distance(far, tip) > 0.01:
        path += tree.path(far)[tree.path(far).index(tip) + 1 :]
    fixed = [j for body in path[1:] for j in tree.joints[body] if j not in {t[1] for t in turned}]
    chain = set(path)
    more = [b for b in tree.below(path[0]) if b not in chain and tree.carried(b, chain, tip)]
    return ArmChain(
        base_link=tree.names[path[0]], tip_link=tree.names[path[-1]],
        joints=[joint for _, joint in turned], turned_links=[tree.names[b] for b, _ in turned],
        fixed_joints=fixed, more_links=[tree.names[body] for body in more],
    )  # fmt: skip


def _only_tip(tree: _Tree, below: int, what: str) -> int:
    tips = tree.tips(below)
    longest = max((len(tree.arm_joints(tip)) for tip in tips), default=0)
    best = [tip for tip in tips if len(tree.arm_joints(tip)) == longest]
    if longest < 2:
        raise ConfigError(
            f"{what} has no chain of two or more hinge joints, so no arm; its joints: "
            f"{', '.join(name for names in tree.joints for name in names) or 'none'}"
        )
    if len(best) > 1:
        names = ", ".join(f"{tree.names[tip]} ({longest} joints)" for tip in best)
        raise ConfigError(
            f"{what} has {len(best)} arms, which end at {names}; choose one by its tip link: "
            f"FILE#{tree.names[best[0]]}, or base and tip: FILE#BASE:TIP"
        )
    return best[0]


class _Tree:
    """Bodies of a model and the joints that turn them."""

    def __init__(self, model: Any, mimic_joints: frozenset[str]) -> None:
        mj = load_mujoco()
        self.count = int(model.nbody)
        self.parents = [int(p) for p in model.body_parentid]
        self.names = [model.body(i).name for i in range(self.count)]
        self.joints: list[list[str]] = [[] for _ in range(self.count)]
        self._arm: list[list[str]] = [[] for _ in range(self.count)]
        for i in range(model.njnt):
            body, name = int(model.jnt_bodyid[i]), model.joint(i).name
            self.joints[body].append(name)
            hinge = model.jnt_type[i] == mj.mjtJoint.mjJNT_HINGE
            if hinge and name not in mimic_joints and not FINGERS.search(name):
                self._arm[body].append(name)
        data = mj.MjData(model)
        data.qpos[:] = 0
        mj.mj_kinematics(model, data)
        self._positions = data.xpos.copy()
        self.children: list[list[int]] = [[] for _ in range(self.count)]
        for body in range(1, self.count):
            self.children[self.parents[body]].append(body)

    def body(self, name: str, what: str) -> int:
        if name not in self.names:
            raise ConfigError(f"{what} has no link {name!r}; it has {', '.join(self.names)}")
        return self.names.index(name)

    def hinges(self, body: int) -> list[str]:
        """The joints of an arm that turn a body."""
        return self._arm[body]

    def path(self, body: int) -> list[int]:
        """From the world to a body."""
        path = [body]
        while path[0]:
            path.insert(0, self.parents[path[0]])
        return path

    def arm_joints(self, tip: int) -> list[str]:
        return [joint for body in self.path(tip) for joint in self._arm[body]]

    def below(self, body: int) -> list[int]:
        """All bodies that hang on one, parents first."""
        return [other for other in range(self.count) if other != body and body in self.path(other)]

    def distance(self, a: int, b: int) -> float:
        return float(np.linalg.norm(self._positions[a] - self._positions[b]))

    def rigid_to(self, body: int, link: int) -> bool:
        """Whether no joint is between a link and a body that hangs on it."""
        while body != link:
            if self.joints[body]:
                return False
            body = self.parents[body]
        return True

    def carried(self, body: int, chain: set[int], tip: int) -> bool:
        """Whether a body is rigid on the chain, or part of the hand at its tip."""
        if tip in self.path(body):
            return True
        link = body
        while link not in chain:
            link = self.parents[link]
        return self.rigid_to(body, link)

    def _depth(self, body: int) -> int:
        """The most hinges on a way down from a body, its own included."""
        return len(self._arm[body]) + max(map(self._depth, self.children[body]), default=0)

    def tips(self, body: int, before: int = 0) -> list[int]:
        """Where arms below a body end: where no hinge follows, or where a hand forks."""
        before += len(self._arm[body])
        moving = [child for child in self.children[body] if self._depth(child)]
        forks = len(moving) > 1 and before >= FEWEST_BEFORE_HAND
        if not moving or (forks and max(map(self._depth, moving)) <= before):
            return [body] if before else []
        return [tip for child in moving for tip in self.tips(child, before)]

    def listed_tips(self) -> str:
        tips = sorted(self.tips(0), key=lambda tip: -len(self.arm_joints(tip)))
        return ", ".join(f"{self.names[t]} ({len(self.arm_joints(t))} joints)" for t in tips[:8])
