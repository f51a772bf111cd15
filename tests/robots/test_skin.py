"""The joined mesh against OpenCV's drawing of its single faces, and against counting by hand."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from armsight.robots import load_robot
from armsight.robots.robot import DATA_FOLDER
from armsight.robots.skin import Projected, Skin
from tests.estimate.seen_arms import HEIGHT, WIDTH, K, view

ROBOT = load_robot("panda")
SHIFT = 4


def projected(seed: int, closer: float = 0.0) -> Projected:
    arm = view(np.random.default_rng(seed))
    T = arm.T_cam_base.copy()
    T[2, 3] -= closer
    return Projected.of(Skin.of(ROBOT), T @ ROBOT.forward_kinematics(arm.q), K, WIDTH)


def filled(seen: Projected) -> NDArray[np.uint8]:
    """OpenCV fills every pixel that a face touches, be it by a corner."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    corners = np.round(seen.pixels[seen.skin.faces[seen.facing]] * (1 << SHIFT))
    for triangle in corners.astype(np.int32):
        cv2.fillConvexPoly(mask, triangle, (255,), cv2.LINE_8, SHIFT)
    return mask


@pytest.mark.parametrize("closer", [0.0, 0.5])
def test_the_mask_is_all_faces_drawn_over_each_other(closer: float) -> None:
    for seed in range(4):
        seen = projected(seed, closer)
        mask, touched = seen.mask(WIDTH, HEIGHT), filled(seen)
        assert set(np.unique(mask)) == {0, 255}
        assert not (mask[touched == 0]).any()
        around = cv2.dilate(mask, np.ones((3, 3), np.uint8))
        assert (touched[1:-1, 1:-1] > around[1:-1, 1:-1]).sum() <= 8
        assert (mask != touched).mean() < 0.01


def test_out_of_view_there_is_no_mask() -> None:
    assert not projected(0, closer=9.0).mask(WIDTH, HEIGHT).any()


def test_edges_turn_where_one_face_looks_here_and_the_other_away() -> None:
    seen = projected(0)
    owners = defaultdict(list)
    for face, corners in enumerate(seen.skin.faces):
        for a, b in ((0, 1), (1, 2), (2, 0)):
            owners[tuple(sorted((int(corners[a]), int(corners[b]))))].append(face)
    simple = {edge: faces for edge, faces in owners.items() if len(faces) <= 2}
    want = {edge for edge, faces in simple.items() if sum(bool(seen.facing[f]) for f in faces) == 1}
    got = {tuple(sorted(map(int, edge))) for edge in seen.turning[0]}
    assert len(want) > 200
    assert {edge for edge in got if edge in simple} == want


def test_no_edge_joins_two_links() -> None:
    skin = Skin.of(ROBOT)
    assert (skin.links[skin.edges[:, 0]] == skin.links[skin.edges[:, 1]]).all()
    assert Skin.of(ROBOT) is skin


def test_a_robot_without_shapes_has_an_empty_mask(tmp_path: Path) -> None:
    (tmp_path / "panda.json").write_text((DATA_FOLDER / "panda.json").read_text())
    np.savez(tmp_path / "panda.npz")
    bare = load_robot(tmp_path / "panda.json")
    links = np.eye(4) + np.zeros((len(bare.link_names), 4, 4))
    seen = Projected.of(Skin.of(bare), links, K, WIDTH)
    assert not seen.mask(WIDTH, HEIGHT).any()
    assert len(seen.turning[0]) == 0
