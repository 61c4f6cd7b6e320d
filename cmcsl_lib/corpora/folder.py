"""A user's own images and texts: a CSV or Parquet file that lists them, and the images in its folder."""

import csv
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..files.errors import CmcslError
from ..files.extras import require
from ..files.paths import readable_path
from ..files.progress import progress
from . import user_corpora
from .cells import cell_text, label_set, number_or_missing, python_values, read_column, text_or_missing
from .pictures import decoded

#: Photographs of a good camera are smaller; larger files are set aside without being read.
LARGEST_IMAGE = 50_000_000
#: How many columns a message lists at most.
LISTED = 20
#: A CSV file of 200,000 columns takes minutes and gigabytes to be read.
MOST_COLUMNS = 10_000


def read_folder(
    name: str,
    path: Path,
    *,
    image: str = "image",
    text: str = "text",
    label: str = "label",
    identifier: str | None = None,
    time: str | None = None,
    separator: str | None = None,
    classes: Mapping[str, Sequence[str]] | None = None,
) -> Counter[str]:
    """Read a folder of images and texts into the corpus `name`.

    Parameters
    ----------
    name : str
        Of the corpus, and of its one dataset unless `classes` names others.
    path : Path
        The list of items, CSV (UTF-8, commas) or Parquet.
    image, text, label : str
        Columns: path of the image relative to the list's folder, text, label. What says that there
        is no label or text: `label_set` and `text_or_missing`. An item without a label is kept.
    identifier : str, optional
        Column of what names an item, once each; default: the image's path.
    time : str, optional
        Column of when an item was made, a number such as a year; may be empty.
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
        If the list can't be read, a name can't be taken, or no item can be used; the earlier corpus is then kept.
    """
    user_corpora.check_name(name)
    require("extract", "Reading pictures", "PIL")
    names = [image if identifier is None else identifier, image, text, label]
    readers: list[Callable[[Any], Any]] = [
        cell_text,
        cell_text,
        text_or_missing,
        partial(label_set, separator=separator),
    ]
    if time is not None:
        names, readers = [*names, time], [*readers, number_or_missing]
    columns = _read_columns(path, names)
    several = separator is not None or any(isinstance(value, list) for value in columns[3])
    cells: list[list[Any]] = [read_column(*column) for column in zip(columns, names, readers, strict=True)]
    identities, images, texts, labels, *times = cells
    # Before an hour of decoding, not after it.
    user_corpora.named_datasets(name, labels, classes, several)
    items = list(zip(identities, images, texts, labels, times[0] if times else [None] * len(labels), strict=True))
    set_aside: list[tuple[str, str]] = []
    return user_corpora.write(name, _usable(items, path.resolve().parent, set_aside), set_aside, classes, several)


def _read_columns(path: Path, names: list[str]) -> list[list[Any]]:
    """Columns of a CSV or Parquet file, checked by name."""
    shown = readable_path(path)
    if not path.is_file():
        raise CmcslError(f"There is no file {shown}: name a list of items, CSV or Parquet.")
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise CmcslError(f"The list of items {shown} must end in .csv or .parquet.")
    try:
        if kind == ".parquet":
            file = pq.ParquetFile(path)
            present = file.schema_arrow.names
        else:
            # Without a header: pandas would take one cell too many for an index, which moves all columns by one, and
            # would rename the second of two equal columns.
            with path.open(encoding="utf-8-sig", newline="") as file:
                if (count := len(next(csv.reader(file), []))) > MOST_COLUMNS:
                    raise CmcslError(
                        f"{shown} has {count:,} columns, more than {MOST_COLUMNS:,}: leave out those that are not "
                        "needed."
                    )
            table = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig")
            present = table.iloc[0].tolist()
        for name in names:
            if present.count(name) != 1:
                wrong = "has no column" if name not in present else "has more than one column"
                columns = ", ".join([*present[:LISTED], *["..."] * (len(present) > LISTED)])
                # Nobody sees a blank in a list of names.
                blank = next((each for each in present if each != name and each.strip() == name), None)
                but = f"but {blank!r}, with a blank" if blank else f"its columns are {columns}"
                raise CmcslError(f"{shown} {wrong} {name!r}{',' if blank else ':'} {but}.")
        if kind == ".parquet":
            table = file.read(columns=list(dict.fromkeys(names)))
            return [python_values(table.column(name), name) for name in names]
        return [table[present.index(name)].tolist()[1:] for name in names]
    except (
        pa.ArrowException,
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        csv.Error,
        UnicodeDecodeError,
        OSError,
    ) as error:
        if long_row := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error)):
            expected, line, cells = long_row.groups()
            raise CmcslError(
                f"The list of items {shown} has {cells} cells in line {line} (a row of several lines counts as one), "
                f"but {expected} column names: put texts that hold commas in quotes, and end no row with a comma."
            ) from None
        raise CmcslError(
            f"The list of items {shown} can't be read ({type(error).__name__}): it must be CSV in UTF-8 "
            "with a first line of column names, or Parquet."
        ) from None


