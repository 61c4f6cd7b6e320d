"""Estimators that take some rows at a time say what those say that take all at once."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.metadata_routing import get_routing_for_object

from cmcsl_lib.estimators import CMCSLClassifier, EarlyFusionClassifier, UnimodalClassifier, modality, propagation
from cmcsl_lib.estimators.modality import Modality
from cmcsl_lib.estimators.training import TrainingSet, trained
from cmcsl_lib.method import calibrated, distances, naive_bayes
from cmcsl_lib.method.preprocessing import (
    PREPROCESSINGS,
    RELATED_PREPROCESSINGS,
    STEPWISE,
    fitted,
    preprocessor,
    transformed,
)

TWO = {"visual": slice(0, 6), "text": slice(6, 10)}
LEARNT = ("theta_", "var_", "class_count_", "class_prior_", "epsilon_")


def two_views(n=300, k=3, gaps=0, dtype=np.float64, seed=0):
    random = np.random.default_rng(seed)
    y = np.arange(n) % k
    X = (random.normal(size=(k, 10))[y] + random.normal(size=(n, 10)) + 3).astype(dtype)
    X[:gaps, TWO["visual"]] = X[gaps : 2 * gaps, TWO["text"]] = np.nan
    return X, np.where(np.arange(n) % 10 == 0, y, -1)


@pytest.fixture
def few_rows_at_a_time(monkeypatch):
    monkeypatch.setattr(modality, "MEMORY", 8 * 6 * 7)
    monkeypatch.setattr(propagation, "MEMORY", (8 * 6 * 7, 2**26))
    monkeypatch.setattr(calibrated, "MEMORY", 8 * 6 * 7)
    monkeypatch.setattr(naive_bayes, "MEMORY", 8 * 6 * 20)


@pytest.mark.parametrize("gaps", [0, 20])
@pytest.mark.parametrize("exchange", ["distance", "calibrated"])
@pytest.mark.parametrize("preprocessing", [*PREPROCESSINGS, *RELATED_PREPROCESSINGS])
def test_steps_change_nothing(exchange, preprocessing, gaps, request):
    X, y = two_views(gaps=gaps)
    make = CMCSLClassifier(modalities=TWO, exchange=exchange, preprocessing=preprocessing)
    whole = make.fit(X, y)
    expected = whole.transduction_, whole.predict(X), whole.predict_proba(X), whole.temperatures_
    request.getfixturevalue("few_rows_at_a_time")
    again = make.fit(X, y)
    assert (again.transduction_ == expected[0]).all() and (again.predict(X) == expected[1]).all()
    assert again.predict_proba(X) == pytest.approx(expected[2], abs=1e-9)
    assert again.temperatures_ == pytest.approx(expected[3])


@pytest.mark.parametrize("make", [CMCSLClassifier, EarlyFusionClassifier])
def test_single_precision_is_calculated_in_double(make, tmp_path):
    X, y = two_views(dtype=np.float32)
    expected = make(modalities=TWO).fit(X.astype(np.float64), y).predict_proba(X.astype(np.float64))
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    arrays = {name: X[:, columns] for name, columns in TWO.items()}
    for data, modalities in ((X, TWO), (mapped, TWO), (np.asfortranarray(X), TWO), (arrays, None)):
        assert (make(modalities=modalities).fit(data, y).predict_proba(data) == expected).all()


@pytest.mark.parametrize("exchange", ["distance", "calibrated"])
def test_labels_alone_are_those_of_fit(exchange):
    X, y = two_views(gaps=20)
    make = CMCSLClassifier(modalities=TWO, exchange=exchange, min_margin=0.2)
    fitted, labels = clone(make).fit(X, y), clone(make).label(X, y)
    assert (labels.transduction_ == fitted.transduction_).all() and labels.seeds_right_ == fitted.seeds_right_
    pd.testing.assert_frame_equal(labels.provenance_["text"], fitted.provenance_["text"])
    for estimator in (labels, fitted.label(X, y)):
        with pytest.raises(NotFittedError):
            estimator.predict(X)


def test_modalities_that_are_taught_the_same_share_their_provenance():
    X, y = two_views()
    shared = CMCSLClassifier(modalities=TWO).fit(X, y).provenance_
    apart = UnimodalClassifier(modalities=TWO).fit(X, y).provenance_
    assert shared["visual"] is shared["text"] and not apart["visual"].equals(apart["text"])


def test_features_are_left_as_they_are():
    X, y = two_views(gaps=10)
    before = X.copy()
    for exchange in ("distance", "calibrated"):
        CMCSLClassifier(modalities=TWO, exchange=exchange).fit(X, y).predict(X)
        UnimodalClassifier(modalities=TWO, preprocessing="RAW").fit(X, y).predict_by_modality(X)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("name", STEPWISE)
@pytest.mark.parametrize("step", [1, 7, 100])
def test_preprocessing_learnt_step_by_step(name, step):
    X, _ = two_views(100)
    expected = preprocessor(name).fit(X)
    own = fitted(name, (X[start : start + step].copy() for start in range(0, len(X), step)))
    assert own.transform(X) == pytest.approx(expected.transform(X), abs=1e-12)
    assert (transformed(own, X.copy()) == own.transform(X)).all()
    assert own.n_features_in_ == 10


@st.composite
def seeds_of_classes(draw):
    """Rows, many of them equal or far from the origin, seeds among them class by class, and where classes begin."""
    n, d, k = draw(st.integers(20, 60)), draw(st.integers(1, 6)), draw(st.integers(1, 3))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = random.normal(size=(n, d))
    X = (X.round() if draw(st.booleans()) else X) * draw(st.sampled_from([1e-20, 1, 1e4]))
    X += draw(st.sampled_from([0, 1e3, 1e8]))
    rows = random.permutation(n)[: draw(st.integers(k, n))]
    starts = np.concatenate([[0], np.sort(random.permutation(len(rows) - 1)[: k - 1]) + 1])
    return X, rows, starts


@given(seeds_of_classes(), st.sampled_from([0, 8]), st.booleans())
def test_nearest_seeds_of_classes_are_those_of_all_distances(problem, few, among_seeds):
    X, rows, starts = problem
    X, own = (X[rows], np.arange(len(rows))) if among_seeds else (X, None)
    seeds = X if among_seeds else X[rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distances, "FEW", few)
        nearest, distance = distances.nearest_of_classes(X, seeds, starts, own)
    every = cdist(X, seeds)
    if among_seeds:
        np.fill_diagonal(every, np.inf)
    for label, (start, stop) in enumerate(zip(starts, [*starts[1:], len(rows)], strict=True)):
        assert (distance[:, label] == every[:, start:stop].min(axis=1)).all()
        assert (nearest[:, label] == start + every[:, start:stop].argmin(axis=1)).all()


@st.composite
def lessons(draw):
    """Rows with weights in several classes, and parts of them."""
    n, d, k = draw(st.integers(9, 40)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = random.normal(size=(n, d)) * draw(st.sampled_from([1e-3, 1, 1e5])) + draw(st.sampled_from([0, 0, 100]))
    if draw(st.booleans()):
        X[:, 0] = 1.0
    several = random.random((n, k)) < draw(st.sampled_from([0.3, 0.7]))
    several[np.arange(n), np.arange(n) % k] = True
    rows, labels = np.nonzero(several)
    arguments = {"sample_weight": 0.01 + random.random(len(rows))} if draw(st.booleans()) else {}
    return X, TrainingSet(rows, labels, arguments), np.arange(n) % 3


@given(lessons())
def test_naive_bayes_by_sums_is_that_of_scikit_learn(lesson):
    X, training_set, parts = lesson
    rows = Modality(X, np.arange(len(X)))
    everything, *others = trained(GaussianNB(), rows, training_set, parts)
    assert len(others) == 3
    expected = [training_set.train(GaussianNB(), rows)]
    expected += [training_set.without(parts[training_set.rows] == part).train(GaussianNB(), rows) for part in range(3)]
    for own, plain in zip([everything, *others], expected, strict=True):
        assert (own.classes_ == plain.classes_).all() and own.n_features_in_ == plain.n_features_in_
        for name in LEARNT:
            assert getattr(own, name) == pytest.approx(getattr(plain, name), rel=1e-7, abs=1e-12 * np.abs(X).max())


def test_what_sums_do_not_tell_is_learnt_by_scikit_learn():
    X, _ = two_views(60)
    rows, y, parts = Modality(X, np.arange(60)), np.arange(60) % 3, np.arange(60) // 3 % 3
    weight = np.where(np.arange(60) < 30, 0.0, 1.0)
    for base, arguments in (
        (GaussianNB(priors=[0.2, 0.3, 0.5]), {}),
        (GaussianNB(), {"sample_weight": weight}),
        (LogisticRegression(), {}),
    ):
        training_set = TrainingSet(np.arange(60), y, arguments)
        classifiers = trained(base, rows, training_set, parts)
        for own, held_out in zip(classifiers, (None, 0, 1, 2), strict=True):
            plain = training_set.without(parts == held_out).train(base, rows)
            assert (own.predict_proba(X) == plain.predict_proba(X)).all()


def test_wrong_parameters_of_naive_bayes_are_told_by_scikit_learn():
    X, y = two_views()
    with pytest.raises(ValueError, match="var_smoothing"):
        CMCSLClassifier(GaussianNB(var_smoothing=-1.0), modalities=TWO).fit(X, y)


class Recorder(GaussianNB):
    """Naive Bayes that keeps the weights that it was given."""

    def fit(self, X, y, sample_weight=None):
        self.weights_ = sample_weight
        type(self).seen = [*getattr(type(self), "seen", []), (y, sample_weight)]
        return super().fit(X, y, sample_weight)


def test_a_propagator_is_given_the_weights_of_its_rows():
    X, y = two_views(gaps=20)
    weight = 0.5 + np.random.default_rng(0).random(len(y))
    Recorder.seen = []
    CMCSLClassifier(LogisticRegression(), modalities=TWO, propagator=Recorder()).fit(X, y, sample_weight=weight)
    by_modality = Recorder.seen[1::2]
    for name, (labels, own) in zip(TWO, by_modality, strict=True):
        rows = ~np.isnan(X[:, TWO[name]]).any(axis=1) & (y >= 0)
        assert (labels == y[rows]).all() and (own == weight[rows]).all()
    without = CMCSLClassifier(modalities=TWO, propagator=Recorder()).fit(X, y)
    weighted = CMCSLClassifier(modalities=TWO, propagator=Recorder()).fit(X, y, sample_weight=weight**8)
    assert (without.distance_ != weighted.distance_).any()


def test_metadata_are_routed_to_the_propagator_that_asks_for_them():
    X, y = two_views()
    weight = 0.5 + np.random.default_rng(0).random(len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        base = GaussianNB().set_fit_request(sample_weight=False).set_partial_fit_request(sample_weight=False)
        undecided = CMCSLClassifier(base, modalities=TWO, propagator=GaussianNB())
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            undecided.fit(X, y, sample_weight=weight)
        asks = CMCSLClassifier(base, modalities=TWO, propagator=Recorder().set_fit_request(sample_weight="importance"))
        assert get_routing_for_object(asks).consumes("fit", ["importance"]) == {"importance"}
        Recorder.seen = []
        fitted = asks.fit(X, y, importance=weight)
        assert (Recorder.seen[1][1] == weight[y >= 0]).all()
        # The base estimator is given the class weights alone.
        shares = 1 - np.bincount(y[y >= 0]) / (y >= 0).sum()
        counts = np.bincount(fitted.transduction_)
        assert fitted.estimators_["text"].class_count_ == pytest.approx(counts * shares)


def test_a_stream_keeps_the_weights_of_its_seeds():
    X, y = two_views()
    weight = 0.5 + np.random.default_rng(0).random(len(y))
    stream = CMCSLClassifier(modalities=TWO, propagator=Recorder())
    stream.partial_fit(X[:150], y[:150], sample_weight=weight[:150])
    Recorder.seen = []
    stream.partial_fit(X[150:], y[150:], sample_weight=weight[150:])
    assert (Recorder.seen[1][1] == weight[y >= 0]).all()
