"""The one place that imports inspect_ai: models by name, one call, its errors in our words."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import socket
import time
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from armsight.errors import ArmsightError, ConfigError, MissingExtraError
from armsight.vlm.errors import ServerError, UnknownModelError
from armsight.vlm.providers.names import INSTALL, causes, full_name, guard, redact, translate

__all__ = ["full_name", "redact", "translate"]

Result = TypeVar("Result")

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""Between retries; inspect_ai's own waits reach half an hour"""
MAX_TOKENS = 8192
"""Of one answer, reasoning included; bounds what a request can cost"""


@dataclass(frozen=True)
class ModelSettings:
    """How models are called; part of what an answer's identity is made from."""

    effort: str | None = None
    temperature: float | None = None
    max_tokens: int = MAX_TOKENS
    use_schema: bool = True
    max_retries: int = 6
    timeout_s: int = 180
    """of one attempt"""
    max_connections: int = 10

    def identity(self) -> dict[str, Any]:
        """What can change an answer."""
        names = ("effort", "temperature", "max_tokens", "use_schema")
        return {name: asdict(self)[name] for name in names}


@dataclass(frozen=True)
class Reply:
    """What came back for one request."""

    text: str = ""
    stop_reason: str = "stop"
    input_tokens: int = 0
    """all of them, read from a cache or not"""
    output_tokens: int = 0
    """reasoning included"""
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    seconds: float = 0.0
    """of the attempt that succeeded"""
    error: str | None = None
    """why there is no text"""


def load_inspect() -> Any:
    """The package inspect_ai.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import inspect_ai
        import inspect_ai.model
    except ImportError as error:
        raise MissingExtraError("asking a model", "inspect_ai", INSTALL) from error
    return inspect_ai


def get_model(model: str, base_url: str | None = None) -> Any:
    """An inspect_ai Model. Keys are read from the environment only.

    Raises:
        MissingExtraError, MissingKeyError, UnknownModelError: it cannot be had.
    """
    inspect = load_inspect()
    from tenacity import wait_exponential_jitter

    name = full_name(model, base_url)
    provider = name.partition("/")[0]
    if provider == "hf-vision":
        import armsight.vlm.providers.hf_vision  # noqa: F401 (registers the provider)
    somewhere = base_url is not None or "VLLM_BASE_URL" in os.environ
    if provider == "vllm" and not somewhere and importlib.util.find_spec("vllm") is None:
        # Else inspect_ai would try to start a server, once the first question comes.
        raise UnknownModelError(
            f"{model}: give the address of the vLLM server with --base-url, e.g. "
            "http://localhost:8000/v1"
        )
    arguments: dict[str, Any] = {}
    if base_url is not None and provider == "openai-api":
        service = name.split("/")[1].upper().replace("-", "_")
        if f"{service}_API_KEY" not in os.environ:
            # Local servers want none, but the client insists on sending something.
            arguments["api_key"] = "none"
    if base_url is not None:
        _probe(model, base_url)
    if provider in ("openai", "openai-api"):
        # inspect_ai retries; the client's own retries would hide why from it.
        arguments["max_retries"] = 0
    try:
        made = inspect.model.get_model(name, base_url=base_url, memoize=False, **arguments)
        first, most = FIRST_WAIT_S, LONGEST_WAIT_S
        guard(made.api)
        made.api.retry_wait = lambda: wait_exponential_jitter(first, most, jitter=first)
        return made
    except ArmsightError:
        raise
    except Exception as error:
        raise translate(error, model, base_url) from error


def _probe(model: str, base_url: str) -> None:
    """Is anybody listening? Asked once, where retries would take their time to find out."""
    address = urlsplit(base_url)
    try:
        port = address.port or (443 if address.scheme == "https" else 80)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError("it is no http address")
        socket.create_connection((address.hostname, port), timeout=5).close()
    except ValueError as error:
        raise ServerError(f"{model}: --base-url {base_url!r}: {error}") from error
    except OSError as error:
        raise ServerError(
            f"{model} at {base_url}: the server cannot be reached ({error.strerror or error}); is "
            "it running?"
        ) from error


def generate_config(settings: ModelSettings, schema: dict[str, Any] | None = None) -> Any:
    """inspect_ai's GenerateConfig.

    Raises:
        ConfigError: an effort of that name does not exist.
    """
    m = load_inspect().model
    if settings.effort is not None and settings.effort not in EFFORTS:
        raise ConfigError(f"unknown effort {settings.effort!r}; known: {', '.join(EFFORTS)}")
    response = None
    if schema is not None and settings.use_schema:
        from inspect_ai.util import JSONSchema

        response = m.ResponseSchema(
            name="answer", json_schema=JSONSchema.model_validate(schema), strict=True
        )
    return m.GenerateConfig(
        max_tokens=settings.max_tokens,
        max_retries=settings.max_retries,
        attempt_timeout=settings.timeout_s,
        max_connections=settings.max_connections,
        reasoning_effort=settings.effort,
        temperature=settings.temperature,
        response_schema=response,
    )


def run(model: Any, work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that talks to a model, and close the model's connections."""

    async def closing() -> Result:
        async with model:
            return await work

    return asyncio.run(closing())


async def call(model: Any, messages: list[Any], config: Any) -> Reply:
    """One request, with retries.

    Raises:
        ModelError: no answer came, and why in one line.
    """
    start = time.perf_counter()
    for attempts_left in reversed(range(1 + (config.max_retries or 0))):
        try:
            output = await model.generate(messages, config=config)
            break
        except Exception as error:
            # A reply that was cut short on its way is no reason for inspect_ai to try again.
            cut = any(isinstance(one, json.JSONDecodeError) for one in causes(error))
            if not cut or not attempts_left:
                address = getattr(model.api, "base_url", None)
                raise translate(error, str(model), address) from error
    usage = output.usage
    read = (usage and usage.input_tokens_cache_read) or 0
    write = (usage and usage.input_tokens_cache_write) or 0
    return Reply(
        text=redact(output.completion if output.choices else ""),
        stop_reason=str(output.stop_reason) if output.choices else "unknown",
        input_tokens=(usage.input_tokens if usage else 0) + read + write,
        output_tokens=usage.output_tokens if usage else 0,
        cached_tokens=read,
        cache_write_tokens=write,
        reasoning_tokens=(usage and usage.reasoning_tokens) or 0,
        seconds=round(output.time or time.perf_counter() - start, 3),
        error=redact(output.error) if output.error else None,
    )
