"""What a user hands over: features in one array or several, labels of some rows, columns of each modality."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from ..files.errors import CmcslError

#: Name of the only modality where `modalities` is None.
ONLY = "all"
#: Features of other types are converted to the first.
PRECISIONS = (np.float64, np.float32)

Columns = slice | Sequence[int] | Sequence[str] | Sequence[bool] | int | str
Modalities = Mapping[str, Columns] | Sequence[str] | None
#: An array or a data frame, or one of each modality.
Features = ArrayLike | Mapping[str, ArrayLike]


def is_dict(X: Any) -> TypeGuard[Mapping[str, Any]]:
    """Tell a dict of arrays from one array; some of SciPy's sparse matrices are dicts too.

    Parameters
    ----------
    X : array-like or dict
        Features.

    Returns
    -------
    bool
        True for a dict of arrays.
    """
    return isinstance(X, Mapping) and not issparse(X)


def modality_columns(modalities: Modalities, X: Any, names: Sequence[Hashable] | None = None) -> dict[str, np.ndarray]:
    """Find the columns of every modality.

    Parameters
    ----------
    modalities : dict of str to columns, sequence of str or None
        As `CMCSLClassifier` takes it.
    X : ndarray of shape (n, d), or dict of str to ndarray
        The features; a dict's arrays count as standing side by side, in the order of the modalities.
    names : sequence of str, optional
        Column names of a data frame.

    Returns
    -------
    dict of str to ndarray of int64
        Positions of the columns.

    Raises
    ------
    CmcslError
        If a column does not exist, stands in two modalities, or a modality has none.
    """
    if isinstance(modalities, str) or not (modalities is None or isinstance(modalities, Mapping | Sequence)):
        raise CmcslError(
            f"modalities must be a dict of name to columns, a sequence of names or None, got {modalities!r}."
        )
    if modalities is not None and not len(modalities):
        raise CmcslError("modalities must name at least one modality, got none.")
    widths = {name: array.shape[1] for name, array in X.items()} if is_dict(X) else {ONLY: X.shape[1]}
    order = list(widths if modalities is None else modalities)
    if is_dict(X) and (set(order) != set(widths) or len(order) != len(widths)):
        raise CmcslError(f"X holds the modalities {_listed(widths)}, but modalities names {_listed(order)}.")
    if isinstance(modalities, Mapping):
        width = sum(widths.values())
        return _disjoint(
            {name: _positions(f"modalities[{name!r}]", columns, width, names) for name, columns in modalities.items()}
        )
    if modalities is not None and not is_dict(X):
        raise CmcslError(
            "modalities must be a dict of name to columns where X is one array: names alone go with a dict of arrays."
        )
    stops = np.cumsum([widths[name] for name in order])
    return {name: np.arange(stop - widths[name], stop) for name, stop in zip(order, stops, strict=True)}


def _positions(where: str, columns: Columns, width: int, names: Sequence[Hashable] | None) -> np.ndarray:
    """Positions of the columns of one modality, which messages call `where`."""
    items = _items(where, columns)
    if items and not isinstance(columns, slice) and all(isinstance(column, str) for column in items):
        if names is None:
            raise CmcslError(f"{where} names columns, so X must be a DataFrame with column names that are strings.")
        known = {name: position for position, name in enumerate(names)}
        unknown = [column for column in items if column not in known]
        if unknown:
            raise CmcslError(f"{where} names columns that X does not have: {_listed(unknown)}.")
        return np.array([known[column] for column in items])
    if items and not isinstance(columns, slice) and all(isinstance(column, bool | np.bool_) for column in items):
        if len(items) != width:
            raise CmcslError(
                f"{where} is a mask of {len(items)} columns, but X has {width}: one truth value per column is needed."
            )
        positions = np.flatnonzero(items)
    else:
        if not all(isinstance(column, Integral) and not isinstance(column, bool | np.bool_) for column in items):
            raise _not_columns(where, columns)
        highest = width if isinstance(columns, slice) else width - 1
        outside = [column for column in items if not -width <= column <= highest]
        if outside:
            raise CmcslError(f"{where} is out of range: X has {width} columns, and {_listed(outside)} is beyond them.")
        positions = np.arange(width)[columns if isinstance(columns, slice) else np.array(items, dtype=np.int64)]
    if not len(positions):
        raise CmcslError(f"{where} must have at least one column, got none of X with n_features={width}.")
    return positions


def _items(where: str, columns: Columns) -> list[Any]:
    """Columns one by one; of a slice its bounds."""
    if isinstance(columns, slice):
        if columns.step == 0:
            raise CmcslError(f"{where} must be a slice whose step is not 0, got {columns!r}.")
        return [bound for bound in (columns.start, columns.stop) if bound is not None]
    if isinstance(columns, str | Integral):
        return [columns]
    if not isinstance(columns, Iterable):
        raise _not_columns(where, columns)
    return list(columns)


def _not_columns(where: str, columns: Any) -> CmcslError:
    """The error that says what columns may be."""
    return CmcslError(
        f"{where} must be a slice of column positions, a list of positions, a list of names or a mask, got {columns!r}."
    )


def _disjoint(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same columns, once it is clear that none stands twice."""
    owner: dict[int, str] = {}
    for name, positions in columns.items():
        for column in positions.tolist():
            if column in owner:
                raise CmcslError(
                    f"modalities overlap: column {column} of X is in {owner[column]!r} and in {name!r}, "
                    "but each column belongs to one modality at most, once."
                )
            owner[column] = name
    return columns


