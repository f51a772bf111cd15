"""The joined mesh against the drawing of the single links, and against counting by hand."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from armsight.estimate.skin import Projected, Skin
from armsight.robots import load_robot
from armsight.viz.silhouette import silhouette
from tests.estimate.seen_arms import HEIGHT, WIDTH, K, view

ROBOT = load_robot("panda")


def projected(seed: int) -> tuple[Projected, np.ndarray]:
    arm = view(np.random.default_rng(seed))
    T_cam_link = arm.T_cam_base @ ROBOT.forward_kinematics(arm.q)
    mask = silhouette(ROBOT, arm.q, arm.T_cam_base, K, WIDTH, HEIGHT)
    return Projected.of(Skin.of(ROBOT), T_cam_link, K, WIDTH), mask


def test_the_mask_is_the_silhouette() -> None:
    for seed in range(4):
        seen, mask = projected(seed)
        np.testing.assert_array_equal(seen.mask(WIDTH, HEIGHT), mask)


def test_edges_turn_where_one_face_looks_here_and_the_other_away() -> None:
    seen, _ = projected(0)
    skin = seen.skin
    owners = defaultdict(list)
    for face, corners in enumerate(skin.faces):
        for a, b in ((0, 1), (1, 2), (2, 0)):
            owners[tuple(sorted((int(corners[a]), int(corners[b]))))].append(face)
    simple = {edge: faces for edge, faces in owners.items() if len(faces) <= 2}
    want = {
        edge
        for edge, faces in simple.items()
        if sum(bool(seen.facing[f]) for f in faces) == 1 and seen.drawable[list(edge)].all()
    }
    got = {tuple(sorted(map(int, edge))) for edge in seen.turning_edges()}
    assert len(want) > 200
    assert {edge for edge in got if edge in simple} == want


def test_no_edge_joins_two_links() -> None:
    skin = Skin.of(ROBOT)
    assert (skin.links[skin.edges[:, 0]] == skin.links[skin.edges[:, 1]]).all()
    assert Skin.of(ROBOT) is skin
