"""`armsight estimate DATASET --out COPY`: each frame's estimate as columns of a copy."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from armsight.annotate.columns import full_name
from armsight.annotate.episode import EpisodeEstimator
from armsight.annotate.plan import EstimatePlan, make_plan
from armsight.annotate.run import estimate_dataset, work_folder
from armsight.cli.estimate import command
from armsight.data.lerobot import LeRobotReader, LeRobotWriter
from armsight.episodes.run import Row
from armsight.episodes.units import Unit
from armsight.errors import ConfigError
from tests.audit.drawn_arm import CAMERA_KEY, FPS, HEIGHT, ROBOT, WIDTH, features
from tests.data.lerobot.package import open_with_lerobot
from tests.fake_weights import write_fake_weights

BRIGHT, DARK = 120, 5  # the fake network sees an arm where it is bright
EPISODES = [[BRIGHT, BRIGHT, DARK, BRIGHT], [BRIGHT, BRIGHT], [DARK, DARK, BRIGHT]]
JOINTS, STD = "observation.estimate.joint_positions", "observation.estimate.std"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_weights(tmp_path_factory.mktemp("weights"), encoder=True)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    with LeRobotWriter(folder, fps=FPS, robot_type="panda", features=features()) as writer:
        for greys in EPISODES:
            log = np.tile(ROBOT.ready_positions, (len(greys), 1))
            frames = np.stack([np.full((HEIGHT, WIDTH, 3), grey, np.uint8) for grey in greys])
            writer.add_episode(
                {"observation.state": log, "action": log}, {CAMERA_KEY: frames}, "stand still"
            )
    return folder


def run(weights: Path, *arguments: str | Path) -> Result:
    options = [str(argument) for argument in arguments]
    return CliRunner().invoke(command, [*options, "--robot", str(weights)])


def videos(dataset: Path) -> list[Path]:
    return sorted((dataset / "videos").rglob("*.mp4"))


def test_the_columns_are_what_the_videos_give(weights: Path, dataset: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    result = run(weights, dataset, "--out", copy)
    assert result.exit_code == 0, result.output
    assert "4 of 4 frames, arm found in 3" in result.output
    assert not work_folder(copy).exists()
    reader = LeRobotReader(copy)
    assert reader.features[JOINTS]["names"] == list(ROBOT.joint_names)
    for episode, video in enumerate(videos(dataset)):
        run(weights, video, "--out", tmp_path / "rows", "--no-overlay")
        lines = (tmp_path / "rows" / f"{video.stem}.jsonl").read_text().splitlines()
        rows = reader.rows(episode)
        assert len(lines) == len(EPISODES[episode])
        for i, line in enumerate(map(json.loads, lines)):
            assert rows["observation.estimate.confidence"][i] == pytest.approx(line["confidence"])
            if line["joint_positions"] is None:
                assert np.isnan(rows[JOINTS][i]).all()
                continue
            np.testing.assert_allclose(rows[JOINTS][i], line["joint_positions"], atol=2e-6)
            np.testing.assert_allclose(rows[STD][i], line["joint_std"], rtol=1e-5, atol=2e-6)
            T = rows["observation.estimate.T_cam_base"][i].reshape(4, 4)
            np.testing.assert_allclose(T, line["T_cam_base"], atol=2e-6)
            K = line["K"]
            np.testing.assert_allclose(
                rows["observation.estimate.intrinsics"][i],
                [K[0][0], K[1][1], K[0][2], K[1][2]], rtol=1e-6,
            )  # fmt: skip
    assert reader.episodes[2][f"estimate.{CAMERA_KEY}.num_robot_found"] == 1


def test_a_broken_video_loses_its_own_frames_only(
    weights: Path, dataset: Path, tmp_path: Path
) -> None:
    videos(dataset)[1].write_bytes(b"no video")
    result = run(weights, dataset, "--out", tmp_path / "copy", "--json", "--episodes", "0-1")
    assert result.exit_code == 7
    assert "cannot be read" in result.stderr
    document = json.loads(result.stdout)
    assert [one["num_read"] for one in document["episodes"]] == [4, 0]
    reader = LeRobotReader(tmp_path / "copy")
    assert np.isfinite(reader.rows(0)[JOINTS][0]).all()
    for episode in (1, 2):  # broken, and not asked for
        assert np.isnan(reader.rows(episode)[JOINTS]).all()


class Interrupted(EpisodeEstimator):
    """Says in a file which episodes it reads, and is interrupted at one of them."""

    def __init__(self, plan: EstimatePlan, diary: Path, at: int | None) -> None:
        super().__init__(plan)
        self.diary, self.at = diary, at

    def __call__(self, unit: Unit) -> Row:
        if unit.episode == self.at:
            raise KeyboardInterrupt
        with self.diary.open("a") as file:
            file.write(f"{unit.episode} ")
        return super().__call__(unit)


def test_an_interrupted_run_goes_on(weights: Path, dataset: Path, tmp_path: Path) -> None:
    plan = make_plan(dataset, str(weights))
    out, diary = tmp_path / "copy", tmp_path / "diary"
    with pytest.raises(KeyboardInterrupt):
        estimate_dataset(plan, out, make_worker=partial(Interrupted, diary=diary, at=2))
    assert not out.exists()
    other = make_plan(dataset, str(weights), fov_deg=50.0)
    with pytest.raises(ConfigError, match="other settings"):
        estimate_dataset(other, out)
    estimate_dataset(plan, out, make_worker=partial(Interrupted, diary=diary, at=None))
    assert diary.read_text().split() == ["0", "1", "2"]
    estimate_dataset(plan, tmp_path / "at once")
    one, two = LeRobotReader(out), LeRobotReader(tmp_path / "at once")
    for episode in range(3):
        for name, column in one.rows(episode).items():
            np.testing.assert_array_equal(column, two.rows(episode)[name])


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((), "--out COPY"),
        (("--out", "copy", "--box", "0,0,9,9"), "without other images, --box"),
        (("--out", "copy", "--camera-key", "front"), "has no video front; valid: "),
    ],
)
def test_what_a_data_set_needs(
    weights: Path, dataset: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = run(weights, dataset, *arguments)
    assert words in str(result.exception)


def test_names_of_columns() -> None:
    assert full_name("std", CAMERA_KEY, alone=True) == STD
    front = full_name("std", "observation.images.front", alone=False)
    assert front == "observation.estimate.front.std"


@pytest.mark.filterwarnings("ignore")
def test_lerobot_opens_the_copy(weights: Path, dataset: Path, tmp_path: Path) -> None:
    pytest.importorskip("lerobot", reason="lerobot is not installed")
    pytest.importorskip("datasets", reason="datasets, which lerobot needs, is not installed")
    run(weights, dataset, "--out", tmp_path / "copy")
    opened: Any = open_with_lerobot(tmp_path / "copy")
    rows = [
        row
        for episode in range(3)
        for row in LeRobotReader(tmp_path / "copy").rows(episode)[JOINTS]
    ]
    assert len(opened) == len(rows) == 9
    for i, row in enumerate(rows):
        np.testing.assert_array_equal(opened[i][JOINTS].numpy(), row)
    assert opened.meta.stats[STD]["count"].tolist() == [6]
