"""Errors of asking a vision-language model. Exit codes go on from armsight/errors.py."""

from __future__ import annotations

from armsight.errors import ArmsightError


class ModelError(ArmsightError):
    """The model cannot be asked: no key, no such model, no server."""

    exit_code = 10


class MissingKeyError(ModelError):
    """The provider's key is not in the environment, or was refused."""


class UnknownModelError(ModelError):
    """No such provider or model."""


class ServerError(ModelError):
    """The server is down, too slow, or keeps failing."""


class TooLateError(ServerError):
    """No answer came in time; the provider may have charged for it all the same."""


class NoUsableAnswerError(ArmsightError):
    """The model answered, but with nothing that can be read as joint angles."""

    exit_code = 11
