"""Robots from URDF and MJCF files as they are, against MuJoCo and the URDF specification."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from armsight.errors import ArmsightError, MissingExtraError
from armsight.robots import Robot, load_robot
from armsight.robots.description.model_file import package_file
from armsight.robots.description.surface import box
from armsight.robots.surface_mesh import SurfaceMesh
from tests.robot_oracles import urdf_frames

mujoco = pytest.importorskip("mujoco")
pytest.importorskip("fast_simplification")

DATA, SUITE = "share/example-robot-data/robots", "models/assets/robots"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def packaged(package: str, relative: str) -> Path:
    try:
        return package_file(package, relative, "pip install it")
    except MissingExtraError as error:
        pytest.skip(str(error))


URDFS = {
    "ur_description/urdf/ur5_robot.urdf": (6, "base_link", 7),
    "xarm_description/urdf/xarm7.urdf": (7, "link_base", 8),
    "so_arm_description/urdf/so100.urdf": (5, "base", 7),
    "panda_description/urdf/panda.urdf": (7, "panda_link0", 11),
    "baxter_description/urdf/baxter.urdf#left_wrist": (7, "base", None),
}
"""Number of joints, the base, and how many links have a shape."""


@pytest.mark.parametrize("name", URDFS)
def test_urdfs_as_their_makers_publish_them(name: str) -> None:
    count, base, shaped = URDFS[name]
    file, _, tip = name.partition("#")
    path = packaged("cmeel.prefix", f"{DATA}/{file}")
    robot = load_robot(f"{path}#{tip}" if tip else path)
    assert (len(robot.joint_names), robot.link_names[0]) == (count, base)
    assert shaped is None or len(robot.link_shapes()) == shaped
    for q in np.random.default_rng(0).uniform(-20, 20, (5, count)):
        expected = urdf_frames(path, dict(zip(robot.joint_names, q, strict=True)))
        T = np.linalg.inv(expected[base])
        for link, frame in zip(robot.link_names, robot.forward_kinematics(q), strict=True):
            np.testing.assert_allclose(frame, T @ expected[link], atol=1e-9)


MJCFS = {"ur5e": 6, "kinova3": 7, "jaco": 7, "sawyer": 7, "iiwa": 7, "panda": 7}


@pytest.mark.parametrize("name", MJCFS)
def test_mjcfs_as_their_makers_publish_them(name: str) -> None:
    path = packaged("robosuite", f"{SUITE}/{name}/robot.xml")
    robot, spec = load_robot(path), mujoco.MjSpec.from_file(str(path))
    for mesh in spec.meshes:  # Sawyer's head encloses no volume
        mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
    model = spec.compile()
    assert len(robot.joint_names) == MJCFS[name]
    # These files forget to say that their angles are radians.
    assert any("read as radians" in note for note in robot.notes)
    assert np.ptp(robot.joint_limits, axis=1).min() > 1
    data = mujoco.MjData(model)
    for q in np.random.default_rng(0).uniform(-20, 20, (5, len(robot.joint_names))):
        for joint, angle in zip(robot.joint_names, q, strict=True):
            data.joint(joint).qpos[0] = angle
        mujoco.mj_kinematics(model, data)
        base = data.body(robot.link_names[0])
        for link, frame in zip(robot.link_names, robot.forward_kinematics(q), strict=True):
            R = base.xmat.reshape(3, 3)
            np.testing.assert_allclose(
                frame[:3, 3], R.T @ (data.body(link).xpos - base.xpos), atol=1e-9
            )
            np.testing.assert_allclose(
                frame[:3, :3], R.T @ data.body(link).xmat.reshape(3, 3), atol=1e-9
            )


def write_stl(path: Path, half_sizes: tuple[float, float, float] = (0.03, 0.04, 0.1)) -> None:
    vertices, faces = box(np.array(half_sizes))
    corners = vertices[faces].reshape(-1, 9)
    rows = b"".join(struct.pack("<12fH", 0, 0, 0, *row, 0) for row in corners)
    path.write_bytes(b" " * 80 + struct.pack("<I", len(faces)) + rows)


COLLADA = """<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
<asset><unit name="millimeter" meter="0.001"/><up_axis>Z_UP</up_axis></asset>
<library_geometries><geometry id="g"><mesh>
<source id="p"><float_array id="a" count="12">0 0 0 100 0 0 0 200 0 0 0 300</float_array>
<technique_common><accessor source="#a" count="4" stride="3"><param name="X" type="float"/>
<param name="Y" type="float"/><param name="Z" type="float"/></accessor></technique_common></source>
<vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
<triangles count="4"><input semantic="VERTEX" source="#v" offset="0"/>
<p>0 2 1 0 1 3 0 3 2 1 2 3</p></triangles></mesh></geometry></library_geometries>
<library_visual_scenes><visual_scene id="s"><node><instance_geometry url="#g"/></node>
</visual_scene></library_visual_scenes><scene><instance_visual_scene url="#s"/></scene></COLLADA>"""


def write_urdf(
    folder: Path, *, mesh: str = "link.stl", limit: str = '<limit lower="-2" upper="2"/>',
    shape: str = "visual", more: str = "", name: str = "mine",
) -> Path:  # fmt: skip
    """A chain of four links and three hinges."""
    folder.mkdir(exist_ok=True)
    write_stl(folder / "link.stl")
    (folder / "link.dae").write_text(COLLADA)
    drawn = f'<{shape}><geometry><mesh filename="{mesh}"/></geometry></{shape}>'
    links = "".join(f'<link name="l{i}">{drawn}</link>' for i in range(4))
    joints = "".join(
        f'<joint name="j{i}" type="revolute"><parent link="l{i}"/><child link="l{i + 1}"/>'
        f'<origin xyz="0 0.1 0.2"/><axis xyz="{"0 0 1" if i % 2 else "1 0 0"}"/>{limit}</joint>'
        for i in range(3)
    )
    path = folder / "arm.urdf"
    path.write_text(f'<robot name="{name}">{links}{joints}{more}</robot>')
    return path


def finger(kind: str, name: str, parent: str = "l3", extra: str = "") -> str:
    return (
        f'<link name="{name}_link"><visual><geometry><mesh filename="link.stl"/></geometry>'
        f'</visual></link><joint name="{name}" type="{kind}"><parent link="{parent}"/>'
        f'<child link="{name}_link"/><axis xyz="1 0 0"/><limit lower="0" upper="1"/>{extra}</joint>'
    )


def test_a_plain_urdf(tmp_path: Path) -> None:
    robot = load_robot(write_urdf(tmp_path / "a"))
    assert robot.joint_names == ("j0", "j1", "j2")
    assert robot.link_names == ("l0", "l1", "l2", "l3")
    np.testing.assert_array_equal(robot.joint_limits, [[-2, 2]] * 3)
    assert set(robot.link_shapes()) == {"l0", "l1", "l2", "l3"}


def test_collada_meshes_come_in_their_own_unit(tmp_path: Path) -> None:
    pytest.importorskip("trimesh")
    pytest.importorskip("collada")
    robot = load_robot(write_urdf(tmp_path / "a", mesh="link.dae"))
    for vertices, _ in robot.link_shapes().values():
        np.testing.assert_allclose(np.ptp(vertices, axis=0), [0.1, 0.2, 0.3], atol=1e-6)


@pytest.mark.parametrize("kind", ["prismatic", "revolute"])
def test_hands_have_shapes_and_are_no_joints(kind: str, tmp_path: Path) -> None:
    mimic = '<mimic joint="left"/>'
    more = finger(kind, "left_finger") + finger(kind, "right_one", extra=mimic)
    robot = load_robot(write_urdf(tmp_path / "a", more=more))
    assert robot.joint_names == ("j0", "j1", "j2")
    assert {"left_finger_link", "right_one_link"} <= set(robot.link_shapes())
    on_fingers = {robot.link_names[k] for k in robot.keypoint_links}
    assert not on_fingers & {"left_finger_link", "right_one_link"}


def test_two_robots_of_one_name_are_not_confused(tmp_path: Path) -> None:
    one = load_robot(write_urdf(tmp_path / "a"))
    path = write_urdf(tmp_path / "b")
    write_stl(tmp_path / "b" / "link.stl", (0.05, 0.05, 0.3))
    other = load_robot(path)
    assert one.name == other.name
    assert np.abs(SurfaceMesh.of(one).vertices).max() == pytest.approx(0.1)
    assert np.abs(SurfaceMesh.of(other).vertices).max() == pytest.approx(0.3)


def test_a_changed_mesh_is_read_again_and_an_unchanged_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_urdf(tmp_path / "a")
    first = load_robot(path)
    monkeypatch.setattr(mujoco, "MjSpec", None)  # what is in the cache needs no MuJoCo
    assert load_robot(path) is first
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    mesh = tmp_path / "a" / "link.stl"
    write_stl(mesh, (0.05, 0.05, 0.3))
    os.utime(mesh, (2e9, 2e9))  # MuJoCo keeps meshes by name and second
    assert np.abs(load_robot(path).link_shapes()["l1"][0]).max() == pytest.approx(0.3)


NOTED = {
    "without limits.*j0, j1, j2": {"limit": '<limit effort="1"/>'},
    "more than one turn.*j0, j1, j2": {"limit": '<limit lower="-6.2" upper="6.2"/>'},
    r"look like degrees \(up to 170\)": {"limit": '<limit lower="-90" upper="170"/>'},
    "no visual shapes: its collision shapes are used": {"shape": "collision"},
    "convex, as shapes for collisions are": {},
}


@pytest.mark.parametrize("note", NOTED)
def test_what_is_odd_is_noted(note: str, tmp_path: Path) -> None:
    robot: Robot = load_robot(write_urdf(tmp_path / "a", **NOTED[note]))
    assert re.search(note, "\n".join(robot.notes))
    assert np.abs(robot.joint_limits).max() <= np.pi + 1e-9


def test_primitives_are_noted(tmp_path: Path) -> None:
    path = write_urdf(tmp_path / "a")
    path.write_text(path.read_text().replace('<mesh filename="link.stl"/>', '<box size="1 1 1"/>'))
    assert any("boxes, cylinders or balls" in note for note in load_robot(path).notes)


def second_arm(joints: int = 3) -> str:
    return "".join(
        f'<link name="r{i}"/><joint name="k{i}" type="revolute"><parent link="'
        f'{f"r{i - 1}" if i else "l0"}"/><child link="r{i}"/><axis xyz="0 0 1"/>'
        '<limit lower="-1" upper="1"/></joint>'
        for i in range(joints)
    )


def test_of_two_arms_one_is_chosen_by_its_tip(tmp_path: Path) -> None:
    path = write_urdf(tmp_path / "a", more=second_arm())
    with pytest.raises(ArmsightError, match=r"2 arms, which end at l3 \(3 .*, r2 .*FILE#l3"):
        load_robot(path)
    assert load_robot(f"{path}#r2").joint_names == ("k0", "k1", "k2")
    assert load_robot(f"{path}#l1:l3").joint_names == ("j1", "j2")
    with pytest.raises(ArmsightError, match="has no link 'nowhere'; it has world, l0"):
        load_robot(f"{path}#nowhere")


WRONG = {
    "mesh package://gone/a.stl, which is not there; tried .*/a/gone/a.stl.*ROS_PACKAGE_PATH": {
        "mesh": "package://gone/a.stl",
    },
    "mesh lost.stl, which is not there": {"mesh": "lost.stl"},
    "mesh .*short.stl is broken: its header says 12 triangles, and the file has 300 bytes": {
        "mesh": "short.stl",
    },
    "mesh .*empty.obj is broken: it has no faces": {"mesh": "empty.obj"},
    "mesh .*bad.dae is broken": {"mesh": "bad.dae"},
    "mesh .*link.step is of a format that cannot be read; give it as one of .stl": {
        "mesh": "link.step",
    },
}


@pytest.mark.parametrize("message", WRONG)
def test_meshes_that_cannot_be_used_are_named(message: str, tmp_path: Path) -> None:
    pytest.importorskip("collada")
    path = write_urdf(tmp_path / "a", **WRONG[message])
    (path.parent / "short.stl").write_bytes((path.parent / "link.stl").read_bytes()[:300])
    (path.parent / "empty.obj").write_text("v 0 0 0\n")
    (path.parent / "bad.dae").write_text("<COLLADA")
    (path.parent / "link.step").write_text("ISO-10303-21;")
    with pytest.raises(ArmsightError, match=message):
        load_robot(path)


def test_what_arms_do_not_need_is_not_read(tmp_path: Path) -> None:
    """Comments of xacro, and inertias that no body can have."""
    path = write_urdf(tmp_path / "a")
    impossible = '<inertial><mass value="-1"/><inertia ixx="-1" iyy="0" izz="1"/></inertial>'
    text = path.read_text().replace('<link name="l1">', f'<link name="l1">{impossible}')
    text = text.replace('<robot name="mine">', '<robot name="mine" xmlns:xacro="x"><!-- ${a} -->')
    path.write_text(text)
    assert load_robot(path).joint_names == ("j0", "j1", "j2")
    path.write_text(text.replace("0 0.1 0.2", "0 ${a} 0.2"))
    with pytest.raises(ArmsightError, match="is a xacro file; expand it: xacro arm.urdf >"):
        load_robot(path)


MJCF = """<mujoco model="duo"><worldbody>{}</worldbody></mujoco>"""
SIDE = """<body name="{0}/base"><geom type="box" size=".1 .1 .1"/>
<body name="{0}/upper" pos="0 0 .2"><joint name="{0}/lift" axis="0 1 0" range="-90 45"/>
<geom type="capsule" size=".05 .1"/><body name="{0}/fore" pos="0 0 .3">
<joint name="{0}/bend" axis="0 1 0" range="-90 120"/>
<geom type="capsule" size=".04 .1"/></body></body></body>"""


def test_one_of_two_arms_in_an_mjcf_whose_names_have_prefixes(tmp_path: Path) -> None:
    path = tmp_path / "duo.xml"
    path.write_text(MJCF.format(SIDE.format("left") + SIDE.format("right")))
    with pytest.raises(ArmsightError, match="2 arms, which end at left/fore"):
        load_robot(path)
    robot = load_robot(f"{path}#right/fore")
    assert robot.joint_names == ("right/lift", "right/bend")
    assert set(robot.link_shapes()) == {"right/base", "right/upper", "right/fore"}
    np.testing.assert_allclose(robot.joint_limits, np.radians([[-90, 45], [-90, 120]]), atol=1e-6)
    path.write_text("<mujocoinclude/>")
    with pytest.raises(ArmsightError, match="give the file that includes it"):
        load_robot(path)


def test_files_that_are_no_arms(tmp_path: Path) -> None:
    with pytest.raises(ArmsightError, match=r"cannot read .*nothing\.urdf"):
        load_robot(tmp_path / "nothing.urdf")
    (tmp_path / "text.urdf").write_text("hello")
    with pytest.raises(ArmsightError, match="is no URDF: it has no <robot> element"):
        load_robot(tmp_path / "text.urdf")
    (tmp_path / "arm.urdf.xacro").write_text("<robot/>")
    with pytest.raises(ArmsightError, match="xacro"):
        load_robot(tmp_path / "arm.urdf.xacro")
    path = write_urdf(tmp_path / "a")
    path.write_text(path.read_text().replace("visual>", "nothing>"))
    with pytest.raises(ArmsightError, match="has no shapes to draw"):
        load_robot(path)
    path.write_text(write_urdf(tmp_path / "a").read_text().replace("revolute", "prismatic"))
    with pytest.raises(ArmsightError, match=r"no chain of two or more hinge joints.*j0, j1, j2"):
        load_robot(path)
