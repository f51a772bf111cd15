"""The vectorised metrics against loops that follow the papers' definitions word by word."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armsight.evaluate.poses import metrics

errors_m = st.lists(
    st.one_of(st.floats(0, 0.3), st.just(math.inf), st.just(0.1), st.just(0.0)), min_size=1,
    max_size=40,
)  # fmt: skip


@given(errors_m)
@settings(max_examples=60, deadline=None)
def test_auc_closed_form_equals_the_threshold_sweep(errors):
    # The field's own procedure: the share of images below each of 10,000 thresholds, averaged.
    thresholds = np.linspace(0, 0.1, 10_001)
    shares = (np.asarray(errors)[:, None] <= thresholds).mean(axis=0)
    swept = (shares[1:] + shares[:-1]).mean() / 2
    assert metrics.auc(errors) == pytest.approx(swept, abs=1e-4)


def test_auc_counts_misses_and_refuses_nan():
    assert metrics.auc([0.0, math.inf]) == 0.5
    assert metrics.auc([0.05, 0.1, 0.2, 0.0]) == pytest.approx((0.5 + 0 + 0 + 1) / 4)
    with pytest.raises(ValueError, match="NaN"):
        metrics.auc([0.01, math.nan])
    assert math.isnan(metrics.auc([]))


@given(st.integers(1, 6), st.integers(1, 8), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_add_equals_a_loop(num_images, num_keypoints, seed):
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(num_images, num_keypoints, 3))
    estimate = true + rng.normal(size=true.shape)
    estimate[rng.random(num_images) < 0.3] = np.nan
    expected = []
    for image in range(num_images):
        total = 0.0
        for k in range(num_keypoints):
            total += math.dist(estimate[image, k], true[image, k])
        expected.append(math.inf if math.isnan(total) else total / num_keypoints)
    assert metrics.add(estimate, true) == pytest.approx(expected)


def test_add_misses_when_one_keypoint_is_missing():
    true = np.zeros((1, 7, 3))
    estimate = true.copy()
    estimate[0, 3, 0] = np.nan
    assert metrics.add(estimate, true)[0] == math.inf


def test_unknown_truth_is_not_scored_silently():
    with pytest.raises(ValueError, match="true keypoint"):
        metrics.add(np.zeros((1, 2, 3)), np.full((1, 2, 3), np.nan))


@given(st.lists(st.floats(0, 30), max_size=30), st.lists(st.floats(0, 20), max_size=10))
@settings(max_examples=60, deadline=None)
def test_share_below_equals_a_loop(errors, thresholds):
    expected = [sum(e < t for e in errors) / len(errors) if errors else 0.0 for t in thresholds]
    assert metrics.share_below(errors, thresholds) == pytest.approx(expected)


def test_an_image_spans_from_minus_half_to_its_last_pixels_edge():
    points = [[[-0.5, -0.5], [639.49, 479.49], [639.5, 0], [0, 479.5], [-0.51, 3], [np.nan, 1]]]
    inside = metrics.keypoints_in_frame(points, [[640, 480]])
    assert inside.tolist() == [[True, True, False, False, False, False]]


def test_joint_errors_are_not_wrapped():
    errors = metrics.joint_errors_deg([[0.1, -3.0, np.nan]], [[-0.1, 3.0, 0.0]])
    assert errors[0, :2] == pytest.approx([math.degrees(0.2), math.degrees(6.0)])
    assert math.isnan(errors[0, 2])


def test_coverage_of_a_gaussian_is_the_error_functions():
    rng = np.random.default_rng(0)
    std = rng.uniform(0.5, 3, (20_000, 2))
    errors = rng.normal(size=std.shape) * std
    for k in (1, 2):
        within = metrics.coverage(errors, std, k)
        assert within.mean() == pytest.approx(math.erf(k / math.sqrt(2)), abs=0.006)
    assert np.isnan(metrics.coverage([[np.nan, 1.0]], [[1.0, np.nan]], 1)).all()


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.7, 0.9]), st.floats(0, 9)), min_size=1))
@settings(max_examples=60, deadline=None)
def test_risk_coverage_equals_keeping_all_above_each_confidence(pairs):
    confidence, errors = map(np.array, zip(*pairs, strict=True))
    shares, risks = metrics.risk_coverage(confidence, errors)
    expected = [
        (np.mean(confidence >= level), errors[confidence >= level].mean())
        for level in sorted(set(confidence.tolist()), reverse=True)
    ]
    assert np.column_stack([shares, risks]) == pytest.approx(np.array(expected))


def test_risk_coverage_ignores_the_order_of_equal_confidences():
    one = metrics.risk_coverage([0.5, 0.5, 0.9], [1.0, 3.0, 0.0])
    other = metrics.risk_coverage([0.5, 0.9, 0.5], [3.0, 0.0, 1.0])
    assert np.array_equal(one, other)
