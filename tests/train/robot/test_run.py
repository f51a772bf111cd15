import hashlib
import json
from pathlib import Path

import pytest

from armsight.errors import OutputError
from armsight.estimate.pretrained import weights_folder
from armsight.models.export import export_onnx
from armsight.models.graphs import EncoderGraph
from armsight.train.config import ALL_BLOCKS, TrainConfig
from armsight.train.pose.task import PoseTask
from armsight.train.robot.run import START, RobotRun
from armsight.train.task import backbone_of, build_model

WEIGHTS = weights_folder("panda").parent


def test_a_new_robot_starts_on_the_very_encoder_that_the_others_share(tmp_path: Path) -> None:
    config = TrainConfig(
        robot="iiwa7", data=("nowhere",), init_from=str(WEIGHTS / START), input_size=224,
        denoiser="mlp", denoiser_width=96, denoiser_depth=3, frozen_blocks=ALL_BLOCKS,
    )  # fmt: skip
    model = build_model(PoseTask(), config, announce=False).eval()
    export_onnx(EncoderGraph(backbone_of(model), 224), tmp_path / "encoder.onnx", half=True)
    found = hashlib.sha256((tmp_path / "encoder.onnx").read_bytes()).hexdigest()
    for name in ("so101", "iiwa7"):
        assert json.loads((WEIGHTS / name / "model.json").read_text())["encoder"] == found


def test_other_weights_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{}")
    run = RobotRun("arm.urdf", tmp_path, 3.0, None, 1, print, None)  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="holds weights of something else"):
        run()
