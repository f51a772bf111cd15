"""Painted robots: a palette texture becomes parts of one colour, wherever the files lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from armsight.errors import DatasetError
from armsight.render.scene import robot_model
from armsight.render.scene.robot_model import part_class, robot_spec

pytest.importorskip("mujoco")

CORNERS = "".join(f"v {x} {y} {z}\n" for x in (0, 1) for y in (0, 1) for z in (0, 1))
NORMALS = "vn -1 0 0\nvn 1 0 0\n"
UV = "vt 0.25 0.5\nvt 0.75 0.5\n"
# Two opposite sides of a cube, painted by the palette's left and by its right half.
PAINTED = CORNERS + UV + NORMALS + (
    "f 1/1/1 2/1/1 4/1/1\nf 1/1/1 4/1/1 3/1/1\nf 5/2/2 7/2/2 8/2/2\nf 5/2/2 8/2/2 6/2/2\n"
)  # fmt: skip
BARE = CORNERS + "f 1 2 4\nf 1 4 3\nf 5 7 8\nf 5 8 6\n"
MODEL = """<mujoco>
 <compiler meshdir="shapes" texturedir="paint"/>
 <asset>
  <texture name="palette" type="2d" file="palette.png"/>
  <material name="painted" texture="palette"/>
  <material name="plain" rgba="0 1 0 1"/>
  <mesh name="cube" file="cube.obj" scale="0.1 0.1 0.1"/>
  <mesh name="bare" file="bare.obj"/>
  <mesh name="flat" file="cube.obj" scale="0.1 0.2 0.1"/>
 </asset>
 <worldbody>
  <body name="a"><geom type="mesh" mesh="cube" material="painted" pos="0 0 1"/></body>
  <body name="twice">
   <geom type="mesh" mesh="cube" material="painted"/>
   <geom type="mesh" mesh="cube" material="painted" pos="0 0 0.5"/>
  </body>
  <body name="turned"><geom type="mesh" mesh="cube" material="painted" euler="0 0 90"/></body>
  <body name="b"><geom type="mesh" mesh="cube" material="plain"/></body>
  <body name="c"><geom type="mesh" mesh="bare" rgba="0.2 0.4 0.6 1"/></body>
  <body name="d"><geom type="mesh" mesh="flat" material="painted"/></body>
 </worldbody>
</mujoco>
"""


def write(folder: Path) -> dict[str, str]:
    for name, text in (("shapes/cube.obj", PAINTED), ("shapes/bare.obj", BARE), ("m.xml", MODEL)):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "paint").mkdir(exist_ok=True)
    palette = np.zeros((8, 8, 3), np.uint8)
    palette[:, :4], palette[:, 4:] = (0, 0, 255), (255, 255, 255)  # BGR: red, white
    cv2.imwrite(str(folder / "paint" / "palette.png"), palette)
    return {"model": "m.xml"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def parts(model: Any, body: str) -> dict[str, tuple[Any, Any]]:
    """Material (or mesh) name -> corner points (low, high) [m] in the body's frame."""
    import mujoco

    result = {}
    for geom in range(model.ngeom):
        if model.body(model.geom_bodyid[geom]).name != body:
            continue
        mesh = model.geom_dataid[geom]
        R = np.zeros(9)
        mujoco.mju_quat2Mat(R, model.geom_quat[geom])
        vertices = model.mesh_vert[model.mesh_vertadr[mesh] :][: model.mesh_vertnum[mesh]]
        points = vertices @ R.reshape(3, 3).T + model.geom_pos[geom]
        material = model.geom_matid[geom]
        name = model.mat(material).name if material >= 0 else model.mesh(mesh).name
        result[name] = (points.min(0), points.max(0))
    return result


def test_painted_meshes_are_cut_where_they_change_colour(tmp_path: Path) -> None:
    model = robot_spec(write(tmp_path), tmp_path).compile()
    found = parts(model, "a")
    assert set(found) == {"cube_red", "cube_white"}
    np.testing.assert_allclose(found["cube_red"], ([0, 0, 1], [0, 0.1, 1.1]), atol=1e-6)
    np.testing.assert_allclose(found["cube_white"], ([0.1, 0, 1], [0.1, 0.1, 1.1]), atol=1e-6)


