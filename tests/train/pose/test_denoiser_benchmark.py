"""The benchmark of denoisers: cached encodings are the encoder's, and no test row is trained on."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from armsight.errors import ConfigError
from armsight.models.checkpoint import save_checkpoint
from armsight.models.pose_model import PoseModel, PoseModelConfig
from armsight.models.state_model import measure
from armsight.robots import load_robot
from armsight.train.pose.batches import make_batch
from armsight.train.pose.sources import open_table
from tests.train.made_shards import SIZE, make_shards

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("denoisers"), importlib.import_module("cached_encodings")
    for name in ("denoisers", "cached_encodings", "denoiser_table"):
        sys.modules.pop(name, None)


def shards(folder, seed):
    make_shards(folder, rows=16, seed=seed)
    index = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**index, "seed": seed, "settings": {}}))
    return str(folder)


def tiny_model():
    torch.manual_seed(0)
    return PoseModel(PoseModelConfig.for_robot(load_robot("panda"), input_size=SIZE)).eval()


def test_rows_of_the_training_seed_are_refused(benchmark, tmp_path):
    _, cached = benchmark
    one, same, other = (shards(tmp_path / n, s) for n, s in (("a", 1), ("b", 1), ("c", 2)))
    cached.check_disjoint([one], other)
    with pytest.raises(ConfigError, match="seed 1, split 'train': they are the same rows"):
        cached.check_disjoint([other, one], same)


def test_cached_contexts_are_those_of_the_encoder(benchmark, tmp_path):
    _, cached = benchmark
    folder, model = shards(tmp_path / "a", 1), tiny_model()
    rows = cached.encoded_rows(model, [folder], limit=5, work=tmp_path, strength=0.0)
    table = open_table((folder,), "panda")
    found = np.flatnonzero(table.labels["robot_found"])[:5]
    rngs = [np.random.default_rng(0) for _ in found]
    batch = make_batch(table, found, SIZE, rngs, None, strength=0.0)
    with torch.no_grad():
        encoding = model.encoder(batch["image"].float())
        expected = model.context(measure(encoding, batch["camera"]), encoding)
        actual = cached.context_of(model, rows, torch.arange(5))
    torch.testing.assert_close(actual, expected, atol=2e-3, rtol=2e-3)
    truth = cached.truth_of(rows, torch.tensor([2]))
    torch.testing.assert_close(truth["joint_positions"], batch["joint_positions"][2:3])


def test_a_second_run_reads_what_the_first_one_did(benchmark, tmp_path, monkeypatch, capsys):
    denoisers, _ = benchmark
    model = tiny_model()
    info = {"step": 0, "train": {}, "model": model.config.to_json()}
    save_checkpoint(tmp_path / "checkpoint", {"ema": dict(model.state_dict())}, info)
    monkeypatch.setattr(denoisers, "STEPS", (1, 2))
    settings = {"steps": 2, "batch-size": 4, "kinematic-steps": 2, "kinematic-batch": 4,
                "pictures": 8, "limit": 6, "hypotheses": 3}  # fmt: skip
    options = [f"--{name}={value}" for name, value in settings.items()]
    only = ["mlp_regression, kinematic start", "mlp, x0, kinematic start"]
    command = ["denoisers.py", str(tmp_path / "checkpoint"), "--train", shards(tmp_path / "a", 1),
               "--test", shards(tmp_path / "b", 2), "--work", str(tmp_path / "work"),
               "--json", *options, "--only", *only]  # fmt: skip

    def run():
        monkeypatch.setattr(sys, "argv", command)
        denoisers.main()
        text = capsys.readouterr().out
        return json.loads(text[text.index("{\n") :])["rows"]

    rows = run()
    assert [(row["denoiser"], row["sampling_steps"]) for row in rows] == [
        (only[0], 1), (only[1], 1), (only[1], 2),
    ]  # fmt: skip
    for row in rows:
        assert row["images"] == 6
        low, high = row["mean_interval"]
        assert 0 < low <= row["mean_deg"] <= high
        assert row["best_of_hypotheses_deg"] <= row["single_of_hypotheses_deg"]
    assert rows[1]["minus_regression_deg"] == pytest.approx(
        rows[1]["mean_deg"] - rows[0]["mean_deg"]
    )
    monkeypatch.setattr(denoisers, "run_variant", None)  # nothing is left to run
    assert run() == rows
