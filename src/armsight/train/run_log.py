"""What a training run tells about itself: a line on the terminal, `log.jsonl`, TensorBoard."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import Tensor

from armsight.train.config import TrainConfig


class RunLog:
    """Open from the first step to the last; only the main process of a run has one."""

    def __init__(self, out: Path, config: TrainConfig, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        out.mkdir(parents=True, exist_ok=True)
        self._config, self._first_step = config, first_step
        self._started = time.monotonic()
        self._writer: Any = SummaryWriter(str(out / "tensorboard"), purge_step=first_step)
        self._file = (out / "log.jsonl").open("a")

    def losses(self, step: int, total: Tensor, losses: dict[str, Tensor]) -> None:
        """Write the losses of one step, and the rate since the start."""
        values = {name: float(value.detach()) for name, value in losses.items()}
        self._writer.add_scalar("loss/total", float(total.detach()), step)
        for name, value in values.items():
            self._writer.add_scalar(f"loss/{name}", value, step)
        self._line({"step": step, "total": float(total.detach()), **values})
        spent_s = time.monotonic() - self._started
        rate = (step - self._first_step) / spent_s
        minutes = (self._config.steps - step) / rate / 60
        if self._config.time_limit:
            minutes = min(minutes, max(0.0, self._config.time_limit - spent_s) / 60)
        parts = " ".join(f"{name} {value:.4f}" for name, value in values.items())
        print(
            f"step {step}/{self._config.steps} {parts} | "
            f"{rate * self._config.samples_per_step:.0f} samples/s, {minutes:.0f} min left",
            flush=True,
        )

    def validation(self, step: int, metrics: dict[str, float]) -> None:
        """Write figures on held-out rows."""
        for name, value in metrics.items():
            self._writer.add_scalar(f"validation/{name}", value, step)
        self._line({"step": step, "validation": metrics})
        print(f"step {step} validation {json.dumps(metrics)}", flush=True)

    def _line(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()
        self._file.close()
