"""URDF files as people have them: packages, paths, formats that MuJoCo does not read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from armsight.errors import ConfigError
from armsight.robots import load_robot
from armsight.robots.description.recipe import make_robot, read_recipe
from tests.made_arms import URDF, WEDGE, write_urdf

pytest.importorskip("mujoco")
MESH = "package://bare_description/meshes/wedge.obj"
STL_HEADER = b" " * 80


def shapes_of(recipe: Path, out: Path) -> dict[str, float]:
    """Link name -> extent [m] of its shape."""
    path, _ = make_robot(read_recipe(recipe), out)
    shapes = load_robot(path).link_shapes()
    return {name: float(np.ptp(vertices, axis=0).max()) for name, (vertices, _) in shapes.items()}


@pytest.mark.parametrize(
    "mesh, block",
    [
        (MESH, {}),
        ("../meshes/wedge.obj", {}),
        ("file://../meshes/wedge.obj", {}),
        ("package://other/wedge.obj", {"package_folders": {"other": "../meshes"}}),
        # A package that was unpacked into a folder of another name.
        ("package://renamed_description/meshes/wedge.obj", {}),
    ],
)
def test_where_meshes_are_looked_for(mesh: str, block: dict[str, object], tmp_path: Path) -> None:
    recipe = write_urdf(tmp_path, URDF.replace(MESH, mesh), simulation=block)
    sizes = shapes_of(recipe, tmp_path)
    assert 0.1 < sizes["first"] < 0.14  # 60 x 80 x 100 mm, turned
    assert set(sizes) == {"base_link", "first", "second", "third"}


def test_files_of_one_name_in_two_folders(tmp_path: Path) -> None:
    """MuJoCo by itself draws the first of them twice."""
    scaled = '<mesh scale="0.001 0.001 0.001" filename="package://bare_description/{}"/>'
    urdf = URDF.replace('<sphere radius="0.04"/>', scaled.format("meshes/long/wedge.obj"))
    urdf = urdf.replace('<cylinder radius="0.03" length="0.2"/>', scaled.format("meshes/wedge.obj"))
    recipe = write_urdf(tmp_path, urdf)
    (tmp_path / "bare_description" / "meshes" / "long").mkdir()
    long = WEDGE.replace("100", "300")
    (tmp_path / "bare_description" / "meshes" / "long" / "wedge.obj").write_text(long)
    sizes = shapes_of(recipe, tmp_path)
    assert sizes["second"] == pytest.approx(0.1, abs=1e-3)
    assert sizes["third"] == pytest.approx(0.3, abs=1e-3)


def test_absolute_paths(tmp_path: Path) -> None:
    mesh = str(tmp_path / "bare_description" / "meshes" / "wedge.obj")
    assert "first" in shapes_of(write_urdf(tmp_path, URDF.replace(MESH, mesh)), tmp_path)


def test_the_robot_file_may_lie_anywhere(tmp_path: Path) -> None:
    recipe = write_urdf(tmp_path)
    there = shapes_of(recipe, tmp_path / "a" / "b")
    robot = load_robot(tmp_path / "a" / "b" / "bare.json")
    assert robot.simulation["model"] == "../../bare_description/urdf/bare.urdf"
    assert there == shapes_of(recipe, tmp_path)


def test_collision_shapes_in_place_of_visual_ones(tmp_path: Path) -> None:
    """Also where the visual meshes are of a format that MuJoCo does not read."""
    urdf = URDF.replace(MESH, "package://bare_description/meshes/wedge.dae").replace(
        "package://bare_description/lost.stl", MESH
    )
    sizes = shapes_of(
        write_urdf(tmp_path, urdf, num_surface_keypoints=4, simulation={"visual_groups": [0]}),
        tmp_path,
    )
    assert set(sizes) == {"base_link"}


@pytest.mark.parametrize(
    "old, new, message",
    [
        (
            "wedge.obj",
            "wedges.obj",
            r"names the mesh .*wedges.obj, which is not there; tried .*package_folders",
        ),
        ("wedge.obj", "wedge.dae", r"the mesh .*wedge.dae is broken"),
        (
            "<robot name",
            '<robot xmlns:xacro="x" b="${a}" name',
            r"is a xacro file; expand it: xacro",
        ),
        ("<robot", "<machine", "is no URDF: it has no <robot> element"),
        ("</link>", "", "MuJoCo cannot read .*bare.urdf"),
        ('type="revolute"', 'type="floating"', "MuJoCo cannot compile .*: free joint"),
        ('type="revolute"', 'type="fixed"', "no joint 'lift' in the model; it has pan, reach"),
    ],
)
def test_urdf_files_that_cannot_be_used(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in URDF
    recipe = read_recipe(write_urdf(tmp_path, URDF.replace(old, new)))
    (tmp_path / "bare_description" / "meshes" / "wedge.dae").write_text("<COLLADA/>")
    with pytest.raises(ConfigError, match=message):
        make_robot(recipe, tmp_path)


def test_a_mesh_that_is_broken(tmp_path: Path) -> None:
    recipe = write_urdf(tmp_path, URDF.replace("wedge.obj", "wedge.stl"))
    stl = tmp_path / "bare_description" / "meshes" / "wedge.stl"
    stl.write_bytes(STL_HEADER + np.int32(12).tobytes())
    with pytest.raises(
        ConfigError,
        match="the mesh .*wedge.stl is broken: its header says 12 triangles, and .* 84 bytes",
    ):
        make_robot(read_recipe(recipe), tmp_path)
