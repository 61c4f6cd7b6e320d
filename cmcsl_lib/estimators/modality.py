"""One modality of many rows, preprocessed some rows at a time: no second copy of all features is made."""

from collections.abc import Iterator, Mapping

import numpy as np
from sklearn.base import BaseEstimator

from ..files.errors import CmcslError
from ..method.preprocessing import transformed
from .inputs import check_gaps, columns_of

#: Bytes that the rows of one step may take in double precision.
MEMORY = 2**23


class Modality:
    """The rows that have one modality; indexed by rows as a matrix is, it gives these rows preprocessed.

    Wherever rows are asked for, they are numbered among those that have the modality.

    Parameters
    ----------
    features : ndarray of shape (n, D), dtype float32 or float64
        As the user gave them.
    rows : ndarray of shape (m,), dtype int64
        Numbers of the rows that have the modality.
    columns : ndarray of shape (d,), dtype int64, optional
        Its columns; default all.
    transformer : estimator, optional
        From `method.preprocessing.fitted`; default none.
    source : ndarray of shape (m,), dtype int64, optional
        Where the rows stand in the features; default `rows`.
    """

    def __init__(
        self,
        features: np.ndarray,
        rows: np.ndarray,
        columns: np.ndarray | None = None,
        transformer: BaseEstimator | None = None,
        source: np.ndarray | None = None,
    ) -> None:
        self.features = features
        self.rows = rows
        self.columns = np.arange(features.shape[1]) if columns is None else columns
        self.transformer = transformer
        self.source = rows if source is None else source

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows have the modality, and its number of columns."""
        return len(self.rows), len(self.columns)

    def __getitem__(self, places: slice | np.ndarray) -> np.ndarray:
        """Some rows preprocessed, dtype float64."""
        X = self.raw(places)
        return transformed(self.transformer, X) if self.transformer is not None and len(X) else X

    def raw(self, places: slice | np.ndarray) -> np.ndarray:
        """Some rows as they are given, a copy of shape (number of rows, d), dtype float64."""
        rows, start, stop = self.source[places], self.columns.min(), self.columns.max() + 1
        X = self.features[:, start:stop]
        # Rows that follow each other need not be gathered.
        X = X[rows[0] : rows[-1] + 1] if len(rows) and (np.diff(rows) == 1).all() else X[rows]
        # The matrix of a frame lies column by column, so that its sums would be rounded otherwise than an array's.
        return np.array(columns_of(X, self.columns - start), dtype=np.float64, order="C")

    def at(self, places: np.ndarray) -> "Modality":
        """The same with fewer rows."""
        return Modality(self.features, self.rows[places], self.columns, self.transformer, self.source[places])

    def steps(self) -> Iterator[slice]:
        """All rows, some at a time."""
        step = max(1, MEMORY // (8 * len(self.columns)))
        return (slice(start, min(start + step, len(self))) for start in range(0, len(self), step))


def present_rows(modalities: Mapping[str, Modality], *, gaps: bool) -> dict[str, np.ndarray]:
    """Find the rows that have each modality; a row whose columns are all NaN lacks it.

    Parameters
    ----------
    modalities : dict of str to Modality
        Of all rows, as they are given.
    gaps : bool
        Whether some of a modality's columns may be NaN in a row.

    Returns
    -------
    dict of str to ndarray of int64
        Row numbers.

    Raises
    ------
    CmcslError
        If there are such gaps and they are not allowed, a row has no modality, or the sum of its squares is infinite.
    """
    present = {}
    for name, modality in modalities.items():
        present[name] = np.ones(len(modality), dtype=bool)
        for step in modality.steps():
            X = modality.raw(step)
            # A sum is NaN where a value is; only these rows are looked at one value after the other.
            with np.errstate(over="ignore", invalid="ignore"):
                squares = np.einsum("ij,ij->i", X, X)
            if np.isinf(squares).any():
                raise CmcslError(
                    f"Input X contains values in modality {name!r} in row {step.start + np.isinf(squares).argmax()} "
                    "that are too large, since the sum of their squares is infinite: scale them."
                )
            suspects = np.flatnonzero(np.isnan(squares))
            empty = np.isnan(X[suspects])
            present[name][step.start + suspects] = ~empty.all(axis=1)
            if not gaps:
                check_gaps(name, step.start + suspects[empty.any(axis=1) & ~empty.all(axis=1)])
    nothing = np.flatnonzero(~np.any(list(present.values()), axis=0))
    if len(nothing):
        raise CmcslError(f"Input X contains NaN in every modality in row {nothing[0]}: at least one must be there.")
    return {name: np.flatnonzero(rows) for name, rows in present.items()}
