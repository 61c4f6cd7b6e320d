"""CMCSL and the paper's reference methods as scikit-learn classifiers, with more than the paper has.

`inputs` reads X, y and the division into modalities; `propagation` asks each modality for labels; `strategies` compares
the modalities and lets the surest decide; `base` trains one classifier per modality and fuses them; `cmcsl`,
`reference` and `cotraining` are the classifiers.
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

__all__ = [
    "CMCSLClassifier",
    "CoTrainingClassifier",
    "EarlyFusionClassifier",
    "FullyLabeledClassifier",
    "LateFusionClassifier",
    "PrelabeledClassifier",
    "UnimodalClassifier",
]
