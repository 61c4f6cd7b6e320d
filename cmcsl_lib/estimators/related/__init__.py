"""Methods that the paper's Section II names, adapted to precomputed features."""

from .autoencoder import AutoencoderClassifier

__all__ = ["AutoencoderClassifier"]
