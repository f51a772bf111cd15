"""Scores and baselines against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from armsight.action_spec import ActionSpec, Dimension, StatePart
from armsight.evaluate.actions.baselines import (
    FittedLine,
    Rows,
    interpolation,
    last_difference,
    line,
)
from armsight.evaluate.actions.score import changes, score


def spec(*kinds: str) -> ActionSpec:
    states = tuple(Dimension(f"s{i}", "absolute") for i in range(len(kinds)))
    actions = tuple(Dimension(f"a{i}", kind, follows=f"s{i}") for i, kind in enumerate(kinds))
    return ActionSpec(dataset="d", robot="r", rate_hz=10, actions=actions, states=states,
                      parts=(StatePart("states", len(states)),))  # fmt: skip


def test_errors_shares_and_drift() -> None:
    rng = np.random.default_rng(0)
    truth = [rng.normal(0, 2, (50, 2)) for _ in range(3)]
    said = [one + [0.5, -0.25] for one in truth]
    result = score(truth, said, spec("absolute", "relative"))
    first, second = result["dimensions"]["a0"], result["dimensions"]["a1"]
    assert (first["error"], second["error"]) == (0.5, 0.25)
    spread = np.concatenate(truth).std(0)
    assert first["share_of_spread"] == pytest.approx(0.5 / spread[0], rel=1e-3)
    assert first["drift"] == pytest.approx(0, abs=1e-9)  # the same at both ends
    assert second["drift"] == pytest.approx(50 * 0.25)  # steps add up
    assert result["mean_share"][0] == pytest.approx((0.5 / spread[0] + 0.25 / spread[1]) / 2, 1e-3)


def test_a_number_that_does_not_move_has_no_share() -> None:
    truth = [np.zeros((5, 1))]
    result = score(truth, truth, spec("absolute"))
    assert result["dimensions"]["a0"]["share_of_spread"] is None
    assert "mean_share" not in result


def test_gripper_changes_late_missed_and_made_up() -> None:
    gripper = Dimension("grip", "absolute", gripper=True, binary=True)
    one = ActionSpec(dataset="d", robot="r", rate_hz=10, actions=(gripper,))
    true = np.r_[-np.ones(10), np.ones(10), -np.ones(20)][:, None]
    said = np.r_[-np.ones(12), np.ones(20), -np.ones(8)][:, None]
    assert changes(true[:, 0], 0) == [(10, True), (20, False)]
    found = score([true], [said], one)["grippers"]["grip"]
    # Closing comes 2 steps late; opening comes 12 late, more than half a second: another change.
    assert found == {"changes": 2, "median_steps_off": 2.0, "mean_steps_late": 2.0, "missed": 1,
                     "made_up": 1}  # fmt: skip


def test_straight_lines_are_guessed_exactly_and_know_no_future_when_repeated() -> None:
    states = np.arange(13.0)[:, None] * [2, -1]
    rows = Rows(np.column_stack([states[:, 0] + 2, np.full(13, -1.0)]), states)
    both = spec("absolute", "relative")
    np.testing.assert_allclose(interpolation(rows, both, 4), rows.actions)
    bent = states.copy()
    bent[8:] += 5
    np.testing.assert_allclose(line(bent, 4)[0][::4], bent[::4])
    ahead, slope = last_difference(bent, 4)
    np.testing.assert_allclose(ahead[5:8], states[5:8])  # the bend at 8 is not known yet
    np.testing.assert_allclose(slope[:4], 0)  # nothing came before


def test_a_fitted_line_learns_gain_and_lag() -> None:
    rng = np.random.default_rng(1)

    def episode() -> Rows:
        states = np.cumsum(np.repeat(rng.normal(0, 1, (10, 1)), 4, 0), 0)
        states = np.concatenate([np.zeros((1, 1)), states])
        slope = line(states, 4)[1]
        return Rows(3 * states + 0.7 * slope + 2, states)

    fitted = FittedLine([episode() for _ in range(8)], spec("absolute"), 4, ahead=True)
    other = episode()
    np.testing.assert_allclose(fitted(other), other.actions, atol=0.2)
