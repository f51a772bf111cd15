"""Stopping a training run politely."""

from __future__ import annotations

import signal
from types import TracebackType
from typing import Any

import torch


class StopFlag:
    """Set by Ctrl-C and SIGTERM while the `with` block runs: finish the step, save, end."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def agreed(self, accelerator: Any) -> bool:
        """Whether any process of the run was asked: all must stop after the same step."""
        if accelerator.num_processes == 1:
            return self.asked
        mine = torch.tensor(float(self.asked), device=accelerator.device)
        return bool(accelerator.reduce(mine) > 0)

    def _ask(self, *_: Any) -> None:
        self.asked = True

    def __enter__(self) -> StopFlag:
        for which in (signal.SIGINT, signal.SIGTERM):
            try:
                self._before[which] = signal.signal(which, self._ask)
            except ValueError:  # not in the main thread: there signals cannot be caught
                break
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for which, handler in self._before.items():
            signal.signal(which, handler)
