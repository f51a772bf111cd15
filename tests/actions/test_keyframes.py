"""Keyframes from videos, folders, arrays; and what is no keyframe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from armsight.actions.keyframes import load_keyframes
from armsight.data.video import VideoWriter
from armsight.errors import BadImageError, BadVideoError, KeyframesError
from tests.fake_action_weights import pictures

GREYS = [40, 80, 120, 160, 200]


def grey(images: np.ndarray) -> list[int]:
    return [round(float(image[8:-8, 8:-8].mean())) for image in images]


def write_video(path: Path, greys: list[int] = GREYS, size: int = 64, fps: float = 5) -> Path:
    with VideoWriter(path, fps) as video:
        for i, frame in enumerate(pictures(greys, size, size)):
            video.write(frame, i / fps)
    return path


def write_folder(folder: Path, names: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, frame in zip(names, pictures(GREYS, 64, 64), strict=False):
        Image.fromarray(frame).save(folder / name)
    return folder


def test_a_video(tmp_path: Path) -> None:
    frames = load_keyframes(write_video(tmp_path / "v.mp4"), 32)
    assert frames.images.shape == (5, 32, 32, 3)
    np.testing.assert_allclose(grey(frames.images), GREYS, atol=3)
    assert (frames.width, frames.height, frames.fps) == (64, 64, 5)
    assert frames.source == str(tmp_path / "v.mp4")
    np.testing.assert_allclose(
        grey(load_keyframes(tmp_path / "v.mp4", 32, every=2).images), GREYS[::2], atol=3
    )


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    names = ["f2.png", "f10.png", "f11.png", "f100.png", "g1.png"]
    folder = write_folder(tmp_path / "frames", names)
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_text("no picture")
    assert grey(load_keyframes(folder, 32).images) == GREYS
    assert grey(load_keyframes(str(folder), 32, every=4).images) == [40, 200]


def test_arrays_and_lists() -> None:
    frames = pictures(GREYS, 64, 64)
    assert grey(load_keyframes(frames, 64).images) == GREYS
    np.testing.assert_array_equal(load_keyframes(frames, 64).images, frames)
    mixed = [frames[0], Image.fromarray(frames[1])]
    assert grey(load_keyframes(mixed, 32).images) == GREYS[:2]
    loaded = load_keyframes(frames, 32)
    assert load_keyframes(loaded, 32) is loaded


def test_pictures_that_are_not_square_keep_their_shape() -> None:
    images = load_keyframes(pictures([100, 100], width=128, height=64), 32).images
    assert images[0, 16, 16].tolist() == [100] * 3
    assert images[0, 3, 16].tolist() == [0] * 3  # above it is black


def test_progress_sees_every_frame(tmp_path: Path) -> None:
    seen = []

    def progress(items, length):
        for item in items:
            seen.append(length)
            yield item

    load_keyframes(write_video(tmp_path / "v.mp4"), 32, every=2, progress=progress)
    load_keyframes(pictures(GREYS), 32, progress=progress)
    assert seen == [3] * 3 + [5] * 5


def test_a_folder_of_videos_names_them(tmp_path: Path) -> None:
    (tmp_path / "b.mp4").touch()
    with pytest.raises(KeyframesError, match=r"holds no picture; .*; give its video .*b\.mp4$"):
        load_keyframes(tmp_path, 32)
    (tmp_path / "a.mkv").touch()
    with pytest.raises(KeyframesError, match=r"; give one of its 2 videos, such as .*a\.mkv$"):
        load_keyframes(tmp_path, 32)


def test_mixed_sizes_are_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "frames", ["a0.png", "a1.png"])
    Image.new("RGB", (64, 48)).save(folder / "a2.png")
    with pytest.raises(KeyframesError, match=r"frame a2\.png is 64x48 pixels, .* first is 64x64"):
        load_keyframes(folder, 32)


def test_broken_frames_are_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "frames", ["a0.png", "a1.png"])
    (folder / "a1.png").write_bytes(b"no picture at all")
    with pytest.raises(BadImageError, match=r"frame a1\.png: .*not an image"):
        load_keyframes(folder, 32)
    frames = pictures(GREYS).astype(float)
    frames[3] = np.nan
    with pytest.raises(BadImageError, match="frame 0: .*NaN|frame 0: .*float64"):
        load_keyframes(frames, 32)
    with pytest.raises(BadImageError, match="frame 1: .*holds NaN"):
        load_keyframes([pictures([9])[0], frames[3]], 32)


def test_broken_videos_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("no video")
    for name in ("empty", "text", "missing"):
        with pytest.raises(BadVideoError, match=name):
            load_keyframes(tmp_path / f"{name}.mp4", 32)


def test_what_is_no_keyframe(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "one.png")
    for frames, message in (
        (tmp_path / "nothing", "holds no picture"),
        (tmp_path / "one.png", "one file and no video"),
        (tmp_path / "absent", "does not exist"),
        (pictures([50])[0], r"shape \(32, 32, 3\)"),
        (42, "int; give a video file, a folder"),
        ([], "there are no frames"),
    ):
        with pytest.raises(KeyframesError, match=message):
            load_keyframes(frames, 32)  # type: ignore[arg-type]
