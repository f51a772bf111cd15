"""Robot data files made from recipes, against MuJoCo itself and against the URDF specification."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from armsight.errors import ConfigError, MissingExtraError
from armsight.geometry import make_transform
from armsight.render.scene.robot_model import robot_spec
from armsight.robots import Robot, load_robot
from armsight.robots.description.model_file import model_path
from armsight.robots.description.recipe import RECIPES, make_robot, read_recipe
from tests.made_arms import ARM, GRIPPER, write_arm, write_urdf
from tests.robot_oracles import (
    distance_to_geom,
    distance_to_triangles,
    origin,
    read_stl,
    turn,
    urdf_frames,
)

mujoco = pytest.importorskip("mujoco")


def made(recipe: Path, out: Path) -> tuple[Robot, list[str]]:
    try:
        path, remarks = make_robot(read_recipe(recipe), out)
    except MissingExtraError as error:
        pytest.skip(str(error))
    return load_robot(path), remarks


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Robot:
    folder = tmp_path_factory.mktemp("hard")
    return made(write_arm(folder), folder / "out")[0]


@pytest.fixture(scope="module")
def hard_oracle(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The hard arm with its gripper written into it by hand, read by MuJoCo alone."""
    folder = tmp_path_factory.mktemp("oracle")
    hand = GRIPPER.split("<worldbody>")[1].split("</worldbody>")[0]
    flange = '<body name="flange" pos="0 0 0.16" quat="0.6 0 0.8 0"/>'
    assert flange in ARM
    whole = ARM.replace(
        flange,
        flange[:-2] + f'><frame pos="0 0.01 0.02" quat="0.6 0 0 0.8">{hand}</frame></body>',
    )
    # Left to itself, MuJoCo refuses links without mass and meshes that enclose nothing.
    whole = whole.replace("<compiler ", '<compiler boundmass="1e-6" boundinertia="1e-9" ')
    write_arm(folder, whole.replace("<mesh ", '<mesh inertia="shell" '))
    return mujoco.MjModel.from_xml_path(str(folder / "model" / "arm.xml"))


def posed(model: Any, robot: Robot, q: Any) -> Any:
    data = mujoco.MjData(model)
    data.qpos[:] = 0
    for name, angle in zip(robot.joint_names, q, strict=True):
        data.joint(name).qpos[:] = angle
    mujoco.mj_kinematics(model, data)
    return data


def frame_of(data: Any, body: str) -> Any:
    return make_transform(data.body(body).xmat.reshape(3, 3), data.body(body).xpos)


