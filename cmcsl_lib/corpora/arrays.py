"""Features that were made elsewhere: two arrays and labels from NumPy or Parquet files, as a corpus of their own."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from .. import __version__
from ..files.errors import CmcslError
from ..files.paths import features_folder, readable_path
from . import user_corpora
from .cells import cell_text, label_set, python_values, read_column
from .corpus import subset
from .dataset_classes import datasets
from .features import LARGEST, Features, items_sha256, unusable_row, write_features

#: What a file of arrays must do.
ARRAYS = "hold arrays of numbers or texts, as numpy.save and numpy.savez write them, and no Python objects"


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
        Matrices of shape (n, d), any d, of numbers up to `features.LARGEST`, kept as they are up to double precision:
        keys of the .npz file, or columns of lists in Parquet.
    label : str
        Labels of shape (n,), texts or numbers; what is no label: `cells.label_set`. In Parquet lists of several
        labels as well.
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
    user_corpora.check_name(name)
    names = {"visual": visual, "text": text, "label": label} | ({} if identifier is None else {"id": identifier})
    columns = _from_files(names) if items is None else _from_one_file(items, names)
    X_visual, X_text = _matrix(columns["visual"], visual), _matrix(columns["text"], text)
    labels = read_column(_label_values(columns["label"], label), label, lambda value: label_set(value, separator))
    ids = _ids(columns.get("id", range(1, len(labels) + 1)))
    # Checks lengths before anything is written.
    Features(name, "all items", (), ids, np.full(len(labels), -1), X_visual, X_text)
    several = separator is not None or any(isinstance(value, list) for value in columns["label"])
    rows = (
        {"id": identity, "title": identity, "text": None, "labels": item_labels, "image": None}
        for identity, item_labels in zip(ids.tolist(), labels, strict=True)
    )
    paths = []

    def write() -> None:
        corpus, items = user_corpora.load(name), items_sha256(name)
        metadata = {"settings": {"cmcsl": __version__, "start": "ready-made"}}
        for dataset, dataset_classes in datasets(name).items():
            divided = subset(corpus, dataset)
            # Without a copy where these are all rows.
            rows = slice(None) if len(divided.rows) == len(ids) else divided.rows
            rows_of_dataset = ids[rows], divided.y, X_visual[rows], X_text[rows]
            features = Features(name, dataset, dataset_classes, *rows_of_dataset, metadata, items_sha256=items)
            paths.append(features_folder(name) / f"{dataset}.parquet")
            write_features(features, paths[-1], exact=True)

    user_corpora.write(name, rows, [], classes, several, write)
    return paths


def _from_files(names: dict[str, str]) -> dict[str, Any]:
    """One array per .npy file."""
    for role, name in names.items():
        if Path(name).suffix.lower() != ".npy":
            raise CmcslError(
                f"Without --items each array comes from a .npy file, but --{role} is {name!r}: name one, "
                "or name a .npz or Parquet file with --items."
            )
    return {role: _array(Path(name)) for role, name in names.items()}


def _array(path: Path) -> np.ndarray:
    with _reading(path, ARRAYS):
        content = np.load(path, allow_pickle=False)
        if not isinstance(content, np.ndarray):
            raise TypeError("several arrays")
    return content


def _from_one_file(path: Path, names: dict[str, str]) -> dict[str, Any]:
    """Arrays of a .npz file or columns of a Parquet file by role; nothing else of it is read."""
    kind = path.suffix.lower()
    if kind not in (".npz", ".parquet"):
        raise CmcslError(f"The file of features {readable_path(path)} must end in .npz or .parquet.")
    with (
        _reading(path, "be Parquet" if kind == ".parquet" else ARRAYS),
        pq.ParquetFile(path) if kind == ".parquet" else np.load(path, allow_pickle=False) as content,
    ):
        present = content.schema_arrow.names if kind == ".parquet" else list(content)
        names = ({"id": "id"} if "id" in present else {}) | names
        for name in names.values():
            if name not in present:
                raise CmcslError(
                    f"{readable_path(path)} holds no {name!r}, only {', '.join(present)}: name what it holds "
                    "with --visual, --text, --label and --id."
                )
        if twice := [name for name, count in Counter(present).items() if count > 1]:
            raise CmcslError(f"{readable_path(path)} has more than one column {twice[0]!r}.")
        if kind == ".parquet":
            table = content.read(columns=list(dict.fromkeys(names.values())))
            return {role: python_values(table.column(name), name) for role, name in names.items()}
        return {role: content[name] for role, name in names.items()}


@contextmanager
def _reading(path: Path, form: str) -> Iterator[None]:
    """Say in one sentence that a file is missing or damaged."""
    if not path.is_file():
        raise CmcslError(f"There is no file {readable_path(path)}: name one that exists.")
    try:
        yield
    except CmcslError:
        raise
    # NumPy's parser of headers raises whatever the damage leads it to.
    except Exception as error:
        raise CmcslError(f"{readable_path(path)} can't be read ({type(error).__name__}): it must {form}.") from None


def _matrix(values: Any, name: str) -> np.ndarray:
    """A matrix of finite numbers in single or double precision."""
    try:
        X = np.asarray(values)
    except ValueError:
        raise CmcslError(f"The features {name!r} must be a matrix, but its rows have unequal lengths.") from None
    if X.ndim != 2 or not X.size:
        raise CmcslError(f"The features {name!r} must be a matrix with a row per item, got shape {X.shape}.")
    if X.dtype.kind not in "biuf":
        raise CmcslError(f"The features {name!r} must be numbers, got values of type {X.dtype}.")
    X = X if X.dtype == np.float32 else X.astype(np.float64, copy=False)
    row = unusable_row(X)
    if row is not None:
        raise CmcslError(
            f"The features {name!r} must be finite, but row {row + 1} holds NaN, infinity or a number beyond "
            f"{LARGEST:g}."
        )
    return X


def _label_values(values: Any, name: str) -> list[Any]:
    """One label per row, or in Parquet a list of them."""
    if not isinstance(values, np.ndarray):
        return values
    if values.ndim != 1 or values.dtype.kind not in "biufUS":
        raise CmcslError(
            f"The labels {name!r} must be one column of texts or numbers, got shape {values.shape} of "
            f"type {values.dtype}."
        )
    return values.tolist()


def _ids(values: Any) -> np.ndarray:
    """Identifiers as texts, each of which names one row."""
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise CmcslError(f"The ids must be one column, got shape {values.shape}.")
    ids = read_column(values.tolist() if isinstance(values, np.ndarray) else values, "id", cell_text)
    for identity, count in Counter(ids).items():
        if count > 1 or not identity:
            raise CmcslError(f"Each row must have an id of its own, but {identity!r} is empty or stands twice.")
    return np.array(ids, dtype=str)
