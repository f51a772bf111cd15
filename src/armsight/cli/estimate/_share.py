"""The inputs of `armsight estimate`, one after the other or shared among processes."""

from __future__ import annotations

import signal
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import click

from armsight.cli import INTERRUPTED
from armsight.cli._inputs import Input
from armsight.cli.estimate._job import Job, Printed
from armsight.cpus import available_cpus
from armsight.network import default_threads
from armsight.outputs.film import interruptible
from armsight.parallel import WorkerDiedError, Workers

Done: TypeAlias = "tuple[int, list[Printed], int]"
"""An input's number, what is to be printed of it, and its exit code"""
KEPT = "armsight: interrupted; finished images and videos are kept"


class InputWorker:
    """Reads inputs in a process of its own, and keeps what would be printed."""

    def __init__(self, job: Job) -> None:
        """Load what `job` asks for."""
        import cv2

        # The parent hears Ctrl-C, too; videos hear it by themselves.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        cv2.setNumThreads(1)  # the processes share the cores, not OpenCV's threads
        self._job = job
        self._estimator = job.load()

    def __call__(self, task: tuple[int, Input]) -> Done:
        """Read one input and write its files."""
        number, one = task
        job = replace(self._job, printed=[], exit_code=0)
        job.run(self._estimator, one)
        assert job.printed is not None
        return number, job.printed, job.exit_code


def run_inputs(job: Job, workers: int) -> None:
    """Read all inputs, and print of each in order. An interrupt ends it, see `job.exit_code`."""
    workers = min(workers, len(job.inputs))
    if workers > 1:
        _share(job, workers)
        return
    with interruptible() as stop:  # the image at hand is finished, and its JSON is whole
        estimator = job.load()
        for number, one in enumerate(job.inputs):
            if stop.is_set() and len(job.inputs) > 1:
                break
            _separate(job, number)
            job.run(estimator, one)
            if job.exit_code == INTERRUPTED:
                return
        if stop.is_set():
            _interrupted(job)


def _interrupted(job: Job) -> None:
    click.echo(KEPT, err=True)
    job.exit_code = INTERRUPTED


def _separate(job: Job, number: int) -> None:
    """The comma before all documents of a JSON list but the first."""
    if job.as_json and number:
        click.echo(",")


def _share(job: Job, workers: int) -> None:
    # The network's threads share the cores, too.
    threads = max(1, min(default_threads(), available_cpus() // workers))
    lone = replace(job, threads=threads, quiet=True, read_ahead=False)
    waiting: dict[int, Done] = {}
    number = 0
    # An exception of Ctrl-C may fall into the pool's own code, and be lost or stop it halfway.
    with (
        Workers(partial(InputWorker, lone), workers, "finished images and videos") as pool,
        interruptible() as stop,
    ):
        try:
            for done in pool.run(enumerate(job.inputs)):
                waiting[done[0]] = done
                while number in waiting:
                    _, printed, exit_code = waiting.pop(number)
                    _separate(job, number)
                    for text, err in printed:
                        click.echo(text, err=err, nl=False)
                    job.exit_code = job.exit_code or exit_code
                    number += 1
                if stop.is_set():
                    break
        except WorkerDiedError:
            if not stop.is_set():  # Ctrl-C ends those that are still loading
                raise
        if stop.is_set():
            _interrupted(job)
