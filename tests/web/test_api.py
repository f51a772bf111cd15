"""`armsight serve` as a process: answers, lists, bad requests, many clients at once."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from armsight.estimate.estimator import Estimator
from armsight.web.openapi import ESTIMATE
from tests.fake_weights import write_fake_weights
from tests.web.served import Server, form, png, server_process

pytest.importorskip("starlette", reason="the extra `live` is not installed")
pytest.importorskip("uvicorn", reason="the extra `live` is not installed")

LIMITS = ("--max-mb", "0.5")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_weights(tmp_path_factory.mktemp("weights"), encoder=True)


@pytest.fixture(scope="module")
def server(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("cwd")
    (folder / "secret.png").write_bytes(png())
    with server_process("serve", "--robot", str(weights), *LIMITS, cwd=str(folder)) as running:
        yield running


def test_an_image_gets_the_estimators_answer(server: Server, weights: Path) -> None:
    reply = server.request("/v1/estimate?K=90,90,47.5,31.5", png())
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    K = np.array([[90, 0, 47.5], [0, 90, 31.5], [0, 0, 1]])
    own = Estimator.from_pretrained(weights)(png(), K)
    assert own.robot_found
    assert reply.json == own.to_json()


def test_settings(server: Server, weights: Path) -> None:
    estimator = Estimator.from_pretrained(weights)
    for query, own in (
        ("fov_deg=40", estimator(png(), fov_deg=40)),
        ("box=10,10,60,60&hypotheses=3", estimator(png(), None, 3, box=(10, 10, 60, 60))),
        ("outline=false&robot=panda", estimator.with_outline(False)(png())),
        ("", estimator(png(grey=5))),
    ):
        image = png(grey=5) if query == "" else png()
        assert server.request(f"/v1/estimate?{query}", image).json == own.to_json()


def test_a_list(server: Server) -> None:
    body, kind = form(
        ("image", "a.png", png(96)), ("image", "../../etc/passwd", png(100)),
        ("image", "c.txt", b"hello"), ("fov_deg", None, b"60"),
    )  # fmt: skip
    reply = server.request("/v1/estimate", body, Content_Type=kind)
    assert reply.status == 200
    first, second, third = reply.json["estimates"]
    assert [first["image"], second["image"]] == ["a.png", "../../etc/passwd"]
    assert [first["K"][0][2], second["K"][0][2]] == [47.5, 49.5]
    assert "not an image" in third["error"]
    assert third["robot_found"] is None
    assert set(third) - {"error"} == set(first)


def test_the_description_is_that_of_an_estimate(server: Server) -> None:
    spec = server.request("/openapi.json").json
    found = server.request("/v1/estimate", png()).json
    schema = spec["components"]["schemas"]["Estimate"]
    assert list(found) == list(ESTIMATE) == schema["required"]
    for name, value in found.items():
        types = schema["properties"][name]["type"]
        kind = {bool: "boolean", float: "number", str: "string", list: "array", dict: "object",
                type(None): "null"}[type(value)]  # fmt: skip
        assert kind in types, name
    assert b"Try it" in server.request("/docs").body
    assert server.request("/v1/robots").json == {"robots": ["panda"]}


@pytest.mark.parametrize(
    ("query", "body", "kind", "status", "message"),
    [
        ("", b"", "image/png", 400, "no image"),
        ("", b"hello", "image/png", 422, "not an image"),
        ("", png()[:-100], "image/png", 422, "damaged"),
        ("", png(20, 20), "image/png", 422, "at least 32 pixels"),
        ("", png(8000, 7000), "image/png", 413, "the most is 50 megapixels"),
        ("", bytes(600_000), "image/png", 413, "more than 0.5 MB"),
        ("", png(), "text/plain", 415, "content type 'text/plain'"),
        ("", png(), "multipart/form-data", 400, "boundary"),
        ("", form()[0], form()[1], 400, "no image"),
        ("", *form(("file", "a.png", png())), 400, "a file 'file'"),
        ("", *form(*[("image", "a.png", png())] * 17), 400, "Too many files"),
        ("", *form(("image", None, b"/etc/passwd")), 400, "no image|unknown parameter 'image'"),
        ("K=1,2", *form(("K", None, b"1,2"), ("image", "a", png())), 400, "both in the query"),
        ("path=/etc/passwd", png(), "image/png", 400, "unknown parameter 'path'"),
        ("camera=/etc/passwd", png(), "image/png", 400, "unknown parameter 'camera'"),
        ("robot=/etc/passwd", png(), "image/png", 404, "no robot '/etc/passwd'"),
        ("robot=../panda", png(), "image/png", 404, "no robot"),
        ("K=a,b", png(), "image/png", 422, "K is 'a,b'"),
        ("K=0,0,0,0", png(), "image/png", 422, "focal lengths"),
        ("K=9,9,9,9&fov_deg=60", png(), "image/png", 400, "only one of"),
        ("fov_deg=nan", png(), "image/png", 422, "fov_deg is 'nan'"),
        ("fov_deg=500", png(), "image/png", 422, "500"),
        ("box=500,500,600,600", png(), "image/png", 422, "box"),
        ("hypotheses=0", png(), "image/png", 422, "num_hypotheses"),
        ("hypotheses=1e999", png(), "image/png", 422, "hypotheses is"),
        ("outline=perhaps", png(), "image/png", 422, "outline is 'perhaps'"),
    ],
    ids=itertools.count(),
)
def test_bad_requests(
    server: Server, query: str, body: bytes, kind: str, status: int, message: str
) -> None:
    import re

    reply = server.request(f"/v1/estimate?{query}", body, Content_Type=kind)
    assert (reply.status, reply.json["error"]["status"]) == (status, status), reply.body
    assert re.search(message, reply.error), reply.error


@pytest.mark.parametrize(
    "path",
    ["/secret.png", "/v1/../secret.png", "/%2e%2e/secret.png", "/page/docs.html", "/nothing"],
)
def test_no_file_can_be_named(server: Server, path: str) -> None:
    reply = server.request(path)
    assert (reply.status, reply.error) == (404, "Not Found")


def test_other_methods(server: Server) -> None:
    assert server.request("/v1/estimate").status == 405


def test_many_clients_at_once(server: Server) -> None:
    """Every request gets its own answer, once, and the server does not grow."""

    def ask(number: int) -> tuple[int, float]:
        # The camera's principal point tells the widths, and so the requests, apart.
        reply = server.request("/v1/estimate", png(100 + number % 97))
        assert reply.status == 200, reply.body
        return number, reply.json["K"][0][2]

    with ThreadPoolExecutor(32) as clients:
        list(clients.map(ask, range(64)))
        before = server.memory_mb()
        answers = list(clients.map(ask, range(192)))
    assert answers == [(i, (100 + i % 97 - 1) / 2) for i in range(192)]
    assert server.memory_mb() - before < 20
    until = time.monotonic() + 5
    while server.request("/v1/health").json["waiting"] and time.monotonic() < until:
        time.sleep(0.05)
    assert server.request("/v1/health").json["waiting"] == 0


def test_it_stops_when_told(weights: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        with server_process("serve", "--robot", str(weights)) as running:
            assert running.process is not None
            assert running.process.stderr is not None
            running.process.send_signal(number)
            code = running.process.wait(10)
            assert code in (0, -number, 128 + number), running.process.stderr.read()


def test_a_port_that_is_taken(server: Server, weights: Path) -> None:
    import subprocess
    import sys

    command = [sys.executable, "-m", "armsight", "serve", "--robot", str(weights)]
    done = subprocess.run([*command, "--port", str(server.port)], capture_output=True, text=True)
    assert done.returncode == 8
    assert f"cannot listen on 127.0.0.1:{server.port}" in done.stderr
