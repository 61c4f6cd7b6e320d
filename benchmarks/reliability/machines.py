"""The same results everywhere: workers, threads, and kernels of linear algebra as on other processors."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import made_up
import pandas as pd

from cmcsl_lib.experiments import runs
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.experiments.scores import read_scores
from cmcsl_lib.files.paths import REPOSITORY

#: Processors whose kernels OpenBLAS takes when it is told to; all run on any x86-64 with AVX-512.
CORES = ("Prescott", "Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX")


def kernel() -> str:
    """Which kernels the OpenBLAS of this process runs."""
    from threadpoolctl import threadpool_info

    return next((each.get("architecture", "") for each in threadpool_info() if each["user_api"] == "blas"), "")


def scores(home: Path, workers: int = 1, python: str = sys.executable, **environment: str) -> tuple[bytes, str]:
    """The scores file of a small run in a fresh process of an interpreter, and the kernels that it ran with."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import machines; "
        f"machines.small_run({workers})"
    )
    messages = subprocess.run(
        [python, "-c", code],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | environment | {"CMCSL_HOME": str(home), "PYTHONPATH": str(REPOSITORY)},
    )
    path = home / "scores" / "openclipart" / "strict" / "experiment_3" / "AF.parquet"
    content = path.read_bytes()
    path.unlink()
    return content, messages.stdout.strip()


def small_run(workers: int) -> None:
    """Experiment 3 with all three classifiers on the features in CMCSL_HOME; prints the kernels."""
    runs.START = 0  # also where further processes do not pay
    runs.load_scores(
        "openclipart",
        PROTOCOLS["strict"],
        datasets="AF",
        classifiers=("GNB", "LR", "CART"),
        budgets=(1, 5),
        workers=workers,
    )
    print(kernel())


def workers_and_threads(counts: tuple[int, ...] = (1, 2, 4)) -> list[dict[str, object]]:
    """Whether the file of scores is the same, byte by byte, for so many workers and threads."""
    rows = []
    with tempfile.TemporaryDirectory() as home:
        made_up.features(Path(home), rows=60)
        once, _ = scores(Path(home), OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
        for what in ("workers", "threads"):
            for count in counts:
                threads = str(count if what == "threads" else 1)
                expected, _ = scores(
                    Path(home), count if what == "workers" else 1, OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads
                )
                rows.append({what: count, "same_bytes": expected == once})
    return rows


def kernels(cores: tuple[str, ...] = CORES) -> list[dict[str, object]]:
    """How far scores are from those of this machine's own kernels: rows that differ, and by how much at most."""
    rows = []
    with tempfile.TemporaryDirectory() as home:
        made_up.features(Path(home), rows=120)
        tables = {}
        for core in ("", *cores):
            content, ran = scores(Path(home), **({"OPENBLAS_CORETYPE": core} if core else {}))
            (Path(home) / "kept.parquet").write_bytes(content)
            tables[core] = read_scores(Path(home) / "kept.parquet")
            if core:
                apart = (tables[core].balanced_accuracy - tables[""].balanced_accuracy).abs()
                by = apart.groupby(tables[core].classifier).max().round(6).to_dict()
                rows.append(
                    {"asked": core, "ran": ran, "rows": len(apart), "different": int((apart > 0).sum()), "most": by}
                )
    return rows


def interpreters(pythons: list[str]) -> list[dict[str, object]]:
    """Whether other interpreters, each with its environment, give the scores of this one."""
    rows = []
    with tempfile.TemporaryDirectory() as home:
        made_up.features(Path(home), rows=60)
        content, _ = scores(Path(home))
        here = _table(Path(home), content)
        for python in pythons:
            content, _ = scores(Path(home), python=python)
            table = _table(Path(home), content)
            apart = (table.balanced_accuracy - here.balanced_accuracy).abs()
            rows.append(
                {
                    "python": python,
                    "rows": len(apart),
                    "different": int((apart > 0).sum()),
                    "most": round(float(apart.max()), 6),
                }
            )
    return rows


def _table(home: Path, content: bytes) -> pd.DataFrame:
    path = home / "kept.parquet"
    path.write_bytes(content)
    return read_scores(path)
