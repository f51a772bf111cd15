"""How much one client may ask of the server."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Of one request, and of all that wait."""

    body_bytes: int = 32 * MEGABYTE
    pixels: int = 50_000_000
    """of one image"""
    images: int = 16
    """in one request"""
    upload_seconds: float = 30.0
    """until a request's body has arrived"""
    answer_seconds: float = 60.0
    """from then until it is answered"""
    waiting: int = 128
    """Images that wait or are computed; further ones are sent away"""
