"""Figures: those of the paper here, those of other pages in modules that are named as what they show.

Each function returns a Matplotlib figure with the numbers that it shows as attribute `data`, a DataFrame.
"""

from .base import PageFigure
from .paper import (
    budget_curves,
    group_curves,
    preprocessing_panels,
    rank_diagrams_by_group,
    rank_diagrams_of,
)

__all__ = [
    "PageFigure",
    "budget_curves",
    "group_curves",
    "preprocessing_panels",
    "rank_diagrams_by_group",
    "rank_diagrams_of",
]