def checked_arrays(
    X: Mapping[str, Any], known: Mapping[str, Sequence[Hashable]]
) -> tuple[dict[str, np.ndarray], dict[str, list[Hashable]]]:
    """Check the arrays of a dict.

    Parameters
    ----------
    X : dict of str to array-like or DataFrame
        Features of each modality; NaN is let through.
    known : dict of str to sequence of str
        Column names that a modality's data frame must have.

    Returns
    -------
    arrays : dict of str to ndarray of shape (n, d of the modality), dtype float32 or float64
        The same features; single precision stays as it is.
    names : dict of str to list of str
        Column names of each data frame.

    Raises
    ------
    ValueError
        If one is not a numeric matrix, they have different numbers of rows, or a frame has other columns, or in
        another order, than those known.
    """
    # Of pandas, polars, or any other library.
    names = {name: list(frame.columns) for name, frame in X.items() if hasattr(frame, "columns")}
    for name, columns in names.items():
        if name in known and columns != list(known[name]):
            raise CmcslError(
                f"X[{name!r}] must have the columns of the training data in their order, "
                f"{_listed(known[name])}, got {_listed(columns)}."
            )
    arrays = {
        name: check_array(array, dtype=PRECISIONS, ensure_all_finite="allow-nan", input_name=f"X[{name!r}]")
        for name, array in X.items()
    }
    rows = {name: len(array) for name, array in arrays.items()}
    if len(set(rows.values())) != 1:
        listed = ", ".join(f"{name} {count}" for name, count in rows.items()) or "no array"
        raise CmcslError(f"The arrays of X must have equally many rows, got {listed}.")
    return arrays, names


def check_widths(X: Mapping[str, np.ndarray], columns: Mapping[str, np.ndarray]) -> None:
    """Raise unless the arrays of a dict are those of known modalities.

    Parameters
    ----------
    X : dict of str to ndarray
        A modality may be left out.
    columns : dict of str to ndarray of int64
        Columns of each modality.

    Raises
    ------
    CmcslError
        If a modality is unknown, or has another number of columns.
    """
    for name, array in X.items():
        if name not in columns:
            raise CmcslError(f"X holds the unknown modality {name!r}: choose from {_listed(columns)}.")
        if array.shape[1] != len(columns[name]):
            raise CmcslError(
                f"X[{name!r}] has {array.shape[1]} features, but modality {name!r} is expecting "
                f"{len(columns[name])} features."
            )


