"""Methods that the paper's Section II names, adapted to precomputed features."""

from .ammss import AMMSSClassifier
from .apma import APMAClassifier
from .autoencoder import AutoencoderClassifier
from .gated import GatedMultimodalClassifier
from .kernels import MultipleKernelClassifier
from .mic import MICClassifier
from .prototypes import PrototypeClassifier
from .selftraining import AbstainingSelfTrainingClassifier, ActiveSelfTrainingClassifier

__all__ = [
    "AMMSSClassifier",
    "APMAClassifier",
    "AbstainingSelfTrainingClassifier",
    "ActiveSelfTrainingClassifier",
    "AutoencoderClassifier",
    "GatedMultimodalClassifier",
    "MICClassifier",
    "MultipleKernelClassifier",
    "PrototypeClassifier",
]
