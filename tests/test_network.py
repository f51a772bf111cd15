"""Graphs and cards that poses and actions share; more in tests of the two sessions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from armsight import network
from armsight.errors import ConfigError, WeightsError
from armsight.network import default_threads, load_graph, providers, run_graph
from tests.fake_action_weights import pictures, write_fake_action_weights

INPUTS, OUTPUTS = ("images", "pairs", "stride", "noise"), ("actions", "presence")


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (6, 3), (64, 4)])
def test_threads(monkeypatch: pytest.MonkeyPatch, cores: int, threads: int) -> None:
    monkeypatch.setattr(network, "available_cpus", lambda: cores)
    assert default_threads() == threads


def test_a_graph_runs_and_ignores_what_it_does_not_take(tmp_path: Path) -> None:
    session = load_graph(write_fake_action_weights(tmp_path) / "model.onnx", INPUTS, OUTPUTS)
    feed = {
        "images": pictures([100, 200]),
        "pairs": np.array([[0, 1]]),
        "stride": np.array([2], np.float32),
        "noise": np.zeros((1, 1, 9, 18), np.float32),
        "camera": np.zeros((1, 4), np.float32),
    }
    values = run_graph(session, OUTPUTS, feed)
    assert set(values) == set(OUTPUTS)
    assert {array.dtype for array in values.values()} == {np.dtype(float)}
    np.testing.assert_allclose(
        values["actions"][0, 0, :3, 0], [100 / 255, 150 / 255, 200 / 255], rtol=1e-5
    )
    feed["images"] = pictures([100, 200], 48, 48)
    with pytest.raises(WeightsError, match=r"refuses its input \(images \(2, 48, 48, 3\)"):
        run_graph(session, OUTPUTS, feed)


def test_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    there = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(network.onnxruntime, "get_available_providers", lambda: there)
    assert providers("auto") == providers("cuda") == there
    assert providers("cpu") == ["CPUExecutionProvider"]
    with pytest.raises(ConfigError, match=r"'openvino' needs onnxruntime-openvino.* cpu, cuda"):
        providers("openvino")
    with pytest.raises(ConfigError, match="unknown device 'abacus'; known: auto, cpu, cuda"):
        providers("abacus")
    there.remove("CUDAExecutionProvider")
    assert providers("auto") == ["CPUExecutionProvider"]


def test_a_device_whose_libraries_are_missing_is_no_silent_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime lists a provider of which it cannot load the libraries, and goes on without."""
    path = write_fake_action_weights(tmp_path) / "model.onnx"
    there = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(network.onnxruntime, "get_available_providers", lambda: there)
    with (
        pytest.warns(match="CUDAExecutionProvider"),
        pytest.raises(ConfigError, match="'cuda' does not work here"),
    ):
        load_graph(path, INPUTS, OUTPUTS, device="cuda")
