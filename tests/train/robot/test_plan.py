from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armsight.errors import ConfigError
from armsight.train.robot.plan import (
    MOST_PICTURES,
    SHARD_ROWS,
    make_plan,
    read_plan,
    set_sizes,
    write_plan,
)


@given(st.floats(1.5, 24), st.floats(5, 200), st.floats(0.05, 0.5))
def test_the_parts_add_up_to_the_hours(hours: float, crops_per_s: float, answer_s: float) -> None:
    plan = make_plan(hours, crops_per_s, answer_s, 2)
    parts = plan.rendering_s + plan.training_s + plan.sets_s + plan.calibration_s + plan.score_s
    assert parts == pytest.approx(3600 * hours, rel=0.01)
    assert plan.pictures % SHARD_ROWS == 0
    assert SHARD_ROWS <= plan.pictures <= MOST_PICTURES
    assert plan.training_s > plan.rendering_s


def test_time_that_does_not_suffice_is_said_with_what_would() -> None:
    with pytest.raises(ConfigError, match=r"--hours 0.05 is too short.*about \S+ hours"):
        make_plan(0.05, 10.0, 0.2, 2)


def test_calibration_and_score_share_no_seed_with_training() -> None:
    from armsight.train.robot.run import TRAINING_SET

    seeds = {one.name: one.seed for one in set_sizes(3)}
    assert seeds.pop("held-out") == 0
    assert set(seeds.values()) == {1}
    assert TRAINING_SET[1] not in (0, 1)


def test_a_plan_is_kept(tmp_path: Path) -> None:
    plan = make_plan(3, 40.0, 0.2, 2)
    assert read_plan(tmp_path / "plan.json") is None
    write_plan(tmp_path / "plan.json", plan)
    assert read_plan(tmp_path / "plan.json") == plan
    assert f"{plan.pictures:,}" in plan.table()
