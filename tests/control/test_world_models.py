"""Sources of keyframes: files, the oracle, and a real but tiny diffusers pipeline."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from armsight.control.world_models import (
    DiffusersWorldModel,
    Oracle,
    VideoFile,
    find_keyframes,
    read_keyframes,
)
from armsight.data.video import VideoWriter
from armsight.errors import BadImageError, BadVideoError, ConfigError


def write_pictures(folder: Path, sizes: list[tuple[int, int]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, (width, height) in enumerate(sizes):
        picture = np.full((height, width, 3), (i, 20, 200), np.uint8)  # BGR
        cv2.imwrite(str(folder / f"{i}.png"), picture)
    return folder


def test_folder_of_pictures_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    frames = read_keyframes(write_pictures(tmp_path / "f", [(40, 32)] * 11))
    assert frames.shape == (11, 32, 40, 3)
    assert frames[:, 0, 0, 2].tolist() == list(range(11))
    assert frames[0, 0, 0].tolist() == [200, 20, 0]


def test_video_file(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "v.mp4", 20 / 3) as video:
        for i in range(5):
            video.write(np.full((32, 48, 3), 50 * i, np.uint8), i * 0.15)
    source = VideoFile(tmp_path / "v.mp4")
    frames = source.keyframes(np.zeros((8, 8, 3), np.uint8), "anything")
    assert frames.shape == (5, 32, 48, 3)
    np.testing.assert_allclose(frames.mean((1, 2, 3)), [0, 50, 100, 150, 200], atol=4)
    assert source.stride == 3


def test_clip_of_a_published_world_model(shared_data: Path) -> None:
    (clip,) = (shared_data / "world_model_video").glob("*.mp4")
    frames = VideoFile(clip).keyframes()
    assert frames.shape[1:] == (128, 128, 3)
    assert len(frames) > 30


@pytest.mark.parametrize(
    "sizes, message",
    [([], "holds no pictures"), ([(32, 32)], "one frame only"), ([(32, 32), (33, 32)], "33x32")],
)
def test_folders_without_keyframes(tmp_path: Path, sizes, message: str) -> None:
    with pytest.raises((BadImageError, BadVideoError), match=message):
        read_keyframes(write_pictures(tmp_path / "f", sizes))


def test_no_such_video(tmp_path: Path) -> None:
    with pytest.raises(BadVideoError, match="does not exist"):
        read_keyframes(tmp_path / "none.mp4")


def test_oracle_takes_every_picture_of_its_stride() -> None:
    pictures = {i: np.full((4, 4, 3), i, np.uint8) for i in (0, 3, 6, 9, 10, 12)}
    for actions, last in ((10, 12), (9, 9), (7, 9), (1, 3)):
        frames = Oracle(pictures, actions, 3).keyframes()
        assert frames[:, 0, 0, 0].tolist() == list(range(0, last + 1, 3))
    with pytest.raises(BadVideoError, match=r"not rendered at steps \[2, 4, 8\]"):
        Oracle(pictures, 10, 2).keyframes()


def test_keyframes_are_found_by_task_and_state(tmp_path: Path) -> None:
    write_pictures(tmp_path / "milk" / "40", [(8, 8)] * 2)
    (tmp_path / "milk" / "41.mp4").write_bytes(b"")
    assert find_keyframes(tmp_path, ["full_name", "milk"], 40) == tmp_path / "milk" / "40"
    assert find_keyframes(tmp_path, ["milk"], 41) == tmp_path / "milk" / "41.mp4"
    with pytest.raises(BadVideoError, match=r"full_name/42\.mp4"):
        find_keyframes(tmp_path, ["full_name", "milk"], 42)


@pytest.fixture(scope="module")
def tiny_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Video Diffusion with random weights, a thousandth of its size."""
    pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    diffusers = pytest.importorskip("diffusers")
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    torch.set_num_threads(1)
    pipeline = diffusers.StableVideoDiffusionPipeline(
        unet=diffusers.UNetSpatioTemporalConditionModel(
            block_out_channels=(32, 64),
            layers_per_block=1,
            sample_size=32,
            in_channels=8,
            out_channels=4,
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            cross_attention_dim=32,
            num_attention_heads=8,
            projection_class_embeddings_input_dim=96,
            addition_time_embed_dim=32,
        ),
        scheduler=diffusers.EulerDiscreteScheduler(
            prediction_type="v_prediction", timestep_type="continuous", use_karras_sigmas=True,
            sigma_min=0.002, sigma_max=700.0,
        ),
        vae=diffusers.AutoencoderKLTemporalDecoder(
            block_out_channels=[32, 64], down_block_types=["DownEncoderBlock2D"] * 2,
            latent_channels=4,
        ),
        image_encoder=CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                hidden_size=32, projection_dim=32, num_hidden_layers=1, num_attention_heads=4,
                image_size=224, intermediate_size=37, patch_size=56,
            )
        ),
        feature_extractor=CLIPImageProcessor(crop_size=224, size=224),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("world") / "tiny"
    pipeline.save_pretrained(folder)
    return folder


@pytest.mark.filterwarnings("ignore")
def test_diffusers_pipeline_from_disk(tiny_pipeline: Path) -> None:
    world = DiffusersWorldModel.from_pretrained(
        tiny_pipeline, num_frames=3, size=(32, 32), num_inference_steps=1, stride=2, seed=4
    )
    image = np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)
    frames = world.keyframes(image, "pick up the milk")
    assert frames.shape == (3, 48, 40, 3)
    assert frames.dtype == np.uint8
    assert frames.std() > 0
    assert world.stride == 2
    np.testing.assert_array_equal(world.keyframes(image, "pick up the milk"), frames)


class PromptPipeline:
    """The call of a pipeline that reads its prompt, without any network."""

    def __call__(self, image, prompt="", num_frames=4, height=None, width=None, output_type="pil"):
        self.prompt, self.height = prompt, height
        video = np.full((num_frames, 16, 16, 3), 0.5, np.float32)
        return type("Made", (), {"frames": [video]})


def test_a_pipeline_with_a_prompt_gets_the_instruction() -> None:
    world = DiffusersWorldModel(pipeline := PromptPipeline(), num_frames=5, size=(16, 24))
    frames = world.keyframes(np.zeros((8, 12, 3), np.uint8), "pick up the milk")
    assert pipeline.prompt == "pick up the milk"
    assert pipeline.height == 16
    assert frames.shape == (5, 8, 12, 3)
    assert (frames == 128).all()
    with pytest.raises(BadVideoError, match="made 1 frame"):
        DiffusersWorldModel(pipeline, num_frames=1).keyframes(np.zeros((8, 8, 3), np.uint8), "")


def test_pipelines_that_make_no_video_of_an_image(tmp_path: Path) -> None:
    class TextToImage:
        def __call__(self, prompt):
            raise NotImplementedError

    with pytest.raises(ConfigError, match="TextToImage is no image-to-video pipeline"):
        DiffusersWorldModel(TextToImage())
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    with pytest.raises(ConfigError, match="cannot load the diffusers pipeline"):
        DiffusersWorldModel.from_pretrained(tmp_path)
