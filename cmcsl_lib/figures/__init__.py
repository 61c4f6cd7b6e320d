"""Figures: those of the paper here, those of other pages in modules that are named as what they show.

Each function returns a Matplotlib figure with the numbers that it shows as attribute `data`, a DataFrame.
"""

from .base import PageFigure
from .paper import (
    budget_curves,
    class_bars,
    distances,
    feature_histograms,
    gallery,
    rank_diagrams,
    scheme,
    training_curves,
)

__all__ = [
    "PageFigure",
    "budget_curves",
    "class_bars",
    "distances",
    "feature_histograms",
    "gallery",
    "rank_diagrams",
    "scheme",
    "training_curves",
]