def columns_of(matrix: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Some columns of a matrix: a view where they stand side by side, else a copy.

    Parameters
    ----------
    matrix : ndarray of shape (n, d)
        All columns.
    positions : ndarray of int64
        At least one.

    Returns
    -------
    ndarray of shape (n, number of positions)
        The columns in their order.
    """
    first, last = positions[0], positions[-1]
    side_by_side = last - first == len(positions) - 1 and (np.diff(positions) == 1).all()
    return matrix[:, first : last + 1] if side_by_side else matrix[:, positions]


def check_gaps(name: str, rows: np.ndarray) -> None:
    """Raise if a modality has rows with gaps.

    Parameters
    ----------
    name : str
        The modality.
    rows : ndarray of int64
        Numbers of the rows where some of its columns are NaN.

    Raises
    ------
    CmcslError
        If there are any.
    """
    if len(rows):
        raise CmcslError(
            f"Input X contains NaN in some of the columns of modality {name!r} in row {rows[0]}: fill "
            "them in, give a preprocessing that does, or make all of them NaN if the modality is missing."
        )


def metadata_of(metadata: Mapping[str, Any], rows: np.ndarray, n: int) -> dict[str, Any]:
    """Metadata of some rows.

    Parameters
    ----------
    metadata : dict
        What has n entries is taken to have one per row.
    rows : ndarray of int64, or of bool
        Row numbers, or a mask.
    n : int
        How many rows there are.

    Returns
    -------
    dict
        What has one entry per row cut to these rows, everything else as it is.
    """
    return {
        key: np.asarray(value)[rows] if np.ndim(value) and len(value) == n else value for key, value in metadata.items()
    }


def known_labels(y: Any, known: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Find the rows that have a label, and these labels.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels; -1 stands for no label, and in a list, an array of objects or one of pandas None and NaN as well.
    known : array-like of shape (n,), dtype bool, optional
        Which rows have a label, whatever stands in y.

    Returns
    -------
    labeled : ndarray of shape (n,), dtype bool
        True where there is a label.
    labels : ndarray of shape (number of labelled rows,)
        Without -1, None and NaN.

    Raises
    ------
    ValueError
        If y is not a vector of classes of one kind.
    """
    y = _vector(y)
    if known is not None:
        labeled = np.asarray(known)
        if labeled.shape != y.shape or labeled.dtype != bool:
            raise CmcslError(
                f"labeled must be one truth value per row, shape {y.shape}, got shape {labeled.shape} of type "
                f"{labeled.dtype}."
            )
        labels = np.asarray(y[labeled].tolist())
        if len(labels):
            check_classification_targets(labels)
        return labeled, labels
    if y.dtype == object:
        labeled = np.array([not pd.isna(label) and label != -1 for label in y], dtype=bool)
        labels = np.array(y[labeled].tolist())
        if labels.dtype.kind in "US" and not all(isinstance(label, str) for label in y[labeled]):
            raise CmcslError("y holds strings and other labels: take one kind, and -1, None or NaN for no label.")
    else:
        if y.dtype.kind == "f" and np.isnan(y).any():
            raise CmcslError("Input y contains NaN: give rows without a label -1, or y the dtype object.")
        assert_all_finite(y, input_name="y")
        labeled = y != -1 if y.dtype.kind in "if" else np.ones(len(y), dtype=bool)
        labels = y[labeled]
    # NumPy writes -1 and NaN so where it makes strings of them.
    written = {"-1", "nan"} if y.dtype.kind == "U" else {"-1"}
    if labels.dtype.kind == "U" and (ambiguous := written.intersection(labels.tolist())):
        raise CmcslError(
            f"y holds the string {_listed(sorted(ambiguous))}, which can't stand for no label: give y as a "
            "list or with the dtype object, and rows without a label -1 or None."
        )
    if len(labels):
        check_classification_targets(labels)
    return labeled, labels


def _vector(y: Any) -> np.ndarray:
    """Y as a vector that still tells apart strings and what stands for no label."""
    if getattr(y, "null_count", None) and not isinstance(y, pd.Series | pd.Index):
        # Of polars or Arrow, whose missing values NumPy would make NaN.
        y = np.asarray(list(y.to_list() if hasattr(y, "to_list") else y.to_pylist()), dtype=object)
    if isinstance(y, pd.Series | pd.Index | pd.api.extensions.ExtensionArray) and pd.isna(y).any():
        y = np.asarray(y.astype(object))
    elif isinstance(y, list | tuple) and np.asarray(y).dtype.kind == "U":
        y = np.asarray(y, dtype=object)
    return column_or_1d(y, warn=True)


def encode(y: Any, classes: np.ndarray | None = None, known: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Number the classes.

    Parameters
    ----------
    y : array-like of shape (n,)
        As `known_labels` takes it.
    classes : ndarray, optional
        All classes, if they are known beforehand, sorted.
    known : array-like of shape (n,), dtype bool, optional
        As for `known_labels`.

    Returns
    -------
    classes : ndarray of shape (k,)
        Sorted.
    codes : ndarray of shape (n,), dtype int64
        The number of each row's class, -1 where it has no label.

    Raises
    ------
    ValueError
        If y is not a vector of classes, holds one that is not in `classes`, or is without any label where `classes`
        is not given.
    """
    labeled, labels = known_labels(y, known)
    codes = np.full(len(labeled), -1, dtype=np.int64)
    if classes is not None:
        unknown = [label for label in np.unique(labels).tolist() if label not in classes.tolist()]
        if unknown:
            raise CmcslError(f"y holds the unknown class {_listed(unknown)}: choose from {_listed(classes.tolist())}.")
        if len(labels):
            codes[labeled] = np.searchsorted(classes, labels)
        return classes, codes
    if not len(labels):
        raise CmcslError("y has no labelled row: at least one row of every class must be labelled, the others -1.")
    classes, codes[labeled] = np.unique(labels, return_inverse=True)
    if len(classes) == 1 and not labeled.all():
        raise CmcslError(
            f"y labels rows of one class only, {_listed(classes.tolist())}: there must be seeds of at "
            "least two classes, and none may be called -1, which stands for no label."
        )
    return classes, codes


def decode(codes: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Replace class numbers by classes.

    Parameters
    ----------
    codes : ndarray of int64
        Numbers of classes; -1 for no label.
    classes : ndarray of shape (k,)
        From `encode`.

    Returns
    -------
    ndarray of the shape of `codes`
        Where there is no label -1, or None if the classes are no signed numbers or -1 is one of them.
    """
    if (codes >= 0).all():
        return classes[codes]
    numeric = classes.dtype.kind in "if" and -1 not in classes
    labels = classes[codes] if numeric else classes.astype(object)[codes]
    labels[codes < 0] = -1 if numeric else None
    return labels


def _listed(values: Any) -> str:
    """Values as they stand in a message."""
    return ", ".join(map(repr, values)) or "none"
