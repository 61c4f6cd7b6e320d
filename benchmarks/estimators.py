"""How fast the estimators are, and how much memory they take beside their input: against a plain NumPy form.

    python benchmarks/estimators.py [--quick] [--json]

`--quick` leaves out what has more than 20,000 rows. README.md beside this file says what each figure is.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from cmcsl_lib.cli import main as cmcsl
from cmcsl_lib.estimators import CMCSLClassifier

#: Features of the paper's encoders (Section III), ResNet-18 and MiniLM.
WIDTHS = {"visual": 512, "text": 384}
COLUMNS = {"visual": slice(0, WIDTHS["visual"]), "text": slice(WIDTHS["visual"], sum(WIDTHS.values()))}
SEEDS = 40
FORMS = {
    "distance_mean": {"fusion": "mean"},
    "default": {},
    "calibrated_mean": {"exchange": "calibrated", "fusion": "mean"},
    "calibrated": {"exchange": "calibrated"},
}
#: Rows that are made at a time.
STEP = 10_000


def made_up(rows: int, seeds: int = SEEDS, dtype: str = "float64", out: np.ndarray | None = None):
    """Two classes of normal rows around their centres, and as many seeds of each; -1 in the other rows."""
    random, width = np.random.default_rng(0), sum(WIDTHS.values())
    y, centres = random.integers(2, size=rows), 0.15 * random.normal(size=(2, width))
    X = np.empty((rows, width), dtype) if out is None else out
    for start in range(0, rows, STEP):
        own = y[start : start + STEP]
        X[start : start + STEP] = random.normal(size=(len(own), width)) + centres[own]
    codes = np.full(rows, -1)
    for label in range(2):
        codes[np.flatnonzero(y == label)[: seeds // 2]] = label
    return X, codes


def plain(X: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Labels and predictions as one would write them down: L2STD, distances from one product, naive Bayes."""
    seeds, prepared, labels, distances = np.flatnonzero(codes >= 0), [], [], []
    for columns in COLUMNS.values():
        unit = X[:, columns] / np.linalg.norm(X[:, columns], axis=1, keepdims=True)
        mean, deviation = unit.mean(axis=0), unit.std(axis=0)
        Z = (unit - mean) / deviation
        squared = (Z**2).sum(axis=1)[:, None] - 2 * Z @ Z[seeds].T + (Z[seeds] ** 2).sum(axis=1)
        nearest = squared.argmin(axis=1)
        labels.append(codes[seeds][nearest])
        distances.append(squared[np.arange(len(X)), nearest])
        prepared.append((Z, mean, deviation))
    label = np.where(codes >= 0, codes, np.choose(np.argmin(distances, axis=0), labels))
    support = np.zeros((len(X), 2))
    for columns, (Z, mean, deviation) in zip(COLUMNS.values(), prepared, strict=True):
        classes = [Z[label == c] for c in range(2)]
        models = [(rows.mean(axis=0), rows.var(axis=0) + 1e-9, np.log(len(rows) / len(X))) for rows in classes]
        unit = X[:, columns] / np.linalg.norm(X[:, columns], axis=1, keepdims=True)
        test = (unit - mean) / deviation
        logs = [p - 0.5 * (np.log(2 * np.pi * v).sum() + ((test - m) ** 2 / v).sum(axis=1)) for m, v, p in models]
        likelihoods = np.exp(np.array(logs).T - np.max(logs, axis=0)[:, None])
        support += likelihoods / likelihoods.sum(axis=1, keepdims=True)
    return support.argmax(axis=1)


def processor_seconds(function: Callable, *arguments) -> float:
    """Processor seconds of a call, with one thread of linear algebra."""
    with threadpool_limits(1):
        start = time.process_time()
        function(*arguments)
        return time.process_time() - start


def fit_and_predict(X: np.ndarray, codes: np.ndarray, parameters: dict) -> None:
    """Label the rows, train on them, and predict the same rows."""
    CMCSLClassifier(modalities=COLUMNS, **parameters).fit(X, codes).predict(X)


