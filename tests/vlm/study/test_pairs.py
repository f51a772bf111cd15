"""Sets of pairs: fixed by the seed, never a target among its own references."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from armsight.cli.workshop.make_pairs import command
from armsight.errors import ArmsightError, ConfigError, DatasetError
from armsight.robots import load_robot
from armsight.vlm.study.pair_maker import make_pairs
from armsight.vlm.study.pairs import LabelledPicture, choose, open_pairs, read_pairs
from tests.labelled_folders import T_CAM_BASE, write_joint_folder, write_ndds

ROBOT = load_robot("panda")


def shots(count: int) -> list[LabelledPicture]:
    return [
        LabelledPicture(str(i), Path(f"{i}.png"), np.full(7, i / 10), "g") for i in range(count)
    ]


@pytest.mark.parametrize(("count", "wanted", "references"), [(60, 50, 4), (10, 10, 4), (5, 5, 4)])
def test_no_target_is_its_own_reference(count: int, wanted: int, references: int) -> None:
    pairs, disjoint = choose(shots(count), wanted, references, np.random.default_rng(0))
    assert len({p.target.name for p in pairs}) == wanted
    assert disjoint == (count == 60)
    for pair in pairs:
        names = [r.name for r in pair.references]
        assert len(set(names)) == references
        assert pair.target.name not in names
    if disjoint:
        assert not {p.target.name for p in pairs} & {r.name for p in pairs for r in p.references}


def test_targets_share_references_evenly() -> None:
    pairs, _ = choose(shots(60), 50, 2, np.random.default_rng(0))
    users = [pair.references[0].name for pair in pairs]
    assert {users.count(name) for name in users} == {5}


def test_too_few_pictures_is_an_error() -> None:
    with pytest.raises(DatasetError, match="need more"):
        choose(shots(4), 4, 4, np.random.default_rng(0))


def test_the_same_seed_makes_the_same_set(tmp_path: Path) -> None:
    source = write_joint_folder(tmp_path / "photos", 8)
    made = [
        make_pairs(tmp_path / name, "panda", [(source, 6)], references=2, seed=seed)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert made[0].fingerprint == made[1].fingerprint != made[2].fingerprint
    texts = [(tmp_path / name / "pairs.json").read_text() for name in "ab"]
    assert texts[0] == texts[1]


def test_a_dream_folder_brings_its_camera(tmp_path: Path) -> None:
    made = make_pairs(
        tmp_path / "mini", "panda", [(write_ndds(tmp_path / "dream", 6), 4)], references=2
    )
    for pair in read_pairs(made.path).pairs:
        # The writer's own pose, found again from its 3D keypoints.
        np.testing.assert_allclose(pair.target.T_cam_base, T_CAM_BASE, atol=1e-6)
        assert pair.target.K is not None
        assert pair.target.path.is_file()


def test_real_photos_make_pairs(shared_data: Path, tmp_path: Path) -> None:
    made = make_pairs(tmp_path / "mini", "panda", [(shared_data / "franka_real", 10)])
    assert len(made.pairs) == 10
    assert made.most_references == 4
    first = made.pairs[0].target
    name = first.name.removeprefix("franka_real-")
    truth = np.loadtxt(shared_data / "franka_real" / "qpos" / f"{name}.txt").ravel()[:7]
    np.testing.assert_allclose(first.joint_positions, truth)
    assert "also references" in made.notes[0]


def test_rendered_pairs_show_what_they_say(tmp_path: Path) -> None:
    out = tmp_path / "mini"
    result = CliRunner().invoke(command, [str(out), "--rendered", "3", "--references", "1"])
    if isinstance(result.exception, ArmsightError):
        pytest.skip(f"nothing can be drawn here: {result.exception}")
    assert result.exit_code == 0, result.output
    made = read_pairs(out)
    assert [pair.target.group for pair in made.pairs] == ["rendered"] * 3
    for pair in made.pairs:
        T, K = pair.target.T_cam_base, pair.target.K
        assert T is not None
        assert K is not None
        # At least 5 link origins are in the frame: what the held-out preset promises.
        points = ROBOT.keypoints(pair.target.joint_positions)[:7] @ T[:3, :3].T + T[:3, 3]
        uv = points @ K.T
        uv = uv[:, :2] / uv[:, 2:]
        assert ((uv > 0) & (uv < [640, 480])).all(axis=1).sum() >= 5


def test_a_labelled_folder_can_be_asked_about_as_it_is(tmp_path: Path) -> None:
    pairs = open_pairs(write_joint_folder(tmp_path / "photos", 5), "panda", 2)
    assert len(pairs.pairs) == 5
    assert pairs.most_references == 2


def test_an_old_set_is_not_overwritten_and_a_broken_one_is_told(tmp_path: Path) -> None:
    source = write_joint_folder(tmp_path / "photos", 5)
    make_pairs(tmp_path / "mini", "panda", [(source, None)], references=1)
    with pytest.raises(ConfigError, match="holds a set"):
        make_pairs(tmp_path / "mini", "panda", [(source, None)])
    document = json.loads((tmp_path / "mini" / "pairs.json").read_text())
    document["pairs"][0]["target"] = "nobody"
    (tmp_path / "mini" / "pairs.json").write_text(json.dumps(document))
    with pytest.raises(DatasetError, match="make-pairs"):
        read_pairs(tmp_path / "mini")
