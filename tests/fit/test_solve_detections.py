"""The benchmark on another system's detections: ours is at least as good from the same input."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from armsight.evaluate.poses import metrics

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "dream_detections.py"


@pytest.fixture(scope="module")
def benchmark_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dream_detections", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(folder: Path, name: str) -> dict[str, np.ndarray]:
    with np.load(folder / "dream_detections" / f"{name}.npz", allow_pickle=False) as data:
        return dict(data)


def test_at_least_the_peers_score_from_its_detections_and_starting_angles(
    benchmark_script: ModuleType, shared_data: Path
) -> None:
    rendered = read(shared_data, "panda_synth_test_dr_1000")
    scale = benchmark_script.confidence_scale(rendered, np.arange(1000))
    data = read(shared_data, "panda_realsense")
    start = data["peer_head_theta"].astype(float)
    ours = benchmark_script.from_angles(data, start, scale, prior_std=0.15, floor=0.0)
    peer = metrics.add(data["peer_xyz_cam_m"], data["gt_xyz_cam_m"])
    assert metrics.auc(peer) == pytest.approx(0.760, abs=0.0005)
    assert metrics.auc(ours) >= metrics.auc(peer)
    assert np.isfinite(ours).all()


def test_confidence_scale_is_found_back(benchmark_script: ModuleType) -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 0.9, (2000, 7))
    truth = rng.uniform(0, 400, (2000, 7, 2))
    noise = rng.standard_normal((2000, 7, 2)) * (1.3 / confidence)[..., None]
    data = {
        "gt_uv_px": truth,
        "det_uv_px": truth + noise,
        "det_conf": confidence,
        "gt_offframe": np.zeros((2000, 7), dtype=bool),
    }
    assert benchmark_script.confidence_scale(data, np.arange(2000)) == pytest.approx(1.3, rel=0.03)


def test_interval_of_equal_blocks_holds_the_mean(benchmark_script: ModuleType) -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(100):
        values = rng.normal(5.0, 1.0, 60)
        low, high = benchmark_script.interval(values, np.array_split(np.arange(60), 20))
        hits += low <= 5.0 <= high
    assert 85 <= hits <= 100


def test_a_wrong_folder_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "panda_realsense.npz is not there" in done.stderr


def test_rows_can_be_written_as_json(benchmark_script: ModuleType) -> None:
    errors = np.array([0.01, 0.02, np.inf, 0.03])
    off = np.zeros((4, 7), dtype=bool)
    off[0, :4] = True  # three link origins in frame: DREAM leaves it out
    blocks = list(np.arange(4)[:, None])
    row = benchmark_script.row("x", errors, {"gt_offframe": off}, blocks, errors)
    again = json.loads(json.dumps(row, allow_nan=False, default=list))
    assert again["missed"] == 1
    assert again["auc"] == pytest.approx(100 * (0.9 + 0.8 + 0.7) / 4)
    assert again["dream_rows"] == 3
    assert again["auc_dream_rows"] == pytest.approx(100 * (0.8 + 0.7) / 3)
    assert again["add_mean_mm"] is None
