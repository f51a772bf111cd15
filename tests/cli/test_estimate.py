"""`armsight estimate` on images: files, table, JSON, exit codes, and what must not happen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from armsight.cli.estimate import command
from armsight.errors import (
    ArmsightError,
    BadIntrinsicsError,
    OutputError,
    UnknownRobotError,
)
from tests.fake_weights import write_fake_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_weights(tmp_path_factory.mktemp("weights"), encoder=True)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return paint(tmp_path / "in" / "photo.png")


def paint(path: Path, grey: int = 120) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.new("RGB", (320, 240), (grey, grey, grey)).save(path)
    return path


def run(weights: Path, *arguments: str | Path) -> Result:
    options = [str(argument) for argument in arguments]
    return CliRunner().invoke(command, [*options, "--robot", str(weights)])


def test_image(weights: Path, photo: Path, tmp_path: Path) -> None:
    result = run(weights, photo, "--out", tmp_path / "out", "--K", "300,300,160,120")
    assert result.exit_code == 0, result.output
    assert sorted(os.listdir(tmp_path / "out")) == ["photo.json", "photo.overlay.png"]
    document = json.loads((tmp_path / "out" / "photo.json").read_text())
    assert document["robot_found"] is True
    assert document["image"] == str(photo)
    assert document["intrinsics_source"] == "given"
    assert len(document["joint_positions"]) == 7
    assert set(document["keypoints_2d"]) == set(document["keypoint_names"])
    # The table: a row for each joint with the same angle and standard deviation in degrees.
    rows = {line.split()[0]: line.split()[1:] for line in result.output.splitlines()}
    for name, angle, std in zip(
        document["joint_names"], document["joint_positions"], document["joint_std"], strict=True
    ):
        shown = [float(cell) for cell in rows[name]]
        np.testing.assert_allclose(shown, np.degrees([angle, std]), atol=0.051)
    assert "± std [deg]" in result.output
    assert f"confidence {document['confidence']:.2f}" in result.output
    assert str(tmp_path / "out" / "photo.overlay.png") in result.output
    with Image.open(tmp_path / "out" / "photo.overlay.png") as overlay:
        assert np.ptp(np.asarray(overlay)) > 150


def test_without_intrinsics_it_says_so(weights: Path, photo: Path, tmp_path: Path) -> None:
    result = run(weights, photo, "--out", tmp_path)
    assert "assumed a field of view" in result.output
    assert "distances are unreliable" in result.output
    document = json.loads((tmp_path / "photo.json").read_text())
    assert document["metric_depth_reliable"] is False
    assert document["intrinsics_source"] == "assumed"


def test_json_alone_on_standard_output(weights: Path, photo: Path, tmp_path: Path) -> None:
    result = run(weights, photo, "--out", tmp_path, "--json")
    document = json.loads(result.stdout)
    assert document == json.loads((tmp_path / "photo.json").read_text())
    assert result.exit_code == 0


def test_json_of_several_is_a_list(weights: Path, photo: Path, tmp_path: Path) -> None:
    dark = paint(tmp_path / "in" / "dark.png", 5)
    broken = tmp_path / "in" / "broken.png"
    broken.write_text("no picture")
    result = run(weights, photo, dark, broken, "--out", tmp_path / "out", "--json")
    first, second, third = json.loads(result.stdout)
    assert (first["robot_found"], second["robot_found"], third["robot_found"]) == (
        True,
        False,
        None,
    )
    assert set(first) <= set(third) | {"error"}
    assert "not an image" in third["error"]
    assert third["joint_positions"] is None
    assert result.exit_code == 3
    assert "broken.png" in result.stderr


def test_a_folder_of_one_is_still_a_list(weights: Path, photo: Path, tmp_path: Path) -> None:
    result = run(weights, photo.parent, "--out", tmp_path / "out", "--json")
    assert isinstance(json.loads(result.stdout), list)


def test_no_robot_is_an_answer(weights: Path, tmp_path: Path) -> None:
    dark = paint(tmp_path / "dark.png", 5)
    result = run(weights, dark, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "no panda found" in result.output
    document = json.loads((tmp_path / "out" / "dark.json").read_text())
    assert document["robot_found"] is False
    assert document["joint_positions"] is None
    assert (tmp_path / "out" / "dark.overlay.png").is_file()


def test_one_bad_image_does_not_stop_the_others(weights: Path, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "a_broken.jpg").write_bytes(b"")
    result = run(weights, tmp_path / "in", "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert "a_broken.jpg is empty" in result.stderr
    assert (tmp_path / "out" / "photo.json").is_file()
    assert not (tmp_path / "out" / "a_broken.json").exists()


def test_same_names_in_two_folders(weights: Path, tmp_path: Path) -> None:
    one, two = paint(tmp_path / "a" / "x.png"), paint(tmp_path / "b" / "x.png", 5)
    run(weights, one, two, "--out", tmp_path / "out")
    documents = [json.loads(p.read_text()) for p in sorted((tmp_path / "out").glob("*.json"))]
    assert [document["robot_found"] for document in documents] == [True, False]


def test_annotations_beside_an_image_are_not_overwritten(
    weights: Path, photo: Path, tmp_path: Path
) -> None:
    truth = photo.with_suffix(".json")
    truth.write_text('{"objects": []}')
    result = run(weights, photo, "--out", photo.parent)
    assert result.exit_code == OutputError.exit_code
    assert "not written by armsight" in result.stderr
    assert truth.read_text() == '{"objects": []}'


def test_running_twice_gives_the_same_files(weights: Path, photo: Path, tmp_path: Path) -> None:
    contents = []
    for _ in range(2):
        assert run(weights, photo, "--out", tmp_path / "out").exit_code == 0
        contents.append([p.read_bytes() for p in sorted((tmp_path / "out").iterdir())])
    assert contents[0] == contents[1]


def test_no_overlay(weights: Path, photo: Path, tmp_path: Path) -> None:
    run(weights, photo, "--out", tmp_path / "out", "--no-overlay")
    assert os.listdir(tmp_path / "out") == ["photo.json"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--K", "nan,600,320,240"], BadIntrinsicsError, "NaN"),
        (["--K", "0,0,0,0"], BadIntrinsicsError, "focal lengths 0 and 0"),
        (["--K", "600"], BadIntrinsicsError, "give fx,fy,cx,cy"),
        (["--fov", "190"], BadIntrinsicsError, "must be 1 to 175"),
        (["--fov", "60", "--K", "1,1,1,1"], BadIntrinsicsError, "only one of"),
        (["--camera", "none.json"], BadIntrinsicsError, "No such file"),
        (["--hypotheses", "0"], ArmsightError, "num_hypotheses is 0"),
    ],
)
def test_bad_options(
    weights: Path, photo: Path, tmp_path: Path, options: list[str],
    error: type[ArmsightError], message: str,
) -> None:  # fmt: skip
    result = run(weights, photo, "--out", tmp_path / "out", *options)
    assert result.exit_code != 0
    text = str(result.exception) + result.output
    assert message in text
    if isinstance(result.exception, ArmsightError):
        assert isinstance(result.exception, error)
    assert not (tmp_path / "out" / "photo.json").exists()


def test_wrong_robot(photo: Path) -> None:
    result = CliRunner().invoke(command, [str(photo), "--robot", "pandu"])
    assert isinstance(result.exception, UnknownRobotError)
    assert "known robots" in str(result.exception)


def test_unwritable_output(weights: Path, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(weights, photo, "--out", tmp_path / "file" / "out")
    assert result.exit_code == OutputError.exit_code
    assert "cannot write" in result.stderr


def test_file_names_of_any_bytes(weights: Path, tmp_path: Path) -> None:
    photo = paint(tmp_path / "in" / "x.png")
    odd = photo.with_name(os.fsdecode(b"caf\xe9 \xf0\x9f\xa6\xbe.png"))
    try:
        photo.rename(odd)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    result = run(weights, odd, "--out", tmp_path / "out", "--json")
    assert json.loads(result.stdout)["image"] == str(odd)
    assert run(weights, odd, "--out", tmp_path / "out").exit_code == 0
    assert (tmp_path / "out" / (odd.stem + ".json")).is_file()


def test_camera_file(weights: Path, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "K.txt").write_text("300 0 160\n0 300 120\n0 0 1\n")
    run(weights, photo, "--out", tmp_path / "out", "--camera", tmp_path / "K.txt")
    document = json.loads((tmp_path / "out" / "photo.json").read_text())
    assert document["intrinsics_source"] == "camera_file"
    assert document["K"] == [[300, 0, 160], [0, 300, 120], [0, 0, 1]]
    assert document["metric_depth_reliable"] is True
    # armsight's own JSON is a camera file too.
    run(weights, photo, "--out", tmp_path / "2", "--camera", tmp_path / "out" / "photo.json")
    assert json.loads((tmp_path / "2" / "photo.json").read_text())["K"] == document["K"]


def test_as_a_program(weights: Path, photo: Path, tmp_path: Path) -> None:
    """The installed command: one line of error, its exit code, and nothing else printed."""
    program = [sys.executable, "-m", "armsight", "estimate"]

    def call(*arguments: Any) -> subprocess.CompletedProcess[str]:
        options = [str(argument) for argument in arguments]
        return subprocess.run(
            [*program, *options], capture_output=True, text=True, cwd=tmp_path, check=False
        )

    done = call(photo, "--robot", weights, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["robot_found"] is True
    assert (tmp_path / "photo.json").is_file()  # without --out: here
    missing = call("gone.png", "--robot", weights)
    assert (missing.returncode, missing.stdout) == (3, "")
    assert missing.stderr == "armsight: gone.png does not exist\n"
    unknown = call(photo, "--robot", "pandu")
    assert unknown.returncode == 5
    assert unknown.stderr.startswith("armsight: no weights for 'pandu'")
    assert "Traceback" not in unknown.stderr
