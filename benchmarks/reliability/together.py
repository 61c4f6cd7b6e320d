"""Two at once on one folder: neither harms the other, and together they leave what one after the other would."""

import tempfile
from pathlib import Path

import made_up
from kills import _server
from steps import STEPS, Step, broken, digests, page_texts, small_book

from cmcsl_lib.files.paths import REPOSITORY

RUN = ("run", "3", "--datasets", "AF", "--budgets", *map(str, range(1, 6)))
PAIRS = {
    "one run twice": [(*RUN, "--classifier", "CART")] * 2,
    "runs with other classifiers": [(*RUN, "--classifier", "CART"), (*RUN, "--classifier", "GNB", "LR")],
    "runs with other budgets": [
        ("run", "3", "--datasets", "AF", "--classifier", "CART", "--budgets", budget) for budget in ("2", "3")
    ],
    "one fetch twice": [("fetch", "mm-imdb")] * 2,
}


def together(name: str) -> dict[str, object]:
    """Start a pair of commands at the same time.

    Returns
    -------
    dict
        pair, codes (exit codes), half (files that are not whole), same (whether the files are those of the two commands
        one after the other), left (temporary files).
    """
    steps = [Step(name, words, made_up.features, served="fetch" in words) for words in PAIRS[name]]
    with tempfile.TemporaryDirectory() as scratch, _server(0) as server:
        apart, at_once = Path(scratch) / "apart", Path(scratch) / "at once"
        for home in (apart, at_once):
            made_up.features(home)
        for step in steps:
            step.start(apart, REPOSITORY, server.url).communicate()
        started = [step.start(at_once, REPOSITORY, server.url) for step in steps]
        messages = [process.communicate()[1] for process in started]
        row = {
            "pair": name,
            "codes": [process.returncode for process in started],
            "half": len(broken(at_once)),
            "same": digests(apart) == digests(at_once),
            "left": len(list(at_once.rglob("*.part"))),
        }
        server.shutdown()
    return row | ({"told": messages} if any(row["codes"]) else {})


def book_beside_run() -> dict[str, object]:
    """A run while a book is built, on one CMCSL_HOME."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        home, tree = scratch / "home", small_book(scratch)
        made_up.features(home)
        run, book = Step("run", (*RUN, "--classifier", "CART")), Step("book", ("book", "--workers", "1"))
        started = [book.start(home, tree), run.start(home, REPOSITORY)]
        messages = [process.communicate()[1] for process in started]
        row = {
            "pair": "a book build and a run",
            "codes": [process.returncode for process in started],
            "half": len(broken(home)),
            "left": len(list(home.rglob("*.part"))),
        }
    return row | ({"told": messages} if any(row["codes"]) else {})


def two_books() -> dict[str, object]:
    """The same book built twice at the same time."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        alone, at_once = small_book(scratch / "one"), small_book(scratch / "other")
        step = STEPS["book"]
        step.start(scratch / "home", alone).communicate()
        started = [step.start(scratch / "home", at_once) for _ in range(2)]
        messages = [process.communicate()[1] for process in started]
        row = {
            "pair": "one book twice",
            "codes": [process.returncode for process in started],
            "same": page_texts(scratch, alone) == page_texts(scratch, at_once),
            "left": len(list((at_once / "_build").glob("running/*"))),
        }
    return row | ({"told": messages} if any(row["codes"]) else {})
