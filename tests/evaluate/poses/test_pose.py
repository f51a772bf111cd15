"""Errors that are put in must come out of the figures, exactly."""

import csv
import json
import math

import numpy as np
import pytest

from armsight.data.dataset import open_dataset
from armsight.errors import DatasetError
from armsight.evaluate.poses.collect import collect_answers
from armsight.evaluate.poses.pose import evaluate_pose, write_csv
from tests.labelled_folders import T_CAM_BASE, edit_json, poses, write_joint_folder, write_ndds

from .scripted import PANDA, Scripted

COUNT = 6
OFFSETS = np.outer([1, -1, 2, -2, 3, 5], [1, 2, 3, 4, 5, 6, 7]).astype(float)
"""Joint j + 1 of frame i errs by a known number of degrees"""


@pytest.fixture
def dataset(tmp_path):
    return open_dataset(write_ndds(tmp_path / "set", COUNT, suffix=".png"))


def _evaluate(dataset, **errors):
    estimator = Scripted(len(dataset.frames), **errors)
    answers = collect_answers(dataset.frames, lambda: estimator)
    return evaluate_pose(dataset, answers).to_json()


def test_a_perfect_method_is_perfect(dataset):
    result = _evaluate(dataset)
    assert result["joints"]["answered"]["scored"]["mean"]["value"] == pytest.approx(0, abs=1e-9)
    assert result["add"]["all"]["auc"]["value"] == pytest.approx(100)
    assert result["keypoints"]["origins"]["auc"]["value"] == pytest.approx(100)
    assert result["coverage"]["within_1_std"]["all"]["value"] == 1
    assert result["camera"]["orientation_deg"]["median"]["value"] == pytest.approx(0, abs=1e-5)
    assert result["counts"] == {
        "images": 6,
        "answered": 6,
        "failures": result["counts"]["failures"],
        "failures_dream_rule": result["counts"]["failures_dream_rule"],
    }
    assert result["counts"]["failures"]["value"] == 0
    json.dumps(result, allow_nan=False)


def test_joint_errors_come_out_as_put_in(dataset):
    result = _evaluate(dataset, joint_offsets_deg=OFFSETS)["joints"]
    errors = np.abs(OFFSETS)
    for j, name in enumerate(PANDA.joint_names):
        row = result["answered"]["per_joint"][name]
        assert row["median"]["value"] == pytest.approx(np.median(errors[:, j]))
        assert row["mean"]["value"] == pytest.approx(np.mean(errors[:, j]))
        assert row["p90"] == pytest.approx(np.percentile(errors[:, j], 90))
    scored = result["answered"]["scored"]
    assert scored["mean"]["value"] == pytest.approx(errors[:, :6].mean())
    assert scored["median"]["value"] == pytest.approx(np.median(errors[:, :6]))
    assert scored["mean"]["low"] < scored["mean"]["value"] < scored["mean"]["high"]
    assert result["scored_joints"] == list(PANDA.joint_names[:6])


def test_shares_within_degrees_have_open_ends_that_are_counted(dataset):
    offsets = np.full((COUNT, 7), 4.9)
    offsets[:2] = 5.1
    offsets[0] = 30.0
    row = _evaluate(dataset, joint_offsets_deg=offsets)["joints"]["answered"]
    assert row["scored"]["within_5"]["value"] == pytest.approx(4 / 6)
    assert row["scored"]["within_10"]["value"] == pytest.approx(5 / 6)
    assert row["per_joint"]["panda_joint7"]["within_20"]["count"] == 5


