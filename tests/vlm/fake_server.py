"""A local HTTP server that speaks the OpenAI chat protocol and misbehaves on demand.

What it does is chosen by the model's name: `BEHAVIOURS` has a function for each. A behaviour
gets the request and how often this very question was asked before, and returns a `Response`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

from armsight.robots import load_robot

ROBOT = load_robot("panda")
TRUTH_DEG = np.array([12.3, -34.5, 7.9, -111.1, 21.7, 98.6, 43.2])
"""What a model answers that was not told otherwise"""
INPUT_TOKENS, OUTPUT_TOKENS = 1000, 100


@dataclass
class Response:
    """What goes back: a chat completion with `text`, or `raw` bytes."""

    text: str = ""
    status: int = 200
    raw: bytes | None = None
    finish: str = "stop"
    delay: float = 0.0
    drop: bool = False
    """close the connection without a word"""
    headers: dict[str, str] = field(default_factory=dict)
    refusal: str | None = None
    usage: bool = True


@dataclass
class Request:
    """One request as it arrived."""

    body: dict[str, Any]
    authorization: str | None

    @property
    def model(self) -> str:
        return str(self.body["model"])

    @property
    def texts(self) -> list[str]:
        return [part["text"] for part in self._parts() if part["type"] == "text"]

    @property
    def images(self) -> list[bytes]:
        """Every picture's bytes, in order; only whole base64 data URIs come through."""
        uris = [p["image_url"]["url"] for p in self._parts() if p["type"] == "image_url"]
        return [base64.b64decode(uri.partition(";base64,")[2], validate=True) for uri in uris]

    @property
    def repairing(self) -> bool:
        return any(m["role"] == "assistant" for m in self.body["messages"])

    @property
    def schema(self) -> dict[str, Any] | None:
        form = self.body.get("response_format")
        return form["json_schema"]["schema"] if form else None

    def _parts(self) -> Iterator[dict[str, Any]]:
        for message in self.body["messages"]:
            content = message["content"]
            if isinstance(content, str):
                yield {"type": "text", "text": content}
            else:
                yield from content


Behaviour = Callable[[Request, int], Response]


def answer_text(degrees: Any = TRUTH_DEG, **more: Any) -> str:
    """A right answer."""
    angles = dict(zip(ROBOT.joint_names, np.asarray(degrees).tolist(), strict=True))
    return json.dumps({"observations": "an arm", "joint_angles_deg": angles, **more})


class FakeServer:
    """Runs in threads of this process; `url` is what a client needs."""

    def __init__(self, behaviours: dict[str, Behaviour] | None = None) -> None:
        self.behaviours = BEHAVIOURS | (behaviours or {})
        self.requests: list[Request] = []
        self.keep = True
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.served = 0
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = json.loads(self.rfile.read(length))
                outer._serve(self, Request(body, self.headers.get("Authorization")))

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *args: Any) -> None:
                pass  # clients hang up in some of the tests

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> FakeServer:
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, handler: BaseHTTPRequestHandler, request: Request) -> None:
        key = hashlib.sha256(json.dumps(request.body, sort_keys=True).encode()).hexdigest()
        with self._lock:
            times = self.asked[key]
            self.asked[key] += 1
            self.served += 1
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            if self.keep:
                self.requests.append(request)
        try:
            behave = self.behaviours.get(request.model, unknown_model)
            response = behave(request, times)
            time.sleep(response.delay)
            if response.drop:
                handler.close_connection = True
                handler.connection.close()
                return
            if response.status == 200:
                with self._lock:
                    self.answered[key] += 1
            data = response.raw if response.raw is not None else completion(request, response)
            handler.send_response(response.status)
            for name, value in response.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data)
        finally:
            with self._lock:
                self._now -= 1