def _usable(
    items: list[tuple[str, str, str, list[str], float | None]], folder: Path, set_aside: list[tuple[str, str]]
) -> Iterator[dict]:
    """Items with id, image, text, labels and time as a corpus holds them; those that can't be used go to `set_aside`.

    There they are named by their row where their id does not tell them apart.
    """
    counts, seen = Counter(identity for identity, *_ in items), set()
    with progress("Reading items", len(items), "items") as advance:
        for row, (identity, image, text, labels, time) in enumerate(items, start=1):
            try:
                if not identity:
                    raise CmcslError("no id" if image else "no image")
                if identity in seen:
                    raise CmcslError("id used before")
                if not text:
                    raise CmcslError("no text")
                content = image_content(folder, image)
                decoded(content)
            except CmcslError as reason:
                set_aside.append((identity if identity and counts[identity] == 1 else f"row {row}", str(reason)))
            else:
                seen.add(identity)
                yield {
                    "id": identity,
                    "title": identity,
                    "text": text,
                    "labels": labels,
                    "image": content,
                    "time": time,
                }
            advance()


def image_content(folder: Path, name: str) -> bytes:
    """Bytes of an image file in a folder, without following any path or link out of it.

    Parameters
    ----------
    folder : Path
        Resolved.
    name : str
        Path of the image from there.

    Returns
    -------
    bytes

    Raises
    ------
    CmcslError
        With the reason why it can't be used.
    """
    if not name:
        raise CmcslError("no image")
    try:
        # Unlike `Path.resolve`, without an error where links lead round in a loop.
        path = Path(os.path.realpath(folder / name))
        if not path.is_relative_to(folder):
            inside = Path(os.path.normpath(folder / name)).is_relative_to(folder)
            raise CmcslError("image behind a link out of the folder" if inside else "image outside the folder")
        if not path.is_file():
            raise CmcslError(_absence(folder, name))
        if path.stat().st_size > LARGEST_IMAGE:
            raise CmcslError("image too large")
        return path.read_bytes()
    except CmcslError:
        raise
    except (OSError, ValueError):
        # Such as a null byte in the name, or a file that may not be read.
        raise CmcslError("image can't be read") from None


def _absence(folder: Path, name: str) -> str:
    """Why there is no image of this name: what a file is called that was probably meant."""
    if "\\" in name and (folder / name.replace("\\", "/")).is_file():
        return "no image: its path has back-slashes, where slashes are needed"
    parent = folder
    for part in Path(name).parts:
        if not parent.is_dir():
            break
        if not (parent / part).exists():
            if (parent / part).is_symlink():
                return "no image: a link leads nowhere, or round in a loop"
            composed, small = _names(parent, parent.stat().st_mtime_ns)
            if unicodedata.normalize("NFC", part) in composed:
                return "no image: a file of this name has its accents encoded otherwise (Unicode NFC or NFD)"
            if _in_small_letters(part) in small:
                return "no image: a file of this name has other capital and small letters"
            break
        parent /= part
    return "no image"


@lru_cache(maxsize=8)
def _names(folder: Path, _changed: int) -> tuple[frozenset[str], frozenset[str]]:
    """Names in a folder with composed accents, and in small letters as well; listed again when the folder changes."""
    names = [path.name for path in folder.iterdir()]
    return frozenset(unicodedata.normalize("NFC", name) for name in names), frozenset(map(_in_small_letters, names))


def _in_small_letters(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
