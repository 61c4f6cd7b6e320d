"""A user's own images and texts: a CSV or Parquet file that lists them, and the images in its folder."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from ..files.errors import CmcslError
from ..files.paths import readable_path
from . import own
from .pictures import decoded

#: Photographs of a good camera are smaller; larger files are set aside without being read.
LARGEST_IMAGE = 50_000_000
#: How many labels or columns a message lists at most.
TOLD = 20


class Item(NamedTuple):
    """One row of the list, as it stands there; labels as `own.label_set` gives them."""

    id: str
    image: str
    text: str
    labels: list[str]


def read_folder(
    name: str,
    path: Path,
    *,
    image: str = "image",
    text: str = "text",
    label: str = "label",
    identifier: str | None = None,
    separator: str | None = None,
    classes: Mapping[str, Sequence[str]] | None = None,
) -> Counter:
    """Read a folder of images and texts into the corpus `name`.

    Parameters
    ----------
    name : str
        Of the corpus, and of its one dataset unless `classes` names others.
    path : Path
        The list of items, CSV (UTF-8, commas) or Parquet.
    image, text, label : str
        Columns: path of the image relative to the list's folder, text, label. An item whose label is empty is kept
        without one.
    identifier : str, optional
        Column of what names an item, once each; default: the image's path.
    separator : str, optional
        What divides several labels in one cell of a CSV file; lists in Parquet need none.
    classes : dict of str to sequence of str, optional
        Datasets and their classes; needed where an item may have several labels.

    Returns
    -------
    Counter
        How many items were set aside, by reason.

    Raises
    ------
    CmcslError
        If the list can't be read, a name can't be taken, or no item can be used; what was there before is kept.
    """
    own.check_name(name)
    columns = {"id": image if identifier is None else identifier, "image": image, "text": text, "labels": label}
    values = read_columns(path, list(columns.values()))
    several = separator is not None or any(isinstance(value, list) for value in values[label])
    items = [
        Item(
            _cell(values[columns["id"]][row]),
            _cell(values[image][row]),
            _cell(values[text][row]),
            own.label_set(values[label][row], separator),
        )
        for row in range(len(values[label]))
    ]
    # Before an hour of decoding, not after it.
    own.named_datasets(name, [item.labels for item in items], classes, several)
    set_aside = []
    return own.write(name, _usable(items, path.resolve().parent, set_aside), set_aside, classes, several)


def read_columns(path: Path, names: list[str]) -> dict[str, list[Any]]:
    """Columns of a CSV or Parquet file by name, as lists.

    Raises
    ------
    CmcslError
        If the file can't be read, or lacks a column.
    """
    told = readable_path(path)
    if not path.is_file():
        raise CmcslError(f"There is no file {told}: name a list of items, CSV or Parquet.")
    try:
        if path.suffix.lower() == ".parquet":
            file = pq.ParquetFile(path)
            _check_columns(told, names, file.schema_arrow.names)
            table = file.read(columns=list(dict.fromkeys(names)))
            return {name: table.column(name).to_pylist() for name in names}
        if path.suffix.lower() == ".csv":
            # Only an empty cell is empty: "NA" or "None" may be a class.
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
            _check_columns(told, names, list(table))
            return {name: table[name].tolist() for name in names}
    except (
        pa.ArrowException,
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        csv.Error,
        UnicodeDecodeError,
        OSError,
    ) as error:
        raise CmcslError(
            f"The list of items {told} can't be read ({type(error).__name__}): it must be CSV in UTF-8 "
            "with a first line of column names, or Parquet."
        ) from None
    raise CmcslError(f"The list of items {told} must end in .csv or .parquet.")


def _check_columns(told: str, names: list[str], there: list[str]) -> None:
    for name in names:
        if there.count(name) != 1:
            wrong = "has no column" if name not in there else "has more than one column"
            raise CmcslError(
                f"{told} {wrong} {name!r}: its columns are {', '.join(there[:TOLD])}"
                f"{', ...' if len(there) > TOLD else ''}."
            )


def _cell(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()


def _usable(items: list[Item], folder: Path, set_aside: list[tuple[str, str]]) -> Iterator[dict]:
    """Items of the store; the others are noted in `set_aside`, by row where their id does not tell them apart."""
    counts, seen = Counter(item.id for item in items), set()
    for number, item in enumerate(tqdm(items, desc="Reading items", unit="item", disable=None), start=1):
        try:
            if not item.id:
                raise CmcslError("no id" if item.image else "no image")
            if item.id in seen:
                raise CmcslError("id used before")
            if not item.text:
                raise CmcslError("no text")
            content = image_content(folder, item.image)
            decoded(content)
        except CmcslError as reason:
            set_aside.append((item.id if item.id and counts[item.id] == 1 else f"row {number}", str(reason)))
        else:
            seen.add(item.id)
            # Half of a surrogate pair could be stored in no encoding.
            clean = item.text.encode("utf-8", "replace").decode()
            yield {"id": item.id, "title": item.id, "text": clean, "labels": item.labels, "image": content}


def image_content(folder: Path, name: str) -> bytes:
    """Bytes of an image file in a folder, without following any path or link out of it.

    Parameters
    ----------
    folder : Path
        Resolved.
    name : str
        Path of the image from there.

    Raises
    ------
    CmcslError
        With the reason why it can't be used.
    """
    if not name:
        raise CmcslError("no image")
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder):
            raise CmcslError("image outside the folder")
        if not path.is_file():
            raise CmcslError("no image")
        if path.stat().st_size > LARGEST_IMAGE:
            raise CmcslError("image too large")
        return path.read_bytes()
    except CmcslError:
        raise
    except (OSError, ValueError):
        # Such as a null byte in the name, or a file that may not be read.
        raise CmcslError("image can't be read") from None
