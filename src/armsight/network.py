"""Exported networks, run by ONNX Runtime. Used for poses and for actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from armsight.cpus import available_cpus
from armsight.errors import ConfigError, WeightsError

MOST_THREADS = 4
"""The networks are small: two threads on two cores were slower than one (docs/results.md), and the
other core has decoding, drawing and encoding to do."""


DEVICES = {
    "auto": "",
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
"""ONNX Runtime's execution providers. `auto` is CUDA where it is installed and works, else the CPU;
others are never chosen unasked, since their arithmetic was not measured."""
PACKAGES = {
    "cuda": "onnxruntime-gpu",
    "tensorrt": "onnxruntime-gpu and TensorRT",
    "openvino": "onnxruntime-openvino",
    "coreml": "onnxruntime on macOS",
    "directml": "onnxruntime-directml on Windows",
}


def default_threads() -> int:
    """CPU threads of a network: half of the CPUs of this process, at most MOST_THREADS."""
    return max(1, min(MOST_THREADS, available_cpus() // 2))


def providers(device: str) -> list[str]:
    """ONNX Runtime's providers for a device, in the order in which they are tried.

    Raises:
        ConfigError: there is no such device, or the installed ONNX Runtime does not know it.
    """
    cpu, there = DEVICES["cpu"], onnxruntime.get_available_providers()
    if device not in DEVICES:
        raise ConfigError(f"unknown device {device!r}; known: {', '.join(DEVICES)}")
    if device == "auto":
        return [name for name in (DEVICES["cuda"], cpu) if name in there]
    if DEVICES[device] not in there:
        here = [name for name, provider in DEVICES.items() if provider in there]
        raise ConfigError(
            f"device {device!r} needs {PACKAGES[device]} in place of the installed onnxruntime, "
            f"which knows {', '.join(here)}; install that, or use --device cpu"
        )
    return list(dict.fromkeys((DEVICES[device], cpu)))


def load_graph(
    path: Path,
    inputs: Sequence[str],
    outputs: Sequence[str],
    threads: int = 0,
    device: str = "auto",
) -> Any:
    """An ONNX Runtime session of the graph at `path`.

    Args:
        inputs, outputs: names that the graph must have.
        threads: of the CPU; 0 for `default_threads()`.
        device: one of `DEVICES`.

    Raises:
        ConfigError: the device is unknown, or does not work here.
        WeightsError: the file cannot be loaded, or lacks an input or output.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or default_threads()
    # Planning which tensors share memory takes seconds for an unrolled sampler, and saves nothing.
    options.enable_mem_reuse = False
    options.log_severity_level = 3  # warnings of the optimiser are not for users
    chosen = providers(device)
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=chosen)
    except Exception as error:  # onnxruntime has no common base class of its own
        raise WeightsError(f"cannot load {path}: {error}") from error
    # ONNX Runtime goes on without a provider whose libraries it cannot load.
    if device != "auto" and session.get_providers()[0] != chosen[0]:
        raise ConfigError(
            f"device {device!r} does not work here: ONNX Runtime cannot load what it needs, such "
            "as its driver; use --device cpu"
        )
    there = {node.name for node in (*session.get_inputs(), *session.get_outputs())}
    if missing := [name for name in (*inputs, *outputs) if name not in there]:
        raise WeightsError(f"{path} has no {', '.join(missing)}; export it again")
    return session


def run_graph(
    session: Any, names: Sequence[str], feed: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[np.floating]]:
    """Outputs `names` as float64; what the graph does not take is left out of `feed`.

    Raises:
        WeightsError: the graph does not take what its card promises.
    """
    given = {node.name for node in session.get_inputs()}
    try:
        outputs = session.run(names, {name: array for name, array in feed.items() if name in given})
    except Exception as error:  # as above
        shapes = ", ".join(f"{name} {array.shape}" for name, array in feed.items())
        raise WeightsError(
            f"the network refuses its input ({shapes}): {error}; graph and card do not belong "
            "together, export them again"
        ) from error
    return {n: np.asarray(value, dtype=float) for n, value in zip(names, outputs, strict=True)}
