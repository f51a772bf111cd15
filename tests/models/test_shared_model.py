"""Several robots behind one backbone: what each says does not depend on the others."""

import pytest
import torch

from armsight.errors import WeightsError
from armsight.models.checkpoint import load_pose_model, read_tensors, save_checkpoint, save_start
from armsight.models.denoisers import DenoiserConfig
from armsight.models.pose_model import PoseModel, PoseModelConfig
from armsight.models.shared_model import (
    SharedPoseModel,
    SharedPoseModelConfig,
    tensors_for_sharing,
    tensors_of_robot,
)
from armsight.robots import load_robot


def config(robot, width=32):
    return PoseModelConfig.for_robot(
        load_robot(robot), input_size=64, denoiser=DenoiserConfig("mlp", width, 1)
    )


@pytest.fixture
def shared():
    torch.manual_seed(0)
    return SharedPoseModel(SharedPoseModelConfig((config("panda"), config("so101", 16)))).eval()


def test_one_robot_taken_out_says_what_it_said_among_others(shared):
    image = torch.randint(0, 256, (2, 3, 64, 64)).float()
    for name in ("panda", "so101"):
        alone = PoseModel(shared.config.of(name))
        alone.load_state_dict(tensors_of_robot(shared.state_dict(), name))
        with torch.no_grad():
            expected = shared.robot(name).encoder.read(shared.backbone(image))
            got = alone.eval().encoder(image)
        torch.testing.assert_close(got.keypoints_2d, expected.keypoints_2d)
        torch.testing.assert_close(got.presence, expected.presence)


def test_a_single_model_becomes_the_start_of_a_shared_one(shared):
    torch.manual_seed(1)
    panda = PoseModel(config("panda")).eval()
    tensors = tensors_for_sharing(panda.state_dict(), "panda", ("panda", "so101"))
    missing, unexpected = shared.load_state_dict(
        {k: v for k, v in tensors.items() if v.shape == shared.state_dict()[k].shape}, strict=False
    )
    assert not unexpected
    assert not [name for name in missing if name.startswith(("backbone.", "robots.panda."))]
    assert any(name.startswith("robots.so101.encoder.presence.") for name in missing)
    image = torch.randint(0, 256, (1, 3, 64, 64)).float()
    with torch.no_grad():
        got = shared.robot("panda").encoder.read(shared.backbone(image))
        torch.testing.assert_close(got.keypoints_2d, panda.encoder(image).keypoints_2d)


def test_a_checkpoint_gives_each_robot(shared, tmp_path):
    info = {"step": 3, "train": {}, "model": shared.config.to_json()}
    save_checkpoint(tmp_path / "c", {"ema": shared.state_dict()}, info)
    model, own = load_pose_model(tmp_path / "c", robot="so101")
    assert own["model"]["robot"] == "so101"
    name = "encoder.heatmap.weight"
    torch.testing.assert_close(model.state_dict()[name],
                               shared.state_dict()[f"robots.so101.{name}"])  # fmt: skip
    with pytest.raises(WeightsError, match="choose one of panda, so101"):
        load_pose_model(tmp_path / "c")
    with pytest.raises(WeightsError, match="knows no robot 'jaco', only panda, so101"):
        load_pose_model(tmp_path / "c", robot="jaco")


def test_a_start_has_a_file_for_the_backbone_and_for_each_robot(shared, tmp_path):
    info = {"step": 3, "train": {}, "model": shared.config.to_json()}
    save_checkpoint(tmp_path / "c", {"ema": shared.state_dict()}, info)
    save_start(tmp_path / "c", tmp_path / "start")
    files = sorted(path.name for path in (tmp_path / "start").iterdir())
    assert files == ["checkpoint.json", "ema-backbone.safetensors", "ema-panda.safetensors",
                     "ema-so101.safetensors"]  # fmt: skip
    assert set(read_tensors(tmp_path / "start", "ema")) == set(shared.state_dict())
    load_pose_model(tmp_path / "start", robot="panda")
