"""Inputs mutated from good ones lead to an answer or to a clear error; the large run is
benchmarks/fuzz_inputs.py. Every input has its own seed, so that a failure can be looked at."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from armsight import Estimator
from armsight.data.lerobot import LeRobotReader
from armsight.errors import ArmsightError
from benchmarks.fuzz_inputs import MUTATIONS, answer, change_bytes, mutated
from tests.data.made_demonstrations import CAMERA, write_demonstrations
from tests.fake_weights import write_fake_weights

K = np.array([[782.8, 0, 314.6], [0, 785.4, 224.7], [0, 0, 1]])
PHOTO = Path(__file__).parents[1] / "src/armsight/weights/panda/example.jpg"
PICTURES, DATA_SETS, BAGS = 90, 24, 40


@pytest.fixture(scope="module")
def estimator(tmp_path_factory: pytest.TempPathFactory) -> Estimator:
    """Reads nothing, but loads pictures and cameras as the real one does."""
    folder = write_fake_weights(tmp_path_factory.mktemp("weights"))
    return Estimator.from_pretrained(folder).with_outline(False)


def test_pictures_and_cameras(estimator: Estimator, tmp_path: Path) -> None:
    pixels = np.asarray(Image.open(PHOTO).convert("RGB").resize((320, 240)))
    seen: Counter[str] = Counter()
    names = list(MUTATIONS)
    for seed in range(PICTURES):
        rng = np.random.default_rng([7, seed])
        given, _ = mutated(pixels, K / [[2], [2], [1]], rng, names[seed % len(names)])
        try:
            answer(estimator, given, tmp_path)
            seen["answer"] += 1
        except ArmsightError as error:
            seen["error" if str(error) else "error without words"] += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}: {given.name}, {given.K}: {error!r}") from error
    assert set(seen) == {"answer", "error"}
    assert min(seen.values()) > PICTURES / 10


def test_data_sets(tmp_path: Path) -> None:
    """Bytes of one file of a LeRobot data set are changed."""
    good = write_demonstrations(tmp_path / "good", [4, 3])
    for seed in range(DATA_SETS):
        rng = np.random.default_rng([8, seed])
        bad = tmp_path / "bad"
        shutil.copytree(good, bad)
        files = sorted(path for path in bad.rglob("*") if path.is_file())
        path = files[seed % len(files)]
        data = path.read_bytes()
        path.write_bytes(change_bytes(data, rng, 0, len(data)))
        try:
            reader = LeRobotReader(bad)
            for episode in range(len(reader)):
                reader.rows(episode)
                reader.frames(episode, CAMERA)
        except ArmsightError:
            pass
        except Exception as error:
            raise AssertionError(f"seed {seed}, {path.relative_to(bad)}: {error!r}") from error
        shutil.rmtree(bad)


@pytest.mark.parametrize("kind", ["bag.mcap", "bag"])
def test_bags(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("rosbags", reason="rosbags is not installed: pip install 'armsight[ros]'")
    pytest.importorskip("mcap_ros2", reason="mcap-ros2-support is not installed")
    from armsight.data.bags.cameras import choose_topics
    from armsight.data.recordings import open_recordings
    from armsight.robots import load_robot
    from tests.data.bags import made_bags as made

    frames = [np.full((40, 48, 3), grey, np.uint8) for grey in (30, 60, 90)]
    state = made.joint_state(made.START, made.NAMES, np.zeros(7))
    joints = (made.STATES, "sensor_msgs/msg/JointState", made.START, state)
    good = made.WRITERS[kind](tmp_path / kind, [*made.camera_messages(frames), joints])
    panda = load_robot("panda")
    for seed in range(BAGS):
        rng = np.random.default_rng([9, seed])
        bad = tmp_path / f"bad{good.suffix}"
        if good.is_dir():
            shutil.copytree(good, bad)
        else:
            shutil.copyfile(good, bad)
        files = [bad] if bad.is_file() else sorted(bad.iterdir())
        path = files[seed % len(files)]
        data = path.read_bytes()
        path.write_bytes(change_bytes(data, rng, 0, len(data)))
        try:
            choose_topics(bad)
            for recording in open_recordings(bad, panda):
                recording.read_frames(range(len(recording)))
        except ArmsightError:
            pass
        except Exception as error:
            raise AssertionError(f"seed {seed}, {path.name}: {error!r}") from error
        shutil.rmtree(bad) if bad.is_dir() else bad.unlink()
