"""All experiments: python benchmarks/reliability [GROUP ...] [--quick] [--seed N]; one JSON object a line."""

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import damage
import kills
import long
import machines
import odd
import places
import together
from steps import STEPS

KILLS = {"fetch mm-imdb": 50, "fetch published-scores": 25, "divide": 15, "extract": 30, "run": 50, "book": 30}
#: For each kind of file.
INPUTS = 200


def killed(quick: bool, seed: int | None) -> Iterator[dict]:
    """Kills, 200 in all."""
    for name, count in KILLS.items():
        yield kills.killed(name, 2 if quick else count, seed or 0)


def starved(quick: bool, seed: int | None) -> Iterator[dict]:
    """Full disks and read-only folders."""
    for name in STEPS:
        yield from places.starved(name, (0.5,) if quick else (0, 0.2, 0.5, 0.8))


def damaged(quick: bool, seed: int | None) -> Iterator[dict]:
    """Damaged files of every kind, more than 5,000 in all."""
    with tempfile.TemporaryDirectory() as scratch, damage.kinds(Path(scratch)) as kinds:
        for name, kind in kinds.items():
            yield damage.examine(name, kind, 10 if quick else INPUTS, seed)


def brought(quick: bool, seed: int | None) -> Iterator[dict]:
    """Odd input of every kind, 10,000 in all."""
    with tempfile.TemporaryDirectory() as scratch, odd.kinds(Path(scratch)) as kinds:
        for name, kind in kinds.items():
            yield odd.examine(name, kind, 10 if quick else odd.INPUTS[name], seed)


def everywhere(quick: bool, seed: int | None) -> Iterator[dict]:
    """Workers, threads and kernels."""
    yield from machines.workers_and_threads((1, 2) if quick else (1, 2, 4))
    yield from machines.kernels(machines.CORES[:1] if quick else machines.CORES)


def at_once(quick: bool, seed: int | None) -> Iterator[dict]:
    """Two commands at the same time."""
    for name in together.PAIRS:
        yield together.together(name)
    if not quick:
        yield together.book_beside_run()
        yield together.two_books()


def long_work(quick: bool, seed: int | None) -> Iterator[dict]:
    """Memory and Ctrl-C."""
    yield long.memory(100 if quick else 1000)
    for workers in (1, 2):
        yield long.interrupted(workers)


GROUPS = {
    "kills": killed,
    "places": starved,
    "damage": damaged,
    "odd": brought,
    "machines": everywhere,
    "together": at_once,
    "long": long_work,
}


def main() -> None:
    """Run what the command line names."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("groups", nargs="*", choices=[*GROUPS, []], metavar="GROUP", help=", ".join(GROUPS))
    arguments.add_argument("--quick", action="store_true", help="a few of each")
    arguments.add_argument("--seed", type=int, help="other kills and inputs with another one")
    arguments.add_argument("--pythons", nargs="+", default=[], help="other interpreters, to compare scores with")
    options = arguments.parse_args()
    for name in options.groups or GROUPS:
        for row in GROUPS[name](options.quick, options.seed):
            print(json.dumps({"group": name} | row), flush=True)
    for row in machines.interpreters(options.pythons):
        print(json.dumps({"group": "machines"} | row), flush=True)


if __name__ == "__main__":
    main()
