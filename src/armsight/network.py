"""Exported networks: an ONNX graph and its card, in a folder. Used for poses and for actions."""

from __future__ import annotations

import json
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


def read_card(
    folder: Path, formats: Mapping[str, Sequence[str]], keys: Sequence[str]
) -> dict[str, Any]:
    """The card `model.json` of a weights folder.

    Args:
        formats: what the card's `format` may be, and the graphs that must then be there.
        keys: what else it must hold.

    Raises:
        WeightsError: card or graph is missing, broken, or of another format.
    """
    path = folder / "model.json"
    if not path.is_file():
        raise WeightsError(f"{folder} has no model.json; make weights with `armsight export`")
    card = _json(path)
    if card.get("format") not in formats:
        raise WeightsError(
            f"{path} has format {card.get('format')!r}, and this version reads "
            f"{' or '.join(map(repr, formats))}; {_hint(card.get('format'), next(iter(formats)))}"
        )
    missing = [name for name in formats[card["format"]] if not (folder / name).is_file()]
    if missing:
        raise WeightsError(
            f"{folder} has no {' and no '.join(missing)}; make them with `armsight export`"
        )
    for key in keys:
        if key not in card:
            raise WeightsError(f"{path} lacks {key!r}; export the weights again")
    return card


def _hint(found: Any, wanted: str) -> str:
    """What to do about weights of another format."""
    kinds = {
        "armsight-weights": "these weights read poses: use `armsight estimate`",
        "armsight-actions": "these weights read actions: use `armsight actions`",
    }
    kind = str(found).partition("/")[0]
    if kind in kinds and kind != wanted.partition("/")[0]:
        return kinds[kind]
    return "update armsight or export the weights again"


def _json(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} is broken: {error}") from error
    if not isinstance(card, dict):
        raise WeightsError(f"{path} is broken: it holds no JSON object")
    return card
