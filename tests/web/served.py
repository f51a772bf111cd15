"""A running server, and plain requests to it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

import armsight

SOURCE = Path(armsight.__file__).parents[1]
"""Servers may run in other folders, where a relative PYTHONPATH leads nowhere."""


@dataclass(frozen=True)
class Reply:
    """Status, headers and body of a response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"]["message"])


@dataclass(frozen=True)
class Server:
    """Where a server listens, and its process, where it has one of its own."""

    host: str
    port: int
    process: subprocess.Popen[str] | None = None
    said: str = ""

    def request(
        self, path: str, body: bytes | None = None, method: str = "", **headers: str
    ) -> Reply:
        """POST where there is a body, else GET; headers by name, with _ for -."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            if body is not None:
                named.setdefault("Content-Type", "image/png")
            connection.request(method or ("GET" if body is None else "POST"), path, body, named)
            response = connection.getresponse()
            return Reply(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def memory_mb(self) -> float:
        """What the server's process holds."""
        assert self.process is not None
        with open(f"/proc/{self.process.pid}/status") as file:
            line = next(line for line in file if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024


def png(width: int = 96, height: int = 64, grey: int = 120) -> bytes:
    """An even picture; the fake network sees an arm in bright ones."""
    file = BytesIO()
    Image.fromarray(np.full((height, width, 3), grey, np.uint8)).save(file, "PNG")
    return file.getvalue()


def form(*parts: tuple[str, str | None, bytes], boundary: str = "xXx") -> tuple[bytes, str]:
    """A multipart body of (field, file name, content), and its content type."""
    body = b""
    for field, name, content in parts:
        file = "" if name is None else f'; filename="{name}"'
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"{file}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


@contextmanager
def server_process(*arguments: str, cwd: str | None = None) -> Iterator[Server]:
    """`armsight ARGUMENTS --port 0` in a process of its own, until the block ends."""
    command = [sys.executable, "-m", "armsight", *arguments, "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        said = process.stdout.readline()
        address = urlsplit(next((word for word in said.split() if "://" in word), ""))
        if address.port is None:
            process.kill()
            raise AssertionError(said + process.stderr.read())
        yield Server(address.hostname or "", address.port, process, said)
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
        process.stderr.close()


@contextmanager
def server_thread(app: Any) -> Iterator[Server]:
    """A server of an application in this process."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Server("127.0.0.1", port)
    finally:
        server.should_exit = True
        thread.join()
