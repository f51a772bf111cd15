"""From keypoints and hypotheses to one answer: accuracy, robustness, and odd input."""

from __future__ import annotations

import numpy as np
import pytest

from armsight.errors import BadIntrinsicsError, BadShapeError
from armsight.evaluate.poses.metrics import auc
from armsight.fit.solve import Solution, solve, solve_keypoints
from armsight.geometry import project, transform_points
from tests.fit.seen_arms import MIRROR_SIGNS, ROBOT, K, View, view

NOTHING = np.full(len(ROBOT.keypoint_names), np.inf)


def answer_of(seen: View, hypotheses: np.ndarray, **options: object) -> Solution:
    return solve(ROBOT, K, seen.keypoints_2d, seen.keypoints_std, hypotheses, **options)  # type: ignore[arg-type]


def series(count: int, std: float, num_hypotheses: int, **scene: float) -> tuple[float, float]:
    """AUC of ADD at 100 mm [%] and mean error of joints 1 to 6 [deg] over seeded views."""
    adds, joints = [], []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        seen = view(rng, **scene)  # type: ignore[arg-type]
        answer = answer_of(seen, seen.guesses(rng, std, num_hypotheses))
        adds.append(seen.add(answer.joint_positions, answer.T_cam_base))
        joints.append(np.degrees(np.abs(answer.joint_positions - seen.q))[:6])
    return 100 * auc(np.array(adds)), float(np.mean(joints))


@pytest.mark.parametrize("noise, auc_at_least, degrees_at_most", [(1.0, 89, 3.2), (2.0, 86, 3.9)])
def test_as_accurate_as_the_trial_that_chose_the_keypoints(
    noise: float, auc_at_least: float, degrees_at_most: float
) -> None:
    """A third of the keypoints hidden, 600 px focal length, one start about 15 degrees off."""
    score, degrees = series(40, np.radians(15), 1, noise=noise)
    assert score >= auc_at_least
    assert degrees <= degrees_at_most


def test_a_fifth_of_gross_outliers_costs_little() -> None:
    clean, _ = series(30, 0.15, 8, noise=1.0)
    dirty, degrees = series(30, 0.15, 8, noise=1.0, outliers=0.2)
    assert dirty >= clean - 6
    assert degrees <= 3


@pytest.mark.parametrize("seed", range(6))
def test_noiseless_keypoints_give_the_exact_answer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen = view(rng, noise=0.0)
    std = np.where(np.isfinite(seen.keypoints_std), 0.01, np.inf)
    near = seen.guesses(rng, 0.05, 4)
    answer = solve(ROBOT, K, seen.keypoints_2d, std, near, prior_std=1e4)
    assert answer.T_cam_base is not None
    np.testing.assert_allclose(answer.joint_positions, seen.q, atol=1e-6)
    np.testing.assert_allclose(answer.T_cam_base, seen.T_cam_base, atol=1e-6)
    measured = np.isfinite(std)
    assert np.nanmax(np.abs(answer.residuals_px)) < 1e-3
    np.testing.assert_array_equal(np.isfinite(answer.residuals_px).all(-1), measured)
    np.testing.assert_array_equal(answer.inliers, measured)


@pytest.mark.parametrize("right", [8, 1])
def test_mirrored_elbows_are_told_apart_by_the_keypoints(right: int) -> None:
    """Of 16 hypotheses all but `right` have the elbow on the other side."""
    found, agreeing = 0, []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        seen = view(rng)
        q = seen.guesses(rng, 0.12, 16)
        q[right:] *= MIRROR_SIGNS
        answer = answer_of(seen, q)
        found += seen.add(answer.joint_positions, answer.T_cam_base) < 0.04
        agreeing.append(answer.num_agreeing)
    assert found >= 14
    assert min(agreeing) >= 1
    assert np.median(agreeing) >= right


def test_outliers_are_named() -> None:
    seen = view(np.random.default_rng(1), outliers=0.2, hidden=0.0)
    answer = answer_of(seen, seen.guesses(np.random.default_rng(0), 0.1, 8))
    measured = np.isfinite(seen.keypoints_std)
    assert seen.outliers.any()
    assert not answer.inliers[seen.outliers].any()
    assert answer.inliers[measured & ~seen.outliers].all()
    assert not answer.inliers[~measured].any()


def test_residuals_are_those_of_the_answer() -> None:
    rng = np.random.default_rng(2)
    seen = view(rng)
    answer = answer_of(seen, seen.guesses(rng, 0.1, 4))
    assert answer.T_cam_base is not None
    cam = transform_points(answer.T_cam_base, ROBOT.keypoints(answer.joint_positions))
    want = project(cam, K) - seen.keypoints_2d
    measured = np.isfinite(seen.keypoints_std)
    np.testing.assert_allclose(answer.residuals_px[measured], want[measured], atol=1e-9)


