"""Claims against drawn and real pictures: right ones agree, a wrong joint is found and named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from armsight.camera.image import load_image
from armsight.estimate.estimator import Estimator
from armsight.fit.contour import draw_contour
from armsight.fit.edges import EdgeMap
from armsight.fit.gauss_newton import States
from armsight.fit.measurements import Measurements, check_measurements
from armsight.fit.one_joint import OFFSETS, keeping_the_far_part, one_joint_off
from armsight.geometry import project, transform_points
from armsight.robots import load_robot
from armsight.state import Estimate
from armsight.verify.claims import ClaimVerifier, ImageEvidence, ImageFit, fit_keypoints
from armsight.vlm.drawing import Camera, default_camera, shaded
from armsight.vlm.references import FOLDER
from armsight.vlm.study import roc
from tests.labelled_folders import poses

ROBOT = load_robot("panda")


def camera(q: NDArray[np.floating], seed: int) -> Camera:
    rng = np.random.default_rng(seed)
    return default_camera(ROBOT, q, rng.uniform(-90, 90), rng.uniform(10, 40))


def seen(
    q: NDArray[np.floating], view: Camera, noise_px: float, seed: int
) -> tuple[Measurements, States]:
    """Keypoints of a drawing that is measured in its own pixels, and the truth as the estimate."""
    rng = np.random.default_rng(seed)
    K = EdgeMap(np.zeros((view.height, view.width, 3), np.uint8), view.K).K
    true = project(transform_points(view.T_cam_base, ROBOT.keypoints(q)), K)
    noisy = true + rng.normal(0, noise_px, true.shape)
    measured = check_measurements(ROBOT, K, noisy, np.full(len(true), noise_px))
    T = view.T_cam_base[None]
    return measured, States(q[None], T[:, :3, :3], T[:, :3, 3])


def shifted(q: NDArray[np.floating], i: int) -> tuple[int, NDArray[np.floating]]:
    joint, off = i % 7, q.copy()
    off[joint] += np.radians(15) * (1 if i % 2 else -1)
    return joint, off


def test_one_shifted_joint_is_found_from_keypoints_of_known_noise() -> None:
    """Exact measurements but for 1 px of noise: what the test of a claim can do at best."""
    right, wrong = [], []
    for i, q in enumerate(poses(ROBOT, 10)):
        view = camera(q, i)
        measured, state = seen(q, view, 1.0, i)
        joint, off = shifted(q, i)
        true, claim = (fit_keypoints(measured, claimed, state, 1.0) for claimed in (q, off))
        assert true is not None
        assert claim is not None
        right.append(true.gain.max())
        wrong.append(claim.gain.max())
        if joint:  # the first joint's turn is also the camera's
            assert int(np.argmax(claim.gain)) == joint
    assert roc.auc(right, wrong) >= 0.95


def test_edges_tell_what_coarse_keypoints_cannot() -> None:
    """Keypoints of 12 px of noise, in drawings of the arm."""
    scores: dict[str, tuple[list[float], list[float]]] = {}
    several = []
    for i, q in enumerate(poses(ROBOT, 8)):
        view = camera(q, i)
        measured, state = seen(q, view, 12.0, i)
        picture = ImageFit.of(measured, EdgeMap(shaded(ROBOT, q, view), view.K), state)
        sight = ImageEvidence(Estimate("panda", True, 1.0, (), (), joint_positions=q), picture)
        true, one = (sight.scores(claim, view.T_cam_base) for claim in (q, shifted(q, i + 3)[1]))
        for kind in ("keypoints", "picture", "camera known"):
            right, wrong = scores.setdefault(kind, ([], []))
            right.append(true[kind])
            wrong.append(one[kind])
        # A calibrated camera is not exactly where it is said to be.
        about = view.T_cam_base.copy()
        about[:3, 3] += [0.004, -0.004, 0.004]
        right, wrong = scores.setdefault("camera known, 7 mm off", ([], []))
        right.append(sight(q, about))
        wrong.append(sight(shifted(q, i + 3)[1], about))
        all_off = ROBOT.clip(q + np.radians(15) * np.resize([1, -1, -1], 7))
        several.append(sight.scores(all_off)["picture"])
    auc = {kind: roc.auc(*both) for kind, both in scores.items()}
    assert auc["picture"] > auc["keypoints"] + 0.05
    assert auc["camera known"] >= 0.98
    assert roc.auc(*scores["camera known, 7 mm off"]) >= 0.98
    assert roc.auc(scores["picture"][0], several) >= 0.95


def test_a_wrong_joint_is_tried_together_with_the_cameras_turn() -> None:
    """The claim has joint 2 off by 30 degrees, seen by a camera that hides it but for the base."""
    q = poses(ROBOT, 2)[0]
    view = camera(q, 0)
    measured, true = seen(q, view, 2.0, 0)
    picture = ImageFit.of(measured, EdgeMap(shaded(ROBOT, q, view), view.K), true)
    index = 1 * len(OFFSETS) + int(np.argmin(np.abs(OFFSETS - np.radians(30))))
    tries = one_joint_off(ROBOT, true)
    held = keeping_the_far_part(ROBOT, true, tries)[[index]]
    assert np.degrees(held.q - q)[0, 1] == pytest.approx(30, abs=0.1)
    contour = draw_contour(ROBOT, held, picture.edges)
    found = picture.searched(contour, held)
    np.testing.assert_array_equal(found.q[0], held.q[0])
    assert np.degrees(np.abs(found.q[2] - q)).max() < 4
    np.testing.assert_allclose(found.R[2], true.R[0], atol=0.06)
    known = picture.searched(contour, held, camera_known=True)
    np.testing.assert_array_equal(known.R, held.R.repeat(8, 0))
    np.testing.assert_array_equal(known.t, held.t.repeat(8, 0))


def test_the_estimator_judges_claims(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from tests.fake_weights import ANGLES, write_fake_weights

    judge = ClaimVerifier(Estimator.from_pretrained(write_fake_weights(tmp_path / "w")))
    K = np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]])
    bright = load_image(np.full((480, 640, 3), 200, np.uint8))
    sight = judge.read(bright, K)
    assert sight.estimate.joint_positions is not None
    far = ANGLES.copy()
    far[1] += np.radians(30)
    # The fake always sees the arm at ANGLES.
    assert sight(far) > sight(ANGLES)
    assert set(sight.scores(ANGLES)) == {"picture", "angles", "keypoints"}
    strict = {"robot_found": 1.0, "confident": 1.0}
    unsure = write_fake_weights(tmp_path / "unsure", thresholds=strict)
    reader = Estimator.from_pretrained(unsure)
    assert not reader(bright, K).robot_found
    assert ClaimVerifier(reader).read(bright, K)(far) == sight(far)
    doubtful = replace(sight, estimate=replace(sight.estimate, confidence=0.3))
    assert np.isnan(doubtful(far)), "an arm that is read unsurely cannot tell a claim wrong"
    assert doubtful.scores(far)["keypoints"] == sight.scores(far)["keypoints"]
    dark = judge.read(load_image(np.zeros((480, 640, 3), np.uint8)), K)
    assert np.isnan(dark(ANGLES))


@pytest.mark.parametrize("pose_known", [False, True])
def test_claims_about_a_picture_of_known_angles(tmp_path: Path, pose_known: bool) -> None:
    """The reference picture, as `armsight verify` judges it."""
    from click.testing import CliRunner

    from armsight.cli.verify import command

    document = json.loads((FOLDER / "panda.json").read_text())
    K = np.array(document["K"])
    camera = ["--K", ",".join(str(K[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))]
    if pose_known:
        (tmp_path / "T.json").write_text(json.dumps(document["T_cam_base"]))
        camera += ["--camera-pose", str(tmp_path / "T.json")]
    verdicts, named = [], []
    for shift in (0.0, 20.0):
        q = np.array(document["joint_positions"])
        q[3] += np.radians(shift)
        np.savetxt(tmp_path / "q.txt", q)
        result = CliRunner().invoke(
            command,
            [str(FOLDER / "panda.jpg"), "--joints", str(tmp_path / "q.txt"), "--json", *camera],
        )  # fmt: skip
        verdict = json.loads(result.stdout)
        assert verdict["camera_pose_known"] is pose_known
        assert result.exit_code == (0 if verdict["agrees"] else 1)
        verdicts.append(verdict["agrees"])
        named.append(verdict["wrong_joint"])
    assert verdicts == [True, False]
    assert named == [None, "panda_joint4"]


def test_a_picture_without_a_robot_cannot_be_judged(tmp_path: Path) -> None:
    from click.testing import CliRunner
    from PIL import Image

    from armsight.cli.verify import command

    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    np.savetxt(tmp_path / "q.txt", ROBOT.ready_positions)
    result = CliRunner().invoke(
        command, [str(tmp_path / "noise.png"), "--joints", str(tmp_path / "q.txt")]
    )
    assert result.exit_code == 12
    assert "cannot be judged" in result.output


def test_a_verdict_without_intrinsics_says_so() -> None:
    from armsight.verify.verdict import verify_joints

    document = json.loads((FOLDER / "panda.json").read_text())
    q, K = (np.array(document[name]) for name in ("joint_positions", "K"))
    unreliable = "without the camera's intrinsics the verdict is unreliable too"
    assert unreliable in verify_joints(FOLDER / "panda.jpg", ROBOT, q)["notes"]
    assert unreliable not in verify_joints(FOLDER / "panda.jpg", ROBOT, q, K)["notes"]
