"""The joined mesh against counting by hand."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from armsight.robots import load_robot
from armsight.robots.robot import DATA_FOLDER
from armsight.robots.surface_mesh import CREASE, SurfaceMesh

ROBOT = load_robot("panda")


def test_no_edge_joins_two_links() -> None:
    skin = SurfaceMesh.of(ROBOT)
    assert (skin.links[skin.edges[:, 0]] == skin.links[skin.edges[:, 1]]).all()
    assert SurfaceMesh.of(ROBOT) is skin


def test_creases_are_where_two_faces_meet_at_an_angle() -> None:
    skin = SurfaceMesh.of(ROBOT)
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


def test_faces_that_do_not_share_their_vertices_are_joined(tmp_path: Path) -> None:
    """As in a file of single triangles: without it every edge would be one where the arm ends."""
    (tmp_path / "panda.json").write_text((DATA_FOLDER / "panda.json").read_text())
    apart = {}
    for link, (vertices, faces) in ROBOT.link_shapes().items():
        apart[f"{link}.vertices"] = vertices[faces].reshape(-1, 3)
        apart[f"{link}.faces"] = np.arange(faces.size).reshape(-1, 3)
    np.savez(tmp_path / "panda.npz", **apart)  # type: ignore[arg-type]
    joined, skin = SurfaceMesh.of(load_robot(tmp_path / "panda.json")), SurfaceMesh.of(ROBOT)
    assert len(joined.vertices) == len(skin.vertices)
    assert len(joined.edges) == len(skin.edges)
    assert len(joined.creases[0]) == len(skin.creases[0])
    for a, b in ((joined, skin), (skin, joined)):
        corners = a.vertices[a.faces].sum(1)
        others = b.vertices[b.faces].sum(1)
        assert np.isin(np.round(corners[:, 0], 6), np.round(others[:, 0], 6)).all()
