"""Features that were made elsewhere: two arrays and labels from NumPy or Parquet files, as a corpus of their own."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .. import __version__
from ..files.errors import CmcslError
from ..files.paths import features_folder, readable_path
from . import datasets, load, own, subset
from .features import MODALITIES, Features, write_features


def read_arrays(
    name: str,
    items: Path | None = None,
    *,
    visual: str = "visual",
    text: str = "text",
    label: str = "label",
    identifier: str | None = None,
    separator: str | None = None,
    classes: Mapping[str, Sequence[str]] | None = None,
) -> list[Path]:
    """Take ready-made features as the corpus `name`, and write one features file for each of its datasets.

    Parameters
    ----------
    name : str
        Of the corpus, and of its one dataset unless `classes` names others.
    items : Path, optional
        One .npz or Parquet file that holds everything; without it each of the following names a .npy file.
    visual, text : str
        Matrices of shape (n, d), any d, of finite numbers: keys of the .npz file, or columns of lists in Parquet.
    label : str
        Labels of shape (n,), texts or whole numbers. An empty text, NaN and the number -1 are no label. In Parquet
        lists of several labels as well.
    identifier : str, optional
        What names each row, once each; default: "id" if the file has it, else the row's number, from 1.
    separator : str, optional
        What divides several labels in one text.
    classes : dict of str to sequence of str, optional
        Datasets and their classes; needed where a row may have several labels.

    Returns
    -------
    list of Path
        Features files, in the order of the datasets.

    Raises
    ------
    CmcslError
        If a file can't be read, or holds what can't be features or labels; then nothing is written.
    """
    own.check_name(name)
    given = {"visual": visual, "text": text, "label": label, "id": identifier}
    columns = _from_files(given) if items is None else _from_one_file(items, given)
    matrices = {modality: _matrix(columns[modality], given[modality]) for modality in MODALITIES}
    labels = _label_sets(columns["label"], given["label"], separator)
    ids = [str(number) for number in range(1, len(labels) + 1)] if columns.get("id") is None else _ids(columns["id"])
    # Checks lengths before anything is written.
    Features(name, "all items", (), np.array(ids), np.full(len(labels), -1), **matrices)
    several = separator is not None or any(isinstance(value, list) for value in columns["label"])
    rows = (
        {"id": identity, "title": identity, "text": None, "labels": its, "image": None}
        for identity, its in zip(ids, labels, strict=True)
    )
    own.write(name, rows, [], classes, several)
    return [_write(name, dataset, np.array(ids), matrices) for dataset in datasets(name)]


def _write(corpus: str, dataset: str, ids: np.ndarray, matrices: dict[str, np.ndarray]) -> Path:
    its = subset(load(corpus), dataset)
    made = {"settings": {"cmcsl": __version__, "start": "ready-made"}}
    path = features_folder(corpus) / f"{dataset}.parquet"
    write_features(
        Features(
            corpus,
            dataset,
            its.classes,
            ids[its.rows],
            its.y,
            **{modality: X[its.rows] for modality, X in matrices.items()},
            metadata=made,
        ),
        path,
    )
    return path


def _from_files(given: dict[str, str | None]) -> dict[str, Any]:
    found = {}
    for role, name in given.items():
        if name is None:
            continue
        path = Path(name)
        if path.suffix.lower() != ".npy":
            raise CmcslError(
                f"Without --items each array comes from a .npy file, but --{role} is {name!r}: name one, "
                "or name a .npz or Parquet file with --items."
            )
        found[role] = _loaded(path)
    return found


def _loaded(path: Path) -> Any:
    """What NumPy reads from a file without pickles."""
    if not path.is_file():
        raise CmcslError(f"There is no file {readable_path(path)}: name one that exists.")
    try:
        found = np.load(path, allow_pickle=False)
        return dict(found) if isinstance(found, np.lib.npyio.NpzFile) else found
    # NumPy's parser of headers raises whatever the damage leads it to.
    except Exception as error:
        raise CmcslError(
            f"{readable_path(path)} can't be read ({type(error).__name__}): it must hold arrays of "
            "numbers or texts, as numpy.save and numpy.savez write them, and no Python objects."
        ) from None


def _from_one_file(path: Path, given: dict[str, str | None]) -> dict[str, Any]:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        there = _loaded(path)
    elif suffix == ".parquet":
        there = _parquet(path)
    else:
        raise CmcslError(f"The file of features {readable_path(path)} must end in .npz or .parquet.")
    wanted = {role: name or ("id" if "id" in there else None) for role, name in given.items()}
    for name in filter(None, wanted.values()):
        if name not in there:
            raise CmcslError(
                f"{readable_path(path)} holds no {name!r}, only {', '.join(there)}: name what it holds "
                "with --visual, --text, --label and --id."
            )
    return {role: there[name] for role, name in wanted.items() if name}


def _parquet(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise CmcslError(f"There is no file {readable_path(path)}: name one that exists.")
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise CmcslError(f"{readable_path(path)} can't be read ({type(error).__name__}): it must be Parquet.") from None
    return {name: table.column(name).to_pylist() for name in table.column_names}


def _matrix(values: Any, name: str) -> np.ndarray:
    """A matrix of double precision.

    Raises
    ------
    CmcslError
        If it is none, or holds anything but finite numbers.
    """
    try:
        made = np.asarray(values)
    except ValueError:
        raise CmcslError(f"The features {name!r} must be a matrix, but its rows have unequal lengths.") from None
    if made.ndim != 2 or not made.size:
        raise CmcslError(f"The features {name!r} must be a matrix with a row per item, got shape {made.shape}.")
    if made.dtype.kind not in "biuf":
        raise CmcslError(f"The features {name!r} must be numbers, got values of type {made.dtype}.")
    made = made.astype(np.float64)
    if not np.isfinite(made).all():
        row = int(np.flatnonzero(~np.isfinite(made).all(axis=1))[0])
        raise CmcslError(f"The features {name!r} must be finite, but row {row + 1} holds NaN or infinity.")
    return made


def _label_sets(values: Any, name: str, separator: str | None) -> list[list[str]]:
    if isinstance(values, np.ndarray):
        if values.ndim != 1 or values.dtype.kind not in "biufU":
            raise CmcslError(
                f"The labels {name!r} must be one column of texts or numbers, got shape {values.shape} of "
                f"type {values.dtype}."
            )
        values = values.tolist()
    return [own.label_set(value, separator) for value in values]


def _ids(values: Any) -> list[str]:
    made = [str(value).strip() for value in (values.tolist() if isinstance(values, np.ndarray) else values)]
    twice = [name for name, count in Counter(made).items() if count > 1 or not name]
    if twice:
        raise CmcslError(f"Each row must have an id of its own, but {twice[0]!r} is empty or stands twice.")
    return made
