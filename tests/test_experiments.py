import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from cmcsl_lib.experiments import grid as experiments
from cmcsl_lib.experiments.protocol import PROTOCOLS, splits
from cmcsl_lib.experiments.scores import COLUMNS

STRICT, PAPER = PROTOCOLS["strict"], PROTOCOLS["paper"]


@pytest.mark.parametrize("protocol", [STRICT, PAPER], ids=lambda protocol: protocol.name)
def test_one_row_per_fitted_classifier(make_features, protocol):
    scores = experiments.run_dataset(make_features(), protocol, budgets=(1, 3))
    assert list(scores.columns) == list(COLUMNS)
    assert len(scores) == 10 * (2 * (1 + 3 * 2) + 2)
    assert not scores.duplicated(list(COLUMNS[:-2])).any()
    assert scores.balanced_accuracy.between(0, 1).all()
    assert (scores.pseudo_label_accuracy.notna() == scores.method.isin(["UNI", "CMCSL"])).all()
    assert set(scores[scores.budget == 0].method) == {"FULL", "EF", "LF"}


def test_full_and_pre_agree_with_plain_scikit_learn(make_features):
    features = make_features()
    scores = experiments.run_dataset(features, STRICT, budgets=(4,)).set_index(
        ["repetition", "fold", "modality", "method"]
    )
    for repetition, fold, training, test in splits(features.y):
        scaler = make_pipeline(Normalizer(), StandardScaler()).fit(features.text[training])
        X, X_test = scaler.transform(features.text[training]), scaler.transform(features.text[test])
        y, y_test = features.y[training], features.y[test]
        seeds = STRICT.draw_seeds(y, 4, repetition, fold)
        # Classes are equally large here: all weights are equal and change nothing.
        for method, rows in (("FULL", np.arange(len(y))), ("PRE", seeds)):
            predicted = GaussianNB().fit(X[rows], y[rows]).predict(X_test)
            assert scores.balanced_accuracy[repetition, fold, "text", method] == balanced_accuracy_score(
                y_test, predicted
            )


def test_a_budget_does_not_depend_on_the_others(make_features):
    features = make_features(rows=20)
    alone = experiments.run_dataset(features, PAPER, budgets=(2,))
    among = experiments.run_dataset(features, PAPER, budgets=(1, 2, 3))
    among = among[among.budget.isin([0, 2])].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among)


def test_late_fusion_rules_differ_where_the_surest_is_outvoted(make_features):
    X = {name: (np.zeros((2, 1)), np.zeros((1, 1))) for name in ("visual", "text")}
    support = {"visual": [[0.9, 0.1, 0.0]], "text": [[0.0, 0.85, 0.15]]}

    class Told:
        def __init__(self, modality):
            self.modality = modality

        def fit(self, *_, sample_weight):
            return self

        def predict(self, test):
            return np.zeros(len(test))

        def predict_proba(self, test):
            return np.array(support[self.modality])

    fits = [experiments.Fit("FULL", name, 0, np.arange(2), np.arange(2), np.ones(2), np.nan) for name in support]
    predicted = {}
    for protocol in (STRICT, PAPER):
        outputs = iter(support)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(experiments, "_new_classifier", lambda name, outputs=outputs: Told(next(outputs)))
            fitted, labels = experiments.predictions(X, fits, "LR", protocol, True)
        assert (fitted[-1].method, fitted[-1].modality) == ("LF", "both")
        predicted[protocol.name] = labels[-1].tolist()
    assert predicted == {"strict": [1], "paper": [0]}


def test_experiment_1_compares_classifiers_on_all_labels(make_features):
    scores = experiments.run_dataset(make_features(rows=15), STRICT, 1)
    assert len(scores) == 10 * 2 * 3
    assert set(scores.method) == {"FULL"} and set(scores.preprocessing) == {"RAW"} and set(scores.budget) == {0}


def test_experiment_2_compares_preprocessings(make_features):
    features = make_features(rows=15)
    scores = experiments.run_dataset(features, STRICT, 2, budgets=(2,))
    assert len(scores) == 10 * 5 * 2 * 4
    third = experiments.run_dataset(features, STRICT, 3, budgets=(2,))
    named = list(COLUMNS[:-2])
    both = scores.merge(third, on=named)
    assert len(both) == 10 * 2 * 4
    assert (both.balanced_accuracy_x == both.balanced_accuracy_y).all()


def test_labels_do_not_depend_on_the_classifier(make_features):
    scores = experiments.run_dataset(make_features(rows=15), STRICT, classifiers=("GNB", "LR", "CART"), budgets=(2,))
    assert len(scores) == 10 * 3 * (2 * 4 + 2)
    accuracies = scores[scores.method == "CMCSL"].pivot(
        index=["modality", "repetition", "fold"], columns="classifier", values="pseudo_label_accuracy"
    )
    assert (accuracies.nunique(axis=1) == 1).all()
    assert (
        not scores.pivot_table(
            index=["method", "modality", "repetition", "fold"], columns="classifier", values="balanced_accuracy"
        )
        .nunique(axis=1)
        .eq(1)
        .all()
    )


def test_scaled_distances_change_who_decides(make_features):
    features = make_features(rows=15)
    plain, scaled = (
        experiments.run_dataset(features, protocol, budgets=(2,))
        for protocol in (STRICT, STRICT.changed(distances="scaled by width"))
    )
    same = plain.balanced_accuracy == scaled.balanced_accuracy
    assert same[plain.method != "CMCSL"].all()
    assert not same[plain.method == "CMCSL"].all()


def test_no_classifier_is_fitted_twice_on_the_same_labels(make_features, monkeypatch):
    """Logistic regression and trees take most of a run's time; where the exchange changes nothing, UNI is CMCSL."""
    seen = []

    class Traced(DecisionTreeClassifier):
        def fit(self, X, y, sample_weight=None):
            seen.append((X.tobytes(), y.tobytes(), sample_weight.tobytes()))
            return super().fit(X, y, sample_weight)

    monkeypatch.setattr(experiments, "_new_classifier", lambda name: Traced(random_state=0))
    # Texts lie so near the seeds of their class that they always decide, and rightly: of the 15 fits of a fold, UNI
    # and CMCSL of texts at two budgets are FULL again, and so are CMCSL's of pictures.
    features = make_features()
    near = dataclasses.replace(features, text=np.eye(2)[features.y] + np.linspace(0, 1e-3, len(features.y))[:, None])
    scores = experiments.run_dataset(near, STRICT, 3, classifiers=("CART",), budgets=(1, 5))
    assert len(scores[scores.method != "LF"]) == 10 * 15
    assert len(set(seen)) == len(seen) == 10 * (15 - 4 - 2)
    text = scores[scores.modality == "text"].pivot(index=["repetition", "fold", "budget"], columns="method")
    assert text.balanced_accuracy.UNI.equals(text.balanced_accuracy.CMCSL)
