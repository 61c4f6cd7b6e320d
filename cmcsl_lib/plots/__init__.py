"""Figures that several pages share, or that are long; modules are named as what they show.

Each function draws with `matplotlib.pyplot` and returns what it draws, a DataFrame with one row per mark.
"""

from .paper import budget_curves, feature_histograms, rank_diagrams

__all__ = ["budget_curves", "feature_histograms", "rank_diagrams"]
