"""Names of results, and files that must not be overwritten."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from armsight.camera.parse import parse_K
from armsight.cli._inputs import Input, check_target, find_inputs, unique_names
from armsight.errors import BadImageError, BadIntrinsicsError, OutputError


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/x.png", "a/y.png"], ["x", "y"]),
        (["a/x.png", "b/x.png", "c/z.jpg"], ["a_x.png", "b_x.png", "z"]),
        (["a/x.png", "a/x.jpg"], ["x.png", "x.jpg"]),
        (["p/a/x.png", "q/a/x.png"], ["p_a_x.png", "q_a_x.png"]),
        (["a/x.png", "A/X.png"], None),
        (["a/x.png", "a/x.png"], ["x", "x"]),  # the same file twice is no clash
        (["a_x.png", "a/x.png", "b/x.png"], None),
        ([], []),
    ],
)
def test_different_files_have_different_names(
    tmp_path: Path, paths: list[str], names: list[str] | None
) -> None:
    found = unique_names([tmp_path / path for path in paths])
    if names is not None:
        assert found == names
    assert len({name.casefold() for name in found}) == len(set(paths))
    assert not any("/" in name for name in found)


def test_folders_are_opened_and_results_left_out(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "c.mp4", "a.overlay.png", "a.json", ".hidden.png", "notes.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "sub.png").mkdir()
    found = find_inputs([str(tmp_path)])
    assert [one.path.name for one in found] == ["a.jpg", "b.PNG", "c.mp4"]
    assert [one.is_video for one in found] == [False, False, True]


def test_empty_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(BadImageError, match="holds no image or video"):
        find_inputs([str(tmp_path)])


def test_inputs_and_foreign_files_are_not_overwritten(tmp_path: Path) -> None:
    photo, foreign = tmp_path / "a.overlay.png", tmp_path / "a.json"
    photo.write_text("")
    foreign.write_text('{"objects": []}')
    inputs = [Input(photo, "a")]
    with pytest.raises(OutputError, match="is an input"):
        check_target(photo, inputs)
    with pytest.raises(OutputError, match="not written by armsight"):
        check_target(foreign, inputs)
    ours = tmp_path / "ours.json"
    ours.write_text('{"image": "a.png", "robot": "panda", "robot_found": true}')
    assert check_target(ours, inputs) == ours
    assert check_target(tmp_path / "new.json", inputs) == tmp_path / "new.json"
    rows = tmp_path / "v.csv"
    rows.write_text("frame,time_s,robot_found,confidence\n")
    assert check_target(rows, inputs) == rows


def test_an_input_under_another_name_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "real.png").write_text("")
    (tmp_path / "x.overlay.png").symlink_to(tmp_path / "real.png")
    with pytest.raises(OutputError, match="is an input"):
        check_target(tmp_path / "x.overlay.png", [Input(tmp_path / "real.png", "x")])


def test_K_as_text() -> None:
    expected = [[600, 0, 320], [0, 610, 240], [0, 0, 1]]
    np.testing.assert_array_equal(parse_K("600,610,320,240"), expected)
    np.testing.assert_array_equal(parse_K(" 600 610 , 320 240 "), expected)
    np.testing.assert_array_equal(parse_K("600,0,320,0,610,240,0,0,1"), expected)
    for text in ("", "600", "1,2,3", "a,b,c,d", "1,2,3,4,5"):
        with pytest.raises(BadIntrinsicsError, match="give fx,fy,cx,cy"):
            parse_K(text)
