"""Where keyframes come from: folders of others, video files, a world model."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from armsight.control.world_models import DiffusersWorldModel
from armsight.data.video import VideoWriter
from armsight.errors import DatasetError
from armsight.evaluate.control import run as control
from armsight.evaluate.control.plan import PlayedEpisode
from armsight.evaluate.control.result import control_result
from armsight.evaluate.control.run import run_control
from tests.evaluate.control.test_run import by_key, plan_for
from tests.fake_action_weights import pictures


def test_keyframes_of_others(tmp_path: Path, weights: str) -> None:
    """Videos without any demonstration; one shows no robot, one is missing, one has one frame."""
    folder = tmp_path / "videos" / "grey_task"
    greys = np.linspace(80, 200, 9)
    for state, values in ((40, greys), (41, greys[:1]), (42, np.zeros(9))):
        (folder / str(state)).mkdir(parents=True)
        for i, picture in enumerate(pictures(values)):
            cv2.imwrite(str(folder / str(state) / f"{i:03d}.png"), picture)
    plan = plan_for(tmp_path / "run", weights, tasks=("grey_task",),
                    initial_states=(40, 41, 42, 43), keyframes=str(tmp_path / "videos"),
                    rows=("replay", "direct"))  # fmt: skip
    lines = by_key(run_control(plan))
    assert len(lines) == 4  # nobody can replay what was never recorded
    assert lines["grey_task/40/direct/3"]["num_actions"] == 25
    assert lines["grey_task/40/direct/3"]["error"] is None
    assert "one frame only" in lines["grey_task/41/direct/3"]["error"]
    assert "no panda in view" in lines["grey_task/42/direct/3"]["error"]
    assert "grey_task/43.mp4" in lines["grey_task/43/direct/3"]["error"]
    assert not any(lines[f"grey_task/{s}/direct/3"]["success"] for s in (41, 42, 43))
    assert control_result(plan, list(lines.values()))["rows"]["direct"]["errors"] == 3


def test_a_world_model_dreams_from_the_first_picture(
    tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Dreams:
        def keyframes(self, first_image, instruction):
            asked.append((int(first_image[0, 0, 0]), instruction))
            return pictures(np.linspace(first_image[0, 0, 0], 200, 5))

    monkeypatch.setattr(DiffusersWorldModel, "from_pretrained", lambda name, **_: Dreams())
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "model_index.json").write_text("{}")
    plan = plan_for(tmp_path / "run", weights, tasks=("grey_task",), rows=("direct",),
                    keyframes=str(tmp_path / "pipeline"), strides=(2,))  # fmt: skip
    lines = by_key(run_control(plan))
    assert asked == [(80, "grey_task")] * 2  # once for each initial state, not for each unit
    assert lines["grey_task/40/direct/3"]["num_actions"] == 13
    assert lines["grey_task/41/direct/2"]["num_actions"] == 9


def test_a_folder_without_keyframes_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "videos" / "grey_task").mkdir(parents=True)
    plan = plan_for(tmp_path / "run", None, keyframes=str(tmp_path / "videos"),
                    rows=("no_action",), default_row="no_action")  # fmt: skip
    with pytest.raises(DatasetError, match=r"expected such as .*grey_task/40\.mp4"):
        run_control(plan)
    assert not (tmp_path / "run").exists()


def test_video_files_are_keyframes_too(tmp_path: Path) -> None:
    folder = tmp_path / "videos" / "grey_task"
    folder.mkdir(parents=True)
    with VideoWriter(folder / "40.mp4", 20 / 3) as video:
        for i, picture in enumerate(pictures(np.linspace(80, 200, 5))):
            video.write(picture, i * 0.15)
    plan = plan_for(tmp_path, None, keyframes=str(tmp_path / "videos"), rows=("no_action",),
                    default_row="no_action")  # fmt: skip
    material, facts = control.Player(plan).sources.material(
        PlayedEpisode("grey_task", 40, "no_action", 0)
    )
    assert material.frames.shape == (5, 32, 32, 3)
    assert material.demonstrated is None
    assert facts == {}
