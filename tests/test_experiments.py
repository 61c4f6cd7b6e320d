from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from cmcsl_lib import experiments
from cmcsl_lib.errors import Absent, CmcslError
from cmcsl_lib.features import write_features
from cmcsl_lib.protocol import PROTOCOLS, seed_rows, splits
from cmcsl_lib.scores import COLUMNS, read_scores, scores_paths

STRICT, PAPER = PROTOCOLS["strict"], PROTOCOLS["paper"]


@pytest.fixture
def kept_features(make_features, tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    write_features(make_features(), tmp_path / "features" / "openclipart" / "AF.parquet")
    return tmp_path


@pytest.mark.parametrize("chosen", [STRICT, PAPER], ids=lambda chosen: chosen.name)
def test_one_row_per_fitted_classifier(make_features, chosen):
    scores = experiments.run_dataset(make_features(), chosen, budgets=(1, 3))
    assert list(scores.columns) == list(COLUMNS)
    assert len(scores) == 10 * (2 * (1 + 3 * 2) + 2)
    assert not scores.duplicated(list(COLUMNS[:-2])).any()
    assert scores.balanced_accuracy.between(0, 1).all()
    assert (scores.pseudo_label_accuracy.notna() == scores.method.isin(["UNI", "CMCSL"])).all()
    assert set(scores[scores.budget == 0].method) == {"FULL", "EF", "LF"}


def test_full_and_pre_agree_with_plain_scikit_learn(make_features):
    features = make_features()
    scores = experiments.run_dataset(features, STRICT, budgets=(4,)).set_index(
        ["repetition", "fold", "modality", "method"])
    for repetition, fold, training, test in splits(features.y):
        scaler = make_pipeline(Normalizer(), StandardScaler()).fit(features.text[training])
        X, X_test = scaler.transform(features.text[training]), scaler.transform(features.text[test])
        y, y_test = features.y[training], features.y[test]
        seeds = seed_rows(y, 4, STRICT, repetition, fold)
        # Classes are equally large here: all weights are equal and change nothing.
        for method, rows in (("FULL", np.arange(len(y))), ("PRE", seeds)):
            predicted = GaussianNB().fit(X[rows], y[rows]).predict(X_test)
            assert scores.balanced_accuracy[repetition, fold, "text", method] == balanced_accuracy_score(
                y_test, predicted)


def test_workers_do_not_change_the_table(make_features):
    features = make_features(rows=20)
    pd.testing.assert_frame_equal(experiments.run_dataset(features, STRICT, budgets=(2,)),
                                  experiments.run_dataset(features, STRICT, budgets=(2,), workers=2))


def test_a_budget_does_not_depend_on_the_others(make_features):
    features = make_features(rows=20)
    alone = experiments.run_dataset(features, PAPER, budgets=(2,))
    among = experiments.run_dataset(features, PAPER, budgets=(1, 2, 3))
    among = among[among.budget.isin([0, 2])].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among)


def test_late_fusion_rules_differ_where_the_surest_is_outvoted(make_features):
    X = {name: (np.zeros((2, 1)), np.zeros((1, 1))) for name in ("visual", "text", "both")}
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
    for chosen in (STRICT, PAPER):
        told = iter(support)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(experiments.CLASSIFIERS, "GNB", lambda told=told: Told(next(told)))
            *_, (last, labels) = experiments.predictions(X, fits, "GNB", chosen, True)
        assert (last.method, last.modality) == ("LF", "both")
        predicted[chosen.name] = labels.tolist()
    assert predicted == {"strict": [1], "paper": [0]}


def test_scores_are_kept_and_found_again(kept_features, monkeypatch):
    first = experiments.load_scores("openclipart", STRICT, datasets=["AF"], budgets=(1, 2))
    monkeypatch.setattr(experiments, "run_dataset", lambda *_, **__: pytest.fail("computed again"))
    again = experiments.load_scores("openclipart", STRICT, datasets="AF", budgets=(2,))
    assert set(again.budget) == {0, 2}
    expected = first[first.budget.isin([0, 2])].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, expected, check_dtype=False)


