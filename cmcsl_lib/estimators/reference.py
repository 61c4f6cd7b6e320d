"""The paper's reference methods (Section IV-B) as classifiers."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ..files.errors import CmcslError
from .base import ModalityClassifier
from .cmcsl import SelfLabelingClassifier
from .inputs import ONLY, Features
from .modality import Modality


class PrelabeledClassifier(ModalityClassifier):
    """PRE: one classifier per modality, trained on the labelled rows alone.

    Unlabelled rows only shape the preprocessing.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion : optional
        As for `CMCSLClassifier`.

    Attributes
    ----------
    classes_, estimators_, modalities_, preprocessors_, n_features_in_, feature_names_in_
        As for `CMCSLClassifier`.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0., 1.], [1., 8.], [9., 2.], [8., 9.]])
    >>> PrelabeledClassifier(preprocessing="STD").fit(X, [0, -1, 1, -1]).predict([[2., 5.]])
    array([0])
    """

    def fit(self, X: Features, y: ArrayLike, *, labeled: ArrayLike | None = None, **params: Any) -> Self:
        """Train one classifier per modality on the labelled rows.

        Parameters
        ----------
        X, y, labeled : array-like
            As for `CMCSLClassifier.fit`.
        **params : dict
            Metadata for the `fit` of the base estimator.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        ValueError
            If a parameter or the input is not as described; the message names it.
        """
        modalities, codes, metadata = self._begin_fit(X, y, labeled, params)
        self.estimators_ = self._fit_classifiers(modalities, codes, codes, metadata)
        return self


class FullyLabeledClassifier(PrelabeledClassifier):
    """FULL: one classifier per modality, trained on fully labelled data, which the others are measured against.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion : optional
        As for `CMCSLClassifier`.

    Attributes
    ----------
    classes_, estimators_, modalities_, preprocessors_, n_features_in_, feature_names_in_
        As for `CMCSLClassifier`.

    Examples
    --------
    >>> X = [[0., 1.], [1., 8.], [9., 2.], [8., 9.]]
    >>> FullyLabeledClassifier(preprocessing="STD").fit(X, [0, 0, 1, 1]).predict([[2., 5.]])
    array([0])

    All labels are needed:

    >>> FullyLabeledClassifier().fit([[0., 1.], [1., 0.], [1., 1.]], [0, 1, -1])
    Traceback (most recent call last):
    cmcsl_lib.files.errors.CmcslError: y must have a label in every row for full labelling, got 1 row without one.
    """

    def _validate(
        self, X: Features, y: ArrayLike, classes: np.ndarray | None = None, labeled: ArrayLike | None = None
    ) -> tuple[dict[str, Modality], np.ndarray]:
        features, codes = super()._validate(X, y, classes, labeled)
        missing = np.count_nonzero(codes < 0)
        if missing:
            raise CmcslError(
                f"y must have a label in every row for full labelling, got {missing} "
                f"{'row' if missing == 1 else 'rows'} without one."
            )
        return features, codes


class LateFusionClassifier(PrelabeledClassifier):
    """LF: the probabilities of the modalities' classifiers, trained on the labelled rows, are combined by `fusion`.

    The paper labels all rows for it, and names support accumulation (`fusion="mean"`); the published code takes the
    maximum (`fusion="maximum"`).

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion : optional
        As for `CMCSLClassifier`.

    Attributes
    ----------
    classes_, estimators_, modalities_, preprocessors_, n_features_in_, feature_names_in_
        As for `CMCSLClassifier`.

    Examples
    --------
    The row is not clear in the first modality, but in the second.

    >>> import numpy as np
    >>> X = np.array([[0., 0.], [1., 1.], [2., 8.], [3., 9.]])
    >>> fusion = LateFusionClassifier(modalities={"visual": [0], "text": [1]}, preprocessing="RAW")
    >>> fusion.fit(X, [0, 0, 1, 1]).predict([[1.5, 7.]])
    array([1])
    """


class EarlyFusionClassifier(PrelabeledClassifier):
    """EF: one classifier on all modalities side by side, preprocessed together, trained on the labelled rows.

    The paper labels all rows for it. A row must have all modalities.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion : optional
        As for `CMCSLClassifier`; there is nothing that `fusion` could combine.

    Attributes
    ----------
    classes_, estimators_, modalities_, preprocessors_, n_features_in_, feature_names_in_
        As for `CMCSLClassifier`, with the one modality "all".

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0., 0.], [1., 1.], [2., 8.], [3., 9.]])
    >>> fusion = EarlyFusionClassifier(modalities={"visual": [0], "text": [1]}, preprocessing="RAW")
    >>> fusion.fit(X, [0, 0, 1, 1]).predict([[1.5, 7.]])
    array([1])
    """

    def _validate(
        self, X: Features, y: ArrayLike, classes: np.ndarray | None = None, labeled: ArrayLike | None = None
    ) -> tuple[dict[str, Modality], np.ndarray]:
        features, codes = super()._validate(X, y, classes, labeled)
        self.modalities_ = {ONLY: np.concatenate(list(self._parts.values()))}
        return features, codes

    def _of_matrix(self, matrix: np.ndarray) -> dict[str, Modality]:
        return {ONLY: Modality(matrix, np.arange(len(matrix)), np.concatenate(list(self._parts.values())))}

    def _of_arrays(self, arrays: Mapping[str, np.ndarray], *, reset: bool) -> dict[str, Modality]:
        together = np.hstack([each[:] for each in super()._of_arrays(arrays, reset=reset).values()])
        return {ONLY: Modality(together, np.arange(len(together)))}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = False
        return tags


class UnimodalClassifier(SelfLabelingClassifier):
    """UNI: each modality labels the unlabelled rows for its own classifier, without cross-modal exchange.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion, propagator, min_margin : optional
        As for `CMCSLClassifier`. A margin is that within the modality.

    Attributes
    ----------
    transduction_by_modality_, unimodal_transduction_, provenance_
        The labels that each modality's classifier was trained on; the same without `min_margin`; where they come from.
    transduction_, deciding_modality_, distance_, margin_, seed_row_
        The same of the surest modality of each row. With several modalities no classifier was trained on these.
    classes_, estimators_, modalities_, preprocessors_, n_features_in_, feature_names_in_
        As for `CMCSLClassifier`.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0., 0.], [1., 9.], [9., 1.], [9., 9.]])
    >>> uni = UnimodalClassifier(modalities={"visual": [0], "text": [1]}, preprocessing="RAW").fit(X, [0, -1, -1, 1])
    >>> uni.transduction_by_modality_["visual"], uni.transduction_by_modality_["text"]
    (array([0, 0, 1, 1]), array([0, 1, 0, 1]))
    """

    def _teachers(self, modality: str) -> list[str]:
        return [modality]
