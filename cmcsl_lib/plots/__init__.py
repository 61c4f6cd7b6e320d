"""Figures that several pages share, or that are long; modules are named as what they show.

Each function draws with `matplotlib.pyplot` and returns what it draws, a DataFrame with one row per mark.
"""

from ..files.extras import require

require("book", "Drawing", "matplotlib", "seaborn")

from .paper import (  # noqa: E402  what it needs is asked for first
    budget_curves,
    feature_histograms,
    rank_diagrams,
    ranks_beside_gains,
)

__all__ = ["budget_curves", "feature_histograms", "rank_diagrams", "ranks_beside_gains"]
