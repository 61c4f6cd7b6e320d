"""Methods that the paper's Section II names, adapted to precomputed features."""

from .ammss import AMMSSClassifier
from .kernels import MultipleKernelClassifier

__all__ = ["AMMSSClassifier", "MultipleKernelClassifier"]
