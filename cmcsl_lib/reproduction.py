"""What a reader needs to run everything again: versions, checksums, and how long things take beside each other."""

import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from . import __version__
from .corpora.catalogue import datasets
from .errors import Absent
from .features import features_path
from .paths import REPOSITORY, readable_path, shipped
from .published import REGISTRY, published_folder

#: Packages whose versions can change a score, a figure or a page.
PACKAGES = ("numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "scikit-posthocs", "matplotlib", "seaborn",
            "papermill", "jupyter-book")
#: What the page says of each figure of `benchmarks/grid.py` that holds on any machine.
TOLD = {
    "ratio_reference": "time of a plain implementation in one process, FULL and LF trained anew for every budget, over "
                       "that of this library in two processes",
    "ratio_reference_one_process": "the same, over this library in one process",
    "ratio_reference_full_once": "time of a plain implementation, FULL and LF trained once per fold, over that of this "
                                 "library in two processes",
    "different_scores": "scores that differ between the two",
    "share_of_dgemm_peak": "operations per second of labels, fits and predictions, over those of one large matrix "
                           "product",
}


def versions() -> pd.DataFrame:
    """Versions that this page was made with: columns name and version."""
    rows = [("cmcsl", __version__), ("Python", platform.python_version())]
    rows += [(name, version(name)) for name in PACKAGES]
    return pd.DataFrame(rows, columns=["name", "version"])


def checksums(corpus: str) -> pd.DataFrame:
    """SHA-256 of the corpus, where it is shipped, and of the features of its datasets.

    Parameters
    ----------
    corpus : str

    Returns
    -------
    DataFrame
        Columns file, bytes and sha256.

    Raises
    ------
    Absent
        If there is no file of the corpus on this machine.
    """
    paths = [shipped() / corpus / f"{corpus}.parquet", *(features_path(corpus, name) for name in datasets(corpus))]
    there = [path for path in paths if path.is_file()]
    if not there:
        raise Absent(f"No file of the corpus {corpus} is on this machine: run `cmcsl extract {corpus}`.")
    return pd.DataFrame([(readable_path(path), path.stat().st_size, digest(path)) for path in there],
                        columns=["file", "bytes", "sha256"])


def published_checksums() -> pd.DataFrame:
    """SHA-256 that each of the authors' arrays must have: columns file, sha256, here ("yes", "no", "another file")."""
    rows = []
    for name, known in REGISTRY.items():
        path = published_folder() / name
        here = "no" if not path.is_file() else "yes" if digest(path) == known.sha256 else "another file"
        rows.append((name, known.sha256, here))
    return pd.DataFrame(rows, columns=["file", "sha256", "here"])


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def measured(path: Path = REPOSITORY / "benchmarks" / "measured.json") -> tuple[str, pd.DataFrame]:
    """The kept run of the benchmarks.

    Returns
    -------
    str
        What was run, on what.
    DataFrame
        Columns figure, value and meaning.
    """
    kept = json.loads(path.read_text(encoding="utf-8"))
    rows = [(name, f"{value:.3g}", TOLD[name]) for name, value in kept["figures"].items()]
    told = (f"Measured by `{kept['command']}` on {kept['cores']} cores, where {kept['machine']}; kept in "
            f"`{readable_path(path)}`.")
    return told, pd.DataFrame(rows, columns=["figure", "value", "meaning"])
