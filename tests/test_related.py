"""Methods of Section II: where they are another method, by hand on few rows, with missing modalities, and bad input."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import kneighbors_graph
from sklearn.semi_supervised import LabelPropagation
from sklearn.svm import SVC

from cmcsl_lib.estimators import AMMSSClassifier, MultipleKernelClassifier
from cmcsl_lib.estimators.related.kernels import alignment_weights
from cmcsl_lib.files.errors import CmcslError

TWO = {"visual": [0, 1], "text": [2, 3, 4]}
METHODS = [AMMSSClassifier, MultipleKernelClassifier]


def views(n=60, seed=0, missing=0.0):
    """Two views of three classes, one seed in four rows, and the true classes."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = random.normal(size=(3, 5))[y] * 3 + random.normal(size=(n, 5))
    labels = np.where(np.arange(n) // 3 % 4 == 0, y, -1)
    for columns in TWO.values():
        X[np.ix_((random.random(n) < missing) & ~np.isnan(X).any(axis=1), columns)] = np.nan
    return X, labels, y


# All of them


@pytest.mark.parametrize("make", METHODS)
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_labels_are_better_than_chance_by_far_and_seeds_keep_theirs(make, missing):
    X, y, true = views(120, missing=missing)
    fitted = make(modalities=TWO, preprocessing="STD").fit(X, y)
    for name, labels in fitted.transduction_by_modality_.items():
        assert (labels[y >= 0] == y[y >= 0]).all()
        assert (labels == true)[y < 0].mean() > 0.7
        present = ~np.isnan(X[:, TWO[name]]).any(axis=1)
        assert (fitted.predict_by_modality(X)[name] == true)[present].mean() > 0.6
    assert (fitted.predict(X) == true).mean() > 0.7


@pytest.mark.parametrize("make", METHODS)
def test_nothing_to_label(make):
    X, _, true = views()
    fitted = make(modalities=TWO).fit(X, true)
    for labels in fitted.transduction_by_modality_.values():
        assert (labels == true).all()


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (AMMSSClassifier(n_neighbors=0), "n_neighbors must be a whole number of at least 1, got 0"),
        (AMMSSClassifier(max_iter=2.5), "max_iter must be a whole number of at least 1, got 2.5"),
        (AMMSSClassifier(exponent=1), "exponent must be a finite number above 1, got 1"),
        (AMMSSClassifier(tol="small"), "tol must be a finite number above 0, got 'small'"),
        (MultipleKernelClassifier(C=0), "C must be a finite number above 0, got 0"),
        (MultipleKernelClassifier(C=np.inf), "C must be a finite number above 0, got inf"),
    ],
)
def test_parameters_that_are_refused(estimator, message):
    X, y, _ = views()
    with pytest.raises(CmcslError, match=message):
        estimator.set_params(modalities=TWO).fit(X, y)


# AMMSS


def symmetric_graph(X, n_neighbors):
    graph = kneighbors_graph(X, n_neighbors).toarray()
    return graph + graph.T


def test_with_one_modality_ammss_is_label_propagation_by_harmonic_functions():
    X, y, _ = views()
    fitted = AMMSSClassifier(preprocessing="RAW", n_neighbors=5).fit(X, y)
    W = symmetric_graph(X, 5)
    L = np.diag(W.sum(axis=1)) - W
    seeds, others = y >= 0, y < 0
    solved = -np.linalg.solve(L[np.ix_(others, others)], L[np.ix_(others, seeds)] @ np.eye(3)[y[seeds]])
    assert fitted.label_distributions_[others] == pytest.approx(solved, abs=1e-6)
    assert (fitted.transduction_[others] == solved.argmax(axis=1)).all()
    assert fitted.graph_weights_ == {"all": 1.0}
    # So is scikit-learn's, after many steps of the walk.
    walk = LabelPropagation(kernel=lambda *_: W, max_iter=10_000, tol=1e-9).fit(X, y)
    assert fitted.label_distributions_ == pytest.approx(walk.label_distributions_, abs=1e-5)


def test_a_chain_between_two_seeds_is_labelled_in_proportion():
    X = np.arange(5.0)[:, None]
    fitted = AMMSSClassifier(preprocessing="RAW", n_neighbors=2).fit(X, [0, -1, -1, -1, 1])
    middle = fitted.label_distributions_[:, 1]
    assert middle[[0, 4]].tolist() == [0, 1] and middle[2] == pytest.approx(0.5)
    assert middle[1] == pytest.approx(1 - middle[3]) and 0 < middle[1] < 0.5


