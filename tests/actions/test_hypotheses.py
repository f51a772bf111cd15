"""Many samples to one chunk: two groups are never mixed, one group is averaged."""

from __future__ import annotations

import numpy as np
import pytest

from armsight.actions.hypotheses import average, chosen_hypotheses
from armsight.errors import ConfigError

RNG = np.random.default_rng(0)


def group(count: int, centre: float) -> np.ndarray:
    return centre + 0.05 * RNG.normal(size=(count, 4, 6))


@pytest.mark.parametrize("count", [3, 4, 7, 8, 16])
def test_one_group_is_averaged_whole(count: int) -> None:
    assert chosen_hypotheses(group(count, 0.3)).all()


@pytest.mark.parametrize(("many", "few"), [(5, 3), (4, 3), (6, 2), (7, 1), (9, 7), (4, 4)])
def test_the_larger_of_two_groups_is_taken(many: int, few: int) -> None:
    """And of two equal ones, one of them: never something between."""
    chunks = np.concatenate([group(many, 0.5), group(few, -0.5)])
    order = RNG.permutation(many + few)
    keep = chosen_hypotheses(chunks[order])
    first = order < many
    assert (keep == first).all() or (many == few and (keep == ~first).all())
    assert abs(abs(average(chunks[order], keep).mean()) - 0.5) < 0.05


def test_the_medoid_is_one_sample_near_the_middle() -> None:
    chunks = np.concatenate([group(6, 0.1), group(1, 0.9)])
    keep = chosen_hypotheses(chunks, "medoid")
    assert keep.sum() == 1
    assert keep[:6].any()


def test_few_or_equal_samples() -> None:
    assert chosen_hypotheses(group(1, 0)).tolist() == [True]
    assert chosen_hypotheses(group(1, 0), "medoid").tolist() == [True]
    assert chosen_hypotheses(np.concatenate([group(1, 0), group(1, 1)])).all()
    assert chosen_hypotheses(np.zeros((5, 4, 6))).all()
    assert chosen_hypotheses(np.concatenate([group(3, -1), group(3, 1)]), "mean").all()


def test_unknown_ways() -> None:
    with pytest.raises(ConfigError, match="'mode'; valid: robust, mean, medoid"):
        chosen_hypotheses(group(3, 0), "mode")
