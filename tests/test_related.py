"""Methods of Section II: where they are another method, by hand on few rows, with missing modalities, and bad input."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import NMF
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import kneighbors_graph
from sklearn.semi_supervised import LabelPropagation, SelfTrainingClassifier
from sklearn.svm import SVC

from cmcsl_lib.estimators import (
    AbstainingSelfTrainingClassifier,
    ActiveSelfTrainingClassifier,
    AMMSSClassifier,
    APMAClassifier,
    CoTrainingClassifier,
    MICClassifier,
    MultipleKernelClassifier,
    PrelabeledClassifier,
)
from cmcsl_lib.estimators.modality import Modality
from cmcsl_lib.estimators.related.kernels import alignment_weights
from cmcsl_lib.estimators.related.mic import consensus, filled
from cmcsl_lib.files.errors import CmcslError

TWO = {"visual": [0, 1], "text": [2, 3, 4]}
METHODS = [
    AMMSSClassifier,
    APMAClassifier,
    AbstainingSelfTrainingClassifier,
    ActiveSelfTrainingClassifier,
    MICClassifier,
    MultipleKernelClassifier,
]


def views(n=60, seed=0, missing=0.0, noise=1.0):
    """Two views of three classes, one seed in four rows, and the true classes."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = random.normal(size=(3, 5))[y] * 3 + noise * random.normal(size=(n, 5))
    labels = np.where(np.arange(n) // 3 % 4 == 0, y, -1)
    for columns in TWO.values():
        X[np.ix_((random.random(n) < missing) & ~np.isnan(X).any(axis=1), columns)] = np.nan
    return X, labels, y


# All of them


@pytest.mark.parametrize("make", METHODS)
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_labels_are_better_than_chance_by_far_and_seeds_keep_theirs(make, missing):
    X, y, true = views(120, missing=missing)
    chance = {"random_state": 0} if make is MICClassifier else {}
    fitted = make(modalities=TWO, preprocessing="STD", **chance).fit(X, y)
    for name, labels in fitted.transduction_by_modality_.items():
        assert (labels[y >= 0] == y[y >= 0]).all()
        present = ~np.isnan(X[:, TWO[name]]).any(axis=1)
        assert (labels == true)[present & (y < 0)].mean() > 0.7
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
        (APMAClassifier(n_clusters=0), "n_clusters must be a whole number of at least 1, got 0"),
        (APMAClassifier(transfer="sound"), "transfer 'sound': choose from multimodal, none, visual, text"),
        (APMAClassifier(RidgeClassifier()), "base_estimator must have predict_proba, but RidgeClassifier has none"),
        (AbstainingSelfTrainingClassifier(threshold=1.5), r"threshold must be a number in \[0, 1\], got 1.5"),
        (AbstainingSelfTrainingClassifier(threshold="high"), r"threshold must be a number in \[0, 1\], got 'high'"),
        (AbstainingSelfTrainingClassifier(max_iter=0), "max_iter must be a whole number of at least 1, got 0"),
        (AbstainingSelfTrainingClassifier(RidgeClassifier()), "base_estimator must have predict_proba"),
        (ActiveSelfTrainingClassifier(RidgeClassifier()), "base_estimator must have predict_proba"),
        (ActiveSelfTrainingClassifier(growth=0), "growth must be a whole number of at least 1, got 0"),
        (ActiveSelfTrainingClassifier(budget=-1), "budget must be a whole number of at least 0, got -1"),
        (ActiveSelfTrainingClassifier(budget=3), "oracle must be callable where budget is above 0, got None"),
        (
            ActiveSelfTrainingClassifier(oracle=lambda rows: rows * 0 + 7, budget=10),
            r"oracle must return one of the classes 0, 1, 2 for each of the 1 rows, got \[7\]",
        ),
        (
            ActiveSelfTrainingClassifier(oracle=lambda rows: [0, 1], budget=10),
            r"oracle must return one of the classes 0, 1, 2 for each of the 1 rows, got \[0, 1\]",
        ),
        (MICClassifier(n_components=0), "n_components must be a whole number of at least 1, got 0"),
        (MICClassifier(max_iter=0), "max_iter must be a whole number of at least 1, got 0"),
        (MICClassifier(consistency=-1), "consistency must be a finite number of at least 0, got -1"),
        (MICClassifier(sparsity=None), "sparsity must be a finite number of at least 0, got None"),
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
    X, y, _ = views()
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
    fitted = AMMSSClassifier(modalities={"a": [0], "b": [1]}, preprocessing="RAW", n_neighbors=1).fit(
        X, [0, -1, 1, -1, 1]
    )
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


# APMA


def majority(clusters, y, centre_distances):
    """Class of most seeds in each cluster, or of the nearest cluster that has any."""
    votes = np.array([np.bincount(y[(clusters == c) & (y >= 0)], minlength=3) for c in range(len(centre_distances))])
    asked = np.where(votes.any(axis=1), 0, np.inf)
    return votes.argmax(axis=1)[(centre_distances + asked).argmin(axis=1)]


@pytest.mark.parametrize("n_clusters", [4, 9])
def test_without_transfer_apma_is_cluster_labelling_in_each_modality(n_clusters):
    X, y, _ = views()
    y[y == 2] = np.where(np.arange((y == 2).sum()) == 0, 2, -1)
    apma = APMAClassifier(modalities=TWO, preprocessing="RAW", n_clusters=n_clusters, transfer="none").fit(X, y)
    for name, columns in TWO.items():
        own = X[:, columns]
        clusters = AgglomerativeClustering(n_clusters).fit_predict(own)
        centres = np.array([own[clusters == c].mean(axis=0) for c in range(n_clusters)])
        labels = majority(clusters, y, np.linalg.norm(centres[:, None] - centres, axis=2))[clusters]
        assert (apma.transduction_by_modality_[name] == np.where(y >= 0, y, labels)).all()
    assert not hasattr(apma, "transduction_")


def test_with_one_modality_there_is_nothing_to_transfer():
    X, y, _ = views()
    plain, multimodal = (APMAClassifier(transfer=transfer).fit(X, y) for transfer in ("none", "multimodal"))
    assert (plain.transduction_ == multimodal.transduction_).all()
    assert plain.clusters_["all"].max() == (y >= 0).sum() - 1


def test_clusters_without_seeds_are_labelled_by_the_other_modality():
    X, y, true = views()
    X[y >= 0, 2:] = np.nan
    apma = APMAClassifier(modalities=TWO, preprocessing="STD", n_clusters=3).fit(X, y)
    text = apma.transduction_by_modality_["text"][y < 0]
    assert (text >= 0).all() and (text == true[y < 0]).mean() > 0.7
    with pytest.raises(CmcslError, match="y labels no row that has modality 'text'"):
        APMAClassifier(modalities=TWO, transfer="none").fit(X, y)


def test_one_modality_may_teach_all():
    X, y, _ = views()
    together = APMAClassifier(modalities=TWO).fit(X, y).transduction_by_modality_
    assert (together["visual"] != together["text"]).any()
    taught = APMAClassifier(modalities=TWO, transfer="text").fit(X, y)
    assert (taught.transduction_ == together["text"]).all()
    assert (taught.transduction_by_modality_["visual"] == together["text"]).all()


def test_more_clusters_than_rows_are_as_many_as_there_are():
    X, y, _ = views(12)
    X[2:, 2:] = np.nan
    clusters = APMAClassifier(modalities=TWO, n_clusters=100).fit(X, y).clusters_
    assert len(set(clusters["visual"])) == 12 and len(set(clusters["text"])) == 3


def test_clusters_that_rows_share_are_joined():
    # Three groups that are the same in both modalities, but numbered otherwise by their order.
    X = np.array([[0, 9], [1, 8], [20, 50], [21, 51], [40, 30], [41, 31]], dtype=float)
    apma = APMAClassifier(modalities={"a": [0], "b": [1]}, preprocessing="RAW", n_clusters=3)
    clusters = apma.fit(X, [0, -1, -1, -1, -1, 1]).clusters_
    assert (clusters["a"] == clusters["b"]).all() and len(set(clusters["a"])) == 3
    assert [len(set(clusters["a"][pair])) for pair in ([0, 1], [2, 3], [4, 5])] == [1, 1, 1]


@pytest.mark.parametrize("transfer", ["multimodal", "none", "text"])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_queries_are_different_rows_in_different_clusters(transfer, missing):
    X, y, true = views(missing=missing)
    apma = APMAClassifier(modalities=TWO, transfer=transfer)
    for n in (1, 6, 20, len(y)):
        rows = apma.queries(X, n)
        assert len(set(rows.tolist())) == n and set(rows.tolist()) <= set(range(len(y)))
    asked = np.full(len(y), -1)
    rows = apma.queries(X, 6)
    asked[rows] = true[rows]
    clusters = apma.fit(X, asked).clusters_
    if transfer != "none":
        assert set(range(6)) == set(np.concatenate([each[rows] for each in clusters.values()]).tolist()) - {-1}


def test_queries_change_no_fitted_classifier_and_take_a_dict():
    X, y, _ = views()
    apma = APMAClassifier(modalities=TWO).fit(X, y)
    before = apma.predict_proba(X)
    rows = apma.queries(X[:20] + 1, 5)
    assert (apma.predict_proba(X) == before).all() and rows.max() < 20
    arrays = {name: X[:20, columns] + 1 for name, columns in TWO.items()}
    assert (APMAClassifier().queries(arrays, 5) == rows).all()
    for n in (0, 61, 2.5):
        with pytest.raises(CmcslError, match=f"n must be a whole number in 1..60, the number of rows, got {n}"):
            apma.queries(X, n)


# Self-training


def test_one_round_of_one_modality_is_self_training_with_a_threshold():
    X, y, _ = views(noise=3.0)
    plain = dict(preprocessing="RAW", class_weight=None, threshold=0.99, max_iter=1)
    fitted = AbstainingSelfTrainingClassifier(**plain).fit(X, y)
    expected = SelfTrainingClassifier(GaussianNB(), threshold=0.99, max_iter=1).fit(X, y).transduction_
    assert (expected < 0).any()
    assert (fitted.transduction_ == expected).all()


def test_without_a_threshold_the_first_round_is_what_late_fusion_of_the_seeds_predicts():
    X, y, _ = views(missing=0.3)
    fitted = AbstainingSelfTrainingClassifier(modalities=TWO, threshold=0, max_iter=1).fit(X, y)
    fusion = PrelabeledClassifier(modalities=TWO).fit(X, y)
    assert (fitted.transduction_[y < 0] == fusion.predict(X)[y < 0]).all()
    assert fitted.confidence_[y < 0] == pytest.approx(fusion.predict_proba(X).max(axis=1)[y < 0])


def test_labels_are_judged_again_in_every_round_until_none_changes():
    X, y, _ = views(120, noise=2.0)
    abstaining = AbstainingSelfTrainingClassifier(modalities=TWO, threshold=0.6)
    fits = [clone(abstaining).set_params(max_iter=rounds).fit(X, y) for rounds in (1, 2, 50)]
    first, second, last = (fitted.transduction_ for fitted in fits)
    assert ((first >= 0) & (second != first)).any()
    assert 2 < fits[2].n_iter_ < 50
    # The classifiers learnt from the last labels would give the same.
    confident = fits[2].predict_proba(X).max(axis=1) >= 0.6
    assert (last[y < 0] == np.where(confident, fits[2].predict(X), -1)[y < 0]).all()
    assert (confident | (y >= 0)).sum() == (last >= 0).sum() < len(y)


def test_with_one_modality_and_no_budget_asking_is_self_training():
    # So much noise that no two probabilities are the same.
    X, y, _ = views(noise=3.0)
    plain = dict(preprocessing="RAW", growth=2, max_iter=4)
    fitted = ActiveSelfTrainingClassifier(**plain).fit(X, y)
    expected = CoTrainingClassifier(**plain, pool_size=len(y), random_state=0).fit(X, y)
    assert (expected.transduction_ < 0).any()
    assert (fitted.transduction_ == expected.transduction_).all()
    assert (fitted.labeled_iter_ == expected.labeled_iter_).all()
    assert not len(fitted.queried_)


def test_the_oracle_is_asked_for_the_least_sure_rows_of_each_round():
    X, y, true = views(noise=3.0)
    asked = []

    def oracle(rows):
        asked.append(rows)
        return true[rows]

    fitted = ActiveSelfTrainingClassifier(modalities=TWO, oracle=oracle, budget=7, max_iter=3).fit(X, y)
    assert [len(rows) for rows in asked] == [3, 2, 2]
    assert (fitted.queried_ == np.concatenate(asked)).all() and len(set(fitted.queried_)) == 7
    assert (fitted.transduction_[fitted.queried_] == true[fitted.queried_]).all()
    assert (fitted.transduction_ >= 0).all() and fitted.n_iter_ == 3
    support = np.sort(PrelabeledClassifier(modalities=TWO).fit(X, y).predict_proba(X), axis=1)
    margin = np.where(y >= 0, np.inf, support[:, -1] - support[:, -2])
    assert set(asked[0]) == set(np.argsort(margin)[:3])


def test_the_oracle_may_name_classes_and_be_asked_for_all_rows():
    X, y, true = views()
    names = np.array(["one", "three", "two"])
    known = np.where(y >= 0, names[y], None)
    fitted = ActiveSelfTrainingClassifier(modalities=TWO, oracle=lambda rows: names[true[rows]], budget=500)
    assert (fitted.fit(X, known).transduction_ == names[true]).all()
    assert set(fitted.queried_) == set(np.flatnonzero(y < 0))


@pytest.mark.parametrize("growth", [1, 3])
def test_each_class_gets_as_many_labels_in_a_round(growth):
    X, y, _ = views(120)
    fitted = ActiveSelfTrainingClassifier(modalities=TWO, growth=growth, max_iter=5).fit(X, y)
    for number in range(1, 6):
        assert np.bincount(fitted.transduction_[fitted.labeled_iter_ == number], minlength=3).tolist() == [growth] * 3


# MIC


def start(n, widths, components, seed=0):
    """Matrices of so many columns, at least 0, and factors to start from."""
    random = np.random.default_rng(seed)
    views = [random.random((n, d), dtype=np.float32) for d in widths]
    bases = [random.random((d, components), dtype=np.float32) for d in widths]
    return views, random.random((n, components), dtype=np.float32), bases


def residual(X, factors):
    """How far the features are from those that a linear map makes of the factors."""
    return np.linalg.norm(X - factors @ np.linalg.lstsq(factors, X, rcond=None)[0])


def test_one_view_without_penalties_is_non_negative_matrix_factorisation():
    (A, B), V, _ = start(30, [3, 3], 3)
    X = A @ B[:8].T
    nmf = NMF(3, init="custom", solver="mu", max_iter=200, tol=0)
    U = np.random.default_rng(1).random((8, 3), dtype=np.float32)
    expected = residual(X, nmf.fit_transform(X, W=V.copy(), H=U.T.copy()))
    reached = residual(X, consensus([X], [np.ones(30, dtype=np.float32)], V, [U], 0, 0, 200))
    assert max(reached, expected) < 0.005 * np.linalg.norm(X) < 0.05 * residual(X, V)


def test_shared_factors_are_means_by_the_squared_weights():
    (X, Z), V, (U, T) = start(6, [4, 5], 2)
    ones = np.ones(6, dtype=np.float32)
    # Without penalties views know nothing of each other, and weights that are all the same do not matter to a view.
    one, other = consensus([X], [ones], V, [U], 0, 0, 10), consensus([Z], [ones / 2], V, [T], 0, 0, 10)
    assert consensus([X, Z], [ones, ones / 2], V, [U, T], 0, 0, 10) == pytest.approx((4 * one + other) / 5, rel=1e-4)
    assert consensus([X, X], [ones, ones / 2], V, [U, U], 0, 0, 10) == pytest.approx(one, rel=1e-4)


def test_sparsity_takes_the_same_length_from_each_row_as_far_as_there_is_any():
    direction, lengths = np.array([[0.6, 0.8]], dtype=np.float32), np.array([[1.0], [2], [0.1]], dtype=np.float32)
    ones = np.ones(3, dtype=np.float32)
    factors = consensus([lengths * direction], [ones], np.ones_like(lengths), [direction.T], 0, 0.5, 300)
    assert factors == pytest.approx(np.array([[0.75], [1.75], [0]]), abs=1e-3)


def test_consistency_brings_views_together():
    views, V, U = start(40, [6, 9], 3)
    ones = [np.ones(40, dtype=np.float32)] * 2
    # The mean of two views that must agree is not that of each one's own factors.
    means = [consensus(views, ones, V, U, consistency, 0, 30) for consistency in (0, 1e-6, 100)]
    assert means[1] == pytest.approx(means[0], rel=1e-3)
    assert means[2] != pytest.approx(means[0], rel=1e-1)


def test_features_become_parts_that_are_not_negative_and_missing_rows_the_mean():
    X = np.array([[3.0, -1, 0], [1, 1, 0], [np.nan] * 3, [-1, -2, 0]])
    view, weights = filled(Modality(X, np.array([0, 1, 3])), 4)
    parts = np.array([[3, 0, 0, 1], [1, 1, 0, 0], [0, 0, 1, 2]]) / np.sqrt((10 + 2 + 5) / 3)
    assert view[[0, 1, 3]] == pytest.approx(parts) and view[2] == pytest.approx(parts.mean(axis=0))
    assert weights == pytest.approx([1, 1, 0.75, 1])
    assert view.dtype == np.float32


def test_clusters_take_the_class_of_most_seeds_or_of_the_nearest_cluster():
    X, y, _ = views(120, noise=3.0)
    mic = MICClassifier(modalities=TWO, n_components=8, random_state=0).fit(X, y)
    centres = np.array([mic.factors_[mic.clusters_ == c].mean(axis=0) for c in range(8)])
    votes = np.array([np.bincount(y[(mic.clusters_ == c) & (y >= 0)], minlength=3) for c in range(8)])
    for cluster in range(8):
        distances = np.where(votes.any(axis=1), np.linalg.norm(centres - centres[cluster], axis=1), np.inf)
        members = (mic.clusters_ == cluster) & (y < 0)
        assert (mic.transduction_[members] == votes[distances.argmin()].argmax()).all()
    assert (mic.factors_ >= 0).all() and mic.factors_.shape == (120, 8)


def test_three_clusters_of_far_classes_are_the_classes():
    X, y, true = views(90, missing=0.3, noise=0.1)
    mic = MICClassifier(modalities=TWO, preprocessing="MM", n_components=3, random_state=0).fit(X, y)
    assert (mic.transduction_ == true).mean() > 0.95


def test_there_are_no_more_factors_than_columns_and_no_more_clusters_than_different_rows():
    X = np.repeat([[0.0, 0], [1, 3], [5, 1]], 2, axis=0)
    mic = MICClassifier(preprocessing="RAW", n_components=100, random_state=0).fit(X, [0, -1, 1, -1, -1, -1])
    assert mic.factors_.shape == (6, 2)
    assert (mic.clusters_[::2] == mic.clusters_[1::2]).all()
    same = MICClassifier(preprocessing="RAW", random_state=0).fit(X[:2][[0, 0, 0]], [0, 0, 1])
    assert set(same.clusters_) == {0}
