"""The Panda's data file is what `armsight make-robot panda` makes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from armsight.cli import group
from armsight.errors import MissingExtraError
from armsight.render.link_tree import LinkTree
from armsight.render.model_file import assembled_spec
from armsight.render.recipe import read_recipe
from armsight.render.surface import sample_surface
from armsight.robots import load_robot
from armsight.robots.robot import DATA_FOLDER
from tests.robot_oracles import distance_to_triangles


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mujoco")
    folder = tmp_path_factory.mktemp("made")
    result = CliRunner().invoke(group, ["make-robot", "panda", "--out", str(folder)])
    if isinstance(result.exception, MissingExtraError):
        pytest.skip(str(result.exception))
    assert result.exit_code == 0, result.output
    assert (
        "panda: 7 joints, 10 links, 31 keypoints (7 link origins, 24 on surfaces)" in result.output
    )
    return folder


def test_the_recipe_makes_the_file_that_comes_along(again: Path) -> None:
    made, ours = (json.loads((f / "panda.json").read_text()) for f in (again, DATA_FOLDER))
    # Weights are trained for these very points.
    assert made["keypoints"] == ours["keypoints"]
    assert made == ours


def test_the_outline_meshes_are_the_same_shapes(again: Path) -> None:
    made, ours = load_robot(again / "panda.json").link_shapes(), load_robot("panda").link_shapes()
    assert set(made) == set(ours)
    for name, (vertices, faces) in ours.items():
        for bound in (np.min, np.max):
            np.testing.assert_allclose(
                bound(made[name][0], axis=0), bound(vertices, axis=0), atol=0.002
            )
        assert abs(len(made[name][1]) - len(faces)) < 0.02 * len(faces)


def test_the_outline_meshes_are_true_to_the_makers_own(again: Path) -> None:
    """Within half a millimetre in the mean, and not thinner: a thin outline makes arms look far."""
    recipe = read_recipe("panda")
    model = assembled_spec(recipe.simulation, recipe.folder).compile()
    tree = LinkTree(model, recipe.joints, recipe.origin_links)
    rng = np.random.default_rng(0)
    off, thinner = [], []
    for name, (vertices, faces) in load_robot("panda").link_shapes().items():
        own = tree.mesh(name)
        for point in sample_surface(*own, 25, rng):
            off.append(distance_to_triangles(point, vertices[faces]))
        thinner.append(np.ptp(own[0], axis=0) - np.ptp(vertices, axis=0))
    assert np.mean(off) < 0.0005
    assert np.quantile(off, 0.95) < 0.0015
    assert abs(np.mean(thinner)) < 0.0005
