"""Progress on standard error: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

Item = TypeVar("Item")
Tell = Callable[[int], None]

SECONDS = 5.0
"""Between lines"""


def bar_on_terminal(items: Iterable[Any], length: int | None) -> Iterator[Any]:
    """The same items, with a bar where standard error is a terminal; for what takes a second."""
    if not sys.stderr.isatty():
        yield from items
        return
    with click.progressbar(items, length=length, file=sys.stderr, show_pos=True) as bar:
        yield from bar


@contextmanager
def counting(length: int, label: str) -> Iterator[Tell]:
    """Yield what is to be told how many of `length` are done."""
    if sys.stderr.isatty():
        with click.progressbar(length=length, label=label, file=sys.stderr, show_pos=True) as bar:
            yield lambda done: bar.update(done - bar.pos)
        return
    click.echo(f"{label} ...", err=True)
    told = time.monotonic()

    def tell(done: int) -> None:
        nonlocal told
        if time.monotonic() - told >= SECONDS:
            told = time.monotonic()
            click.echo(f"{label}: {done} of {length}", err=True)

    yield tell


def progress(items: Iterable[Item], length: int, label: str) -> Iterator[Item]:
    """The same items; how many of them are done is said."""
    with counting(length, label) as tell:
        for done, item in enumerate(items):
            tell(done)
            yield item
        tell(length)
