"""The one place that imports inspect_ai: models by name, one call, its errors in our words."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import time
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from armsight.errors import ArmsightError, ConfigError, MissingExtraError
from armsight.vlm.errors import (
    MissingKeyError,
    ModelError,
    ServerError,
    TooLateError,
    UnknownModelError,
)

Result = TypeVar("Result")

INSTALL = 'pip install "armsight[vlm]"'

PROVIDERS = {
    "openai": ("openai", "pip install openai"),
    "anthropic": ("anthropic", "pip install anthropic"),
    "google": ("google-genai", "pip install google-genai"),
    "openai-api": ("openai", "pip install openai"),
    "ollama": ("openai", "pip install openai"),
    "vllm": ("openai", "pip install openai"),
    "llama-cpp-python": ("openai", "pip install openai"),
    "hf-vision": ("transformers", "pip install transformers torch==2.13.0"),
}
"""Provider -> package that talks to it, and how to get that"""
ALIASES = {"hf": "hf-vision", "huggingface": "hf-vision", "gemini": "google"}
"""inspect_ai's own `hf` reads text only: its local vision models go through hf_vision.py"""

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


def full_name(model: str, base_url: str | None = None) -> str:
    """PROVIDER/NAME as inspect_ai knows it.

    With `base_url`, any provider that is not known is taken for an OpenAI-compatible server.

    Raises:
        UnknownModelError: it is not PROVIDER/NAME, or there is no such provider.
    """
    provider, slash, name = model.partition("/")
    provider = ALIASES.get(provider, provider)
    if not slash or not name or not provider:
        raise UnknownModelError(
            f"{model!r} is not PROVIDER/NAME, e.g. openai/gpt-5 or ollama/qwen2.5vl; providers: "
            + ", ".join(sorted(PROVIDERS))
        )
    if provider in PROVIDERS or provider == "mockllm":
        return f"{provider}/{name}"
    if base_url is not None:
        return f"openai-api/{provider}/{name}"
    raise UnknownModelError(
        f"unknown provider {provider!r} in {model!r}; known: {', '.join(sorted(PROVIDERS))}. For "
        "another OpenAI-compatible server give its --base-url"
    )


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
        import armsight.vlm.hf_vision  # noqa: F401 (registers the provider)
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
        _guard(made.api)
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
            cut = any(isinstance(one, json.JSONDecodeError) for one in _causes(error))
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


def translate(error: BaseException, model: str, base_url: str | None) -> ArmsightError:
    """An exception of inspect_ai, or of a provider's package, as one readable error."""
    chain = _causes(error)
    where = f" at {base_url}" if base_url else ""
    text = redact(_told(chain))
    for one in chain:
        if isinstance(one, ArmsightError):
            return one
        kind, said = type(one).__name__, _message(one)
        if kind == "PrerequisiteError" or isinstance(one, ImportError):
            return _prerequisite(said, model)
        status = getattr(one, "status_code", None) or getattr(one, "code", None)
        if status in (401, 403):
            return MissingKeyError(f"{model}{where}: the key was refused ({status}): {text}")
        if status == 404:
            return UnknownModelError(
                f"{model}{where}: no such model, or a wrong --base-url (404): {text}"
            )
        if status == 429:
            return ServerError(f"{model}{where}: over the rate limit or quota, also after retries")
        if isinstance(status, int) and status >= 500:
            return ServerError(f"{model}{where}: the server failed ({status}), also after retries")
        if isinstance(status, int) and status >= 400:
            return ModelError(f"{model}{where}: the request was refused ({status}): {text}")
        if isinstance(one, json.JSONDecodeError):
            return ServerError(f"{model}{where}: the reply is no JSON; is this the right address?")
        if "Timeout" in kind or isinstance(one, TimeoutError):
            return TooLateError(f"{model}{where}: no answer in time, also after retries")
        if "Connect" in kind or isinstance(one, ConnectionError):
            return ServerError(f"{model}{where}: the server cannot be reached; is it running?")
        if kind in ("OSError", "RepositoryNotFoundError"):
            return UnknownModelError(f"{model}: {text}")
    return ModelError(f"{model}{where}: {type(chain[-1]).__name__}: {text}")


def redact(text: str) -> str:
    """Text without any key that is in the environment."""
    for name, value in os.environ.items():
        if re.search(r"(API_?KEY|TOKEN|SECRET)$", name) and len(value) >= 8:
            text = text.replace(value, f"<{name}>")
    return text


def _guard(api: Any) -> None:
    """Redact what a provider sends back before inspect_ai writes it to its logs."""
    plain = api.generate

    async def generate(*args: Any, **kwargs: Any) -> Any:
        try:
            result = await plain(*args, **kwargs)
        except Exception as error:
            _redact_error(error)
            raise
        parts = result if isinstance(result, tuple) else (result,)
        clean = tuple(_redacted(part) for part in parts)
        return clean if isinstance(result, tuple) else clean[0]

    api.generate = generate


def _redacted(part: Any) -> Any:
    if isinstance(part, BaseException):
        _redact_error(part)
        return part
    text = part.model_dump_json()
    clean = redact(text)
    return part if clean == text else type(part).model_validate_json(clean)


def _redact_error(error: BaseException) -> None:
    error.args = tuple(redact(a) if isinstance(a, str) else a for a in error.args)
    for name in ("message", "body"):
        told = getattr(error, name, None)
        with contextlib.suppress(AttributeError, TypeError, ValueError):
            if isinstance(told, str):
                setattr(error, name, redact(told))
            elif isinstance(told, dict):
                setattr(error, name, json.loads(redact(json.dumps(told))))


def _prerequisite(said: str, model: str) -> ArmsightError:
    provider = ALIASES.get(model.partition("/")[0], model.partition("/")[0])
    key = re.search(r"\b([A-Z][A-Z0-9_]*_(?:API_KEY|TOKEN))\b", said)
    if key:
        return MissingKeyError(
            f"{model} needs a key: set {key[1]} in the environment (it is read from there only)"
        )
    url = re.search(r"\b([A-Z][A-Z0-9_]*_BASE_URL)\b", said)
    if url:
        return UnknownModelError(f"{model}: give the server's address with --base-url")
    package, install = PROVIDERS.get(provider, (provider, f"pip install {provider}"))
    if "package" in said or "install" in said or "No module" in said:
        return MissingExtraError(f"model {model}", package, install)
    return ModelError(f"{model}: {redact(said)}")


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what caused it, outermost first; tenacity hides the last attempt's."""
    chain: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in chain:
        chain.append(one)
        attempt = getattr(one, "last_attempt", None)
        hidden = attempt.exception() if attempt is not None else None
        one = hidden or one.__cause__ or one.__context__
    return chain


def _told(chain: list[BaseException]) -> str:
    """The provider's own words, where there are any."""
    for one in chain:
        body = getattr(one, "body", None)
        if isinstance(body, dict) and isinstance(body.get("error"), dict):
            body = body["error"]
        if isinstance(body, dict) and body.get("message"):
            return re.sub(r"\s+", " ", str(body["message"])).strip()[:300]
    return _message(chain[-1])


def _message(error: BaseException) -> str:
    message = getattr(error, "message", None)
    text = re.sub(r"\[/?[a-z ]+\]", "", str(message if message is not None else error))
    return re.sub(r"\s+", " ", text).strip()[:300]
