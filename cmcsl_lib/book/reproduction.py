"""What a reader needs to run everything again: versions, checksums, and how fast it is."""

import json
import platform
from importlib.metadata import version

import pandas as pd

from .. import __version__
from ..corpora.dataset_classes import datasets
from ..corpora.features import features_path
from ..experiments.published import REGISTRY, published_folder
from ..files.checksums import file_sha256
from ..files.errors import Absent
from ..files.paths import REPOSITORY, readable_path, shipped

#: Packages whose versions can change a score, a figure or a page.
PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "pyarrow",
    "scikit-posthocs",
    "matplotlib",
    "seaborn",
    "papermill",
    "jupyter-book",
)


def versions() -> pd.DataFrame:
    """Versions of this library, of Python and of the packages that can change a result.

    Returns
    -------
    DataFrame
        Columns name and version.
    """
    packages = {name: version(name) for name in PACKAGES}
    rows = {"cmcsl": __version__, "Python": platform.python_version()} | packages
    return pd.DataFrame(rows.items(), columns=["name", "version"])


def checksums(corpus: str) -> pd.DataFrame:
    """SHA-256 of the corpus, where it is shipped, and of the features of its datasets.

    Parameters
    ----------
    corpus : str
        A name, for example ``openclipart``.

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
    present = [path for path in paths if path.is_file()]
    if not present:
        raise Absent(f"No file of the corpus {corpus} is on this machine: run `cmcsl extract {corpus}`.")
    return pd.DataFrame(
        [(readable_path(path), path.stat().st_size, file_sha256(path)) for path in present],
        columns=["file", "bytes", "sha256"],
    )


def published_checksums() -> pd.DataFrame:
    """SHA-256 that each of the authors' arrays must have, and whether it is on this machine.

    Returns
    -------
    DataFrame
        Columns file, sha256 and here: yes, no, or another file, where one by its name has another checksum.
    """
    rows = []
    for name, known in REGISTRY.items():
        path = published_folder() / name
        here = "no" if not path.is_file() else "yes" if file_sha256(path) == known.sha256 else "another file"
        rows.append((name, known.sha256, here))
    return pd.DataFrame(rows, columns=["file", "sha256", "here"])


def measured() -> dict[str, object]:
    """The recorded run of `benchmarks/grid.py`.

    Returns
    -------
    dict
        Keys command, cores, machine (what else it did), and figures, a dict of numbers by name.
    """
    return json.loads((REPOSITORY / "benchmarks" / "measured.json").read_text(encoding="utf-8"))