def completion(request: Request, response: Response) -> bytes:
    """The protocol's answer, or its error object."""
    if response.status != 200:
        return json.dumps({"error": {"message": response.text, "type": "test"}}).encode()
    message = {"role": "assistant", "content": response.text, "refusal": response.refusal}
    document = {
        "id": "x", "object": "chat.completion", "created": 1, "model": request.model,
        "choices": [{"index": 0, "message": message, "finish_reason": response.finish}],
    }  # fmt: skip
    if response.usage:
        document["usage"] = {
            "prompt_tokens": INPUT_TOKENS,
            "completion_tokens": OUTPUT_TOKENS,
            "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        }
    return json.dumps(document).encode()


def unknown_model(request: Request, times: int) -> Response:
    return Response(f"The model '{request.model}' does not exist", 404)


def always(text: str, **more: Any) -> Behaviour:
    """The same text whatever is asked."""
    return lambda request, times: Response(text, **more)


def first(text: str, then: str, **more: Any) -> Behaviour:
    """One text, and another when a repair is asked for."""
    return lambda request, times: Response(then) if request.repairing else Response(text, **more)


def then_right(**trouble: Any) -> Behaviour:
    """Trouble the first time that a question is asked, a right answer afterwards."""
    return lambda request, times: Response(answer_text()) if times else Response(**trouble)


def obeys_schema(request: Request, times: int) -> Response:
    """Answers only if there is a schema, and by it."""
    schema = request.schema
    if schema is None:
        return Response("no schema was sent")
    joints = schema["properties"]["joint_angles_deg"]["required"]
    assert joints == list(ROBOT.joint_names)
    return Response(answer_text())


def refuses_schema(request: Request, times: int) -> Response:
    """A server that does not know structured output."""
    if request.schema is not None:
        return Response("response_format is not supported", 400)
    return Response(answer_text())


def looks_at_images(request: Request, times: int) -> Response:
    """Answers only if every picture arrived whole."""
    for data in request.images:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            assert image.format == "JPEG"
    return Response(answer_text())


RADIANS = np.round(np.radians(TRUTH_DEG), 3)
HALF = answer_text()[: len(answer_text()) // 2]
BEHAVIOURS: dict[str, Behaviour] = {
    "right": always(answer_text()),
    "looks": looks_at_images,
    "obeys-schema": obeys_schema,
    "refuses-schema": refuses_schema,
    "ignores-schema": always("```json\n" + answer_text() + "\n```"),
    "prose-around": always("Let me see. {not json}\n" + answer_text() + "\nI hope this helps!"),
    "prose-only": first("Joint 1 is at about 10 degrees.", answer_text()),
    "prose-stubborn": always("Joint 1 is at about 10 degrees."),
    "429-once": then_right(text="slow down", status=429, headers={"Retry-After": "0"}),
    "429-always": always("slow down", status=429),
    "500-once": then_right(text="oops", status=500),
    "500-always": always("oops", status=500),
    "503-once": then_right(text="overloaded", status=503),
    "drops-once": then_right(drop=True),
    "slow-once": then_right(delay=2.5),
    "slow-always": always(answer_text(), delay=2.5),
    "truncated-body-once": then_right(raw=b'{"id": "x", "choi'),
    "truncated-json": first(HALF, answer_text(), finish="length"),
    "truncated-stubborn": always(HALF, finish="length"),
    "radians": first(answer_text(RADIANS), answer_text()),
    "radians-stubborn": always(answer_text(RADIANS)),
    "nan": first(answer_text().replace(str(TRUTH_DEG[2]), "NaN"), answer_text()),
    "infinity": always(answer_text().replace(str(TRUTH_DEG[2]), "1e999")),
    "null": always(answer_text().replace(str(TRUTH_DEG[2]), "null")),
    "strings": always(answer_text().replace(str(TRUTH_DEG[2]), '"about 6"')),
    "too-few-joints": first(json.dumps({"joint_angles_deg": {"panda_joint1": 1.0}}), answer_text()),
    "short-list": always(json.dumps({"joint_angles_deg": TRUTH_DEG[:5].tolist()})),
    "list": always(json.dumps({"joint_angles_deg": TRUTH_DEG.tolist()})),
    "extra-joints": always(
        json.dumps(
            {
                "joint_angles_deg": {
                    **dict(zip(ROBOT.joint_names, TRUTH_DEG.tolist(), strict=True)),
                    "finger": 3,
                }
            }
        )
    ),
    "refuses": always("I'm sorry, but I can't help with that."),
    "refusal-field": always("", refusal="I cannot look at this.", finish="content_filter"),
    "empty": first("", answer_text()),
    "beyond-limits": always(answer_text([500, *TRUTH_DEG[1:]])),
    "key-refused": always("Incorrect API key provided", status=401),
    "bad-request": always("image too large", status=400),
    "html": always("", raw=b"<html>it works!</html>"),
    "no-usage": always(answer_text(), usage=False),
    "no-choices": always(
        "", raw=b'{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[]}'
    ),
}


@contextmanager
def running(behaviours: dict[str, Behaviour] | None = None) -> Iterator[FakeServer]:
    """A server for the length of a block."""
    with FakeServer(behaviours) as server:
        yield server
