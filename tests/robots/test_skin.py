"""The joined mesh against counting by hand."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from armsight.robots import load_robot
from armsight.robots.skin import CREASE, Skin

ROBOT = load_robot("panda")


def test_no_edge_joins_two_links() -> None:
    skin = Skin.of(ROBOT)
    assert (skin.links[skin.edges[:, 0]] == skin.links[skin.edges[:, 1]]).all()
    assert Skin.of(ROBOT) is skin


def test_creases_are_where_two_faces_meet_at_an_angle() -> None:
    skin = Skin.of(ROBOT)
    owners = defaultdict(list)
    for face, corners in enumerate(skin.faces.tolist()):
        for a, b in ((0, 1), (1, 2), (2, 0)):
            owners[min(corners[a], corners[b]), max(corners[a], corners[b])].append(face)
    want = {}
    for edge, faces in owners.items():
        if len(faces) == 2:
            one, other = (np.cross(*np.diff(skin.vertices[skin.faces[f]], axis=0)) for f in faces)
            if np.arctan2(np.linalg.norm(np.cross(one, other)), one @ other) > CREASE:
                want[edge] = sorted(faces)
    edges, faces = skin.creases
    got = {
        (min(edge), max(edge)): sorted(pair)
        for edge, pair in zip(skin.edges[edges].tolist(), faces.tolist(), strict=True)
    }
    assert len(want) > 1000
    assert got == want