def test_an_image_without_an_answer_is_a_miss_everywhere(dataset):
    fails = (0, 3)
    result = _evaluate(dataset, joint_offsets_deg=OFFSETS, shifts_m=[0.03, 0, 0.04], fails=fails)
    kept = [1, 2, 4, 5]
    assert result["counts"]["failures"]["count"] == 2
    assert result["add"]["all"]["auc"]["value"] == pytest.approx(100 * (4 * 0.5) / 6)
    assert result["add"]["all"]["images"] == 6
    assert result["add"]["all"]["mean_answered"]["value"] == pytest.approx(50)
    curve = result["add"]["all"]["curve"]
    assert curve["share"][curve["threshold_mm"].index(51)] == pytest.approx(4 / 6)
    assert result["keypoints"]["origins"]["auc"]["value"] == pytest.approx(100 * 4 / 6)

    joints = result["joints"]
    answered = np.abs(OFFSETS[kept, :6])
    assert joints["answered"]["images"] == 4
    assert joints["answered"]["scored"]["mean"]["value"] == pytest.approx(answered.mean())
    ready = np.abs(np.degrees(PANDA.ready_positions - poses(PANDA, COUNT)))[:, :6]
    counted = np.concatenate([answered, ready[list(fails)]])
    assert joints["with_failures"]["scored"]["mean"]["value"] == pytest.approx(counted.mean())
    # A failure is never within five degrees, even where the ready pose would be.
    within = (answered <= 5).sum() / (6 * 6)
    assert joints["with_failures"]["scored"]["within_5"]["value"] == pytest.approx(within)
    assert "ready pose" in joints["failures_count_as"]


def test_pixels_and_millimetres_per_keypoint(dataset):
    result = _evaluate(dataset, pixel_shifts=[3.0, 4.0], shifts_m=[0, 0, 0.012])
    hand = result["keypoints"]["each"]["panda_hand"]
    assert hand["median_px"]["value"] == pytest.approx(5)
    assert hand["median_mm"]["value"] == pytest.approx(12)
    assert (hand["pck_5"]["value"], hand["pck_10"]["value"]) == (pytest.approx(0, abs=1), 1)
    assert result["keypoints"]["origins"]["auc"]["value"] == pytest.approx(75)
    assert result["camera"]["position_mm"]["median"]["value"] == pytest.approx(12)
    # The set labels DREAM's seven only.
    assert list(result["keypoints"]["each"]) == list(PANDA.keypoint_names[:7])


def test_coverage_counts_angles_within_the_reported_deviation(dataset):
    # Errors of 1 to 7 times the frame's factor against a std of 4.1 degrees.
    coverage = _evaluate(dataset, joint_offsets_deg=OFFSETS, std_deg=4.1)["coverage"]
    errors = np.abs(OFFSETS)
    inside = [(errors <= 4.1 * k) for k in (1, 2)]
    assert coverage["within_1_std"]["scored"]["value"] == pytest.approx(inside[0][:, :6].mean())
    assert coverage["within_2_std"]["all"]["value"] == pytest.approx(inside[1].mean())
    third = coverage["within_2_std"]["per_joint"]["panda_joint3"]
    assert third["count"] == inside[1][:, 2].sum()
    assert coverage["median_std_deg"]["panda_joint1"] == pytest.approx(4.1)


def test_dreams_rule_leaves_out_images_with_few_keypoints_in_frame(tmp_path):
    folder = write_ndds(tmp_path, COUNT, suffix=".png")
    # Move the camera's centre of frame 2 so far that no keypoint is in frame any more.
    edit_json(folder / "000002.json", lambda data: _move_labels(data, 500.0))
    dataset = open_dataset(folder)
    result = _evaluate(dataset, fails=(2,))
    assert result["add"]["all"]["images"] == COUNT
    assert result["add"]["dream_rule"]["images"] == COUNT - 1
    assert result["add"]["all"]["auc"]["value"] == pytest.approx(100 * 5 / 6)
    assert result["add"]["dream_rule"]["auc"]["value"] == pytest.approx(100)
    assert result["counts"]["failures_dream_rule"]["count"] == 0
    groups = result["by_visibility"]["keypoints_in_frame"]
    assert groups["fewer than 4"]["images"] == 1
    assert groups["fewer than 4"]["failures"]["value"] == 1
    assert sum(group["images"] for group in groups.values()) == COUNT