def random_poses(robot: Robot, count: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    return rng.uniform(*robot.joint_limits.T, (count, len(robot.joint_names)))


def test_kinematics_of_a_turned_moved_and_railed_arm(hard: Robot, hard_oracle: Any) -> None:
    for q in random_poses(hard, 20):
        data = posed(hard_oracle, hard, q)
        T_base_world = np.linalg.inv(frame_of(data, "base"))
        for name, frame in zip(hard.link_names, hard.forward_kinematics(q), strict=True):
            np.testing.assert_allclose(T_base_world @ frame_of(data, name), frame, atol=1e-9)


def test_the_drawn_arm_stands_at_the_origin_of_its_base(hard: Robot) -> None:
    model = robot_spec(hard.simulation, hard.folder).compile()
    short = {model.body(i).name.rpartition("/")[2]: i for i in range(model.nbody)}
    for q in random_poses(hard, 5):
        data = posed(model, hard, q)
        drawn = [data.xpos[short[name]] for name in hard.link_names]
        np.testing.assert_allclose(drawn, hard.forward_kinematics(q)[:, :3, 3], atol=1e-9)


def test_surface_keypoints_lie_on_visible_shapes(hard: Robot, hard_oracle: Any) -> None:
    m, q = hard_oracle, random_poses(hard, 1)[0]
    data = posed(m, hard, q)
    points = hard.keypoints(q)
    T = frame_of(data, "base")
    used = set()
    for k in range(hard.num_origin_keypoints, len(points)):
        link = hard.link_names[hard.keypoint_links[k]]
        world = T[:3, :3] @ points[k] + T[:3, 3]
        geoms = [
            g for g in range(m.ngeom)
            if m.body(m.geom_bodyid[g]).name == link and m.geom_group[g] != 3
        ]  # fmt: skip
        distances = [distance_to_geom(m, data, g, world) for g in geoms]
        assert min(distances) < 5e-4, hard.keypoint_names[k]
        used.add(int(m.geom_type[geoms[int(np.argmin(distances))]]))
    assert len(hard.keypoint_names) - hard.num_origin_keypoints == 20
    # Sphere, capsule, ellipsoid or cylinder, box, mesh: not one kind stands for all.
    assert len(used) >= 5


def test_what_a_user_is_told(tmp_path: Path) -> None:
    _, remarks = made(write_arm(tmp_path), tmp_path)
    assert "joint slide is not listed and counts as fixed at zero" in remarks
    assert any("without surface keypoints: rail, flange" in remark for remark in remarks)
    limits = {"bend": [-4.0, 4.0]}
    robot, remarks = made(write_arm(tmp_path, joint_limits=limits), tmp_path)
    assert robot.joint_limits[1].tolist() == [-4.0, 4.0]
    assert any("bend turns by 458 degrees" in remark for remark in remarks)


def test_a_joint_without_limits_turns_all_the_way(hard: Robot) -> None:
    np.testing.assert_allclose(hard.joint_limits[1], [-np.pi, np.pi])


def test_outline_meshes_cover_the_visible_shapes(hard: Robot) -> None:
    shapes = hard.link_shapes()
    assert set(shapes) == {"base", "shoulder", "upper", "wrist", "hand"}
    low, high = shapes["wrist"][0].min(0), shapes["wrist"][0].max(0)
    np.testing.assert_allclose(low, [-0.05, -0.05, 0.05], atol=0.008)
    np.testing.assert_allclose(high, [0.05, 0.05, 0.15], atol=0.008)


def test_a_urdf_with_packages_millimetres_and_collision_shapes(tmp_path: Path) -> None:
    robot, remarks = made(write_urdf(tmp_path), tmp_path / "elsewhere")
    path = tmp_path / "bare_description" / "urdf" / "bare.urdf"
    for q in random_poses(robot, 10):
        expected = urdf_frames(path, dict(zip(robot.joint_names, q, strict=True)))
        for name, frame in zip(robot.link_names, robot.forward_kinematics(q), strict=True):
            np.testing.assert_allclose(frame, expected[name], atol=1e-9)
    vertices = robot.link_shapes()["first"][0]
    corner = turn([0, 0, 1], 0.3) @ turn([0, 1, 0], 0.2) @ turn([1, 0, 0], 0.1) @ [0.06, 0, 0, 0]
    distances = np.linalg.norm(vertices - (corner[:3] + [0, 0, 0.1]), axis=1)
    assert distances.min() < 0.008
    assert "joint reach is not listed and counts as fixed at zero" in remarks
    assert robot_spec(robot.simulation, robot.folder).compile().ngeom == 4


@pytest.mark.parametrize("name", ["xarm7", "so101", "ur5e", "iiwa7"])
def test_kinematics_of_other_makers_arms(name: str, tmp_path: Path) -> None:
    robot, _ = made(RECIPES / f"{name}.json", tmp_path)
    path = model_path(robot.simulation, robot.folder)
    raw = mujoco.MjModel.from_xml_path(str(path)) if path.suffix == ".xml" else None
    for q in random_poses(robot, 20):
        if raw is None:
            expected = urdf_frames(path, dict(zip(robot.joint_names, q, strict=True)))
        else:
            data = posed(raw, robot, q)
            expected = {link: frame_of(data, link) for link in robot.link_names}
        T = np.linalg.inv(expected[robot.link_names[0]])
        for link, frame in zip(robot.link_names, robot.forward_kinematics(q), strict=True):
            np.testing.assert_allclose(frame, T @ expected[link], atol=1e-9)


def test_keypoints_of_xarm7_lie_on_its_stl_files(tmp_path: Path) -> None:
    import xml.etree.ElementTree as ET

    robot, _ = made(RECIPES / "xarm7.json", tmp_path)
    path = model_path(robot.simulation, robot.folder)
    links = {link.get("name"): link for link in ET.parse(path).getroot().findall("link")}
    checked = 0
    for k in range(robot.num_origin_keypoints, len(robot.keypoint_names)):
        visual: Any = links[robot.link_names[robot.keypoint_links[k]]].find("visual")
        file = visual.find("geometry/mesh").get("filename").split("xarm_description/")[1]
        T = np.linalg.inv(origin(visual))
        point = T[:3, :3] @ robot.keypoint_positions[k] + T[:3, 3]
        assert distance_to_triangles(point, read_stl(path.parents[1] / file)) < 1e-4
        checked += 1
    assert checked == 24


def test_seed_and_count_of_surface_keypoints(tmp_path: Path) -> None:
    first, _ = made(write_arm(tmp_path), tmp_path / "a")
    again, _ = made(write_arm(tmp_path), tmp_path / "b")
    other, _ = made(write_arm(tmp_path, seed=1, num_surface_keypoints=31), tmp_path / "c")
    none, _ = made(write_arm(tmp_path, num_surface_keypoints=0), tmp_path / "d")
    np.testing.assert_array_equal(first.keypoint_positions, again.keypoint_positions)
    assert len(other.keypoint_names) == 5 + 31
    assert not np.isin(other.keypoint_positions[5:], first.keypoint_positions[5:]).all()
    assert none.keypoint_names == ("base", "shoulder", "upper", "wrist", "hand")
    # Spread out: the points of a link are not one heap.
    on_upper = other.keypoint_positions[(other.keypoint_links == 3).nonzero()[0]][1:]
    gaps = np.linalg.norm(on_upper[:, None] - on_upper[None], axis=2)
    assert gaps[~np.eye(len(gaps), dtype=bool)].min() > 0.03


WRONG_RECIPES = {
    "slides, and a state holds angles only": {
        "joints": ["turn", "slide", "twist"], "ready_positions": [0, 0.01, 0],
    },
    "no joint 'bent' in the model; it has turn, slide, bend": {"joints": ["turn", "bent", "twist"]},
    "no link 'hands' in the model; it has world, mount": {"origin_links": ["base", "hands"]},
    "joint 'twist' is not between the base and the last .* there are turn, slide, bend": {
        "origin_links": ["base", "upper"],
    },
    "does not hang on 'upper'": {"origin_links": ["upper", "base"]},
    "3 surface keypoints are fewer than 2 for each of the 5 links.* ask for 10": {
        "num_surface_keypoints": 3,
    },
    "no link has a shape .*`visual_groups`": {"simulation": {"visual_groups": [1]}},
    "no robot can be made of this: joint 'twist': ready 3": {"ready_positions": [0, 0, 3]},
    "'arm' is no body": {"simulation": {"base": "arm"}},
    "attaches model/gripper.xml to 'tip'.* bodies: .*flange": {
        "simulation": {"attach": [{"model": "model/gripper.xml", "to": "tip"}]},
    },
    "no gripper joint 'shut' in the model; it has .*close": {
        "simulation": {"gripper_joints": ["shut"]},
    },
    "there is no model file .*nowhere.xml": {"simulation": {"model": "nowhere.xml"}},
    "must end in .xml .MJCF. or .urdf": {"simulation": {"model": "hard.recipe.json"}},
    "cannot read .*wedge.urdf|is no URDF": {"simulation": {"model": "model/wedge.urdf"}},
}  # fmt: skip


@pytest.mark.parametrize("message", WRONG_RECIPES)
def test_recipes_that_do_not_fit_the_model(message: str, tmp_path: Path) -> None:
    recipe = write_arm(tmp_path, **WRONG_RECIPES[message])
    (tmp_path / "model" / "wedge.urdf").write_text("<mujoco/>")
    with pytest.raises(ConfigError, match=message):
        make_robot(read_recipe(recipe), tmp_path / "out")
    assert not (tmp_path / "out").exists()


WRONG_MODELS = {
    "cannot read .*arm.xml": ("<mujoco", "<mujoca"),
    "joint 'bend' turns about .*0.1.* in the frame of its link 'upper'": (
        'name="bend"', 'name="bend" pos="0 0 0.1"',
    ),
    "link 'shoulder' has several joints": (
        '<joint name="turn"', '<joint name="tilt" axis="1 0 0" ref="0.1"/><joint name="turn"',
    ),
    "2 links called 'hand'": ('name="rail"', 'name="hand"'),
}  # fmt: skip


@pytest.mark.parametrize("message", WRONG_MODELS)
def test_models_that_cannot_be_used(message: str, tmp_path: Path) -> None:
    old, new = WRONG_MODELS[message]
    assert old in ARM
    recipe = read_recipe(write_arm(tmp_path, ARM.replace(old, new)))
    with pytest.raises(ConfigError, match=message):
        make_robot(recipe, tmp_path / "out")


def test_package_that_is_not_installed(tmp_path: Path) -> None:
    block = {"package": "no_such_package", "install": "pip install it==1"}
    recipe = read_recipe(write_arm(tmp_path, simulation=block))
    with pytest.raises(MissingExtraError, match="no_such_package.*pip install it==1"):
        make_robot(recipe, tmp_path)


def test_a_model_inside_of_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_arm(tmp_path / "site" / "maker" / "data")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    block = {"package": "maker.data", "install": "pip install maker"}
    robot, _ = made(write_arm(tmp_path, simulation=block), tmp_path / "out")
    assert robot.simulation["package"] == "maker.data"
    assert robot.simulation["model"] == "model/arm.xml"
    assert robot_spec(robot.simulation, robot.folder).compile().nbody > 5
