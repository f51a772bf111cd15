"""What `armsight evaluate occlusion` covers, and what it prints."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from armsight.cli.evaluate import command
from armsight.data.dataset import open_dataset
from armsight.errors import DatasetError
from armsight.evaluate.poses.occlusion import SHARES, arm_box, covered, evaluate_occlusion
from tests.labelled_folders import write_joint_folder, write_ndds


@pytest.fixture
def data(tmp_path):
    return open_dataset(write_ndds(tmp_path / "set", 12, suffix=".png"), "panda")


def test_the_share_asked_for_is_covered_within_the_box(data):
    for share in SHARES:
        for frame, plain in zip(covered(data, share).frames, data.frames, strict=True):
            box, (x0, y0, x1, y1) = arm_box(plain), frame.rectangle()
            area = (box[2] - box[0]) * (box[3] - box[1])
            # Whole pixels: a side is off by one at most.
            rounding = (x1 - x0 + y1 - y0 + 1) / area
            assert (x1 - x0) * (y1 - y0) / area == pytest.approx(share, abs=rounding)
            assert min(x0 - box[0], y0 - box[1], box[2] - x1, box[3] - y1) >= -1


def test_only_the_rectangle_changes(data):
    frame, plain = covered(data, 0.3).frames[5], data.frames[5]
    x0, y0, x1, y1 = frame.rectangle()
    picture = plain.load_image()
    assert picture[y0:y1, x0:x1].any()
    picture[y0:y1, x0:x1] = 0
    np.testing.assert_array_equal(frame.load_image(), picture)


def test_places_differ_between_frames_and_seeds_and_are_the_same_again(data):
    rectangles = [frame.rectangle() for frame in covered(data, 0.2).frames]
    assert len(set(rectangles)) == len(rectangles)
    assert rectangles == [frame.rectangle() for frame in covered(data, 0.2).frames]
    assert rectangles != [frame.rectangle() for frame in covered(data, 0.2, seed=1).frames]


def test_scores_come_out_as_put_in(data):
    """An answer that misses by 20 mm has an AUC of 80; one of four missing answers costs 20."""
    sets, answers = [covered(data, share) for share in (0.0, 0.4)], {}
    for one, lost in zip(sets, (0, 3), strict=True):
        for i, frame in enumerate(one.frames):
            points = frame.keypoints_3d_cam + [0, 0.02, 0]
            found = i >= lost
            answers[frame.name] = {"robot_found": found, "confidence": 0.9}
            if found:
                named = zip(frame.keypoint_names, points.tolist(), strict=True)
                answers[frame.name]["keypoints_3d_cam"] = dict(named)
    rows = evaluate_occlusion(sets, (0.0, 0.4), answers)["rows"]
    assert rows[0]["add"]["auc"]["value"] == pytest.approx(80.0)
    assert rows[1]["add"]["auc"]["value"] == pytest.approx(60.0)
    assert rows[1]["answered"]["value"] == pytest.approx(0.75)


def test_command_prints_a_row_for_each_share_and_goes_on(tmp_path):
    folder, report = write_ndds(tmp_path / "set", 3), tmp_path / "report"
    arguments = ["occlusion", str(folder), "--method", "ready-pose", "--report", str(report)]
    run = CliRunner().invoke(command, arguments)
    assert run.exit_code == 0, run.output
    first = [line.split()[0] for line in run.stdout.splitlines()[1:6]]
    assert first == ["0", "10", "20", "30", "40"]
    lines = (report / "answers.jsonl").read_text().splitlines()
    assert len(lines) == 1 + 15
    again = CliRunner().invoke(command, [*arguments, "--json"])
    assert [row["covered"] for row in json.loads(again.stdout)["rows"]] == list(SHARES)
    assert (report / "answers.jsonl").read_text().splitlines() == lines


def test_a_folder_without_keypoints_is_an_error(tmp_path):
    folder = write_joint_folder(tmp_path / "set")
    with pytest.raises(DatasetError, match="keypoints"):
        covered(open_dataset(folder, "panda"), 0.2)
