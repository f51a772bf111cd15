"""Rendering pictures while a run trains: `armsight render` as background processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from armsight.errors import DatasetError
from armsight.robots import load_robot
from armsight.train.config import TrainConfig

ENDLESS = 1_000_000
"""Pictures of each robot: more than any run renders."""
SHARD_ROWS = 64
"""Small shards, so that the first pictures come soon."""
NICENESS = 10
"""Of the renderers: the one process that keeps a GPU busy comes before them"""


class RenderProcesses:
    """One `armsight render` for each robot of a run, ended with it. What is finished is kept."""

    def __init__(self, config: TrainConfig | None) -> None:
        """Start them; `config` None, or one without `render_workers`, starts none."""
        self._running: list[tuple[str, subprocess.Popen[bytes], IO[bytes]]] = []
        if config is None or not config.render_workers:
            return
        shares = config.robot_shares or (1.0,) * len(config.robots)
        workers = shared_out(max(config.render_workers, len(config.robots)), shares)
        for i, (robot, count) in enumerate(zip(config.robots, workers, strict=True)):
            out = Path(config.data[0]) / load_robot(robot).name
            # Each robot has its own seed: else all would have the same empty rooms.
            command = [
                sys.executable, "-m", "armsight", "render", "--robot", str(robot), "--out",
                str(out), "--preset", config.render_preset, "--count", str(ENDLESS),
                "--seed", str(config.seed + i), "--workers", str(count),
                "--shard-rows", str(SHARD_ROWS),
            ]  # fmt: skip
            if config.backgrounds:
                command += ["--backgrounds", config.backgrounds]
            said = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
            )
            if hasattr(os, "setpriority"):
                os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
            self._running.append((robot, process, said))

    def check(self) -> None:
        """See that they still run.

        Raises:
            DatasetError: one ended; the message has its last words.
        """
        for robot, process, said in self._running:
            if process.poll() is not None:
                raise DatasetError(_last_words(robot, process, said))

    def tell(self) -> None:
        """As `check`, but a run that has pictures goes on with those it has: say so on stderr."""
        for one in list(self._running):
            robot, process, said = one
            if process.poll() is not None:
                words = _last_words(robot, process, said)
                print(f"{words}; training goes on with the pictures there are", file=sys.stderr)
                said.close()
                self._running.remove(one)

    def close(self) -> None:
        for _, process, _ in self._running:
            process.terminate()
        for _, process, said in self._running:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            said.close()
        self._running.clear()


def _last_words(robot: str, process: subprocess.Popen[bytes], said: IO[bytes]) -> str:
    said.seek(0)
    words = said.read().decode(errors="replace").strip().splitlines()[-3:]
    return (
        f"rendering {robot} ended with exit code {process.returncode}: "
        f"{' '.join(words) or 'it said nothing'}"
    )


def shared_out(total: int, shares: Sequence[float]) -> list[int]:
    """`total` whole things by shares, at least one each: who is furthest behind gets the next."""
    counts = [1] * len(shares)
    for _ in range(total - len(shares)):
        behind = [count / share for count, share in zip(counts, shares, strict=True)]
        counts[behind.index(min(behind))] += 1
    return counts
