"""Kills at random moments: what a step leaves is whole or absent, what was done stays, the end is the same."""

import random
import re
import shutil
import signal
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import made_up
from server import BadServer
from steps import FILMS, STEPS, Step, broken, end, finished, forget_pages

#: Share of the good answers of the server during kills.
HONEST = 0.5
#: How a build of the book marks a step that an earlier build has done.
DONE_BEFORE = re.compile("^-- ", re.MULTILINE)


def unbroken(step: Step, home: Path, repository: Path, url: str) -> tuple[dict[str, str], str, float]:
    """Run a step to its end: its outputs, what it printed, and the seconds that it took."""
    started = time.perf_counter()
    process = step.start(home, repository, url)
    printed, messages = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{step.name} ended with {process.returncode}: {messages[-2000:]}")
    printed = DONE_BEFORE.sub(".  ", printed.replace(str(home), "HOME"))
    return step.outputs(home, repository), printed, time.perf_counter() - started


def killed(name: str, kills: int, seed: int = 0) -> dict[str, object]:
    """Kill one step again and again, each time going on from what was left.

    Returns
    -------
    dict
        step, kills (that met it alive), ends (times that it came to its end before), seconds (of an unbroken run), and
        how often something was wrong: half (a file that is not whole under its name), lost (something finished was gone
        later), different (an end with other outputs), orphans (processes that stayed), left (temporary files after the
        last end).
    """
    step, chance = STEPS[name], random.Random(seed)
    row = {"step": name, "kills": 0, "ends": 0, "half": 0, "lost": 0, "different": 0, "orphans": 0}
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        homes = (scratch / str(number) for number in range(10**6))
        repository = step.repository(scratch) if step.repository else Path(__file__).resolve().parents[2]
        server = _server(seed) if step.served else None
        url = server.url if server else ""
        with server or nullcontext():
            wanted, printed, row["seconds"] = unbroken(step, _prepared(step, next(homes)), repository, url)
            row["seconds"] = round(row["seconds"], 1)
            home, done = _prepared(step, next(homes), repository), set()
            while row["kills"] < kills:
                _honest(server, HONEST)
                process = step.start(home, repository, url)
                time.sleep(chance.uniform(0.2, 1.1) * row["seconds"])
                alive = process.poll() is None
                by = chance.choice([signal.SIGKILL, signal.SIGTERM])
                row["orphans"] += not end(process, chance.random() < 0.5, by)
                row["kills"] += alive
                row["half"] += len(broken(home))
                row["lost"] += not _still_there(done, finished(home))
                done = finished(home)
                if not alive and process.returncode == 0:
                    row["ends"] += 1
                    row["different"] += step.outputs(home, repository) != wanted
                    home, done = _prepared(step, next(homes), repository), set()
            _honest(server, 1)
            expected, last, _ = unbroken(step, home, repository, url)
            row["different"] += (expected, last) != (wanted, printed)
            row["left"] = sum(1 for path in home.rglob("*.part"))
    return row


def _server(seed: int) -> BadServer:
    return BadServer({"mmimdb.tar.gz": made_up.tar(made_up.films(FILMS))} | made_up.arrays(), seed=seed)


def _honest(server: BadServer | None, share: float) -> None:
    if server:
        server.honest = share


def _prepared(step: Step, home: Path, repository: Path | None = None) -> Path:
    shutil.rmtree(home, ignore_errors=True)
    if step.repository and repository:
        forget_pages(repository)
    home.mkdir()
    step.prepare(home)
    return home


def _still_there(before: set[str], now: set[str]) -> bool:
    """Whether all is there that was; folds may have become the dataset's scores."""
    folds = {name for name in before - now if name.split("/")[-1].isdecimal()}
    whole = {Path(name).stem for name in now if name.endswith(".parquet")}
    return before - now == folds and all(Path(name).parent.name.removesuffix(".parts") in whole for name in folds)
