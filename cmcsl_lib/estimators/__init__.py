"""CMCSL and the paper's reference methods as scikit-learn classifiers, with more than the paper has.

The `fit` of each reads from validation to fitted classifiers in its own module: `cmcsl` (CMCSL and UNI), `reference`,
`cotraining`; `related` has one module for each method of Section II. The steps are elsewhere: `inputs` reads X, y and
the division into modalities; `base` preprocesses, trains one classifier per modality and fuses them; `propagation`
labels rows by each modality; `strategies` compares the modalities and lets the surest decide.
"""

from .cmcsl import CMCSLClassifier
from .cotraining import CoTrainingClassifier
from .reference import (
    EarlyFusionClassifier,
    FullyLabeledClassifier,
    LateFusionClassifier,
    PrelabeledClassifier,
    UnimodalClassifier,
)
from .related import (
    AbstainingSelfTrainingClassifier,
    ActiveSelfTrainingClassifier,
    AMMSSClassifier,
    APMAClassifier,
    AutoencoderClassifier,
    GatedMultimodalClassifier,
    MICClassifier,
    MultipleKernelClassifier,
    PrototypeClassifier,
)

__all__ = [
    "AMMSSClassifier",
    "APMAClassifier",
    "AbstainingSelfTrainingClassifier",
    "ActiveSelfTrainingClassifier",
    "AutoencoderClassifier",
    "CMCSLClassifier",
    "CoTrainingClassifier",
    "EarlyFusionClassifier",
    "FullyLabeledClassifier",
    "GatedMultimodalClassifier",
    "LateFusionClassifier",
    "MICClassifier",
    "MultipleKernelClassifier",
    "PrelabeledClassifier",
    "PrototypeClassifier",
    "UnimodalClassifier",
]
