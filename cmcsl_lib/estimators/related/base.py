"""What the methods of Section II share: they label rows, and a classifier of each modality is trained on the labels."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ..base import ModalityClassifier
from ..inputs import Features, decode
from ..modality import Modality


class RelatedClassifier(ModalityClassifier):
    """Base of the methods of Section II: a subclass says which labels the unlabelled rows get.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion : optional
        As for `CMCSLClassifier`.
    """

    def fit(self, X: Features, y: ArrayLike, *, labeled: ArrayLike | None = None, **params: Any) -> Self:
        """Label the unlabelled rows, and train one classifier per modality on all labels.

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
        labels = self._label(modalities, codes, metadata)
        training_sets = self._teach(modalities, labels, codes, metadata)
        trained = self._train(modalities, training_sets, {})
        self.estimators_ = {name: classifier for name, (classifier,) in trained.items()}
        self.transduction_by_modality_ = {name: decode(each, self.classes_) for name, each in labels.items()}
        first, *others = labels.values()
        if all(each is first for each in others):
            self.transduction_ = next(iter(self.transduction_by_modality_.values()))
        return self

    def _label(
        self, modalities: Mapping[str, Modality], codes: np.ndarray, metadata: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        """Class number of each row for each modality, of labelled rows as it is, -1 for no label; learns attributes.

        If modalities are not told apart, their labels are the same array, and `transduction_` is set.
        """
        raise NotImplementedError
