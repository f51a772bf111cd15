"""Who is turned away: other sites' pages, strangers, the slow, and who comes when it is full."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from armsight.state import Estimate
from armsight.web.limits import Limits
from tests.web.served import Reply, Server, form, png, server_thread

pytest.importorskip("starlette", reason="the extra `live` is not installed")
pytest.importorskip("uvicorn", reason="the extra `live` is not installed")

NOTHING = Estimate("panda", False, 0.0, (), ())


class Scripted:
    """Stands for an estimator: does what it is told, and counts."""

    def __init__(self, act: Callable[[], Any] = lambda: None) -> None:
        self.calls = 0
        self._act = act

    def with_outline(self, outline: bool) -> Scripted:
        return self

    def __call__(self, *arguments: Any, **options: Any) -> Estimate:
        self.calls += 1
        self._act()
        return NOTHING


def app(estimator: Scripted, limits: Limits | None = None, **access: Any) -> Any:
    from armsight.web.api import Access, make_app
    from armsight.web.desk import Settings

    robots: Any = {"panda": estimator}
    return make_app(robots, Settings("panda"), threads=1, limits=limits, access=Access(**access))


def ask(server: Server, **headers: str) -> Reply:
    return server.request("/v1/estimate", png(), **headers)


def test_pages_of_other_sites() -> None:
    with server_thread(app(Scripted())) as server:
        own = f"localhost:{server.port}"
        assert ask(server).status == 200
        assert ask(server, Host=own, Origin=f"http://{own}").status == 200
        for origin in ("https://evil.example", f"http://evil.example:{server.port}", "null"):
            assert ask(server, Origin=origin).status == 403
        for host in ("evil.example", f"evil.example:{server.port}", "localhost.evil.example", ""):
            assert ask(server, Host=host).status == 421
        assert ask(server, Host=f"[::1]:{server.port}").status == 200


def test_a_token() -> None:
    with server_thread(app(Scripted(), token="s3cret", only_loopback=False)) as server:
        assert server.request("/v1/health").status == 200
        reply = ask(server)
        assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
        assert ask(server, Authorization="Bearer s3cre").status == 401
        assert ask(server, Authorization="Basic s3cret").status == 401
        assert ask(server, Cookie="armsight_token=no").status == 401
        assert ask(server, Cookie='"=;,').status == 401
        assert server.request("/openapi.json").status == 401
        assert ask(server, Authorization="Bearer s3cret").status == 200
        assert ask(server, Cookie="a=b; armsight_token=s3cret").status == 200
        assert server.request("/docs?token=s3cret").status == 200
        assert server.request("/v1/estimate?token=s3cret", png(), Host="arm.example").status == 200


def test_what_is_too_slow() -> None:
    done = threading.Event()
    estimator = Scripted(lambda: done.wait(10))
    limits = replace(Limits(), answer_seconds=0.3, upload_seconds=0.3)
    with server_thread(app(estimator, limits)) as server:
        start = time.monotonic()
        assert ask(server).status == 504
        assert time.monotonic() - start < 3
        done.set()
        slow = socket.create_connection((server.host, server.port), 5)
        slow.sendall(
            b"POST /v1/estimate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab"
        )
        assert slow.recv(100).startswith(b"HTTP/1.1 408")
        slow.close()
        assert ask(server).status == 200


def test_no_more_than_may_wait() -> None:
    done = threading.Event()
    estimator = Scripted(lambda: done.wait(10))
    with server_thread(app(estimator, replace(Limits(), waiting=4))) as server:
        with ThreadPoolExecutor(8) as clients:
            waiting = [clients.submit(ask, server) for _ in range(4)]
            while server.request("/v1/health").json["waiting"] < 4:
                time.sleep(0.01)
            reply = ask(server)
            assert (reply.status, reply.headers["retry-after"]) == (503, "1")
            body, kind = form(*[("image", "a.png", png())] * 5)
            assert server.request("/v1/estimate", body, Content_Type=kind).status == 503
            done.set()
            assert [one.result().status for one in waiting] == [200] * 4
        assert estimator.calls == 4
        assert ask(server).status == 200


def test_a_body_without_length() -> None:
    with server_thread(app(Scripted(), replace(Limits(), body_bytes=10_000))) as server:
        chunk = b"1000\r\n" + bytes(0x1000) + b"\r\n"
        stream = socket.create_connection((server.host, server.port), 5)
        head = b"POST /v1/estimate HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
        stream.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + 3 * chunk)
        assert stream.recv(100).startswith(b"HTTP/1.1 413")
        stream.close()


def test_what_we_did_not_foresee_is_told_to_nobody() -> None:
    def fail() -> None:
        raise RuntimeError("a secret")

    with server_thread(app(Scripted(fail))) as server:
        reply = ask(server)
        assert reply.status == 500
        assert b"secret" not in reply.body
        assert ask(server).status == 500  # and it goes on
