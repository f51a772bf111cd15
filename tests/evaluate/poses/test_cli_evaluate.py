"""`armsight evaluate` as a user runs it; the ready pose stands in for a network."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from PIL import Image

from armsight.cli.evaluate import command
from armsight.errors import ConfigError, DatasetError, UnknownRobotError
from tests.fake_weights import write_fake_weights
from tests.labelled_folders import poses, write_joint_folder, write_ndds

from .scripted import PANDA

READY = ["--method", "ready-pose"]


def _run(*arguments):
    return CliRunner().invoke(command, [*map(str, arguments)], catch_exceptions=True)


def test_json_is_one_document_on_standard_output(tmp_path):
    folder = write_ndds(tmp_path / "set", 3)
    run = _run("pose", folder, *READY, "--json", "--report", tmp_path / "report")
    assert run.exit_code == 0, run.output
    result = json.loads(run.stdout)
    assert result["dataset"]["frames"] == 3
    assert result["settings"] == {"method": "ready-pose", "robot": "panda", "K": "known"}
    assert result == json.loads((tmp_path / "report" / "results.json").read_text())
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert names == {"answers.jsonl", "report.html", "results.csv", "results.json"}


def test_a_table_without_json(tmp_path):
    run = _run("pose", write_ndds(tmp_path / "set", 3), *READY, "--limit", 2)
    assert run.exit_code == 0, run.output
    assert "2 images of panda, 2 answered" in run.stdout
    assert "joints 1 to 6" in run.stdout


def test_running_again_goes_on(tmp_path):
    folder, report = write_ndds(tmp_path / "set", 3), tmp_path / "report"
    assert _run("pose", folder, *READY, "--report", report, "--limit", 2).exit_code == 0
    before = (report / "answers.jsonl").read_text()
    assert _run("pose", folder, *READY, "--report", report).exit_code == 0
    after = (report / "answers.jsonl").read_text()
    assert after.startswith(before)
    assert len(after.splitlines()) == 4
    run = _run("pose", folder, *READY, "--report", report, "--assume-intrinsics")
    assert isinstance(run.exception, ConfigError)


def test_somebody_elses_predictions(tmp_path):
    folder = write_joint_folder(tmp_path / "set", 3)
    lines = [
        {"frame": f"{i:06d}", "robot_found": True, "joint_positions": (q + 0.1).tolist()}
        for i, q in enumerate(poses(PANDA, 3))
    ]
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_text("\n".join(map(json.dumps, lines)))
    run = _run("pose", folder, "--predictions", theirs, "--json")
    scored = json.loads(run.stdout)["joints"]["answered"]["scored"]
    assert scored["median"]["value"] == pytest.approx(5.729578)
    missing = _run("pose", folder, "--predictions", tmp_path / "none.jsonl")
    assert isinstance(missing.exception, DatasetError)


def test_presence(tmp_path):
    folder = write_ndds(tmp_path / "set", 2)
    (tmp_path / "empty").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "empty" / "a.png")
    arguments = ["presence", folder, "--without-robot", tmp_path / "empty", *READY]
    report = tmp_path / "report"
    run = _run(*arguments, "--json", "--report", report)
    result = json.loads(run.stdout)
    # The ready pose is answered everywhere, without confidence.
    assert result["false_answers"]["value"] == 1
    assert result["refused"]["value"] == result["false_sure_answers"]["value"] == 0
    assert result == json.loads((report / "presence.json").read_text())
    assert "false answers where no robot is: 100.0 %" in _run(*arguments).stdout
    assert _run("presence", *READY).exit_code == 2


@pytest.mark.parametrize(
    "arguments, error",
    [
        (["nowhere"], DatasetError),
        (["set", "--robot", "r2d2"], UnknownRobotError),
        (["set", "--weights", "nowhere"], UnknownRobotError),
        (["set", "--units", "cm", *READY], DatasetError),
    ],
)
def test_errors(tmp_path, arguments, error, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_ndds(tmp_path / "set", 1)
    assert isinstance(_run("pose", *arguments).exception, error)


def test_the_command_is_light_to_import():
    heavy = "{'torch', 'mujoco', 'scipy', 'matplotlib', 'onnxruntime', 'cv2'}"
    code = f"import sys, armsight.cli.evaluate as e; print(sorted({heavy} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_network_itself_is_asked(tmp_path):
    folder = write_ndds(tmp_path / "set", 2)
    weights = write_fake_weights(tmp_path / "weights")
    report = tmp_path / "report"
    run = _run("pose", folder, "--weights", weights, "--report", report, "--json")
    assert run.exit_code == 0, (run.output, run.exception)
    result = json.loads(run.stdout)
    # The fake network sees an arm in any picture that is not dark.
    assert result["counts"]["answered"] == 2
    assert result["joints"]["answered"]["scored"]["mean"]["value"] < 60
    again = _run("pose", folder, "--weights", weights, "--report", report, "--json")
    assert json.loads(again.stdout) == result
    write_fake_weights(weights, name="another")
    changed = _run("pose", folder, "--weights", weights, "--report", report)
    assert isinstance(changed.exception, ConfigError)
    assert "weights" in str(changed.exception)


def test_each_part_can_be_scored_alone(tmp_path):
    folder = write_ndds(tmp_path / "set", 1)
    weights = write_fake_weights(tmp_path / "weights")
    q = {}
    for method in ("default", "no-outline", "diffusion-only", "keypoints-only"):
        report = tmp_path / method
        run = _run("pose", folder, "--weights", weights, "--method", method, "--report", report)
        assert run.exit_code == 0, (run.output, run.exception)
        line = (report / "answers.jsonl").read_text().splitlines()[1]
        q[method] = json.loads(line)["joint_positions"]
    # The fake network's hypotheses are spread around ANGLES; one of their group is taken as it is.
    assert len({tuple(angles) for angles in q.values()}) == 4
