"""Models by name, and what goes wrong with them in words that a person can use."""

from __future__ import annotations

import contextlib
import json
import os
import re
from typing import Any

from armsight.errors import ArmsightError, MissingExtraError
from armsight.vlm.errors import (
    MissingKeyError,
    ModelError,
    ServerError,
    TooLateError,
    UnknownModelError,
)

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
KNOWN = ", ".join(sorted(PROVIDERS)).replace("hf-vision", "hf")


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
            + KNOWN
        )
    if provider in PROVIDERS or provider == "mockllm":
        return f"{provider}/{name}"
    if base_url is not None:
        return f"openai-api/{provider}/{name}"
    raise UnknownModelError(
        f"unknown provider {provider!r} in {model!r}; known: {KNOWN}. For another "
        "OpenAI-compatible server give its --base-url"
    )


def translate(error: BaseException, model: str, base_url: str | None) -> ArmsightError:
    """An exception of inspect_ai, or of a provider's package, as one readable error."""
    chain = causes(error)
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


def guard(api: Any) -> None:
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


def causes(error: BaseException) -> list[BaseException]:
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
