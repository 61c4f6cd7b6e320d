"""How fast the experiments run: against the plain reference, against the machine, at the paper's sizes and beyond.

    python benchmarks/grid.py [--quick] [--json]

`--quick` takes less than a minute: the reference on one fold instead of ten, and no full grid. README.md beside this
file says what each figure is.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import reference
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from threadpoolctl import threadpool_limits

from cmcsl_lib.corpora.features import Features
from cmcsl_lib.experiments.grid import experiment, full_fits, predictions, run_fold, self_labeled_fits
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.experiments.runs import load_scores
from cmcsl_lib.experiments.scores import BUDGETS, COLUMNS
from cmcsl_lib.method import naive_bayes
from cmcsl_lib.method.distances import clusterings
from cmcsl_lib.method.labeling import labeling

TABLE_1 = Path(__file__).resolve().parents[1] / "data" / "paper" / "table_1_datasets.csv"
#: Features of the paper's encoders (Section III), ResNet-18 and MiniLM.
WIDTHS = {"visual": 512, "text": 384}
#: The part of each dataset that the experiments use; the visual network is trained on the rest.
USED = 0.8
PROTOCOL = PROTOCOLS["strict"]
WORKERS = 2


def synthetic(dataset: str) -> Features:
    """Normal rows around one centre per class, as many as the dataset of Table I has in the experiments."""
    table = pd.read_csv(TABLE_1)
    scores = table[table.dataset == dataset]
    y = np.repeat(np.arange(len(scores)), (USED * scores.samples).round().astype(int))
    random = np.random.default_rng(0)
    matrices = {}
    for modality, width in WIDTHS.items():
        centres = 0.15 * random.normal(size=(len(scores), width))
        matrices[modality] = random.normal(size=(len(y), width)) + centres[y]
    return Features("synthetic", dataset, tuple(scores["class"]), np.arange(len(y)).astype(str), y, **matrices)


def run(
    features: Features,
    number: int,
    fold: int,
    classifiers: tuple[str, ...] = ("GNB",),
    budgets: tuple[int, ...] = BUDGETS,
) -> pd.DataFrame:
    """One task, as `runs.run_task` does it."""
    with threadpool_limits(1):
        return run_fold(features, PROTOCOL, number, classifiers, budgets, PROTOCOL.divide(features)[fold])


def seconds(function: Callable, *arguments) -> tuple[float, object]:
    """How long a call takes, and what it gives."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def parallel(tasks: list[tuple], workers: int = WORKERS) -> list[pd.DataFrame]:
    """`run` on all tasks, in processes."""
    return Parallel(n_jobs=workers)(delayed(run)(*task) for task in tasks)


def against_reference(count: int) -> dict:
    """Experiment 3 on a dataset of DS's size: all ten folds in two processes, `count` of them by the reference."""
    features = synthetic("DS")
    tasks = [(features, 3, fold) for fold in range(10)]
    parallel(tasks[:WORKERS])  # Starting processes and importing is not what is measured.
    fast, tables = min((seconds(parallel, tasks) for _ in range(3)), key=lambda timed: timed[0])
    single, _ = seconds(lambda: [run(*task) for task in tasks])
    plain, once, differences = 0, 0, 0
    named = [column for column in COLUMNS if not column.endswith("accuracy")]
    for number, fold in enumerate(PROTOCOL.divide(features)[:count]):
        with threadpool_limits(1):
            taken, _ = seconds(reference.fold_scores, features, PROTOCOL, 3, BUDGETS, fold, True)
            plain += taken
            taken, expected = seconds(reference.fold_scores, features, PROTOCOL, 3, BUDGETS, fold)
            once += taken
        both = [table.set_index(named).sort_index() for table in (expected, tables[number])]
        differences += int((both[0].fillna(-1) != both[1].fillna(-1)).any(axis=1).sum())
    plain, once, fast, single = plain / count, once / count, fast / 10, single / 10
    return {
        "ratio_reference": plain / fast,
        "ratio_reference_one_process": plain / single,
        "ratio_reference_full_once": once / fast,
        "seconds_fold_reference": plain,
        "seconds_fold_one_process": single,
        "different_scores": differences,
    }


