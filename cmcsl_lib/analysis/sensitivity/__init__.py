"""Sensitivity of Experiment 3 to the choices of its protocol, and intervals that allow for datasets that share items.

Functions take the tidy scores table of several protocols, as `load_changes` gives it; its first protocol is the
reference that the others are compared with. Balanced accuracies are averaged over budgets and folds.
"""

from .effects import answers, change_effects, levels
from .eyes import CLUSTERS, NON_DEEP, VIEWS, combinations, conclusions, feature_changes, load_combinations
from .intervals import APART, Interval, gains_with_intervals, largest_apart, likeness, mean_interval, shared_items
from .registry import CHANGES, Change, change_label, load_changes, missing_changes

__all__ = [
    "APART",
    "CHANGES",
    "CLUSTERS",
    "NON_DEEP",
    "VIEWS",
    "Change",
    "Interval",
    "answers",
    "change_effects",
    "change_label",
    "combinations",
    "conclusions",
    "feature_changes",
    "gains_with_intervals",
    "largest_apart",
    "levels",
    "likeness",
    "load_changes",
    "load_combinations",
    "mean_interval",
    "missing_changes",
    "shared_items",
]
