"""Methods that the paper's Section II names, adapted to precomputed features."""

from .ammss import AMMSSClassifier

__all__ = ["AMMSSClassifier"]
