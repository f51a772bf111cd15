"""No episode is trained on and scored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armsight.errors import DatasetError
from armsight.train.recorded.split import split_episodes


@given(st.integers(2, 400), st.integers(0, 2**31))
def test_disjoint_complete_and_the_same_again(count: int, seed: int) -> None:
    split = split_episodes(count, seed)
    assert not set(split.train) & set(split.held_out)
    assert sorted(split.train + split.held_out) == list(range(count))
    assert len(split.held_out) == max(1, round(0.1 * count))
    assert split.train
    assert split == split_episodes(count, seed)


def test_another_seed_holds_out_others() -> None:
    assert len({split_episodes(50, seed).held_out for seed in range(10)}) > 5


def test_one_episode_is_too_few() -> None:
    with pytest.raises(DatasetError, match="1 episode; two are needed"):
        split_episodes(1)
