"""Answers are kept as they come: a killed run goes on, a changed one does not reuse them."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from armsight.data.dataset import open_dataset
from armsight.errors import (
    ArmsightError,
    ConfigError,
    DatasetError,
    OutputError,
    WeightsError,
)
from armsight.evaluate.poses.answers import read_answers
from armsight.evaluate.poses.collect import collect_answers
from armsight.evaluate.poses.methods import Method
from tests.labelled_folders import edit_json, write_ndds

from .scripted import Scripted

COUNT = 6


@pytest.fixture
def folder(tmp_path):
    return write_ndds(tmp_path / "set", COUNT, suffix=".png")


def _collect(folder, file, **options):
    estimator = Scripted(COUNT, fails=(2,))
    frames = open_dataset(folder).frames
    return collect_answers(frames, lambda: estimator, file=file, **options), estimator


def _without_seconds(answers):
    return {name: {**answer, "seconds": 0} for name, answer in answers.items()}


def test_a_second_run_asks_nothing(folder, tmp_path):
    file = tmp_path / "report" / "answers.jsonl"
    steps = []
    first, estimator = _collect(folder, file)
    assert estimator.asked == list(range(COUNT))
    second, estimator = _collect(folder, file, progress=steps.append)
    assert estimator.asked == []
    assert steps == [COUNT]
    assert first == second


@pytest.mark.parametrize("cut", [1, 40, 500])
def test_a_line_that_was_cut_short_is_asked_again(folder, tmp_path, cut):
    file = tmp_path / "answers.jsonl"
    whole, _ = _collect(folder, file)
    file.write_bytes(file.read_bytes()[:-cut])
    again, estimator = _collect(folder, file)
    assert estimator.asked == [COUNT - 1]
    assert _without_seconds(again) == _without_seconds(whole)
    assert len(file.read_text().splitlines()) == COUNT + 1
    assert [json.loads(line) for line in file.read_text().splitlines()]


def test_kill_dash_nine_loses_at_most_the_frame_in_work(folder, tmp_path):
    file = tmp_path / "answers.jsonl"
    script = """
        import os, signal, sys
        from pathlib import Path
        from armsight.data.dataset import open_dataset
        from armsight.evaluate.poses.collect import collect_answers
        from armsight.evaluate.poses.methods import Method

        class Killed:
            calls = 0
            ready = staticmethod(Method("ready-pose", "panda", "panda")())
            def __call__(self, image, K, /):
                self.calls += 1
                if self.calls == 4:
                    os.kill(os.getpid(), signal.SIGKILL)
                return self.ready(image, K)

        collect_answers(open_dataset(sys.argv[1]).frames, Killed, file=Path(sys.argv[2]))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(folder), str(file)]
    assert subprocess.run(command, check=False).returncode == -9
    answers, estimator = _collect(folder, file)
    assert estimator.asked == [3, 4, 5]
    assert len(answers) == COUNT


def test_answers_of_other_settings_are_not_reused(folder, tmp_path):
    file = tmp_path / "answers.jsonl"
    _collect(folder, file, settings={"method": "default"})
    with pytest.raises(ConfigError, match="method 'default' there, 'film' now"):
        _collect(folder, file, settings={"method": "film"})
    with pytest.raises(ConfigError, match="K 'known' there, 'assumed' now"):
        _collect(folder, file, settings={"method": "default"}, intrinsics="assumed")


def test_a_frame_that_changed_is_asked_again(folder, tmp_path):
    file = tmp_path / "answers.jsonl"
    _collect(folder, file)
    edit_json(
        folder / "000004.json",
        lambda data: data.update(camera_intrinsics={"fx": 150.1, "fy": 151, "cx": 79, "cy": 60}),
    )
    _, estimator = _collect(folder, file)
    assert estimator.asked == [4]
    assert estimator.cameras[0][0, 0] == 150.1


