"""The robots' data files are what `armsight make-robot` makes of the recipes that come along."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from armsight.errors import MissingExtraError
from armsight.robots import available_robots, load_robot
from armsight.robots.description.link_tree import LinkTree
from armsight.robots.description.model_file import assembled_spec
from armsight.robots.description.recipe import available_recipes, make_robot, read_recipe
from armsight.robots.description.robot_file import OUTLINE_FACES
from armsight.robots.description.surface import sample_surface
from armsight.robots.robot import DATA_FOLDER
from tests.robot_oracles import distance_to_triangles

ROBOTS = available_robots()


@pytest.fixture(scope="module", params=ROBOTS)
def again(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data file that was made from a robot's recipe just now."""
    pytest.importorskip("fast_simplification")
    try:
        return make_robot(read_recipe(request.param), tmp_path_factory.mktemp("made"))[0]
    except MissingExtraError as error:
        pytest.skip(str(error))


def test_each_robot_has_a_recipe() -> None:
    assert available_recipes() == ROBOTS
    assert set(ROBOTS) == {"iiwa7", "panda", "so101", "ur5e", "xarm7"}


def test_the_recipe_makes_the_file_that_comes_along(again: Path) -> None:
    made, ours = (json.loads((f / again.name).read_text()) for f in (again.parent, DATA_FOLDER))
    # Weights are trained for these very points.
    assert made["keypoints"] == ours["keypoints"]
    assert made == ours


def test_the_outline_meshes_are_the_same_shapes(again: Path) -> None:
    made, ours = load_robot(again).link_shapes(), load_robot(again.stem).link_shapes()
    assert set(made) == set(ours)
    for name, (vertices, _) in ours.items():
        for bound in (np.min, np.max):
            np.testing.assert_allclose(
                bound(made[name][0], axis=0), bound(vertices, axis=0), atol=0.002
            )
        assert len(made[name][1]) < 3 * OUTLINE_FACES


@pytest.mark.parametrize("name", ROBOTS)
def test_the_outline_meshes_are_true_to_the_makers_own(name: str) -> None:
    """Within half a millimetre in the mean, and not thinner: a thin outline makes arms look far."""
    pytest.importorskip("mujoco")
    recipe = read_recipe(name)
    try:
        model = assembled_spec(recipe.simulation, recipe.folder).compile()
    except MissingExtraError as error:
        pytest.skip(str(error))
    tree = LinkTree(model, recipe.joints, recipe.origin_links)
    rng = np.random.default_rng(0)
    off, added, thinner = [], [], []
    for link, (vertices, faces) in load_robot(name).link_shapes().items():
        own = tree.mesh(link)
        for point in sample_surface(*own, 25, rng):
            off.append(distance_to_triangles(point, vertices[faces]))
        for point in sample_surface(vertices, faces, 10, rng):
            added.append(distance_to_triangles(point, own[0][own[1]].astype(float)))
        thinner.append(np.ptp(own[0], axis=0) - np.ptp(vertices, axis=0))
    assert np.mean(off) < 0.0005
    assert np.quantile(off, 0.95) < 0.0015
    assert np.mean(added) < 0.0005
    assert np.quantile(added, 0.95) < 0.0015
    assert abs(np.mean(thinner)) < 0.0006


MAKERS_FLANGES = {
    "panda": ("panda_hand", (0.088, 0, 0.333 + 0.316 + 0.384 - 0.107)),
    "ur5e": ("right_hand", (0.425 + 0.3922, 0.1333 + 0.0996, 0.1625 - 0.0997)),
    "xarm7": ("link7", (0.0525 + 0.0775 + 0.076, 0, 0.267 + 0.293 - 0.3425 - 0.097)),
    "iiwa7": ("right_hand", (0, 0, 0.34 + 0.4 + 0.4 + 0.126)),
}
"""Where the makers' data sheets put the flange [m] when all joints are at zero."""


@pytest.mark.parametrize("name", MAKERS_FLANGES)
def test_flanges_lie_where_the_makers_say(name: str) -> None:
    robot = load_robot(name)
    link, flange = MAKERS_FLANGES[name]
    T = robot.forward_kinematics(np.zeros(len(robot.joint_names)))
    place = T[robot.link_names.index(link), :3, 3]
    np.testing.assert_allclose(place, flange, atol=0.0025)
