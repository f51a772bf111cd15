"""Who is in the picture? Counts by kind of picture."""

import pytest
from PIL import Image

from armsight.data.dataset import open_dataset, open_pictures
from armsight.errors import DatasetError
from armsight.evaluate.poses.presence import evaluate_presence, name_frames
from armsight.reports.intervals import wilson_interval
from tests.labelled_folders import edit_json, write_ndds


def _rename(data):
    data["objects"][0]["class"] = "ur5e"
    for keypoint in data["objects"][0]["keypoints"]:
        keypoint["name"] = keypoint["name"].replace("panda", "ur5e")


@pytest.fixture
def datasets(tmp_path):
    folder = write_ndds(tmp_path / "a" / "set", 6)
    edit_json(folder / "000004.json", lambda data: data.update(objects=[]))
    edit_json(folder / "000005.json", _rename)
    (tmp_path / "b" / "set").mkdir(parents=True)
    for i in range(3):
        Image.new("RGB", (64, 48)).save(tmp_path / "b" / "set" / f"{i}.png")
    return name_frames(
        [open_dataset(folder, allow_other_robots=True), open_pictures(tmp_path / "b" / "set")]
    )


def test_counts_by_kind(datasets):
    answers = {f.name: {"robot_found": False} for d in datasets for f in d.frames}
    assert len(answers) == 9  # both folders have the same name
    for name, confidence in [("000000", 0.9), ("000001", 0.3), ("000005", 0.4)]:
        answers[f"set#0/{name}"] = {"robot_found": True, "confidence": confidence}
    answers["set#1/2.png"] = {"robot_found": True, "confidence": 0.8}
    result = evaluate_presence(datasets, answers, {"method": "x"})
    assert (result["refused"]["count"], result["refused"]["n"]) == (2, 4)
    assert (result["false_answers"]["count"], result["false_answers"]["n"]) == (1, 4)
    low, high = wilson_interval(1, 4)
    assert (result["false_answers"]["low"], result["false_answers"]["high"]) == (low, high)
    assert result["other_robots_taken_for_it"]["count"] == 0
    assert result["by_kind"]["another robot: ur5e"]["found"]["count"] == 1
    assert result["by_kind"]["panda"]["found_and_sure"]["count"] == 1
    assert sorted(result["wrong_frames"]) == [
        "set#0/000002", "set#0/000003", "set#0/000005", "set#1/2.png",
    ]  # fmt: skip


def test_every_picture_needs_an_answer(datasets):
    with pytest.raises(DatasetError, match="9 pictures have no answer"):
        evaluate_presence(datasets, {})


def test_only_pictures_without_a_robot(datasets):
    answers = {frame.name: {"robot_found": False} for frame in datasets[1].frames}
    result = evaluate_presence(datasets[1:], answers)
    assert result["refused"] is None
    assert result["false_answers"]["value"] == 0
    assert result["other_robots_taken_for_it"] is None
