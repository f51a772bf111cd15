"""`armsight live` without a browser: sources, newest first, packets, and the routes."""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from armsight.cli.estimate import command as estimate
from armsight.data.video import VideoWriter
from armsight.errors import BadImageError, BadVideoError
from armsight.outputs.sink import Shot
from armsight.state import Estimate
from tests.fake_weights import write_fake_weights
from tests.web.served import Server, png, server_process

pytest.importorskip("starlette", reason="the extra `live` is not installed")
pytest.importorskip("uvicorn", reason="the extra `live` is not installed")

from armsight.camera.image import load_image
from armsight.web.player import Newest, Player
from armsight.web.sources import Camera, Clip, Photos, open_source
from armsight.web.stage import Rate, Stage

NOTHING = Estimate("panda", False, 0.0, (), ())


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_weights(tmp_path_factory.mktemp("weights"), encoder=True)


def film(path: Path, greys: list[int], fps: float = 25.0) -> Path:
    """A video of even frames; the fake network sees an arm in the bright ones."""
    with VideoWriter(path, fps) as writer:
        for i, grey in enumerate(greys):
            writer.write(np.full((64, 96, 3), grey, np.uint8), i / fps)
    return path


def shot(index: int, grey: int = 100) -> Shot:
    return Shot(load_image(np.full((40, 60, 3), grey, np.uint8)), index, index / 25)


def unpack(packet: bytes) -> tuple[dict[str, Any], np.ndarray[Any, Any] | None]:
    (length,) = struct.unpack("<I", packet[:4])
    picture = packet[4 + length :]
    shown = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR) if picture else None
    return json.loads(packet[4 : 4 + length]), shown


class Scripted:
    """A source whose pictures come at a rate."""

    name, photos = "scripted", False

    def __init__(self, count: int, fps: float, live: bool) -> None:
        self.count, self.fps, self.live = count, fps, live

    def shots(self) -> Iterator[Shot]:
        for i in range(self.count):
            yield shot(i)
            time.sleep(1 / self.fps)


