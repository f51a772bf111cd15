"""Reading and writing video: times, turns, odd sizes, and files that break off."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from armsight.data.video import VideoReader, VideoWriter
from armsight.errors import BadVideoError, OutputError


def picture(index: int, width: int = 160, height: int = 120) -> NDArray[np.uint8]:
    """Frames that can be told apart, with a bright top left corner and grey grain."""
    rng = np.random.default_rng(index)
    frame = np.repeat(rng.integers(0, 60, (height, width, 1)).astype(np.uint8), 3, axis=2)
    frame[:, : 2 * index + 2] += 120
    frame[: height // 3, : width // 3] = 230
    return frame


def write(path: Path, count: int, fps: float = 30.0, **size: int) -> Path:
    with VideoWriter(path, fps) as writer:
        for i in range(count):
            writer.write(picture(i, **size), i / fps)
    return path


def write_plain(path: Path, count: int, options: dict[str, str] | None = None) -> Path:
    """An ordinary MP4, its index at the end, not written by us."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream: Any = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.options = {"g": "10"}
        for i in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(i), format="rgb24")))
        container.mux(stream.encode())
    return path


def read(path: Path) -> tuple[int, str]:
    """How many frames come, and the error that ends them."""
    count = 0
    try:
        with VideoReader(path) as reader:
            for frame in reader:
                assert frame.index == count
                assert frame.time == pytest.approx(count / 30, abs=0.01)
                count += 1
    except BadVideoError as error:
        return count, str(error)
    return count, ""


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", 40, fps=12.5)
    with VideoReader(path) as reader:
        assert reader.fps == pytest.approx(12.5, rel=0.01)
        frames = list(reader)
    assert [frame.index for frame in frames] == list(range(40))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(40) / 12.5, atol=1e-4)
    for i in (0, 20, 39):
        assert frames[i].pixels.shape == (120, 160, 3)
        assert np.abs(frames[i].pixels.astype(float) - picture(i)).mean() < 8


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    times = [0.0, 0.05, 0.3, 0.31, 0.9, 0.9]
    with VideoWriter(tmp_path / "a.mp4", 30) as writer:
        for i, time in enumerate(times):
            writer.write(picture(i), time)
    with VideoReader(tmp_path / "a.mp4") as reader:
        np.testing.assert_allclose([frame.time for frame in reader], times, atol=1e-3)


def test_odd_sizes_lose_a_row(tmp_path: Path) -> None:
    path = write(tmp_path / "odd.mp4", 3, width=161, height=121)
    with VideoReader(path) as reader:
        assert {frame.pixels.shape for frame in reader} == {(120, 160, 3)}


@pytest.mark.parametrize(
    ("matrix", "turned"),
    [
        # QuickTime's display matrix (a b / c d): a point (x, y) is shown at (ax + cy, bx + dy).
        ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),  # right becomes down: clockwise
        ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
        ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
        ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
        ((1, 0, 0, -1), lambda p: p[::-1]),
        ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda p: np.rot90(p, 2).transpose(1, 0, 2)),
    ],
)
def test_phones_that_were_held_upright(
    tmp_path: Path, matrix: tuple[int, ...], turned: Any
) -> None:
    path = write_plain(tmp_path / "phone.mp4", 3)
    content = bytearray(path.read_bytes())
    header = content.index(b"tkhd")
    identity = (65536).to_bytes(4, "big") + bytes(12) + (65536).to_bytes(4, "big")
    at = content.index(identity, header)
    a, b, c, d = ((v * 65536).to_bytes(4, "big", signed=True) for v in matrix)
    content[at : at + 20] = a + b + bytes(4) + c + d
    path.write_bytes(content)
    with VideoReader(path) as reader:
        frame = next(iter(reader)).pixels
    expected = turned(picture(0))
    assert frame.shape == expected.shape
    assert np.abs(frame.astype(float) - expected).mean() < 8


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "wide.mkv"), "w") as container:
        stream: Any = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 120, 120, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        narrow = cv2.resize(picture(0), (120, 120), interpolation=cv2.INTER_AREA)
        for packet in (*stream.encode(av.VideoFrame.from_ndarray(narrow)), *stream.encode(None)):
            container.mux(packet)
    with VideoReader(tmp_path / "wide.mkv") as reader:
        frame = next(iter(reader)).pixels
    assert frame.shape == (120, 160, 3)
    assert np.abs(frame.astype(float) - picture(0)).mean() < 12  # shrunk and enlarged


def test_real_oddities(shared_data: Path) -> None:
    """A cover picture before the film, and a film whose pictures change their size."""
    folder = shared_data / "odd_inputs" / "vid"
    with VideoReader(folder / "cover.mp4") as reader:
        assert next(iter(reader)).pixels.shape == (480, 640, 3)
    frames = []
    with (
        VideoReader(folder / "mixed_sizes.mkv") as reader,
        pytest.raises(BadVideoError, match=r"after 4 frames.*from 640x480 to 320x240"),
    ):
        frames.extend(reader)
    assert len(frames) == 4


BAD = {
    "empty": (b"", "empty"),
    "text": (b"hello\n" * 100, "not a video"),
    "random": (bytes(range(256)) * 40, "not a video"),
}


@pytest.mark.parametrize("case", BAD)
def test_files_that_are_no_videos(tmp_path: Path, case: str) -> None:
    content, message = BAD[case]
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(BadVideoError, match=message) as caught:
        VideoReader(tmp_path / "a.mp4")
    assert "a.mp4" in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadVideoError, match="does not exist"):
        VideoReader(tmp_path / "none.mp4")


def test_sound_without_pictures(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "s.mp4"), "w") as container:
        stream: Any = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.sample_rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(BadVideoError, match="sound but no video"):
        VideoReader(tmp_path / "s.mp4")


def test_cut_off_without_its_index(tmp_path: Path) -> None:
    path = write_plain(tmp_path / "a.mp4", 50)
    path.write_bytes(path.read_bytes()[:-3000])
    count, error = read(path)
    assert count == 0
    assert "a.mp4" in error


def test_cut_off_keeps_the_frames_before(tmp_path: Path) -> None:
    path = write_plain(tmp_path / "a.mp4", 50, {"movflags": "faststart"})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.6)])
    count, error = read(path)
    assert 20 <= count <= 40
    assert f"after {count}" in error


def test_damage_in_the_middle_keeps_the_frames_before(tmp_path: Path) -> None:
    path = write_plain(tmp_path / "a.mp4", 50, {"movflags": "faststart"})
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8000] = b"\0" * 8000
    path.write_bytes(content)
    count, error = read(path)
    assert 10 <= count < 35
    assert f"damaged after {count} frames" in error


def test_our_own_videos_can_be_read_as_far_as_they_were_written(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", 600)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.7)])
    count, _ = read(path)
    assert 300 < count < 450


def test_unwritable_target(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        VideoWriter(tmp_path / "file" / "a.mp4", 30)
