"""The report folder: what a reader of it sees."""

import json
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from armsight.data.dataset import open_dataset
from armsight.evaluate.poses.collect import collect_answers
from armsight.evaluate.poses.pictures import ESTIMATE_RGB, TRUE_RGB, chosen_frames, draw_frame
from armsight.evaluate.poses.pose import evaluate_pose
from armsight.evaluate.poses.report import write_report
from armsight.reports.table import pose_table, shown
from tests.labelled_folders import edit_json, write_joint_folder, write_ndds

from .scripted import Scripted

COUNT = 8
SHIFTS = np.outer([0.01, 0.08, 0.02, 0.04, 0.03, 0.05, 0.06, 0.07], [1, 0, 0])


@pytest.fixture
def evaluation(tmp_path):
    dataset = open_dataset(write_ndds(tmp_path / "a<b>&c", COUNT, suffix=".png"))
    shifted = {"shifts_m": SHIFTS, "pixel_shifts": 1000 * SHIFTS[:, :2], "fails": (3,)}
    estimator = Scripted(COUNT, joint_offsets_deg=2.0, **shifted)
    answers = collect_answers(dataset.frames, lambda: estimator)
    return evaluate_pose(dataset, answers, {"method": "<script>alert(1)</script>"})


class _Page(HTMLParser):
    """Collects what a page loads, and checks that its tags are closed in order."""

    VOID = ("meta", "img", "br")

    def __init__(self, text):
        super().__init__()
        self.loads, self.open, self.tags, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href", "srcset")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_stands_alone(evaluation, tmp_path):
    write_report(tmp_path / "report", evaluation, num_pictures=2)
    text = (tmp_path / "report" / "report.html").read_text()
    page = _Page(text)
    assert page.open == []
    assert page.tags.count("img") == 2 + 1 + 2  # worst, without an answer, random
    assert all(load.startswith("data:image/jpeg;base64,") for load in page.loads)
    assert not re.search(r"https?://|url\([^#]|@import", re.sub('xmlns[:a-z]*="[^"]*"', "", text))
    assert "<script" not in text  # the method's name is text, not markup
    assert "a<b>&c" in page.text
    assert page.tags.count("svg") == 5
    assert "prefers-color-scheme: dark" in text


def test_the_page_shows_the_figures_of_the_json(evaluation, tmp_path):
    write_report(tmp_path / "report", evaluation)
    result = json.loads((tmp_path / "report" / "results.json").read_text())
    assert result["kind"] == "pose"
    text = _Page((tmp_path / "report" / "report.html").read_text()).text
    assert shown(result["add"]["all"]["auc"]) in text
    assert f"{result['joints']['answered']['scored']['median']['value']:.2f}°" in text
    assert (tmp_path / "report" / "results.csv").exists()
    # And the terminal shows the same.
    assert shown(result["add"]["all"]["auc"]) in pose_table(result)
    assert "always the ready pose" in pose_table(result)


def test_the_worst_and_the_unanswered_are_shown(evaluation):
    chosen = chosen_frames(evaluation.scores, 3)
    assert chosen["worst"] == [1, 7, 6]
    assert chosen["failed"] == [3]
    assert len(set(chosen["random"])) == 3


def test_without_3d_truth_the_worst_are_those_of_the_joints(tmp_path):
    dataset = open_dataset(write_joint_folder(tmp_path / "set", 3))
    answers = {
        frame.name: {
            "robot_found": name != 2,
            "joint_positions": (frame.joint_positions + 0.1 * (2 - name)).tolist(),
        }
        for name, frame in enumerate(dataset.frames)
    }
    evaluation = evaluate_pose(dataset, answers)
    assert chosen_frames(evaluation.scores, 5)["worst"] == [0, 1]
    write_report(tmp_path / "report", evaluation)
    page = _Page((tmp_path / "report" / "report.html").read_text())
    assert page.tags.count("img") == 2 + 1 + 3
    assert "ADD-AUC at 100 mm" not in page.text


def _drawn(picture, rgb):
    """Positions (N, 2) [px] of pixels in that colour."""
    return np.argwhere(np.abs(picture.astype(int) - rgb).sum(axis=2) < 60)[:, ::-1]


def _box(picture, rgb):
    return np.array([_drawn(picture, rgb).min(axis=0), _drawn(picture, rgb).max(axis=0)])


def test_both_skeletons_are_drawn_where_they_are(evaluation):
    # Frame 1's estimate is 80 px to the right of the truth.
    picture = draw_frame(evaluation.scores, 1)
    assert picture.shape == (120, 160, 3)
    true, drawn = evaluation.scores.true_2d[1, :7], evaluation.scores.points_2d[1, :7]
    assert drawn - true == pytest.approx(np.tile([80.0, 0.0], (7, 1)))
    assert ((true >= 0) & (true < [160, 120])).all()
    expected = [true.min(axis=0) - 4, true.max(axis=0) + 4]
    # The estimate is drawn over the truth, and may hide its edge.
    assert _box(picture, TRUE_RGB) == pytest.approx(np.array(expected), abs=3)
    assert _box(picture, ESTIMATE_RGB)[0] == pytest.approx(expected[0] + [80, 0], abs=3)
    failed = draw_frame(evaluation.scores, 3)
    assert len(_drawn(failed, TRUE_RGB)) > 0
    assert len(_drawn(failed, ESTIMATE_RGB)) == 0


def test_large_pictures_are_reduced_with_their_skeletons(tmp_path):
    folder = write_ndds(tmp_path / "set", 1, suffix=".png")
    # Four times the size: K and labels grow with it, about the outer corner of the first pixel.
    image = cv2.imread(str(folder / "000000.png"))
    cv2.imwrite(str(folder / "000000.png"), cv2.resize(image, None, fx=4, fy=4))

    def grow(value):
        return 4 * (value + 0.5) - 0.5

    def grow_labels(data):
        data["camera_intrinsics"] = {"fx": 600, "fy": 604, "cx": grow(79.0), "cy": grow(60.0)}
        for point in data["objects"][0]["keypoints"]:
            point["projected_location"] = [grow(value) for value in point["projected_location"]]

    small = open_dataset(write_ndds(tmp_path / "small", 1, suffix=".png"))
    edit_json(folder / "000000.json", grow_labels)
    large = open_dataset(folder)
    nothing = {"000000": {"robot_found": False}}
    reduced = draw_frame(evaluate_pose(large, nothing).scores, 0)
    plain = draw_frame(evaluate_pose(small, nothing).scores, 0)
    assert reduced.shape == (360, 480, 3)
    # Their discs have the same radius in both pictures, so compare the boxes without it.
    radius = np.array([[-3, -3], [3, 3]])
    expected = 3 * (_box(plain, TRUE_RGB) - radius + 0.5) - 0.5 + radius
    assert _box(reduced, TRUE_RGB) == pytest.approx(expected, abs=3)


def test_figures_as_text():
    figure = {"value": 2.5, "low": 1.0, "high": None}
    assert shown(figure, 2, unit="°") == "2.50° [1.00, ∞]"
    assert shown(None) == shown({"value": None, "low": None, "high": None}) == "–"
    assert shown({"value": 3.0, "low": None, "high": None}) == "3.0"
