"""Long work: memory over many tasks of the grid, and how a run ends at Ctrl-C."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import made_up
import psutil
from steps import Step, finished

from cmcsl_lib.corpora import datasets
from cmcsl_lib.experiments import runs
from cmcsl_lib.experiments.protocol import PROTOCOLS

STRICT = PROTOCOLS["strict"]
VARIANTS = (
    STRICT,
    PROTOCOLS["paper"],
    STRICT.changed(seeds="replacement"),
    STRICT.changed(class_weights="hidden"),
    STRICT.changed(scaling="each half"),
)


def memory(tasks: int = 1000, workers: int = 2, rows: int = 300) -> dict[str, object]:
    """Run so many folds, and watch.

    Returns
    -------
    dict
        tasks, and in MiB: main and workers (resident memory after a tenth of the tasks, and at the end), growth (of
        both between the two), shared (most that lay in shared memory).
    """
    with tempfile.TemporaryDirectory() as home, mock.patch.dict(os.environ, CMCSL_HOME=home):
        # Fifty tasks of each: ten folds under five protocols.
        names = dict(list(datasets("openclipart").items())[: max(1, tasks // 50)])
        for seed, (name, classes) in enumerate(names.items()):
            made_up.features(Path(home), name, classes, rows, seed)
        jobs = [runs.Job("openclipart", name, protocol, 3, ("GNB",), (1,)) for protocol in VARIANTS for name in names]
        seen = []
        with mock.patch.multiple(runs, progress=_watching(seen), START=0):
            runs.run_jobs(jobs[: tasks // 10], workers)
    first, last = seen[len(seen) // 10], seen[-1]
    return {
        "tasks": len(seen),
        "main": [first[0], last[0]],
        "workers": [first[1], last[1]],
        "growth": last[0] + last[1] - first[0] - first[1],
        "shared": max(each[2] for each in seen),
    }


def _watching(seen: list[tuple[int, int, int]]) -> Callable:
    """In place of `runs.progress`: notes memory after every task."""
    me = psutil.Process()

    @contextmanager
    def progress(*_) -> Iterator[Callable]:
        def advance(_) -> None:
            workers = sum(child.memory_info().rss for child in me.children(recursive=True))
            shared = sum(path.stat().st_size for path in Path("/dev/shm").glob(f"joblib*_{me.pid}_*/*"))
            seen.append(tuple(each >> 20 for each in (me.memory_info().rss, workers, shared)))

        yield advance

    return progress


def interrupted(workers: int) -> dict[str, object]:
    """Press Ctrl-C, as a terminal does, while folds are being computed.

    Returns
    -------
    dict
        workers, code, seconds until the command has ended, told (on standard error), kept (finished folds), lost
        (finished before and not any more), left (processes).
    """
    step = Step(
        "run",
        (
            "run",
            "3",
            "--datasets",
            "AFP",
            "--classifier",
            "CART",
            "--workers",
            str(workers),
            "--change",
            "seeds=replacement",
        ),
    )
    with tempfile.TemporaryDirectory() as home:
        process = step.start(Path(home))
        while process.poll() is None and not list(Path(home).rglob("*.parts/*/[0-9].parquet")):
            time.sleep(0.05)
        before = finished(Path(home))
        started = time.perf_counter()
        os.killpg(process.pid, signal.SIGINT)
        process.wait()
        seconds = time.perf_counter() - started
        messages = process.communicate()[1].strip()
        now = finished(Path(home))
        return {
            "workers": workers,
            "code": process.returncode,
            "seconds": round(seconds, 2),
            "told": messages,
            "kept": len(now),
            "lost": len(before - now),
        }