@pytest.mark.parametrize("exponent", [1.5, 2.0, 5.0])
def test_weights_of_graphs_minimise_their_share_of_the_objective(exponent):
    X, y, _ = views()
    fitted = AMMSSClassifier(modalities=TWO, preprocessing="RAW", exponent=exponent, tol=1e-9, max_iter=200).fit(X, y)
    F = fitted.label_distributions_
    graphs = [symmetric_graph(X[:, columns], 7) for columns in TWO.values()]
    graphs = [W * len(y) / W.sum() for W in graphs]
    roughness = np.array([(W * ((F[:, None] - F) ** 2).sum(axis=2)).sum() / 2 for W in graphs])
    first = np.linspace(0.001, 0.999, 9981)
    objective = first**exponent * roughness[0] + (1 - first) ** exponent * roughness[1]
    assert fitted.graph_weights_["visual"] == pytest.approx(first[objective.argmin()], abs=1e-3)


def test_a_graph_of_noise_loses_its_weight_and_a_large_exponent_levels_weights():
    X, y, true = views()
    X[:, :2] = np.random.default_rng(1).normal(size=(len(y), 2))
    weights = {
        exponent: AMMSSClassifier(modalities=TWO, preprocessing="RAW", exponent=exponent).fit(X, y).graph_weights_
        for exponent in (1.2, 2.0, 100.0)
    }
    assert weights[1.2]["visual"] < weights[2.0]["visual"] < weights[100.0]["visual"] < 0.5
    assert weights[100.0]["visual"] == pytest.approx(0.5, abs=0.02)


def test_rows_that_no_path_joins_to_a_seed_have_no_label():
    X = np.array([0.0, 1, 10, 11, 50, 51])[:, None]
    fitted = AMMSSClassifier(preprocessing="RAW", n_neighbors=1).fit(X, [0, -1, 1, -1, -1, -1])
    assert fitted.transduction_.tolist() == [0, 0, 1, 1, -1, -1]
    assert not fitted.label_distributions_[4:].any()


def test_a_row_that_lacks_a_modality_is_joined_by_the_other():
    X = np.array([[0.0, 5], [1, np.nan], [9, 6], [np.nan, 7], [10, 8]])
    fitted = AMMSSClassifier(modalities={"a": [0], "b": [1]}, preprocessing="RAW", n_neighbors=1).fit(X, [0, -1, 1, -1, 1])
    assert fitted.transduction_.tolist() == [0, 0, 1, 1, 1]


# Multiple kernels


def test_with_one_modality_multiple_kernels_are_an_svm():
    X, y, _ = views()
    fitted = MultipleKernelClassifier(preprocessing="RAW", C=3.0).fit(X, y)
    squared = ((X[:, None] - X) ** 2).sum(axis=2)
    width = squared[~np.eye(len(X), dtype=bool)].mean()
    svm = SVC(C=3.0, gamma=1 / width).fit(X[y >= 0], y[y >= 0])
    assert (fitted.transduction_[y < 0] == svm.predict(X[y < 0])).all()
    assert fitted.kernel_weights_ == {"all": 1.0}


def test_alignment_by_hand():
    codes = np.array([0, 0, 1, 1])
    same = (codes[:, None] == codes).astype(float)
    # Whether the classes are the same; what differs otherwise, at right angles to it; and their half-way.
    other = (np.arange(4)[:, None] % 2 == np.arange(4) % 2).astype(float)
    weights = alignment_weights(np.stack([same, other, same + other]), codes)
    assert weights == pytest.approx(np.array([1, 0, 2**-0.5]) / (1 + 2**-0.5))
    assert alignment_weights(np.stack([other, np.ones((4, 4))]), codes).tolist() == [0.5, 0.5]
    assert alignment_weights(np.stack([-same, same]), codes).tolist() == [0, 1]


def test_two_seeds_weight_kernels_alike():
    X, y, _ = views()
    y[np.flatnonzero(y == 0)[1:]] = y[np.flatnonzero(y == 1)[1:]] = y[y == 2] = -1
    weights = MultipleKernelClassifier(modalities=TWO).fit(X, y).kernel_weights_
    assert list(weights.values()) == pytest.approx([0.5, 0.5])


def test_the_kernel_of_both_modalities_is_the_weighted_sum():
    X, y, _ = views()
    fitted = MultipleKernelClassifier(modalities=TWO, preprocessing="RAW").fit(X, y)
    kernel = sum(
        weight * rbf_kernel(X[:, columns], gamma=1 / (2 * X[:, columns].var(axis=0, ddof=1).sum()))
        for weight, columns in zip(fitted.kernel_weights_.values(), TWO.values(), strict=True)
    )
    seeds = np.flatnonzero(y >= 0)
    svm = SVC(kernel="precomputed").fit(kernel[np.ix_(seeds, seeds)], y[seeds])
    assert (fitted.transduction_[y < 0] == svm.predict(kernel[:, seeds])[y < 0]).all()


def test_a_row_without_a_modality_of_the_seeds_gets_no_label_by_kernels():
    X, y, _ = views()
    X[y >= 0, 2:] = np.nan
    alone = np.flatnonzero(y < 0)[0]
    X[alone, :2] = np.nan
    fitted = MultipleKernelClassifier(modalities=TWO).fit(X, y)
    assert np.flatnonzero(fitted.transduction_ < 0).tolist() == [alone]
    assert fitted.kernel_weights_ == {"visual": 1.0, "text": 0.0}
