"""Sensitivity of Experiment 3 to the choices of its protocol, and intervals that allow for datasets that share items.

Functions take the tidy scores table of several protocols, as `load_changes` gives it; its first protocol is the
reference that the others are compared with. Balanced accuracies are averaged over budgets and folds.
"""

from .effects import answers, change_effects, levels
from .eyes import clustered, combinations, conclusions, load_combinations, non_deep, views
from .intervals import APART, Interval, gains_with_intervals, largest_apart, likeness, mean_interval, shared_items
from .registry import CHANGES, Change, change_label, load_changes, missing_changes

__all__ = [
    "APART",
    "CHANGES",
    "Change",
    "Interval",
    "answers",
    "change_effects",
    "change_label",
    "clustered",
    "combinations",
    "conclusions",
    "gains_with_intervals",
    "largest_apart",
    "levels",
    "likeness",
    "load_changes",
    "load_combinations",
    "mean_interval",
    "missing_changes",
    "non_deep",
    "shared_items",
    "views",
]
