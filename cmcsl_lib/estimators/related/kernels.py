"""Multiple kernels by Guillaumin et al., which Section II-A names: an SVM that sees all modalities labels the rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC

from ..inputs import Modalities
from ..modality import Modality
from .base import RelatedClassifier


class MultipleKernelClassifier(RelatedClassifier):
    """Self-labelling with multiple kernels by Guillaumin et al. [1]_: an SVM that sees all modalities labels the rows.

    Each modality has a Gaussian kernel, whose width is the mean squared distance of its rows. Their weighted sum is the
    kernel of an SVM that is trained on the seeds. The labels that it gives to the other rows train a classifier of each
    modality alone.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion : optional
        As for `CMCSLClassifier`.
    C : float, default=1.0
        Penalty of the SVM, above 0: the larger, the fewer seeds may lie on the wrong side.

    Attributes
    ----------
    transduction_ : ndarray of shape (n,)
        Label of each training row; -1 (None if classes are no signed numbers) where it has no modality that a seed has.
    transduction_by_modality_ : dict of str to ndarray of shape (n,)
        The same for each modality's classifier.
    kernel_weights_ : dict of str to float
        Weight of each modality's kernel; they sum to 1.
    classes_, estimators_, modalities_, preprocessors_, n_features_in_, feature_names_in_
        As for `CMCSLClassifier`.

    Notes
    -----
    [1]_ has the SVM's objective find the weights, and takes pictures with their tags to classify pictures alone; here
    weights are the centred alignment of each kernel with the classes of the seeds [2]_, a closed form that few seeds
    suffice for, and any modality may be the one. Its other variant, regression on the SVM's scores, is left out. A
    modality that a row lacks adds nothing to its kernel. With one modality this is an SVM on the seeds.

    References
    ----------
    .. [1] M. Guillaumin, J. Verbeek and C. Schmid, "Multimodal semi-supervised learning for image classification", IEEE
       Computer Society Conference on Computer Vision and Pattern Recognition, 2010.
    .. [2] C. Cortes, M. Mohri and A. Rostamizadeh, "Algorithms for learning kernels based on centered alignment",
       Journal of Machine Learning Research, vol. 13, 2012.

    Examples
    --------
    Seeds are nearer to those of their class in the text, whose kernel gets the larger weight.

    >>> import numpy as np
    >>> X = np.array([[0., 0.], [4., 1.], [1., 2.], [3., 7.], [5., 8.], [2., 9.]])
    >>> kernels = MultipleKernelClassifier(modalities={"visual": [0], "text": [1]}, preprocessing="RAW")
    >>> kernels.fit(X, [0, 0, -1, -1, 1, 1]).transduction_
    array([0, 0, 0, 1, 1, 1])
    >>> kernels.kernel_weights_["text"] > kernels.kernel_weights_["visual"]
    True
    """

    def __init__(
        self,
        base_estimator: BaseEstimator | None = None,
        *,
        modalities: Modalities = None,
        preprocessing: str | BaseEstimator = "L2STD",
        class_weight: str | Mapping[Any, float] | None = "share",
        fusion: str = "mean",
        C: float = 1.0,
    ) -> None:
        super().__init__(
            base_estimator, modalities=modalities, preprocessing=preprocessing, class_weight=class_weight, fusion=fusion
        )
        self.C = C

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_finite("C", above=0)

    def _label(
        self, modalities: Mapping[str, Modality], codes: np.ndarray, metadata: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        seeds = np.flatnonzero(codes >= 0)
        kernels = np.stack([seed_kernel(X, seeds, len(codes)) for X in modalities.values()])
        weights = alignment_weights(kernels[:, seeds], codes[seeds])
        self.kernel_weights_ = dict(zip(modalities, weights.tolist(), strict=True))
        labels, kernel = codes.copy(), np.tensordot(weights, kernels, 1)
        asked = np.flatnonzero((codes < 0) & kernels.any(axis=(0, 2)))
        if len(asked):
            svm = SVC(C=self.C, kernel="precomputed").fit(kernel[seeds], codes[seeds])
            labels[asked] = svm.predict(kernel[asked])
        return dict.fromkeys(modalities, labels)


def seed_kernel(X: Modality, seeds: np.ndarray, n: int) -> np.ndarray:
    """Gaussian kernel of all rows with the seeds in one modality, its width the mean squared distance of two rows.

    Parameters
    ----------
    X : Modality
        Its rows.
    seeds : ndarray of shape (s,), dtype int64
        Row numbers, with and without the modality.
    n : int
        How many rows there are with and without it.

    Returns
    -------
    ndarray of shape (n, s), dtype float64
        0 where the row or the seed lacks the modality.
    """
    rows, kernel = X[:], np.zeros((n, len(seeds)))
    # Of two different rows the mean squared distance is twice the sum of the variances.
    width = 2 * rows.var(axis=0, ddof=1).sum() if len(rows) > 1 else 0.0
    own = np.flatnonzero(np.isin(seeds, X.rows))
    if len(own):
        gamma = 1 / width if width else 1.0
        kernel[np.ix_(X.rows, own)] = rbf_kernel(rows, rows[np.searchsorted(X.rows, seeds[own])], gamma=gamma)
    return kernel


def alignment_weights(kernels: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Weight kernels by how much each one, centred, is like the kernel that says whether classes are the same.

    Parameters
    ----------
    kernels : ndarray of shape (v, s, s), dtype float64
        Kernels of the seeds.
    codes : ndarray of shape (s,), dtype int64
        Their classes.

    Returns
    -------
    ndarray of shape (v,), dtype float64
        At least 0, with sum 1; all the same if no kernel is aligned with the classes.
    """
    target = _centred((codes[:, None] == codes).astype(float))
    centred = np.stack([_centred(kernel) for kernel in kernels])
    norms = np.sqrt((centred**2).sum(axis=(1, 2)))
    products = (centred * target).sum(axis=(1, 2))
    alignments = np.divide(products, norms, out=np.zeros_like(norms), where=norms > 1e-12)
    weights = np.maximum(alignments, 0)
    return weights / weights.sum() if weights.any() else np.full(len(kernels), 1 / len(kernels))


def _centred(kernel: np.ndarray) -> np.ndarray:
    """The kernel of features whose mean is 0."""
    return kernel - kernel.mean(axis=0) - kernel.mean(axis=1)[:, None] + kernel.mean()