def test_turned_shapes_stay_turned(tmp_path: Path) -> None:
    found = parts(robot_spec(write(tmp_path), tmp_path).compile(), "turned")
    np.testing.assert_allclose(found["cube_red"], ([-0.1, 0, 0], [0, 0, 0.1]), atol=1e-6)
    np.testing.assert_allclose(found["cube_white"], ([-0.1, 0.1, 0], [0, 0.1, 0.1]), atol=1e-6)


def test_one_mesh_may_be_drawn_twice_on_a_link(tmp_path: Path) -> None:
    model = robot_spec(write(tmp_path), tmp_path).compile()
    bodies = [model.body(i).name for i in model.geom_bodyid]
    assert bodies.count("twice") == 4


def test_unpainted_meshes_keep_their_colour(tmp_path: Path) -> None:
    model = robot_spec(write(tmp_path), tmp_path).compile()
    found = parts(model, "b")
    assert set(found) == {"cube_green"}
    np.testing.assert_allclose(found["cube_green"], ([0, 0, 0], [0.1, 0.1, 0.1]), atol=1e-6)
    np.testing.assert_allclose(model.mat("cube_green").rgba, [0, 1, 0, 1], atol=1e-6)


def test_what_cannot_be_cut_is_left_whole(tmp_path: Path) -> None:
    """Without texture coordinates, or stretched: normals would no longer fit."""
    model = robot_spec(write(tmp_path), tmp_path).compile()
    assert set(parts(model, "c")) == {"bare"}
    bare = next(i for i in range(model.ngeom) if model.body(model.geom_bodyid[i]).name == "c")
    np.testing.assert_allclose(model.geom_rgba[bare], [0.2, 0.4, 0.6, 1], atol=1e-6)
    stretched = parts(model, "d")
    assert set(stretched) == {"painted"}
    np.testing.assert_allclose(stretched["painted"], ([0, 0, 0], [0.1, 0.2, 0.1]), atol=1e-6)


def test_a_missing_palette_is_named(tmp_path: Path) -> None:
    simulation = write(tmp_path)
    (tmp_path / "paint" / "palette.png").unlink()
    with pytest.raises(DatasetError, match=r"cannot read the robot's palette .*palette\.png"):
        robot_spec(simulation, tmp_path)


@pytest.mark.parametrize(
    "rgb, expected",
    [((255, 255, 255), "white"), ((190, 190, 190), "metal"), ((40, 45, 50), "dark"),
     ((200, 20, 20), "red"), ((0, 90, 10), "green"), ((60, 130, 200), "blue")],
)  # fmt: skip
def test_part_classes(rgb: tuple[int, int, int], expected: str) -> None:
    assert part_class(rgb) == expected


def test_heavy_meshes_are_thinned_in_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(robot_model, "USUAL_FACES", 2500)
    y, x = np.divmod(np.arange(60 * 60), 60)
    height = np.sin(x / 20) * np.cos(y / 27)
    corner = (x + 60 * y)[(x < 59) & (y < 59)]
    faces = [(a, a + 1, a + 61) for a in corner] + [(a, a + 61, a + 60) for a in corner]
    lines = [f"v {a / 590} {b / 295} {c / 10}" for a, b, c in zip(x, y, height, strict=True)]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces]
    (tmp_path / "wave.obj").write_text("\n".join(lines))
    (tmp_path / "m.xml").write_text(
        '<mujoco><asset><mesh name="wave" file="wave.obj"/></asset><worldbody><body name="b">'
        '<geom type="mesh" mesh="wave" pos="0 0 1" euler="90 0 0"/></body></worldbody></mujoco>'
    )
    model = robot_spec({"model": "m.xml"}, tmp_path).compile()
    assert model.nmeshface < 0.6 * len(faces)
    # Drawn as (x, -z, y).
    low, high = parts(model, "b")["light/wave"]
    np.testing.assert_allclose(low, [0, -0.1, 1.0], atol=3e-3)
    np.testing.assert_allclose(high, [0.1, -height.min() / 10, 1.2], atol=3e-3)