def _move_labels(data, pixels):
    data["camera_intrinsics"] = {"fx": 150.0, "fy": 151.0, "cx": 79.0 + pixels, "cy": 60.0}
    for keypoint in data["objects"][0]["keypoints"]:
        keypoint["projected_location"][0] += pixels


def test_groups_by_hidden_keypoints_and_distance(tmp_path):
    folder = write_ndds(tmp_path, COUNT, suffix=".png")
    for i, hidden in enumerate([0, 0, 0, 1, 1, 5]):
        edit_json(folder / f"{i:06d}.json", lambda data, n=hidden: _hide(data, n))
    result = _evaluate(open_dataset(folder), shifts_m=np.outer(range(COUNT), [0.01, 0, 0]))
    groups = result["by_visibility"]["hidden_keypoints"]
    assert {name: group["images"] for name, group in groups.items()} == {
        "none": 3, "up to a quarter": 2, "more": 1,
    }  # fmt: skip
    assert groups["none"]["add_median_mm"]["value"] == pytest.approx(10)
    assert groups["more"]["add_auc"]["value"] == pytest.approx(50)
    centre = (PANDA.keypoints(poses(PANDA, COUNT))[:, :7] @ T_CAM_BASE[:3, :3].T).mean(1)
    distances = np.linalg.norm(centre + T_CAM_BASE[:3, 3], axis=1)
    counted = result["by_visibility"]["distance_m"]
    for name, low, high in [("0.8 to 1.2", 0.8, 1.2), ("1.2 to 1.6", 1.2, 1.6)]:
        expected = ((distances >= low) & (distances < high)).sum()
        assert counted.get(name, {"images": 0})["images"] == expected
    assert sum(group["images"] for group in counted.values()) == COUNT


def _hide(data, count):
    for k, keypoint in enumerate(data["objects"][0]["keypoints"]):
        keypoint["visible"] = 0 if k < count else 1


def test_confidence_that_knows_and_one_that_does_not(dataset):
    shifts = np.outer([0.01, 0.02, 0.03, 0.04, 0.05, 0.2], [1, 0, 0])
    knows = _evaluate(dataset, shifts_m=shifts, confidence=[0.99, 0.96, 0.92, 0.85, 0.6, 0.1])
    kept = knows["confidence"]["add_mm"]["kept"]
    assert kept["100%"] == pytest.approx(350 / 6)
    assert kept["50%"] == pytest.approx(20)
    right = knows["confidence"]["about_right"]
    assert right["0 to 0.5"]["value"] == 0
    assert (right["0.95 to 1"]["count"], right["0.95 to 1"]["n"]) == (2, 2)
    blind = _evaluate(dataset, shifts_m=shifts, confidence=0.9)["confidence"]["add_mm"]
    assert blind["kept"]["50%"] == blind["kept"]["100%"] == pytest.approx(350 / 6)
    assert blind["area"] > knows["confidence"]["add_mm"]["area"]


def test_baselines_tell_how_to_read_an_error(dataset):
    rows = _evaluate(dataset)["baselines"]
    truth = poses(PANDA, COUNT)
    for name, pose in (
        ("ready pose", PANDA.ready_positions),
        ("mean pose of the data set", truth.mean(axis=0)),
    ):
        errors = np.abs(np.degrees(pose - truth))[:, :6]
        assert rows[name]["scored"]["mean"]["value"] == pytest.approx(errors.mean())
        gaps = PANDA.keypoints(np.broadcast_to(pose, truth.shape)) - PANDA.keypoints(truth)
        add = np.linalg.norm(gaps[:, :7], axis=-1).mean(axis=1)
        expected = np.clip(1 - add / 0.1, 0, 1).mean()
        assert rows[name]["add_true_camera"]["auc"]["value"] == pytest.approx(100 * expected)