def ratios(rows: int, turns: int) -> dict[str, float]:
    """Processor seconds of all forms over those of the plain one; each the best of so many turns, taken in turns."""
    X, codes = made_up(rows)
    times: dict[str, list[float]] = {}
    for _ in range(turns):
        times.setdefault("plain", []).append(processor_seconds(plain, X, codes))
        for name, parameters in FORMS.items():
            times.setdefault(name, []).append(processor_seconds(fit_and_predict, X, codes, parameters))
    return {f"ratio_{name}_{rows}_rows": min(times[name]) / min(times["plain"]) for name in FORMS}


def own_memory() -> int:
    """Bytes of this process that belong to no file, so that rows of a mapped file do not count; on Linux."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return 1024 * int(line.split()[1])
    raise OSError("The system does not tell how much memory a process has of its own.")


def memory_beside(function: Callable, *arguments) -> int:
    """Most bytes of its own that this process has during a call, less those before it."""
    before, stop = own_memory(), threading.Event()
    most = [before]

    def watch() -> None:
        while not stop.wait(0.01):
            most[0] = max(most[0], own_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        function(*arguments)
    finally:
        stop.set()
        watcher.join()
    return most[0] - before


def memory_of_arrays(rows: int) -> dict[str, float]:
    """Memory beside the input, over the input, with the defaults."""
    fit_and_predict(*made_up(1000), {})  # Imports are not what is measured.
    figures = {}
    for dtype in ("float32", "float64"):
        X, codes = made_up(rows, dtype=dtype)
        figures[f"memory_beside_{dtype}"] = memory_beside(fit_and_predict, X, codes, {}) / X.nbytes
    return figures


def memory_of_a_mapped_file(rows: int) -> dict[str, float]:
    """Memory beside single-precision rows that stay on disk, in MB."""
    fit_and_predict(*made_up(1000), {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        X = np.lib.format.open_memmap(path, "w+", np.float32, (rows, sum(WIDTHS.values())))
        _, codes = made_up(rows, out=X)
        X.flush()
        mapped = np.load(path, mmap_mode="r")
        return {f"memory_beside_mapped_{rows}_rows_mb": memory_beside(fit_and_predict, mapped, codes, {}) / 1e6}


def commands(rows: int) -> dict[str, float]:
    """Processor seconds and memory of `cmcsl extract arrays` and `cmcsl label`, each in a process of its own."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        # The first turn compiles the modules.
        for some in (1000, rows):
            path = Path(folder) / "made.npz"
            X, codes = made_up(some, dtype="float32")
            names = np.array(["one", "two", ""])[codes]
            np.savez(path, label=names, **{name: X[:, columns] for name, columns in COLUMNS.items()})
            del X
            for name, words in {
                "extract": ["extract", "arrays", "--items", str(path), "--as", "made-up"],
                "label": ["label", "made-up"],
            }.items():
                figures |= {f"{key}_{name}_{rows}_rows": value for key, value in in_a_process(words, folder).items()}
    return figures


def in_a_process(words: list[str], home: str) -> dict[str, float]:
    """Run this script with ``--command`` in a new process, and return what it measured."""
    own = {"CMCSL_HOME": home, "OMP_NUM_THREADS": "1", "PYTHONPYCACHEPREFIX": home, "PYTHONDONTWRITEBYTECODE": ""}
    result = subprocess.run(
        [sys.executable, __file__, "--command", *words],
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout.splitlines()[-1])


def measure_command(words: list[str]) -> None:
    """Run a command in this process, and print what it took as JSON."""
    seconds, before = [], own_memory()
    memory = before + memory_beside(lambda: seconds.append(processor_seconds(cmcsl, words)))
    print(json.dumps({"seconds": seconds[0], "memory_mb": memory / 1e6}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="nothing with more than 20,000 rows")
    parser.add_argument("--json", action="store_true", help="print one object")
    parser.add_argument("--command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.command:
        measure_command(options.command)
        return
    figures = ratios(20_000, 3)
    X, codes = made_up(20_000, seeds=4000)
    figures["seconds_4000_seeds"] = processor_seconds(fit_and_predict, X, codes, {})
    figures |= commands(20_000)
    if not options.quick:
        figures |= (
            ratios(200_000, 1) | memory_of_arrays(200_000) | memory_of_a_mapped_file(1_000_000) | commands(100_000)
        )
    if options.json:
        print(json.dumps(figures))
        return
    for name, figure in figures.items():
        print(f"{name:42} {figure:10.2f}")


if __name__ == "__main__":
    main()
