"""All experiments: python benchmarks/reliability [kills places damage machines together long] [--quick]."""

import argparse
import json
import sys

import kills

GROUPS = {}


def group(function):
    """Register a group of experiments by its name."""
    GROUPS[function.__name__] = function
    return function


@group
def killing(quick: bool):
    """Kills, 200 in all."""
    counts = {"fetch mm-imdb": 50, "fetch published-scores": 25, "divide": 15, "extract": 30, "run": 50, "book": 30}
    for name, count in counts.items():
        yield kills.killed(name, 3 if quick else count)


@group
def places(quick: bool):
    """Full disks and read-only folders."""
    from places import starved

    for name in kills.STEPS:
        yield from starved(name, (0.5,) if quick else (0, 0.2, 0.5, 0.8))


def main() -> None:
    """Print one JSON object a line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("groups", nargs="*", default=list(GROUPS), help=", ".join(GROUPS))
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    for name in given.groups:
        for row in GROUPS[name](given.quick):
            print(json.dumps({"group": name} | row), flush=True)


if __name__ == "__main__":
    sys.exit(main())