def wait_for(condition: Any, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_of_a_camera_the_newest_picture_is_read() -> None:
    stage, read = Stage(False), []

    def slow(one: Shot) -> Estimate:
        read.append(one.index)
        time.sleep(0.1)
        return NOTHING

    player = Player(Scripted(60, 100, live=True), lambda: slow, stage)
    player.start()
    wait_for(lambda: unpack(stage.next(0, 1) or b"")[0]["state"] == "ended")
    player.stop()
    assert read == sorted(read)
    assert 3 <= len(read) <= 9  # 60 pictures came in 0.6 s
    assert read[-1] == 59
    assert np.diff(read[1:-1]).min() >= 5  # it did not fall behind: each was the newest
    head, _ = unpack(stage.next(0, 1) or b"")
    assert (head["frame"], head["estimate"]["frame"]) == (59, 59)


def test_of_a_file_every_picture_is_read_once_somebody_looks() -> None:
    stage, read = Stage(False), []

    def note(one: Shot) -> Estimate:
        read.append(one.index)
        return NOTHING

    player = Player(Scripted(10, 1000, live=False), lambda: note, stage)
    player.start()
    time.sleep(0.3)
    assert read == []
    start, heads, after = time.monotonic(), [], 0
    while not heads or heads[-1]["state"] != "ended":
        packet = stage.next(after, 1)
        if packet is not None:
            heads.append(unpack(packet)[0])
            after = heads[-1]["number"]
    assert read == list(range(10))
    assert time.monotonic() - start > 9 / 25 - 0.1  # at the rate of its time stamps
    assert [one["frame"] for head in heads for one in head["joints"]] == read
    player.start()
    wait_for(lambda: stage.next(0, 1) is not None and len(read) == 20)
    player.stop()


def test_a_stage_keeps_the_newest_only() -> None:
    stage = Stage(False)
    assert stage.next(0, 0.01) is None
    for i in range(1000):
        stage.write(shot(i, i % 256), NOTHING)
    head, picture = unpack(stage.next(0, 1) or b"")
    assert (head["frame"], head["number"], head["size"]) == (999, 1000, [60, 40])
    assert picture is not None
    assert abs(int(picture.mean()) - 999 % 256) <= 1
    assert len(head["joints"]) == 600
    assert stage.next(1000, 0.01) is None
    stage.close(keep=True)
    assert stage.next(0, 5) is None


def test_what_a_source_says_before_it_breaks_off() -> None:
    class Broken(Scripted):
        def shots(self) -> Iterator[Shot]:
            yield from super().shots()
            raise BadVideoError("scripted ended after 3 frames")

    for live in (True, False):
        stage = Stage(False)
        player = Player(Broken(3, 100, live), lambda: lambda one: NOTHING, stage)
        player.start()
        wait_for(lambda stage=stage: unpack(stage.next(0, 1) or b"")[0]["state"] == "failed")
        head, _ = unpack(stage.next(0, 1) or b"")
        assert head["message"] == "scripted ended after 3 frames"
        assert head["frame"] == 2
        player.stop()


def test_a_newer_shot_takes_the_place_of_an_older_one() -> None:
    newest = Newest()
    newest.put(shot(1))
    newest.put(shot(2))
    fetched = newest.get(1)
    assert fetched is not None
    assert fetched.index == 2
    assert newest.get(0.01) is None
    newest.end()
    assert newest.ended


def test_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("armsight.web.stage.time.monotonic", lambda: now[0])
    rate = Rate()
    for _ in range(100):
        rate.tick()
        now[0] += 0.04
    assert rate.per_second == pytest.approx(25)
    now[0] += 10
    assert rate.per_second == 0


def test_a_camera_in_the_network() -> None:
    """An MJPEG stream over HTTP, as network cameras send it, stands for RTSP."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            for i in range(40):
                pixels = np.full((48, 64, 3), 5 * i, np.uint8)
                picture = cv2.imencode(".jpg", pixels)[1].tobytes()
                head = (
                    f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                )
                self.wfile.write(head.encode() + picture + b"\r\n")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        camera = Camera(f"http://user:secret@127.0.0.1:{server.server_port}/stream.mjpg")
        assert camera.name == f"http://127.0.0.1:{server.server_port}/stream.mjpg"
        shots = []
        with pytest.raises(BadVideoError, match="ended after .* frames"):
            shots.extend(camera.shots())
        assert len(shots) >= 30
        assert [one.index for one in shots] == list(range(len(shots)))
        greys = [float(one.image.pixels.mean()) for one in shots]
        assert greys == sorted(greys)
    finally:
        server.shutdown()
        server.server_close()


def test_sources(tmp_path: Path) -> None:
    assert open_source("0") == Camera(0)
    assert open_source("rtsp://a/b") == Camera("rtsp://a/b")
    assert Camera("rtsp://user:word@host:554/a").name == "rtsp://host:554/a"
    clip = film(tmp_path / "clip.mp4", [100] * 3)
    assert open_source(str(clip)) == Clip(clip)
    for name in ("b.png", "a.png", "a.overlay.png"):
        (tmp_path / name).write_bytes(png())
    (tmp_path / "broken.png").write_bytes(b"hello")
    photos = open_source(str(tmp_path))
    assert isinstance(photos, Photos)
    assert [one.image.name for one in photos.shots()] == [
        str(tmp_path / "a.png"), str(tmp_path / "b.png"),
    ]  # fmt: skip
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadImageError, match="holds no photo"):
        open_source(str(tmp_path / "empty"))
    with pytest.raises(BadVideoError, match="does not exist"):
        open_source(str(tmp_path / "nothing.mp4"))
    with pytest.raises(BadVideoError, match="cannot open camera 99"):
        next(Camera(99).shots())


@pytest.fixture(scope="module")
def playing(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("clips")
    film(folder / "clip.mp4", [120, 120, 5, 130, 120])
    arguments = ["live", "clip.mp4", "--robot", str(weights), "--fov", "50"]
    with server_process(*arguments, cwd=str(folder)) as server:
        yield server


def test_a_clip_has_the_numbers_of_estimate(playing: Server, weights: Path, tmp_path: Path) -> None:
    heads: list[dict[str, Any]] = []
    while not heads or heads[-1]["state"] != "ended":
        after = heads[-1]["number"] if heads else 0
        reply = playing.request(f"/live/next?after={after}")
        if reply.status == 200:
            heads.append(unpack(reply.body)[0])
    clip = film(tmp_path / "clip.mp4", [120, 120, 5, 130, 120])
    options = ["--robot", weights, "--out", tmp_path, "--static-camera", "no", "--fov", "50"]
    done = CliRunner().invoke(estimate, [str(one) for one in (clip, *options)])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in (tmp_path / "clip.jsonl").read_text().splitlines()]
    assert heads[-1]["estimate"] == rows[-1]
    joints = [one for head in heads for one in head["joints"]]
    assert joints == [{name: row[name] for name in joints[0]} for row in rows]
    assert playing.request("/live/replay", b"").json == {"state": "playing"}


def test_the_pages_files_and_no_others(playing: Server) -> None:
    page = playing.request("/")
    assert page.status == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for name in ("live.css", "live.js", "arm.js", "draw.js", "curves.js"):
        assert f"page/{name}".encode() in page.body or name in ("arm.js", "draw.js", "curves.js")
        assert playing.request(f"/page/{name}").status == 200
    for name in ("live.html", "../api.py", "..%2fapi.py", "clip.mp4"):
        assert playing.request(f"/page/{name}").status == 404
    assert playing.request("/live/next?after=x").status == 400
    about = playing.request("/live/about").json
    assert about["source"] == {"name": "clip.mp4", "live": False, "photos": False}
    for text in (page.body, *(playing.request(f"/page/{n}.js").body for n in ("live", "draw"))):
        assert b"http://" not in text
        assert b"https://" not in text  # it works without a network


def test_a_token_in_the_address_becomes_a_cookie(weights: Path) -> None:
    arguments = ["live", "--robot", str(weights), "--token", "s3cret"]
    with server_process(*arguments) as server:
        assert "?token=s3cret" in server.said
        assert server.request("/").status == 401
        reply = server.request("/?token=s3cret")
        assert (reply.status, reply.headers["location"]) == (303, "/")
        cookie = reply.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert server.request("/", Cookie=cookie.partition(";")[0]).status == 200
        assert server.request("/live/next", Cookie="armsight_token=s3cret").status == 404