@pytest.mark.parametrize("chosen", [STRICT, PAPER], ids=lambda chosen: chosen.name)
@pytest.mark.parametrize(("number", "fits"), [
    (1, 3 * 2), (2, 5 * 2 * (1 + 3 * 20)), (3, 3 * (2 * (1 + 3 * 20) + 2)),
])
def test_shipped_scores_are_those_of_the_shipped_features(number, fits, chosen, tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    classifiers = ("GNB", "LR", "CART") if number == 3 else None
    scores = experiments.load_scores("openclipart", chosen, number, classifiers=classifiers, compute=False)
    assert scores.dataset.nunique() == 20
    assert len(scores) == 20 * 10 * fits
    assert not scores.duplicated(list(COLUMNS[:-2])).any()


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
    its = scores[scores.method == "CMCSL"].pivot(index=["modality", "repetition", "fold"], columns="classifier",
                                                values="pseudo_label_accuracy")
    assert (its.nunique(axis=1) == 1).all()
    assert not scores.pivot_table(index=["method", "modality", "repetition", "fold"], columns="classifier",
                                  values="balanced_accuracy").nunique(axis=1).eq(1).all()


def test_scaled_distances_change_who_decides(make_features):
    features = make_features(rows=15)
    plain, scaled = (experiments.run_dataset(features, chosen, budgets=(2,))
                     for chosen in (STRICT, STRICT.changed(distances="scaled by width")))
    same = plain.balanced_accuracy == scaled.balanced_accuracy
    assert same[plain.method != "CMCSL"].all()
    assert not same[plain.method == "CMCSL"].all()


def test_missing_classifiers_are_computed_beside_kept_ones(kept_features, monkeypatch):
    experiments.load_scores("openclipart", STRICT, datasets="AF", budgets=(2,))
    asked = []
    run = experiments.run_dataset
    monkeypatch.setattr(experiments, "run_dataset",
                        lambda *words, classifiers, **rest: asked.append(classifiers) or run(
                            *words, classifiers=classifiers, **rest))
    scores = experiments.load_scores("openclipart", STRICT, datasets="AF", budgets=(2,), classifiers=("GNB", "CART"))
    assert asked == [("CART",)]
    assert set(scores.classifier) == {"GNB", "CART"}
    with pytest.raises(CmcslError, match="--classifier LR"):
        experiments.load_scores("openclipart", STRICT, datasets="AF", budgets=(2,), classifiers=("LR",), compute=False)


def test_the_command_that_is_told_names_the_changes(kept_features):
    changed = STRICT.changed(scaling="each half")
    with pytest.raises(CmcslError, match='--protocol strict --change "scaling=each half"` first'):
        experiments.load_scores("openclipart", changed, datasets="AF", compute=False)


def test_scores_of_features_that_are_elsewhere_are_found(make_features, tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    other = STRICT.changed(features="seed 7")
    features = replace(make_features(rows=15), sha256="0" * 64)
    scores = experiments.run_dataset(features, other, budgets=(2,))
    experiments.keep_scores(scores, features, other, 3)
    found = experiments.load_scores("openclipart", other, datasets="AF", budgets=(2,), compute=False)
    assert len(found) == len(scores)
    with pytest.raises(Absent, match="openclipart, seed 7"):
        experiments.load_scores("openclipart", other, datasets="AF", budgets=(3,))


def test_other_budgets_join_those_that_are_kept(kept_features):
    for budgets in ((1, 2), (3,)):
        experiments.load_scores("openclipart", STRICT, datasets=["AF"], budgets=budgets)
    path, _ = scores_paths("openclipart", "strict", 3, "AF")
    kept = read_scores(path)
    assert set(kept.budget) == {0, 1, 2, 3}
    assert not kept.duplicated(list(COLUMNS[:-2])).any()


def test_scores_of_other_features_are_not_taken(kept_features, make_features):
    experiments.load_scores("openclipart", STRICT, datasets=["AF"], budgets=(1,))
    write_features(make_features(seed=1), kept_features / "features" / "openclipart" / "AF.parquet")
    with pytest.raises(CmcslError, match="cmcsl run 3 --corpus openclipart --datasets AF --protocol strict"):
        experiments.load_scores("openclipart", STRICT, datasets=["AF"], budgets=(1,), compute=False)


def test_damaged_scores_are_told(kept_features):
    path, _ = scores_paths("openclipart", "strict", 3, "AF")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(CmcslError, match="can't be read"):
        experiments.load_scores("openclipart", STRICT, datasets=["AF"], budgets=(1,))
