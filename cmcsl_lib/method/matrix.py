"""What the batched forms ask of a matrix: its shape, and some of its rows at a time."""

from typing import Any, Protocol

import numpy as np


class Matrix(Protocol):
    """An ndarray, or anything that makes its rows when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""

    def __getitem__(self, rows: Any, /) -> np.ndarray:
        """Some rows, as an ndarray of shape (number of rows, d)."""