def against_machine(repeats: int = 9) -> dict:
    """Labels, fits and predictions of one fold of Experiment 3 at ACCDDHMRS's size, on one core."""
    features = synthetic("ACCDDHMRS")
    repetition, half, training, test = PROTOCOL.divide(features)[0]
    y, k, (n, m) = features.y[training], len(features.classes), (len(training), len(test))
    matrices = {"visual": features.visual, "text": features.text, "both": np.hstack(features.modalities)}
    X = {name: PROTOCOL.preprocess(matrix[training], matrix[test], "L2STD") for name, matrix in matrices.items()}

    def work() -> None:
        fits = [
            *full_fits(y, PROTOCOL, experiment(3).methods),
            *self_labeled_fits(X, y, PROTOCOL, BUDGETS, repetition, half),
        ]
        predictions(X, fits, "GNB", PROTOCOL, True)

    # Products alone, a multiplication and an addition each: distances to all seeds; sums of two powers of all rows for
    # FULL, UNI and CMCSL; likelihoods from two powers for these and PRE; fits and likelihoods of EF.
    b = len(BUDGETS)
    operations = sum(2 * d * k * (b * n + 2 * n * (1 + 2 * b) + 2 * m * (1 + 3 * b)) for d in WIDTHS.values())
    operations += 2 * sum(WIDTHS.values()) * k * 2 * (n + m)
    square = np.random.default_rng(0).normal(size=(2048, 2048))
    with threadpool_limits(1):
        work()
        timed = [(seconds(work)[0], seconds(np.matmul, square, square)[0]) for _ in range(repeats)]
    own, product = (median(times) for times in zip(*timed, strict=True))
    achieved, peak = operations / own, 2 * len(square) ** 3 / product
    return {"share_of_dgemm_peak": achieved / peak, "gflops": achieved / 1e9, "gflops_dgemm": peak / 1e9}


def full_grid() -> float:
    """Seconds of Experiments 2 and 3 with naive Bayes on datasets of all 20 sizes, in two processes."""

    def one(dataset: str) -> None:
        features = synthetic(dataset)
        parallel([(features, number, fold) for number in (2, 3) for fold in range(10)])

    return seconds(lambda: [one(dataset) for dataset in pd.read_csv(TABLE_1).dataset.unique()])[0]


def many_rows(n: int, width: int = 512, classes: int = 2) -> float:
    """Seconds of UNI in one modality with budgets 1 to 20 (40 seeds): labels, fits and predictions of the same rows."""
    random = np.random.default_rng(0)
    y = random.integers(classes, size=n)
    X = random.normal(size=(n, width))
    X[:, 0] += y
    seeds = [labeling(y, budget, np.random.default_rng(1)) for budget in BUDGETS]

    def work() -> None:
        clusters = clusterings(X, seeds)
        labels = np.array([y[rows[each.seed]] for each, rows in zip(clusters, seeds, strict=True)])
        del clusters
        naive_bayes.classify(naive_bayes.fit(X, labels, np.ones(labels.shape), classes), X)

    return seconds(work)[0]


def two_workers() -> float:
    """How many times faster LR and CART are in two processes than in one."""
    features = synthetic("FS")
    tasks = [(features, 3, fold, ("LR", "CART"), (1, 10)) for fold in range(10)]
    parallel(tasks[:WORKERS])
    return seconds(parallel, tasks, 1)[0] / seconds(parallel, tasks, WORKERS)[0]


def loading() -> float:
    """Seconds to load the shipped scores of all three experiments on the embedded corpus."""
    return seconds(lambda: [load_scores("openclipart", PROTOCOL, number, compute=False) for number in (1, 2, 3)])[0]


def apart(name: str, *arguments: int) -> tuple[float, float]:
    """What a function of this file gives in a process of its own, and the most memory in MB that this took."""
    command = [sys.executable, __file__, "--only", name, *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def measured(function: Callable, *arguments: int) -> tuple[float, float]:
    """The other side of `apart`."""
    result = function(*arguments)
    get_reusable_executor().shutdown()
    # Of ended children the system tells the largest; all are taken to be as large.
    own, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return result, (own + WORKERS * child) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="in less than a minute")
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--only", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        name, *numbers = arguments.only
        print(json.dumps(measured(globals()[name], *map(int, numbers))))
        return
    figures = against_reference(1 if arguments.quick else 10) | against_machine()
    if not arguments.quick:
        figures["seconds_full_grid"], figures["peak_memory_mb"] = apart("full_grid")
        figures["speedup_two_workers"] = two_workers()
        figures["seconds_load_scores"] = loading()
        hundred, _ = apart("many_rows", 100_000)
        million, memory = apart("many_rows", 1_000_000)
        figures |= {
            "seconds_100000_rows": hundred,
            "seconds_1000000_rows": million,
            "ratio_rows": million / hundred,
            "memory_beside_rows_mb": memory - 1_000_000 * 512 * 8 / 2**20,
        }
    figures = {name: float(f"{value:.4g}") for name, value in figures.items()}
    print(json.dumps(figures) if arguments.json else "\n".join(f"{name:30} {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
