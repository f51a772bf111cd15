"""Calibration against samples whose true errors are known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from armsight.cli.workshop.calibrate import command
from armsight.data.frame import Frame
from armsight.errors import DatasetError
from armsight.estimate.build_estimate import solve_crop
from armsight.estimate.confidence import confidence, confidence_features, visible_part_right
from armsight.estimate.crop_reading import CropReading
from armsight.estimate.tuning import Tuning
from armsight.evaluate.calibration import calibrate as module
from armsight.evaluate.calibration import fits
from armsight.evaluate.calibration.calibrate import calibrate
from armsight.evaluate.calibration.confidence import FEATURES, over_budget
from armsight.evaluate.calibration.frames import Seen
from armsight.reports.table import calibration_table
from tests.fake_weights import write_fake_weights
from tests.fit.seen_arms import HEIGHT, ROBOT, WIDTH, K, view
from tests.labelled_folders import write_ndds

NOISE = 2.0


def test_threshold_lies_in_the_gap() -> None:
    found = fits.choose_threshold(np.array([0.9, 0.95, 0.99]), np.array([0.1, 0.2]))
    assert 0.2 < found.value <= 0.9
    assert (found.refused, found.false) == (0, 0)


def test_threshold_spends_what_is_allowed() -> None:
    """One gross outlier in 200 on each side must not move the threshold to a bad place."""
    yes = np.append(np.linspace(0.8, 0.99, 199), 0.01)
    no = np.append(np.linspace(0.01, 0.3, 199), 0.98)
    found = fits.choose_threshold(yes, no, 0.01)
    assert 0.3 < found.value < 0.8
    assert found.refused == pytest.approx(1 / 200)
    assert found.false == pytest.approx(1 / 200)


def test_where_classes_overlap_empty_pictures_are_refused() -> None:
    rng = np.random.default_rng(0)
    yes, no = (1 / (1 + np.exp(-rng.normal(m, 1, 4000))) for m in (1, -1))
    found = fits.choose_threshold(yes, no, 0.01)
    assert 0.005 < found.false <= 0.01
    # 2.33 stds above the mean of the one are 0.33 above that of the other.
    assert found.refused == pytest.approx(0.63, abs=0.03)


def test_keypoint_scale_ignores_gross_errors() -> None:
    rng = np.random.default_rng(0)
    ratios = np.linalg.norm(1.7 * rng.standard_normal((5000, 2)), axis=1)
    ratios[:250] = 500
    assert fits.residual_scale(ratios) == pytest.approx(1.7, rel=0.08)


def test_two_stds_hold_new_errors_too() -> None:
    """Errors of twice the stated std and a floor, with gross outliers."""
    rng = np.random.default_rng(0)

    def draw(n: int) -> tuple[Any, Any]:
        std = np.radians(rng.uniform(0.2, 6, n))
        errors = rng.standard_normal(n) * np.hypot(2 * std, np.radians(1.0))
        errors[rng.random(n) < 0.01] = 1.5
        return errors, std

    scale, floor = fits.fit_std(*draw(2000))
    errors, std = draw(4000)
    inside = np.abs(errors) <= 2 * np.hypot(scale * std, floor)
    assert inside.mean() == pytest.approx(0.954, abs=0.015)
    for small in (std < np.radians(1), std > np.radians(4)):
        assert 0.9 < inside[small].mean() < 0.995


def test_logistic_regression_finds_the_truth() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20000, 3)) * [1, 10, 0.1] + [0, 5, 2]
    truth = np.array([1.5, -0.2, 0.0])
    target = rng.random(len(X)) < fits.predict(X, 0.7, truth)
    bias, weights = fits.fit_logistic(X, target, np.array([1, -1, 1]))
    assert weights[:2] == pytest.approx(truth[:2], rel=0.08)
    assert fits.predict(X, bias, weights).mean() == pytest.approx(target.mean(), abs=1e-3)


def test_logistic_regression_keeps_signs() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 2))
    target = rng.random(2000) < fits.predict(X, 0.0, np.array([1.0, -1.0]))
    _, weights = fits.fit_logistic(X, target, np.array([1, 1]))
    assert weights[1] == 0
    assert weights[0] > 0.5


@pytest.mark.parametrize("answer", [True, False])
def test_logistic_regression_of_one_class_is_its_share(answer: bool) -> None:
    X, target = np.random.default_rng(0).standard_normal((50, 2)), np.full(50, answer)
    bias, weights = fits.fit_logistic(X, target, np.array([1, 1]))
    assert (weights == 0).all()
    assert fits.predict(X, bias, weights)[0] == pytest.approx(50.5 / 51 if answer else 0.5 / 51)


def test_separable_classes_keep_finite_weights() -> None:
    X = np.linspace(-1, 1, 40)[:, None]
    _, weights = fits.fit_logistic(X, X[:, 0] > 0, np.array([1]))
    assert 0 < weights[0] < 100


def test_separation_is_the_share_of_ordered_pairs() -> None:
    a, b = np.array([0.5, 0.7, 0.9]), np.array([0.1, 0.5])
    pairs = [1.0 if x > y else 0.5 if x == y else 0.0 for x in a for y in b]
    assert fits.separation(a, b) == pytest.approx(np.mean(pairs))


@dataclass
class Weights:
    robot = ROBOT


def seen_robot(rng: np.random.Generator, i: int) -> Seen:
    """A look at the robot that is NOISE times less exact than it says, with a shared bias."""
    arm = view(rng, NOISE)
    frame = Frame(f"{i}", Path(), (WIDTH, HEIGHT), K, arm.q, T_cam_base=arm.T_cam_base)
    look = CropReading(
        box=(80.0, 0.0, 560.0, 480.0),
        presence=float(rng.uniform(0.7, 0.99)),
        keypoints_2d=arm.keypoints_2d,
        keypoints_std=np.full(len(arm.keypoints_2d), 1.0),
        keypoints_seen=np.where(np.isfinite(arm.keypoints_std), 0.95, 0.02),
        keypoints_log_depth=np.zeros(len(ROBOT.keypoint_names)),
        keypoints_log_depth_std=np.full(len(ROBOT.keypoint_names), np.inf),
        hypotheses=arm.guesses(rng, 0.2, 8),
    )
    return Seen(frame, K, look.presence - 0.2, look)


def seen_nothing(rng: np.random.Generator, i: int, other: str | None) -> Seen:
    """A look that makes an arm up: keypoints anywhere."""
    count = len(ROBOT.keypoint_names)
    frame = Frame(f"n{i}", Path(), (WIDTH, HEIGHT), K, robot_in_view=False, other_robot=other)
    look = CropReading(
        box=(80.0, 0.0, 560.0, 480.0),
        presence=float(rng.uniform(0.6, 0.95) if other else rng.uniform(0.01, 0.4)),
        keypoints_2d=rng.uniform(100, 400, (count, 2)),
        keypoints_std=np.full(count, 1.0),
        keypoints_seen=np.full(count, 0.9),
        keypoints_log_depth=np.zeros(len(ROBOT.keypoint_names)),
        keypoints_log_depth_std=np.full(len(ROBOT.keypoint_names), np.inf),
        hypotheses=ROBOT.clip(ROBOT.ready_positions + 0.6 * rng.standard_normal((8, 7))),
    )
    return Seen(frame, K, look.presence, look)


@pytest.fixture(scope="module")
def everything() -> list[Seen]:
    rng = np.random.default_rng(3)
    return [
        *(seen_robot(rng, i) for i in range(60)),
        *(seen_nothing(rng, i, None) for i in range(25)),
        *(seen_nothing(rng, i, "sawyer") for i in range(25)),
    ]


def calibrated(seen: list[Seen], *more: Any) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        # Pictures without any edge: the geometry is that of the keypoints alone.
        black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        patch.setattr(Frame, "load_image", lambda self: black)
        patch.setattr(module, "TRIAL_FRAMES", 20)
        patch.setattr(module, "PRIOR_TRIALS", (0.1, 0.3))
        patch.setattr(module, "SEEN_TRIALS", (0.5, 0.99))
        return calibrate(Weights(), seen, *more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def found(everything: list[Seen]) -> dict[str, Any]:
    return calibrated(everything)


def test_stated_stds_are_corrected(found: dict[str, Any]) -> None:
    assert found["calibration"]["keypoint_scale"] == pytest.approx(NOISE, rel=0.1)


def test_presence_thresholds_part_robots_from_nothing(found: dict[str, Any]) -> None:
    assert 0.4 < found["thresholds"]["robot_found"] < 0.72
    assert found["thresholds"]["first_look"] <= 0.5
    measured = found["calibration"]["measured"]
    assert measured["found"]["other_robots_found"] > 0.5
    assert measured["found"]["other_robots_found_and_sure"] < 0.1
    assert measured["found"]["refused"] <= 0.02
    assert measured["found"]["false_answers"] == 0


def test_what_is_over_its_budget_is_a_warning(found: dict[str, Any]) -> None:
    found = json.loads(json.dumps(found))
    measured = found["calibration"]["measured"]
    assert measured["max_refused"] == 0.02
    measured["over_budget"] = {}
    assert "WARNING" not in calibration_table(found)
    measured["found"]["other_robots_found_and_sure"] = 0.11
    measured["over_budget"] = over_budget(measured["found"], 0.02)
    [line] = [one for one in calibration_table(found).splitlines() if "WARNING" in one]
    assert "11.0 %, more than 5 %" in line


def test_a_useless_threshold_is_not_chosen(found: dict[str, Any]) -> None:
    """0.99 would drop every keypoint."""
    assert found["thresholds"]["keypoint_seen"] < 0.9


def test_card_holds_for_new_frames(found: dict[str, Any]) -> None:
    """Coverage and confidence of frames that the calibration has not seen."""
    tuning = Tuning.from_card(json.loads(json.dumps(found)))
    rng = np.random.default_rng(11)
    inside: list[Any] = []
    sure: dict[bool, list[float]] = {True: [], False: []}
    robots = [seen_robot(rng, i) for i in range(50)]
    for seen in [*robots, *(seen_nothing(rng, i, "sawyer") for i in range(20))]:
        solution, measured = solve_crop(ROBOT, tuning, seen.K, seen.crop)
        features = confidence_features(seen.crop, solution, measured)
        assert tuple(features) == FEATURES
        right = visible_part_right(features, tuning.confidence_bias, tuning.confidence_weights)
        sure[seen.frame.robot_in_view].append(confidence(right, solution.joint_std))
        if seen.frame.joint_positions is not None:
            error = np.abs(solution.joint_positions - seen.frame.joint_positions)
            inside.append(error <= 2 * solution.joint_std)
    assert 0.91 < np.mean(inside) <= 0.99
    assert np.mean(np.array(sure[False]) < 0.5) >= 0.9
    assert np.mean(np.array(sure[True]) > 0.5) >= 0.9


def test_too_few_frames_are_named(everything: list[Seen]) -> None:
    with pytest.raises(DatasetError, match="5 frames show panda.*at least 20"):
        calibrate(Weights(), everything[:5])  # type: ignore[arg-type]


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


def test_command_writes_the_card_and_only_that(tmp_path: Path) -> None:
    weights = write_fake_weights(tmp_path / "weights", thresholds={"robot_found": 0.1}, epoch=3)
    labelled = write_ndds(tmp_path / "labelled", 21, suffix=".rgb.png")
    empty = tmp_path / "empty"
    empty.mkdir()
    for i in range(3):
        Image.new("RGB", (64, 48), (9 * i, 0, 0)).save(empty / f"{i}.png")
    before = (weights / "model.json").read_text()
    arguments = (weights, "--with-robot", labelled, "--without-robot", empty)

    result = run(*arguments, "--dry-run", "--json")
    assert (weights / "model.json").read_text() == before
    shown = json.loads(result.stdout)

    assert "robot_found" in run(*arguments).output
    card = json.loads((weights / "model.json").read_text())
    assert card["epoch"] == 3
    assert {"claim_wrong", "claim_wrong_camera_known"} <= card["thresholds"].keys()
    assert card["thresholds"] == shown["thresholds"]
    assert card["calibration"] == shown["calibration"]
    first, second = card["calibration"]["source"]
    assert (first["dataset"], first["frames"]) == ("labelled", 21)
    assert (second["dataset"], second["frames_without_the_robot"]) == ("empty", 3)
    assert {path.name for path in weights.iterdir()} == {"model.json", "model.onnx"}
    Tuning.from_card(card)


def test_command_refuses_robots_as_empty_pictures(tmp_path: Path) -> None:
    weights = write_fake_weights(tmp_path / "weights")
    labelled = write_ndds(tmp_path / "labelled", 2)
    with pytest.raises(DatasetError, match="2 frames of .* show panda; give them to --with-robot"):
        run(weights, "--with-robot", labelled, "--without-robot", labelled)


@pytest.mark.parametrize("option", ["--with-robot", "--without-robot"])
def test_command_refuses_the_test_set(tmp_path: Path, option: str) -> None:
    weights = write_fake_weights(tmp_path / "weights")
    for name, seed in (("other", 7), ("test", 0)):
        folder = write_ndds(tmp_path / name, 2)
        (folder / "dataset.json").write_text(json.dumps({"split": "eval", "seed": seed}))
    with pytest.raises(DatasetError, match="test was rendered with seed 0"):
        run(weights, "--with-robot", tmp_path / "other", option, tmp_path / "test")
