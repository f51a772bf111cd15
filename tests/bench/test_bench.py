"""`armsight bench`: the promised numbers, and the peers' true architectures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from onnx import shape_inference
from PIL import Image

from armsight.bench import measure
from armsight.bench.peers import PEERS, forward_ms
from armsight.cli import bench
from armsight.errors import ArmsightError, ConfigError, MissingExtraError
from tests.fake_weights import write_fake_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_weights(tmp_path_factory.mktemp("weights"), encoder=True)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.new("RGB", (800, 600), (120, 120, 120)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_json(weights: Path, photo: Path) -> None:
    options = ["--robot", str(weights), "--image", str(photo), "--frames", "12", "--repeats", "2"]
    result = CliRunner().invoke(bench.command, [*options, "--no-peers", "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    for name in ("image_ms", "video_fps", "first_answer_s", "load_s", "peak_memory_mb"):
        assert document[name] > 0
    assert document["robot_found"] is True
    assert set(document["stages_ms"]) >= {"look_at_frame", "look_at_crop", "solve"}
    assert 50 < document["peak_memory_mb"] < 1000
    assert document["vit_b16_ms"] is None
    assert document["vit_b16_reason"] == "not asked for"
    # What a single image takes is about the sum of its stages.
    stages = document["stages_ms"]
    assert document["image_ms"] > 0.5 * stages["solve"]
    text = bench.table(document)
    assert "video" in text
    assert "not measured (not asked for)" in text


def test_peers_are_measured_beside(weights: Path, photo: Path) -> None:
    taken = measure.time_peer("resnet50", 1, 1, 100.0, wanted=True)
    assert taken["resnet50_ms"] > 1
    assert taken["resnet50_over_image"] == pytest.approx(taken["resnet50_ms"] / 100)


def test_without_a_picture(weights: Path) -> None:
    result = CliRunner().invoke(bench.command, ["--robot", str(weights)])
    assert isinstance(result.exception, ConfigError)
    assert "give --image" in str(result.exception)


def test_a_failing_estimate_is_an_error(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_text("x")
    with pytest.raises(ArmsightError, match="not an image"):
        measure.first_answer(str(weights), tmp_path / "broken.png")


@pytest.mark.parametrize(
    ("name", "billions", "millions"), [("vit_b16", 17.58, 86.6), ("resnet50", 4.09, 25.5)]
)
def test_peers_have_their_true_size(name: str, billions: float, millions: float) -> None:
    """Multiply-adds and parameters as in the papers (and in timm)."""
    model = shape_inference.infer_shapes(PEERS[name]())
    graph = model.graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    shapes |= {weight.name: list(weight.dims) for weight in graph.initializer}
    count = 0
    for node in graph.node:
        out = shapes[node.output[0]]
        if node.op_type == "Conv":
            count += np.prod(out) * np.prod(shapes[node.input[1]][1:])
        elif node.op_type == "MatMul":
            count += np.prod(out) * shapes[node.input[0]][-1]
    assert count / 1e9 == pytest.approx(billions, rel=0.005)
    parameters = sum(np.prod(weight.dims) for weight in graph.initializer)
    assert parameters / 1e6 == pytest.approx(millions, rel=0.005)


def test_peers_need_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match="pip install onnx"):
        forward_ms("resnet50", 1, 1)
