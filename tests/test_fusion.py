import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from cmcsl_lib.estimators import CMCSLClassifier, UnimodalClassifier
from cmcsl_lib.method.fusion import PARTS, fused, held_out_parts, temperature_and_weight


def wide(n=400, seeds=20, strengths=(2.0, 1.0), seed=0):
    """Modalities of many columns that all tell the same little, so that naive Bayes is far too sure; true classes."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % 2
    Xs = {}
    for name, strength in zip(("a", "b"), strengths, strict=True):
        latent = y[:, None] * strength + random.normal(size=(n, 1))
        Xs[name] = latent + random.normal(size=(n, 40)) / 4
    return Xs, np.where(np.arange(n) < seeds, y, -1), y


def test_parts_share_out_classes_and_seeds_and_leave_two_classes():
    random = np.random.default_rng(0)
    labels, seeds = random.integers(3, size=90), random.random(90) < 0.2
    parts = held_out_parts(labels, seeds)
    for label in range(3):
        counts = [np.bincount(parts[(labels == label) & rows], minlength=PARTS) for rows in (seeds, ~seeds | seeds)]
        assert all(count.max() - count.min() <= 1 for count in counts)
    two = held_out_parts(np.array([0, 1, 0, 1]), np.zeros(4, dtype=bool))
    assert all({0, 1} == set(np.array([0, 1, 0, 1])[two != part]) for part in range(PARTS))


@pytest.mark.parametrize("factor", [1.0, 8.0, 64.0])
def test_the_temperature_takes_back_what_logarithms_were_multiplied_by(factor):
    random = np.random.default_rng(1)
    y = np.arange(3000) % 2
    # One normal variable: the difference of the true log-likelihoods.
    score = (y * 2 - 1) + random.normal(size=3000)
    logs = np.column_stack([-score, score]) * factor
    codes = np.where(np.arange(3000) < 600, y, -1)
    t, weight = temperature_and_weight(logs, np.eye(2)[y], codes)
    assert t == pytest.approx(factor, rel=0.42)
    right = ((score > 0) == y)[:600].mean()
    assert weight == pytest.approx(right - 0.5 + 1 / 600)


def test_a_modality_that_is_wrong_on_the_seeds_counts_as_much_as_one_seed():
    logs = np.log([[0.9, 0.1], [0.1, 0.9]])
    assert temperature_and_weight(logs, np.eye(2), np.array([1, 0]))[1] == pytest.approx(1 / 2)
    assert temperature_and_weight(logs, np.eye(2), np.array([-1, -1]))[1] == pytest.approx(1)


def test_the_weighted_mean_by_hand():
    first, second = np.log([[0.8, 0.2], [0.5, 0.5]]), np.array([np.log([0.4, 0.6]), [np.nan, np.nan]])
    expected = np.array([(3 * np.array([0.8, 0.2]) + np.array([0.4, 0.6])) / 4, [0.5, 0.5]])
    assert fused([first, second], [1.0, 1.0], [3.0, 1.0]) == pytest.approx(expected)
    root = np.sqrt([0.8, 0.2])
    assert fused([first[:1]], [2.0], [1.0])[0] == pytest.approx(root / root.sum())


@pytest.mark.parametrize("make", [CMCSLClassifier, UnimodalClassifier])
def test_fused_probabilities_are_calibrated_and_follow_the_modality_that_is_right(make):
    Xs, codes, _ = wide(strengths=(2.0, 0.0))
    test, _, truth = wide(strengths=(2.0, 0.0), seed=1)
    calibrated, plain = (make(preprocessing="STD", fusion=fusion).fit(Xs, codes) for fusion in ("calibrated", "mean"))
    loss, plain_loss = (log_loss(truth, fitted.predict_proba(test)) for fitted in (calibrated, plain))
    assert loss < 0.8 * plain_loss
    right = {name: (label == truth).mean() for name, label in calibrated.predict_by_modality(test).items()}
    assert (calibrated.predict(test) == truth).mean() > max(right.values()) - 0.005
    assert calibrated.modality_weights_["a"] > calibrated.modality_weights_["b"]
    assert min(calibrated.temperatures_.values()) > 2


def test_what_is_right_more_often_decides_alike_whatever_the_base_estimator():
    Xs, codes, _ = wide()
    test, _, truth = wide(seed=1)
    for base in (GaussianNB(), LogisticRegression(), KNeighborsClassifier(5)):
        fitted = CMCSLClassifier(base, preprocessing="STD", exchange="calibrated").fit(Xs, codes)
        right = {name: (label == truth).mean() for name, label in fitted.predict_by_modality(test).items()}
        assert (fitted.predict(test) == truth).mean() > max(right.values()) - 0.02
        assert fitted.predict_proba(test).sum(axis=1) == pytest.approx(1)


def test_rows_that_lack_a_modality_are_fused_from_the_others():
    Xs, codes, _ = wide()
    Xs["b"][30:60] = np.nan
    fitted = CMCSLClassifier(preprocessing="STD").fit(Xs, codes)
    alone = fitted.predict_proba({"a": Xs["a"]})
    assert fitted.predict_proba(Xs)[30:60] == pytest.approx(alone[30:60])
    assert (fitted.predict(Xs)[30:60] == fitted.predict_by_modality(Xs)["a"][30:60]).all()


def test_too_few_rows_to_hold_some_out():
    fitted = CMCSLClassifier(LogisticRegression(), preprocessing="RAW").fit(
        {"a": [[0.0], [1.0]], "b": [[0.0], [1.0]]}, [0, 1]
    )
    assert fitted.temperatures_ == fitted.modality_weights_ == {"a": 1.0, "b": 1.0}
    assert fitted.predict({"a": [[0.1]], "b": [[0.2]]}) == [0]


def test_a_stream_keeps_what_its_first_batch_showed():
    Xs, codes, y = wide()
    first = {name: X[:200] for name, X in Xs.items()}
    streamed = CMCSLClassifier(preprocessing="STD").partial_fit(first, codes[:200])
    learnt = dict(streamed.temperatures_), dict(streamed.modality_weights_)
    streamed.partial_fit({name: X[200:] for name, X in Xs.items()}, np.full(200, -1))
    assert (streamed.temperatures_, streamed.modality_weights_) == learnt
    assert (streamed.predict(Xs) == y).mean() > 0.8