def test_a_damaged_or_unwritable_file_is_an_error(folder, tmp_path):
    file = tmp_path / "answers.jsonl"
    file.write_text("nonsense\n")
    with pytest.raises(ConfigError, match="damaged"):
        _collect(folder, file)
    (tmp_path / "occupied").write_text("")
    with pytest.raises(OutputError, match="occupied"):
        _collect(folder, tmp_path / "occupied" / "answers.jsonl")


def test_limits_share_one_file(folder, tmp_path):
    file = tmp_path / "answers.jsonl"
    estimator = Scripted(COUNT)
    few = open_dataset(folder, limit=2).frames
    assert len(collect_answers(few, lambda: estimator, file=file)) == 2
    _, estimator = _collect(folder, file)
    assert estimator.asked == [2, 3, 4, 5]


def test_several_processes_answer_alike(folder):
    maker = Method("ready-pose", "panda", "panda")
    frames = open_dataset(folder, limit=3).frames
    one = collect_answers(frames, maker)
    two = collect_answers(frames, maker, workers=2)
    assert _without_seconds(one) == _without_seconds(two)
    assert list(two) == [frame.name for frame in frames]


def _broken_weights():
    raise WeightsError("these weights are broken")


def _kill_myself():
    os.kill(os.getpid(), signal.SIGKILL)


def test_errors_of_worker_processes_reach_the_user(folder):
    frames = open_dataset(folder, limit=2).frames
    with pytest.raises(WeightsError, match="these weights are broken"):
        collect_answers(frames, _broken_weights, workers=2)
    with pytest.raises(ArmsightError, match="fewer --workers"):
        collect_answers(frames, _kill_myself, workers=2)


@pytest.mark.parametrize(
    "intrinsics, given", [("known", True), ("assumed", False), ("if-known", True)]
)
def test_which_intrinsics_an_estimator_gets(folder, intrinsics, given):
    _, estimator = _collect(folder, None, intrinsics=intrinsics)
    assert [K is not None for K in estimator.cameras] == [given] * COUNT


def test_unknown_intrinsics_are_not_made_up(folder):
    (folder / "_camera_settings.json").unlink()
    with pytest.raises(DatasetError, match=r"000000 has no intrinsics.*--assume-intrinsics"):
        _collect(folder, None)
    _, estimator = _collect(folder, None, intrinsics="if-known")
    assert estimator.cameras == [None] * COUNT


def test_an_error_of_the_estimator_names_the_frame(folder):
    def broken(image, K, /):
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError) as caught:
        collect_answers(open_dataset(folder).frames, lambda: broken)
    assert "000000.png" in caught.value.__notes__[0]


def test_answers_do_not_carry_the_hypotheses(folder):
    answers, _ = _collect(folder, None)
    assert answers["000000"].keys() >= {"frame", "joint_positions", "joint_std", "T_cam_base"}
    assert "samples" not in answers["000000"]


def test_predictions_of_any_method_can_be_read(tmp_path):
    file = tmp_path / "theirs.jsonl"
    file.write_text('{"format": "x"}\n{"frame": "a", "robot_found": false}\n')
    assert read_answers(file) == {"a": {"frame": "a", "robot_found": False}}
    for text in ("[]", "{}", '{"frame": "a"}', '{"frame": "a", "robot_found": "yes"}', "{"):
        file.write_text('{"frame": "b", "robot_found": true}\n' + text + "\n")
        with pytest.raises(DatasetError, match=r"theirs.jsonl, line 2.*'robot_found'"):
            read_answers(file)
    with pytest.raises(DatasetError, match="nowhere"):
        read_answers(Path(tmp_path / "nowhere"))


def test_unknown_methods_name_the_known_ones():
    with pytest.raises(ConfigError, match="unknown method 'magic'; known: default, no-outline"):
        Method("magic", "panda", "panda")


def test_the_names_of_the_command_line_are_the_known_ones():
    from armsight.cli.evaluate.options import METHOD_NAMES
    from armsight.evaluate.poses.methods import METHODS

    assert tuple(METHODS) == METHOD_NAMES
