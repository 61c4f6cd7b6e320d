"""What one cell of a list says, whichever file it comes from: CSV, Parquet, arrays of NumPy, or JSON of a film."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..files.errors import CmcslError

if TYPE_CHECKING:
    import pyarrow as pa

#: Texts that say that there is none, as pandas, R, SQL, spreadsheets and IMDb write them.
MISSING = frozenset(("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None"))
#: A whole number, written by a program that knows only floats.
WHOLE = re.compile(r"^([+-]?\d+)\.0+$")
T = TypeVar("T")


def read_column(values: Iterable[Any], name: str, read: Callable[[Any], T]) -> list[T]:
    """Read each cell of a column; an error names the column and the row, from 1."""
    cells = []
    for row, value in enumerate(values, start=1):
        try:
            cells.append(read(value))
        except CmcslError as error:
            raise CmcslError(f"Row {row} of {name!r} {error}") from None
    return cells


def python_values(column: "pa.ChunkedArray", name: str) -> list[Any]:
    """The values of a column of Parquet as Python's; raises `CmcslError` where one is none of the column's type."""
    try:
        return column.to_pylist()
    # Arrow lets through what Python raises of dates, time zones and texts.
    except Exception as error:
        raise CmcslError(
            f"The column {name!r} of type {column.type} can't be read ({type(error).__name__}): texts must be UTF-8, "
            "times lie in the years 1 to 9999, and their time zone be known."
        ) from None


def cell_text(value: Any) -> str:
    """One value as a text without blanks around it; empty where it is None or NaN.

    Parameters
    ----------
    value : str, bytes, number, date or None
        Bytes are UTF-8. Whole floats lose their point: Parquet has floats where other rows of a column are empty.

    Returns
    -------
    str
        Without halves of surrogate pairs, which could be stored in no encoding.

    Raises
    ------
    CmcslError
        If it is several values, or bytes of something else than a text.
    """
    if isinstance(value, list | tuple | Mapping | np.ndarray):
        raise CmcslError("holds several values where one text or number is needed.")
    if value is None or (not isinstance(value, bytes) and value != value):
        return ""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            raise CmcslError("holds bytes that are no text in UTF-8.") from None
    if isinstance(value, float | np.floating) and value == value // 1:
        value = int(value)
    return str(value).strip().encode("utf-8", "replace").decode()


def text_or_missing(value: Any) -> str:
    """A value as in `cell_text`, empty where its text is one of `MISSING`."""
    text = cell_text(value)
    return "" if text in MISSING else text


def number_or_missing(value: Any) -> float | None:
    """A value as a number, None where its text is one of `MISSING`; raises `CmcslError` for any other text."""
    text = text_or_missing(value)
    try:
        number = float(text) if text else None
    except ValueError:
        number = np.nan
    if number is not None and not np.isfinite(number):
        raise CmcslError(f"holds {text!r} where a number is needed, such as a year.")
    return number


def label_set(value: Any, separator: str | None = None) -> list[str]:
    """The labels of one item as sorted texts; none where it is unlabelled.

    Parameters
    ----------
    value : str, bytes, number, None, or list of these
        None, NaN, -1 and each of `MISSING` are no label, and 1.0 is the label 1, whether as texts or as numbers.
    separator : str, optional
        What divides several labels in one text.

    Returns
    -------
    list of str

    Raises
    ------
    CmcslError
        As `cell_text` does.
    """
    if not isinstance(value, list | tuple | np.ndarray):
        text = text_or_missing(value)
        value = text.split(separator) if separator else [text]
    return sorted({WHOLE.sub(r"\1", text_or_missing(each)) for each in value} - {"", "-1"})
