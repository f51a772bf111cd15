"""`--workers`: the same answers and the same printed text as one process; and `--device`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import armsight
from armsight.data.video import VideoWriter
from tests.fake_weights import write_fake_weights

ENVIRONMENT = {
    **os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(armsight.__file__).parents[1]),
}  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_weights(tmp_path_factory.mktemp("weights"), encoder=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pictures")
    for i in range(7):
        Image.fromarray(np.full((64, 90 + i, 3), 5 if i == 3 else 100 + i, np.uint8)).save(
            made / f"{i}.png"
        )
    (made / "broken.png").write_bytes(b"hello")
    for name in ("a.mp4", "b.mp4"):
        with VideoWriter(made / name, 10) as writer:
            for i in range(6):
                writer.write(np.full((64, 96, 3), 110 + i, np.uint8), i / 10)
    return made


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "armsight", "estimate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)


@pytest.mark.parametrize("as_json", [False, True])
def test_the_same_answers(folder: Path, weights: Path, tmp_path: Path, as_json: bool) -> None:
    runs = {}
    for workers in ("1", "2"):
        out = tmp_path / "out"
        options = ["--robot", weights, "--out", out, "--workers", workers]
        done = call(folder, *options, *["--json"] * as_json)
        files = {path.name: path.read_bytes() for path in out.iterdir()}
        runs[workers] = (done.returncode, done.stdout, sorted(done.stderr.splitlines()), files)
        for path in out.iterdir():
            path.unlink()
    alone, shared = runs["1"], runs["2"]
    assert alone[0] == shared[0] == 3
    assert alone[1] == shared[1]
    assert alone[2] == shared[2]
    assert sorted(alone[3]) == sorted(shared[3])
    assert len(alone[3]) == 7 * 2 + 2 * 3
    for name, content in alone[3].items():
        assert content == shared[3][name], name
    if as_json:
        documents = json.loads(shared[1])
        assert [Path(one.get("image") or one["video"]).name for one in documents] == [
            *(f"{i}.png" for i in range(7)), "a.mp4", "b.mp4", "broken.png",
        ]  # fmt: skip


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupt_keeps_what_is_done(weights: Path, tmp_path: Path, workers: str) -> None:
    (tmp_path / "in").mkdir()
    for i in range(1500):
        Image.fromarray(np.full((64, 96, 3), 120, np.uint8)).save(tmp_path / "in" / f"{i:04}.png")
    options = ["--robot", weights, "--out", tmp_path / "out", "--workers", workers, "--json"]
    command = [sys.executable, "-m", "armsight", "estimate", str(tmp_path / "in")]
    with (tmp_path / "said").open("w") as said, (tmp_path / "errors").open("w") as errors:
        process = subprocess.Popen(
            [*command, *map(str, options)], stdout=said, stderr=errors, env=ENVIRONMENT,
            start_new_session=True,
        )  # fmt: skip
        until = time.monotonic() + 90
        while len(list((tmp_path / "out").glob("[0-9]*.json"))) < 5:
            assert time.monotonic() < until
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        try:
            assert process.wait(60) == 130
        finally:
            process.kill()
            process.wait()
    stderr = (tmp_path / "errors").read_text()
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    documents = json.loads((tmp_path / "said").read_text())
    assert 1 <= len(documents) < 1500
    for path in (tmp_path / "out").glob("[0-9]*.json"):
        json.loads(path.read_text())


def test_a_device_that_is_not_there(folder: Path, weights: Path, tmp_path: Path) -> None:
    picture, options = folder / "0.png", ["--robot", weights, "--out", tmp_path]
    assert call(picture, *options, "--device", "cpu").returncode == 0
    done = call(picture, *options, "--device", "openvino")
    assert done.returncode == 2
    assert "needs onnxruntime-openvino in place of" in done.stderr
    done = call(picture, *options, "--device", "abacus")
    assert done.returncode == 2
    assert "abacus" in done.stderr
