"""A control evaluation from end to end in a world of grey pictures, kills and damage included."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from armsight.actions.first_pictures import FILE, FirstPictures, write_first_pictures
from armsight.actions.histogram_matching import ToneHistogram
from armsight.data.video import VideoReader
from armsight.errors import ConfigError, OutputError
from armsight.evaluate.control import rows as control_rows
from armsight.evaluate.control import run as control
from armsight.evaluate.control.plan import (
    MODEL_ROWS,
    ControlPlan,
    PlayedEpisode,
    parse_numbers,
    parse_rows,
)
from armsight.evaluate.control.report import control_table, write_control_report
from armsight.evaluate.control.result import control_result
from armsight.evaluate.control.rows import Material
from armsight.evaluate.control.run import EPISODES, run_control, to_film, video_path
from armsight.reports.journal import Journal
from tests.evaluate.control.grey_world import HARD, STEPS, GreyWorld
from tests.fake_action_weights import pictures, write_fake_action_weights

TASKS = ("grey_task", "impossible_task")
ROWS = ("replay", "direct", "direct_no_averaging", "no_action")
ROWS_BY_MODEL = (*MODEL_ROWS, "regression")


def plan_for(folder: Path, weights: str | None, **changes) -> ControlPlan:
    settings = {"tasks": TASKS, "initial_states": (40, 41), "rows": ROWS, "weights": weights,
                "world": GreyWorld([]), "num_videos": 1}  # fmt: skip
    return ControlPlan(folder, **{**settings, **changes})


def by_key(lines) -> dict:
    return {line["key"]: line for line in lines}


def test_all_rows_end_as_they_must(tmp_path: Path, weights: str) -> None:
    plan = plan_for(tmp_path, weights, strides=(2, 6))
    seen = []
    lines = run_control(plan, lambda done, total: seen.append((done, total)))
    result = control_result(plan, lines)
    rates = {name: row["overall"]["success_rate"] for name, row in result["rows"].items()}
    # The expert cannot do the impossible task, so nobody who imitates it can.
    assert rates == {"replay": 0.5, "direct": 0.5, "direct_no_averaging": 0.5, "no_action": 0.0}
    assert result["per_task"]["grey_task"]["success_rate"] == 1.0
    assert {s: f["success_rate"] for s, f in result["strides"].items()} == {
        "2": 0.5, "3": 0.5, "6": 0.5,
    }  # fmt: skip
    assert result["demonstrations"] == {"recorded": 4, "failed": 2, "repeated": 2}  # to no avail
    assert seen[0] == (0, 4 + len(lines))
    assert seen[-1] == (4 + len(lines), 4 + len(lines))
    direct = by_key(lines)["grey_task/40/direct/3"]
    assert direct["num_actions"] == STEPS + 1
    assert direct["seconds"] > 0
    assert direct["seed"] == 0


def test_no_simulator_call_but_step_between_the_first_step_and_the_last(
    tmp_path: Path, weights: str
) -> None:
    """Offline: rendering ends with the demonstration, and actions are on disk before the reset."""
    plan = plan_for(tmp_path, weights, tasks=("grey_task",), initial_states=(40,),
                    rows=("direct", "no_action"), num_videos=0)  # fmt: skip
    run_control(plan)
    log = plan.world.log
    resets = [i for i, (call, _) in enumerate(log) if call == "reset"]
    assert len(resets) == 3  # the demonstration, and one for each row
    demonstration = log[resets[0] : resets[1]]
    assert sum(call == "render" for call, _ in demonstration) == STEPS // 3 + 1
    for start, end in zip(resets[1:], [*resets[2:], None], strict=True):
        assert {call for call, _ in log[start + 1 : end]} == {"step"}
    played = np.array([action for call, action in log[resets[1] + 1 : resets[2]]])
    with np.load(tmp_path / "actions" / "grey_task.40.direct.3.npz") as file:
        np.testing.assert_array_equal(played, file["actions"][: len(played)])


def test_a_killed_run_goes_on_where_it_stopped(
    tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_for(tmp_path, weights)
    play, played = control.Player.play, []

    def killed(self, unit):
        if len(played) == 5:
            raise KeyboardInterrupt
        played.append(unit.key)
        return play(self, unit)

    monkeypatch.setattr(control.Player, "play", killed)
    with pytest.raises(KeyboardInterrupt):
        run_control(plan)
    # The kill came in the middle of a line, and of a demonstration's file.
    with (tmp_path / EPISODES).open("ab") as file:
        file.write(b'{"key": "grey_task/41/no_act')
    kept = sorted((tmp_path / "demonstrations").iterdir())
    kept[0].write_bytes(kept[0].read_bytes()[:100])
    first = list(played)
    monkeypatch.setattr(control.Player, "play", lambda s, u: played.append(u.key) or play(s, u))
    lines = run_control(plan)
    assert len(first) == 5
    assert len(played) == len(set(played)) == len(plan.units()) == len(lines)

    whole = run_control(plan_for(tmp_path / "another", weights))
    timeless = [{**line, "seconds": 0} for line in lines]
    assert timeless == [{**line, "seconds": 0} for line in whole]
    written = [json.loads(text) for text in (tmp_path / EPISODES).read_text().splitlines()]
    assert len(written) == 1 + len(lines)


def test_finished_runs_need_neither_weights_nor_simulator(tmp_path: Path, weights: str) -> None:
    lines = run_control(plan_for(tmp_path, weights))
    again = plan_for(tmp_path, weights, world=GreyWorld(log := []))
    assert run_control(again) == lines
    assert not log


def test_other_weights_are_played_anew_and_other_settings_refused(
    tmp_path: Path, weights: str
) -> None:
    run_control(plan_for(tmp_path / "run", weights))
    other = str(write_fake_action_weights(tmp_path / "other", num_hypotheses=2))
    plan = plan_for(tmp_path / "run", other)
    run_control(plan)
    rows = [call for call, _ in plan.world.log].count("reset")
    # Two rows by the model on two tasks and two states, and a film anew; the rest was kept.
    assert rows == 8 + 1
    with pytest.raises(ConfigError, match="seed 0 there, 1 now"):
        run_control(plan_for(tmp_path / "run", weights, seed=1))


def test_lines_know_how_their_actions_were_made(tmp_path: Path, weights: str) -> None:
    plan = plan_for(tmp_path, weights, regression_weights=weights, default_row="track")
    tracked = {row: plan.made_with(PlayedEpisode("grey_task", 40, row, 3)) for row in ROWS_BY_MODEL}
    followed = {"track", "track_no_averaging", "regression"}
    assert {row for row, text in tracked.items() if "effort=" in text} == followed
    assert all("votes" in text for text in tracked.values())  # and how the gripper was voted
    assert plan.made_with(PlayedEpisode("grey_task", 40, "replay", 0)) == ""
    direct = plan_for(tmp_path, weights, regression_weights=weights)
    assert "effort=" not in direct.made_with(PlayedEpisode("grey_task", 40, "regression", 3))


def test_the_words_of_a_card_make_no_result_stale(tmp_path: Path) -> None:
    folder = write_fake_action_weights(tmp_path / "weights")
    unit = PlayedEpisode("grey_task", 40, "direct", 3)

    def made_with(**entries: object) -> str:
        card = json.loads((folder / "model.json").read_text()) | entries
        (folder / "model.json").write_text(json.dumps(card))
        return plan_for(tmp_path, str(folder)).made_with(unit)

    made = made_with()
    assert made_with(metrics={"success": 0.9}, description="better") == made
    tones = ToneHistogram.of(np.zeros((1, 4, 4, 3), np.uint8))
    seen = FirstPictures(("a",), np.zeros((1, 4, 4, 3), np.uint8), tones)
    write_first_pictures(seen, folder / FILE)
    assert (matched := made_with()) != made  # frames may get other tones now
    assert made_with(num_hypotheses=2) != matched


@pytest.mark.parametrize("route", ["direct", "track"])
def test_rows_without_averaging_differ_where_pairs_meet(
    tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    monkeypatch.setattr(
        control_rows, "follow", lambda s: replace(s, actions=np.tile(s.ee_position[:, :1], 7))
    )
    rows = control.Player(plan_for(tmp_path, weights, num_hypotheses=1)).rows
    material = Material(pictures(np.linspace(80, 200, 5)), np.eye(3), None)
    averaged, alone = (
        rows.actions(PlayedEpisode("grey_task", 40, row, 3), material)[0][:, 0]
        for row in (route, f"{route}_no_averaging")
    )
    assert np.flatnonzero(np.abs(averaged - alone) > 1e-6).tolist() == [
        3,
        6,
        9,
    ]  # neither end, nor between


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, None, rows=("no_action",), default_row="no_action")
    journal = Journal(tmp_path / "episodes.jsonl", "armsight-control/1", plan.settings(), "key")
    with pytest.raises(OutputError, match="another process is writing to"):
        run_control(plan)
    journal.close()
    assert len(run_control(plan)) == 4


def test_workers_make_the_same_lines(tmp_path: Path) -> None:
    rows = ("replay", "no_action")
    alone = run_control(plan_for(tmp_path / "1", None, rows=rows, world=GreyWorld(),
                                 default_row="replay"))  # fmt: skip
    plan = plan_for(tmp_path / "2", None, rows=rows, workers=2, world=GreyWorld(),
                    default_row="replay")  # fmt: skip
    assert run_control(plan) == alone
    assert len(list((tmp_path / "2" / "failures").glob("*.mp4"))) == 1


def test_an_expert_that_fails_tries_again(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, None, tasks=("grey_task",), initial_states=(HARD,),
                    rows=("replay",), default_row="replay")  # fmt: skip
    (line,) = run_control(plan)
    assert line["attempts"] == 2
    assert line["demonstration"]
    assert line["success"]


def test_failures_are_filmed_beside_their_keyframes(tmp_path: Path, weights: str) -> None:
    plan = plan_for(tmp_path, weights, rows=("direct",))
    lines = run_control(plan)
    film = video_path(plan, PlayedEpisode("impossible_task", 40, "direct", 3))
    with VideoReader(film) as video:
        frames = [frame.pixels for frame in video]
    assert frames[0].shape[1] == 32 + 4 + 32
    assert frames[0].shape[0] > 32 + 3 * 9  # with a caption above
    assert len(frames) == 1 + -(-(STEPS + 1 + 20) // 4)  # the last step too
    result = control_result(plan, lines)
    page = write_control_report(plan, result, lines).read_text()
    assert page.count("<video") == 1
    assert "data:video/mp4;base64," in page
    document = json.loads((tmp_path / "results.json").read_text())
    assert len(document["episodes"]) == 4
    assert "impossible task" in control_table(result)


def test_films_are_shared_out_among_tasks(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, None, tasks=("a", "b"), initial_states=(1, 2, 3), rows=("replay",),
                    default_row="replay", num_videos=3)  # fmt: skip
    lines = [{"success": False, "steps": 3}] * 6
    chosen = [(unit.task, unit.initial_state) for unit in to_film(plan, plan.units(), lines)]
    assert chosen == [("a", 1), ("b", 1), ("a", 2)]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"rows": ("replay", "magic")}, "unknown row 'magic'; known: replay, direct"),
        ({"stride": 0}, "stride is 0"),
        ({"strides": (1, -2)}, "stride is -2"),
        ({"tasks": ()}, "nothing to evaluate"),
        ({"default_row": "best"}, "unknown row 'best'"),
    ],
)
def test_plans_that_make_no_sense(tmp_path: Path, changes, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan_for(tmp_path, None, **changes)


def test_numbers_and_rows_as_people_write_them() -> None:
    assert parse_numbers("3", "--x") == (3,)
    assert parse_numbers("40-42, 7,41", "--x") == (40, 41, 42, 7)
    assert parse_rows("track, replay,track") == ("track", "replay")
    assert "no_action" in parse_rows(None)
    for text in ("", "4-", "b", "5-3", "1,,2"):
        with pytest.raises(ConfigError, match="--x is"):
            parse_numbers(text, "--x")
    with pytest.raises(ConfigError, match="unknown row 'replays'"):
        parse_rows("replays")


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / EPISODES).write_text('[1, 2]\n{"key": 3}\n')
    with pytest.raises(ConfigError, match="damaged"):
        run_control(plan_for(tmp_path, None, rows=("no_action",), default_row="no_action"))


def test_two_versions_of_mujoco_are_not_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from armsight.evaluate.control import world

    plan = plan_for(tmp_path, None, world=world.LiberoWorld())
    for number in ("3.3.3", "3.17.0"):
        monkeypatch.setattr(world, "mujoco_version", lambda number=number: number)
        assert control_result(plan, [])["settings"]["mujoco"] == number
        if number == "3.3.3":
            Journal(tmp_path / EPISODES, "f", plan.settings(), key="key").close()
    with pytest.raises(ConfigError, match=r"mujoco '3\.3\.3' there, '3\.17\.0' now"):
        Journal(tmp_path / EPISODES, "f", plan.settings(), key="key")