def test_the_same_answers_give_the_same_figures(dataset):
    errors = {"joint_offsets_deg": OFFSETS, "fails": (4,)}
    first, second = _evaluate(dataset, **errors), _evaluate(dataset, **errors)
    for result in (first, second):
        del result["speed"]
    assert first == second


def test_a_folder_with_joint_angles_has_joint_errors_alone(tmp_path):
    dataset = open_dataset(write_joint_folder(tmp_path / "set", 3))

    class Fixed(Scripted):
        def __call__(self, image, K, /):
            image[0, 0, 0] = len(self.asked)
            return super().__call__(image, K)

    estimator = Fixed(3, joint_offsets_deg=OFFSETS[:3])
    result = evaluate_pose(dataset, collect_answers(dataset.frames, lambda: estimator)).to_json()
    assert result["add"] is None
    assert result["keypoints"] is None
    assert result["camera"] is None
    mean = result["joints"]["answered"]["scored"]["mean"]["value"]
    assert mean == pytest.approx(np.abs(OFFSETS[:3, :6]).mean())
    assert list(result["confidence"]) == ["mean_joint_error_deg", "about_right",
                                          "about_right_means"]  # fmt: skip


def test_nothing_but_failures_is_still_a_report(dataset):
    result = _evaluate(dataset, fails=range(COUNT))
    assert result["joints"]["answered"]["scored"] is None
    assert result["joints"]["with_failures"]["scored"]["within_20"]["value"] == 0
    assert result["add"]["all"]["auc"]["value"] == 0
    assert result["add"]["all"]["median"]["value"] is None
    assert result["coverage"] is None
    json.dumps(result, allow_nan=False)


def test_answers_must_be_there_for_every_frame(dataset):
    with pytest.raises(DatasetError, match=r"1 of 6 frames have no answer, the first is '000000'"):
        evaluate_pose(dataset, {f"{i:06d}": {"robot_found": False} for i in range(1, 6)})
    answers = {f"{i:06d}": {"robot_found": True, "joint_positions": [1, 2]} for i in range(6)}
    with pytest.raises(DatasetError, match=r"joint_positions.*shape \(2,\), expected \(7,\)"):
        evaluate_pose(dataset, answers)


def test_a_set_without_the_robot_has_no_pose_to_score(tmp_path):
    folder = write_ndds(tmp_path, 2)
    for i in range(2):
        edit_json(folder / f"00000{i}.json", lambda data: data.update(objects=[]))
    with pytest.raises(DatasetError, match="evaluate presence"):
        evaluate_pose(open_dataset(folder), {})


def test_what_an_answer_says_without_a_robot_is_not_scored(dataset):
    estimator = Scripted(COUNT)
    answers = collect_answers(dataset.frames, lambda: estimator)
    answers["000001"] = {**answers["000001"], "robot_found": False}
    result = evaluate_pose(dataset, answers).to_json()
    assert result["add"]["all"]["auc"]["value"] == pytest.approx(100 * 5 / 6)
    assert result["joints"]["answered"]["images"] == 5


def test_the_csv_has_a_row_for_each_frame(dataset, tmp_path):
    estimator = Scripted(COUNT, joint_offsets_deg=OFFSETS, shifts_m=[0.03, 0, 0.04], fails=(1,))
    evaluation = evaluate_pose(dataset, collect_answers(dataset.frames, lambda: estimator))
    write_csv(tmp_path / "results.csv", evaluation.scores)
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == [f"{i:06d}" for i in range(COUNT)]
    assert float(rows[0]["add_mm"]) == pytest.approx(50)
    assert float(rows[2]["panda_joint3_error_deg"]) == pytest.approx(6)
    assert rows[1]["robot_found"] == "false"
    assert rows[1]["add_mm"] == rows[1]["panda_joint1_error_deg"] == ""
    assert math.isclose(float(rows[5]["mean_error_joints_1_to_6_deg"]), 5 * 3.5, rel_tol=1e-5)
