"""Methods that the paper's Section II names, adapted to precomputed features."""

from .autoencoder import AutoencoderClassifier
from .gated import GatedMultimodalClassifier
from .prototypes import PrototypeClassifier

__all__ = ["AutoencoderClassifier", "GatedMultimodalClassifier", "PrototypeClassifier"]
