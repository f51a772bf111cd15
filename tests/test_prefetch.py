"""Working ahead: order, errors, bounded lead, and threads that end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from armsight.prefetch import prefetch


def test_items_come_in_order() -> None:
    assert list(prefetch(range(500), ahead=3)) == list(range(500))
    assert list(prefetch([])) == []


def test_none_is_an_item() -> None:
    assert list(prefetch([None, 1, None])) == [None, 1, None]


def test_errors_come_after_the_items_before_them() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("broken")

    running = prefetch(items())
    assert [next(running), next(running)] == [1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(running)


def test_it_runs_ahead_but_not_far() -> None:
    drawn = []

    def items() -> Iterator[int]:
        for i in range(100):
            drawn.append(i)
            yield i

    running = prefetch(items(), ahead=3)
    next(running)
    deadline = time.monotonic() + 5
    while len(drawn) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    # One was taken, three wait, one is held by the thread.
    assert len(drawn) == 5
    running.close()


def test_the_thread_ends_with_the_consumer() -> None:
    before = threading.active_count()
    running = prefetch(iter(range(10**9)))
    next(running)
    assert threading.active_count() == before + 1
    running.close()
    assert threading.active_count() == before
