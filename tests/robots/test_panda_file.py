"""The Panda's data file is what `armsight make-robot panda` makes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from armsight.cli import group
from armsight.errors import MissingExtraError
from armsight.robots import load_robot
from armsight.robots.robot import DATA_FOLDER


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