def test_answers_stay_within_limits() -> None:
    low, high = ROBOT.joint_limits.T
    for seed in range(10):
        rng = np.random.default_rng(seed)
        seen = view(rng, noise=8.0)
        q = np.where(rng.random((4, 7)) < 0.5, low, high) + rng.standard_normal((4, 7))
        answer = answer_of(seen, q)
        assert ((answer.joint_positions >= low) & (answer.joint_positions <= high)).all()
        assert (answer.joint_std <= (high - low) / np.sqrt(12) + 1e-12).all()


def test_same_input_same_answer() -> None:
    rng = np.random.default_rng(3)
    seen = view(rng, outliers=0.1)
    q = seen.guesses(rng, 0.2, 8)
    first, again = answer_of(seen, q), answer_of(seen, q)
    for name in ("joint_positions", "joint_std", "T_cam_base", "residuals_px", "costs"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


def test_order_of_hypotheses_hardly_matters() -> None:
    rng = np.random.default_rng(4)
    seen = view(rng)
    q = seen.guesses(rng, 0.1, 8)
    first, turned = answer_of(seen, q), answer_of(seen, q[::-1])
    np.testing.assert_allclose(first.joint_positions, turned.joint_positions, atol=1e-3)
    np.testing.assert_allclose(first.hypotheses[::-1], turned.hypotheses, atol=0.1)


def test_a_joint_that_trades_with_the_camera_follows_the_hypotheses() -> None:
    """The seven link origins do not fix angle 1; its std has to say so."""
    seen = view(np.random.default_rng(5), noise=0.5, hidden=0.0)
    std = seen.keypoints_std.copy()
    std[ROBOT.num_origin_keypoints :] = np.inf
    shifted = seen.q.copy()
    shifted[0] = np.clip(shifted[0] + 0.3, *ROBOT.joint_limits[0])
    answer = solve(ROBOT, K, seen.keypoints_2d, std, shifted[None], prior_std=0.3)
    assert answer.joint_positions[0] == pytest.approx(shifted[0], abs=0.05)
    assert answer.joint_std[0] == pytest.approx(0.3, rel=0.2)
    assert seen.add(answer.joint_positions, answer.T_cam_base) < 0.05


def test_last_frames_camera_is_a_start_and_a_wrong_one_does_no_harm() -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        seen = view(rng, hidden=0.1)
        q = seen.guesses(rng, 0.1, 4)
        near = seen.T_cam_base.copy()
        near[:3, 3] *= 1.02
        wrong = np.diag([1.0, -1, -1, 1])
        wrong[:3, 3] = [0.3, 0.2, 1.5]
        plain = answer_of(seen, q)
        for start in (near, wrong):
            answer = answer_of(seen, q, T_start=start)
            np.testing.assert_allclose(answer.joint_positions, plain.joint_positions, atol=0.02)


def test_without_polish_the_angles_are_the_hypotheses() -> None:
    rng = np.random.default_rng(6)
    seen = view(rng)
    q = seen.guesses(rng, 0.1, 16)
    answer = answer_of(seen, q, move_joints=False)
    np.testing.assert_allclose(answer.joint_positions, q.mean(0), atol=0.05)
    assert answer.T_cam_base is not None
    assert seen.add(answer.joint_positions, answer.T_cam_base) < 0.15
    assert answer.covariance is not None


def test_consistency_tells_matching_hypotheses_from_others() -> None:
    matching, random = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        seen = view(rng)
        matching.append(answer_of(seen, seen.guesses(rng, 0.08, 8)).consistency)
        anything = rng.uniform(*ROBOT.joint_limits.T, (8, 7))
        random.append(answer_of(seen, anything).consistency)
    assert min(matching) > 0.8
    assert max(random) < 0.6
    assert 0 <= min(random) <= max(matching) <= 1


def test_stated_stds_decide_whom_to_believe() -> None:
    rng = np.random.default_rng(7)
    seen = view(rng, noise=0.0, hidden=0.0)
    std, shifted = np.where(np.isfinite(seen.keypoints_std), 1.0, np.inf), seen.keypoints_2d.copy()
    doubtful = np.arange(len(std)) % 3 == 0
    shifted[doubtful] += rng.normal(0, 15, (int(doubtful.sum()), 2))
    std[doubtful] *= 30
    answer = solve(ROBOT, K, shifted, std, seen.guesses(rng, 0.1, 4))
    assert seen.add(answer.joint_positions, answer.T_cam_base) < 0.015


def test_weights_choose_between_configurations_when_nothing_is_seen() -> None:
    left = np.array([0.5, -0.8, 0.7, -2.3, 0.6, 1.6, 0.8])
    q = np.stack([left, left * MIRROR_SIGNS])
    positions = np.zeros((len(NOTHING), 2))
    for weights, want in (([0.9, 0.1], q[0]), ([0.1, 0.9], q[1])):
        answer = solve(ROBOT, K, positions, NOTHING, q, weights=weights)
        np.testing.assert_allclose(answer.joint_positions, want, atol=0.02)
        assert answer.joint_std[2] > 0.5  # the other elbow is still possible


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_too_few_keypoints_leave_the_hypotheses_and_no_camera(kept: int) -> None:
    rng = np.random.default_rng(8)
    seen = view(rng, hidden=0.0)
    std = NOTHING.copy()
    std[:kept] = 1.0
    q = seen.guesses(rng, 0.1, 8)
    answer = solve(ROBOT, K, seen.keypoints_2d, std, q, prior_std=0.2)
    assert answer.T_cam_base is None
    assert answer.covariance is None
    assert answer.consistency == 0
    assert not answer.inliers.any()
    assert np.isnan(answer.residuals_px).all()
    np.testing.assert_allclose(answer.joint_positions, q.mean(0), atol=0.05)
    assert (answer.joint_std >= 0.2).all()


@pytest.mark.parametrize("name", ["one point", "a line", "far outside", "random", "four keypoints"])
def test_degenerate_images_give_numbers_and_no_crash(name: str) -> None:
    rng = np.random.default_rng(9)
    count = len(ROBOT.keypoint_names)
    positions, std = rng.uniform(0, 400, (count, 2)), np.ones(count)
    if name == "one point":
        positions[:] = 200.0
    elif name == "a line":
        positions[:, 1] = 200.0
    elif name == "far outside":
        positions *= 1e5
    elif name == "four keypoints":
        std[4:] = np.inf
    answer = solve(ROBOT, K, positions, std, rng.uniform(*ROBOT.joint_limits.T, (6, 7)))
    assert np.isfinite(answer.joint_positions).all()
    assert np.isfinite(answer.joint_std).all()
    assert (answer.joint_std > 0).all()
    assert 0 <= answer.consistency <= 1
    assert answer.T_cam_base is None or np.isfinite(answer.T_cam_base).all()


def test_bad_arguments_are_named() -> None:
    seen = view(np.random.default_rng(10))
    q = seen.q[None]
    with pytest.raises(BadShapeError, match=r"hypotheses has shape \(7,\)"):
        answer_of(seen, seen.q)
    with pytest.raises(BadShapeError, match="hypotheses holds nan"):
        answer_of(seen, np.full((2, 7), np.nan))
    with pytest.raises(BadShapeError, match="0 hypotheses"):
        answer_of(seen, np.zeros((0, 7)))
    with pytest.raises(BadShapeError, match=r"weights has shape \(2,\)"):
        answer_of(seen, q, weights=[1.0, 1.0])
    with pytest.raises(BadShapeError, match="weights must be at least 0"):
        answer_of(seen, q, weights=[-1.0])
    with pytest.raises(BadShapeError, match="T_start"):
        answer_of(seen, q, T_start=np.zeros((4, 4)))
    with pytest.raises(BadShapeError, match="keypoints_2d holds nan"):
        solve(ROBOT, K, seen.keypoints_2d * np.nan, seen.keypoints_std, q)
    with pytest.raises(BadIntrinsicsError, match="K"):
        solve(ROBOT, np.zeros((3, 3)), seen.keypoints_2d, seen.keypoints_std, q)


def test_least_squares_alone_finds_most_arms() -> None:
    adds = []
    for seed in range(12):
        seen = view(np.random.default_rng(seed), hidden=0.2)
        answer = solve_keypoints(ROBOT, K, seen.keypoints_2d, seen.keypoints_std)
        adds.append(seen.add(answer.joint_positions, answer.T_cam_base))
    assert np.sum(np.array(adds) < 0.04) >= 10


def test_measured_depths_hold_the_camera_where_pixels_leave_it_loose() -> None:
    """Noisy pixels alone are off in distance by some 2 %; depths of 10 % each, 25 of them, help."""
    off: dict[bool, list[float]] = {False: [], True: []}
    for seed in range(25):
        rng = np.random.default_rng(seed)
        seen = view(rng, noise=5.0)
        z = transform_points(seen.T_cam_base, ROBOT.keypoints(seen.q))[:, 2]
        depth = np.log(z) + 0.1 * rng.standard_normal(len(z)), np.full(len(z), 0.1)
        guesses = seen.guesses(rng, 0.15, 8)
        for told, errors in off.items():
            T = answer_of(seen, guesses, log_depth=depth if told else None).T_cam_base
            assert T is not None
            errors.append(abs(np.log(T[2, 3] / seen.T_cam_base[2, 3])))
    assert np.mean(off[True]) < 0.8 * np.mean(off[False])


def test_depths_that_were_not_measured_change_nothing() -> None:
    rng = np.random.default_rng(0)
    seen = view(rng)
    guesses = seen.guesses(rng, 0.15, 8)
    plain, told = (
        answer_of(seen, guesses, log_depth=depth)
        for depth in (None, (np.zeros(len(NOTHING)), NOTHING))
    )
    np.testing.assert_array_equal(plain.joint_positions, told.joint_positions)
    np.testing.assert_array_equal(plain.T_cam_base, told.T_cam_base)
