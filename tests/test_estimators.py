import doctest
import pickle
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from cmcsl_lib import estimators
from cmcsl_lib.corpora.features import load_features
from cmcsl_lib.estimators import (
    CMCSLClassifier,
    CoTrainingClassifier,
    EarlyFusionClassifier,
    FullyLabeledClassifier,
    LateFusionClassifier,
    PrelabeledClassifier,
    UnimodalClassifier,
    cmcsl,
    cotraining,
    propagation,
    reference,
)
from cmcsl_lib.estimators.related import ammss, apma, kernels, mic, selftraining
from cmcsl_lib.estimators.strategies import EXCHANGES
from cmcsl_lib.experiments.exchange import exchange_table
from cmcsl_lib.experiments.grid import run_dataset
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.files.errors import CmcslError
from cmcsl_lib.method.labeling import clustering, nearest, propagate

#: Networks, which test_networks holds to scikit-learn's checks, with settings that suit features so few.
NETWORKS = ("AutoencoderClassifier", "GatedMultimodalClassifier", "PrototypeClassifier")
CLASSIFIERS = [getattr(estimators, name) for name in estimators.__all__ if name not in NETWORKS]
#: Columns of the shipped features side by side.
SHIPPED_MODALITIES = {"visual": slice(0, 1280), "text": slice(1280, 1664)}
TWO = {"visual": [0, 1], "text": [2, 3, 4]}
CHECKED = {"first": [0], "others": slice(1, None)}
#: scikit-learn excuses its own semi-supervised classifiers from classes -1 and 1, by their names.
EXCUSED = {"check_classifiers_classes": "-1 stands for no label"}


def views(n=60, seed=0, missing=0.0):
    """Two views of three classes, one seed in four rows, and the true classes."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % 3
    centres = random.normal(size=(3, 5)) * 3
    X = centres[y] + random.normal(size=(n, 5))
    labels = np.where(np.arange(n) // 3 % 4 == 0, y, -1)
    for columns in TWO.values():
        X[np.ix_((random.random(n) < missing) & ~np.isnan(X).any(axis=1), columns)] = np.nan
    return X, labels, y


@st.composite
def problems(draw, modalities=2, ties=True):
    """Matrix, columns of each modality and labels; every class has a seed."""
    n, k = draw(st.integers(8, 30)), draw(st.integers(2, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = n, 2 * modalities
    X = random.integers(0, 4, size=shape).astype(float) if ties else random.normal(size=shape)
    y = np.full(n, -1)
    seeds = random.permutation(n)[: draw(st.integers(k, n))]
    y[seeds] = np.arange(len(seeds)) % k
    return X, {f"m{number}": [2 * number, 2 * number + 1] for number in range(modalities)}, y


@parametrize_with_checks(
    [make() for make in CLASSIFIERS]
    + [
        CMCSLClassifier(LogisticRegression(), exchange="probability", min_margin=0.1),
        CMCSLClassifier(propagator=KNeighborsClassifier(3), exchange="scale", fusion="maximum"),
        CMCSLClassifier(LogisticRegression(), exchange="calibrated", min_margin=0.1),
        CMCSLClassifier(
            exchange="calibrated",
            modalities=CHECKED,
            preprocessing=make_pipeline(SimpleImputer(), StandardScaler()),
        ),
        # Of several modalities some may be missing, so that checks put NaN here and there: gaps must be filled in.
        *(
            make(modalities=CHECKED, preprocessing=make_pipeline(SimpleImputer(), StandardScaler()))
            for make in CLASSIFIERS
            if make is not EarlyFusionClassifier
        ),
        EarlyFusionClassifier(modalities=CHECKED),
    ],
    expected_failed_checks=lambda estimator: EXCUSED,
)
def test_scikit_learn_accepts(estimator, check):
    check(estimator)


class Renamed(LabelSpreading):
    pass


def test_label_spreading_under_another_name_fails_the_excused_check_too():
    failed = {
        check["check_name"]
        for check in check_estimator(Renamed(), on_fail=None, on_skip=None)
        if check["status"] == "failed"
    }
    assert failed == set(EXCUSED)


@pytest.mark.parametrize("make", CLASSIFIERS)
@pytest.mark.parametrize(
    "names",
    [
        np.array(["one", "two", "three"]),
        np.array(["one", "two", "three"], dtype=object),
        np.array([5, 2, 9]),
        np.array([3.0, 1.0, 7.0]),
    ],
)
def test_classes_of_any_kind(make, names):
    X, _, y = views()
    numbered, named = (make(modalities=TWO).fit(X, labels) for labels in (y, names[y]))
    assert named.classes_.tolist() == sorted(names.tolist())
    assert (named.predict(X) == names[numbered.predict(X)]).all()


@pytest.mark.parametrize(
    "module",
    [cmcsl, cotraining, reference, ammss, apma, kernels, mic, selftraining],
    ids=lambda module: module.__name__,
)
def test_examples(module):
    results = doctest.testmod(module)
    assert results.attempted and not results.failed


# Against the plain path of the replication


@pytest.mark.parametrize("budget", [1, 3, 20])
@pytest.mark.parametrize("preprocessing", ["RAW", "L2STD"])
@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=lambda protocol: protocol.name)
def test_pseudo_labels_and_their_provenance_are_those_of_algorithm_1(budget, preprocessing, protocol):
    features = load_features("openclipart", "AF")
    repetition, fold, training, _ = protocol.divide(features)[0]
    seeds = protocol.draw_seeds(features.y[training], budget, repetition, fold)
    y = np.full(len(training), None)
    y[seeds] = np.array(features.classes)[features.y[training][seeds]]
    fitted = CMCSLClassifier(modalities=SHIPPED_MODALITIES, preprocessing=preprocessing)
    fitted.fit(np.hstack(features.modalities)[training], y)
    table = exchange_table(features, protocol, budget, preprocessing)
    by_visual = table.decided_by == "visual"
    assert (fitted.transduction_ == table.label).all()
    assert (fitted.deciding_modality_ == table.decided_by).all()
    assert (fitted.distance_ == np.where(by_visual, table.visual_distance, table.text_distance)).all()
    assert (features.ids[training][fitted.seed_row_] == np.where(by_visual, table.visual_seed, table.text_seed)).all()
    for modality in SHIPPED_MODALITIES:
        assert (fitted.unimodal_transduction_[modality] == table[f"{modality}_label"]).all()


@pytest.mark.parametrize("memory", [(1, 1), (2**23, 2**26)])
@given(problems())
@settings(max_examples=50)
def test_ties_are_settled_as_by_the_functions_of_algorithm_1(memory, problem):
    X, modalities, y = problem
    seeds = np.flatnonzero(y >= 0)
    seeds = seeds[np.argsort(y[seeds], kind="stable")]
    clusters = [clustering(X[:, columns], seeds) for columns in modalities.values()]
    expected = nearest([propagate(each, y[seeds]) for each in clusters], [each.distance for each in clusters])
    # Memory for one row at a time, or for all.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(propagation, "MEMORY", memory)
        fitted = CMCSLClassifier(modalities=modalities, preprocessing="RAW").fit(X, y)
    assert (fitted.transduction_ == expected.label).all()
    assert (fitted.deciding_modality_ == np.array(list(modalities))[expected.modality]).all()
    seed_rows_by_modality = np.stack([seeds[each.seed] for each in clusters])
    assert (fitted.seed_row_ == seed_rows_by_modality[expected.modality, np.arange(len(y))]).all()


@given(problems(modalities=3), st.integers(-5, 5))
@settings(max_examples=25)
def test_a_unit_that_all_modalities_share_does_not_matter(problem, power):
    X, modalities, y = problem
    first, second = (
        CMCSLClassifier(modalities=modalities, preprocessing="RAW").fit(features, y) for features in (X, X * 2.0**power)
    )
    assert (first.distance_ * 2.0**power == second.distance_).all()
    for attribute in ("transduction_", "deciding_modality_", "margin_", "seed_row_"):
        assert (getattr(first, attribute) == getattr(second, attribute)).all()


def test_scores_are_those_of_experiment_3():
    features, protocol, budget = load_features("openclipart", "AF"), PROTOCOLS["strict"], 3
    scores = (
        run_dataset(features, protocol, 3, budgets=(budget,))
        .set_index(["method", "modality", "repetition", "fold"])
        .balanced_accuracy
    )
    X, y = np.hstack(features.modalities), features.y
    apart = {
        "CMCSL": CMCSLClassifier,
        "UNI": UnimodalClassifier,
        "PRE": PrelabeledClassifier,
        "FULL": FullyLabeledClassifier,
    }
    for repetition, fold, training, test in protocol.divide(features):
        seeds = training[protocol.draw_seeds(y[training], budget, repetition, fold)]
        known = np.where(np.isin(np.arange(len(y)), seeds), y, -1)
        for method, make in apart.items():
            fitted = make(modalities=SHIPPED_MODALITIES).fit(X[training], (y if method == "FULL" else known)[training])
            for modality, predicted in fitted.predict_by_modality(X[test]).items():
                assert scores[method, modality, repetition, fold] == balanced_accuracy_score(y[test], predicted)
        for method, make in {"EF": EarlyFusionClassifier, "LF": LateFusionClassifier}.items():
            predicted = make(modalities=SHIPPED_MODALITIES).fit(X[training], y[training]).predict(X[test])
            assert scores[method, "both", repetition, fold] == balanced_accuracy_score(y[test], predicted)


# Properties of labels and provenance


@given(problems(modalities=3))
def test_provenance_by_trying_every_seed(problem):
    X, modalities, y = problem
    fitted = CMCSLClassifier(KNeighborsClassifier(1), modalities=modalities, preprocessing="RAW").fit(X, y)
    seeds = np.flatnonzero(y >= 0)
    for row in np.flatnonzero(y < 0):
        distances = np.array(
            [np.linalg.norm(X[np.ix_(seeds, columns)] - X[row, columns], axis=1) for columns in modalities.values()]
        )
        label = fitted.transduction_[row]
        others = distances[:, y[seeds] != label].min()
        assert fitted.distance_[row] == pytest.approx(distances.min())
        assert distances[
            list(modalities).index(fitted.deciding_modality_[row]), seeds.tolist().index(fitted.seed_row_[row])
        ] == pytest.approx(distances.min())
        assert y[fitted.seed_row_[row]] == label
        assert fitted.margin_[row] == pytest.approx(1 - distances.min() / others if others else 0)


@pytest.mark.parametrize("exchange", EXCHANGES)
@given(problems())
@settings(max_examples=25)
def test_labeled_rows_keep_their_label(exchange, problem):
    X, modalities, y = problem
    fitted = CMCSLClassifier(modalities=modalities, exchange=exchange, min_margin=1.0).fit(X, y)
    known = y >= 0
    assert (fitted.transduction_[known] == y[known]).all()
    assert (fitted.margin_[known] == 1).all() and (fitted.distance_[known] == 0).all()
    assert (fitted.seed_row_[known] == np.flatnonzero(known)).all()


@pytest.mark.parametrize("exchange", EXCHANGES)
@given(problems(ties=False), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_permuting_rows_permutes_results(exchange, problem, random):
    X, modalities, y = problem
    order = np.array(random.sample(range(len(y)), len(y)))
    plain, permuted = (
        CMCSLClassifier(modalities=modalities, preprocessing="RAW", exchange=exchange).fit(*data)
        for data in ((X, y), (X[order], y[order]))
    )
    assert (permuted.transduction_ == plain.transduction_[order]).all()
    assert (permuted.deciding_modality_ == plain.deciding_modality_[order]).all()
    assert (order[permuted.seed_row_] == plain.seed_row_[order]).all()
    # Sums over rows are rounded in another order.
    assert permuted.margin_ == pytest.approx(plain.margin_[order], abs=1e-6)


@pytest.mark.parametrize("exchange", ["rank", "scale", "probability"])
@given(problems(ties=False), st.integers(-5, 5))
@settings(max_examples=25)
def test_the_unit_of_a_modality_does_not_matter_to_comparable_distances(exchange, problem, power):
    X, modalities, y = problem
    scaled = X.copy()
    # Powers of two scale without rounding.
    scaled[:, modalities["m1"]] *= 2.0**power
    first, second = (
        CMCSLClassifier(modalities=modalities, preprocessing="RAW", exchange=exchange).fit(features, y)
        for features in (X, scaled)
    )
    assert (first.transduction_ == second.transduction_).all()
    assert (first.deciding_modality_ == second.deciding_modality_).all()


def test_the_unit_of_a_modality_matters_to_plain_distances():
    X, y, _ = views()
    deciding = [
        CMCSLClassifier(modalities=TWO, preprocessing="RAW")
        .fit(X * [1, 1, unit, unit, unit], y)
        .deciding_modality_[y < 0]
        for unit in (1e-3, 1e3)
    ]
    assert set(deciding[0]) == {"text"} and set(deciding[1]) == {"visual"}


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_one_modality_is_uni(exchange):
    X, y, _ = views()
    alone, uni = CMCSLClassifier(exchange=exchange).fit(X, y), UnimodalClassifier().fit(X, y)
    assert (alone.transduction_ == uni.transduction_).all()
    assert (alone.predict_proba(X) == uni.predict_proba(X)).all()


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_exchange_chooses_among_what_the_modalities_say(exchange):
    X, y, _ = views()
    fitted = CMCSLClassifier(modalities=TWO, exchange=exchange).fit(X, y)
    said = [fitted.unimodal_transduction_[name][row] for row, name in enumerate(fitted.deciding_modality_)]
    assert (fitted.transduction_ == said).all()


def test_strategies_on_distances_with_known_answers():
    # One seed of each class at 0 and 10; text is the same at ten times the scale, but its last row lies elsewhere.
    X = np.array([[0, 0], [10, 100], [1, 10], [2, 20], [4, 40], [3, 90]], dtype=float)
    y = [0, 1, -1, -1, -1, -1]
    by_exchange = {
        exchange: CMCSLClassifier(modalities={"visual": [0], "text": [1]}, preprocessing="RAW", exchange=exchange).fit(
            X, y
        )
        for exchange in ("distance", "rank", "scale")
    }
    assert {name: fitted.transduction_[-1] for name, fitted in by_exchange.items()} == {
        "distance": 0,
        "rank": 1,
        "scale": 1,
    }
    # Visual distances are 1, 2, 4, 3, text's 10, 20, 40, 10: the last row is third of four, or one of the first two.
    assert by_exchange["rank"].margin_[-1] == pytest.approx(1 - (2 / 4) / (3 / 4))
    # Mean distance in the clusters: visual (1 + 2 + 4 + 3) / 4 = 2.5 at seed 0, text 10 at seed 1, for this row alone.
    assert by_exchange["scale"].margin_[-1] == pytest.approx(1 - (10 / 10) / (3 / 2.5))


def test_probabilities_are_calibrated_where_seeds_can_judge_each_other():
    random = np.random.default_rng(0)
    y = np.arange(400) % 2
    telling, noise = y[:, None] + random.normal(size=(400, 2)) / 4, random.normal(size=(400, 2)) / 4
    labels = np.where(np.arange(400) < 100, y, -1)
    fitted = CMCSLClassifier(
        modalities={"noise": [0, 1], "telling": [2, 3]}, preprocessing="RAW", exchange="probability"
    ).fit(np.hstack([noise, telling]), labels)
    hidden = labels < 0
    # Noise comes first and is as close to its seeds; only the seeds show that it tells nothing.
    assert (fitted.deciding_modality_[hidden] == "telling").mean() > 0.9
    plain = clone(fitted).set_params(exchange="distance").fit(np.hstack([noise, telling]), labels)
    assert (fitted.transduction_ == y)[hidden].mean() > (plain.transduction_ == y)[hidden].mean()


# Abstention, transfer, missing modalities


@given(problems(), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=50)
def test_a_larger_margin_keeps_fewer_labels(problem, one, other):
    X, modalities, y = problem
    low, high = sorted((one, other))
    few, many = (
        CMCSLClassifier(modalities=modalities, min_margin=margin).fit(X, y).transduction_ for margin in (high, low)
    )
    labeled = few >= 0
    assert (few[labeled] == many[labeled]).all()


def test_rows_without_a_label_are_not_trained_on():
    X, y, _ = views()
    fitted = CMCSLClassifier(modalities=TWO, min_margin=0.5).fit(X, y)
    used = fitted.transduction_ >= 0
    assert 0 < used.sum() < len(y)
    assert (used == (fitted.margin_ >= 0.5)).all()
    assert fitted.estimators_["text"].class_count_.sum() == pytest.approx(
        (1 - np.bincount(y[y >= 0]) / (y >= 0).sum())[fitted.transduction_[used]].sum()
    )


def test_one_way_and_crosswise_transfer():
    X, y, _ = views()
    own = CMCSLClassifier(modalities=TWO).fit(X, y).unimodal_transduction_
    assert (own["visual"] != own["text"]).any()
    for transfer, teacher in {
        "text": dict(visual="text", text="text"),
        "visual": dict(visual="visual", text="visual"),
        "crosswise": dict(visual="text", text="visual"),
    }.items():
        fitted = CMCSLClassifier(modalities=TWO, transfer=transfer).fit(X, y)
        for pupil, name in teacher.items():
            assert (fitted.transduction_by_modality_[pupil] == own[name]).all()
            assert set(fitted.provenance_[pupil].deciding_modality) == {name}
        if transfer in TWO:
            assert (fitted.transduction_ == own[transfer]).all()


def test_uni_keeps_each_modalitys_labels():
    X, y, _ = views()
    uni = UnimodalClassifier(modalities=TWO).fit(X, y)
    for name, columns in TWO.items():
        alone = UnimodalClassifier().fit(X[:, columns], y)
        assert (uni.transduction_by_modality_[name] == alone.transduction_).all()
        assert (uni.predict_by_modality(X)[name] == alone.predict(X[:, columns])).all()


@pytest.mark.parametrize("make", [CMCSLClassifier, UnimodalClassifier, PrelabeledClassifier, LateFusionClassifier])
def test_a_missing_modality_leaves_the_decision_to_the_others(make):
    X, y, _ = views(n=120, missing=0.3)
    lacks = {name: np.isnan(X[:, columns]).all(axis=1) for name, columns in TWO.items()}
    assert all(0 < rows.sum() < len(y) for rows in lacks.values())
    fitted = make(modalities=TWO).fit(X, y)
    by_modality, probabilities = fitted.predict_by_modality(X), fitted.predict_proba_by_modality(X)
    for name, rows in lacks.items():
        assert ((by_modality[name] == -1) == rows).all() and (np.isnan(probabilities[name]).all(axis=1) == rows).all()
        if make is CMCSLClassifier:
            assert (fitted.deciding_modality_[rows] != name).all()
    assert (fitted.predict(X)[lacks["text"]] == by_modality["visual"][lacks["text"]]).all()
    assert fitted.predict_proba(X).sum(axis=1) == pytest.approx(1)


def test_a_modality_without_seeds_leaves_the_labels_to_the_others():
    X, y, _ = views()
    X[y >= 0, 2:] = np.nan
    with pytest.warns(UserWarning, match="Modality 'text' has no seed of class 0, 1, 2"):
        fitted = CMCSLClassifier(modalities=TWO).fit(X, y)
    assert set(fitted.deciding_modality_) == {"visual"}
    assert (fitted.transduction_ >= 0).all()
    with pytest.warns(UserWarning), pytest.raises(CmcslError, match="no row that has modality 'text'"):
        UnimodalClassifier(modalities=TWO).fit(X, y)


@pytest.mark.parametrize("method", ["fit", "label", "partial_fit"])
def test_warnings_point_to_the_line_of_the_call(method):
    X, y, true = views()
    cmcsl = CMCSLClassifier(modalities=TWO)
    without_seeds = X.copy()
    without_seeds[y >= 0, 2:] = np.nan
    with pytest.warns(UserWarning, match="has no seed of class") as caught:
        getattr(cmcsl, method)(without_seeds, y)
    assert caught[0].filename == __file__
    if method != "partial_fit":
        with pytest.warns(UserWarning, match="no unlabelled row") as caught:
            getattr(cmcsl, method)(X, true)
        assert caught[0].filename == __file__


def test_rows_that_nobody_speaks_of_have_no_label():
    X, y, _ = views()
    X[y >= 0, 2:] = np.nan
    alone = np.flatnonzero(y < 0)[:2]
    X[np.ix_(alone, TWO["visual"])] = np.nan
    with pytest.warns(UserWarning):
        fitted = CMCSLClassifier(modalities=TWO).fit(X, y)
    assert np.flatnonzero(fitted.transduction_ == -1).tolist() == alone.tolist()
    assert [*fitted.deciding_modality_[alone]] == [None, None] and np.isnan(fitted.distance_[alone]).all()
    assert (fitted.seed_row_[alone] == -1).all() and (fitted.margin_[alone] == 0).all()


# Propagators


def test_the_nearest_neighbour_propagates_as_clustering_does():
    X, y, _ = views()
    clustered, propagated = (
        CMCSLClassifier(modalities=TWO, propagator=propagator).fit(X, y)
        for propagator in (None, KNeighborsClassifier(1))
    )
    for name in TWO:
        assert (clustered.unimodal_transduction_[name] == propagated.unimodal_transduction_[name]).all()


def test_a_semi_supervised_propagator_is_shown_the_unlabeled_rows():
    X, y, _ = views()
    spread = LabelSpreading(kernel="knn", n_neighbors=5)
    fitted = CMCSLClassifier(propagator=spread, preprocessing="STD").fit(X, y)
    alone = clone(spread).fit(StandardScaler().fit_transform(X), y)
    hidden = y < 0
    assert (fitted.transduction_[hidden] == alone.transduction_[hidden]).all()
    assert fitted.distance_[hidden] == pytest.approx(1 - alone.label_distributions_.max(axis=1)[hidden])


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize(
    "propagator",
    [
        LabelSpreading(kernel="knn", n_neighbors=5),
        SelfTrainingClassifier(LogisticRegression()),
        KNeighborsClassifier(3),
        make_pipeline(StandardScaler(), GaussianNB()),
    ],
    ids=lambda propagator: type(propagator).__name__,
)
def test_exchange_on_top_of_any_propagator(exchange, propagator):
    X, y, true = views(missing=0.2)
    fitted = CMCSLClassifier(modalities=TWO, propagator=propagator, exchange=exchange).fit(X, y)
    known = y >= 0
    assert (fitted.transduction_[known] == y[known]).all()
    assert (fitted.seed_row_ == -1).all() and (fitted.margin_ >= 0).all() and (fitted.margin_ <= 1).all()
    # Better than chance by far: classes are three standard deviations apart.
    assert (fitted.transduction_ == true).mean() > 0.7


# Co-training


def test_co_training_on_views_that_are_independent_given_the_class():
    random = np.random.default_rng(0)
    true = np.arange(300) % 2
    X = true[:, None] * 3.0 + random.normal(size=(300, 2))
    y = np.where(np.arange(300) < 4, true, -1)
    # Features are alike in scale; L2STD would leave of each one its sign.
    alike = dict(modalities={"first": [0], "second": [1]}, preprocessing="RAW")
    taught = CoTrainingClassifier(**alike, random_state=0, max_iter=300).fit(X, y)
    assert (taught.transduction_ >= 0).all() and set(taught.deciding_modality_) == {None, "first", "second"}
    before = PrelabeledClassifier(**alike).fit(X, y)
    assert balanced_accuracy_score(true, taught.predict(X)) > balanced_accuracy_score(true, before.predict(X))
    # The best rule, the sum of both features, is wrong with probability Phi(-3 / sqrt 2) = 0.017.
    assert balanced_accuracy_score(true, taught.predict(X)) > 0.95


def test_the_first_round_of_co_training_by_hand():
    X, y, _ = views()
    fitted = CoTrainingClassifier(
        modalities=TWO, preprocessing="RAW", class_weight=None, growth=2, pool_size=20, max_iter=1, random_state=3
    ).fit(X, y)
    labels, pool = y.copy(), np.random.RandomState(3).permutation(np.flatnonzero(y < 0))[:20]
    for columns in TWO.values():
        model = GaussianNB().fit(X[np.ix_(y >= 0, columns)], y[y >= 0])
        left = pool[labels[pool] < 0]
        support = model.predict_proba(X[np.ix_(left, columns)])
        for label in range(3):
            members = left[support.argmax(axis=1) == label]
            surest = np.argsort(-support.max(axis=1)[support.argmax(axis=1) == label], kind="stable")[:2]
            labels[members[surest]] = label
    assert (fitted.transduction_ == labels).all()
    assert (fitted.labeled_iter_ == np.where(y >= 0, 0, np.where(labels >= 0, 1, -1))).all()
    assert set(np.flatnonzero(fitted.labeled_iter_ == 1)) <= set(pool)


def test_co_training_labels_so_many_rows_per_round_and_passes_metadata_on():
    X, y, _ = views(n=120, missing=0.2)
    fitted = CoTrainingClassifier(modalities=TWO, growth=2, max_iter=4, random_state=0).fit(X, y)
    for number in range(1, fitted.labeled_iter_.max() + 1):
        labeled = fitted.labeled_iter_ == number
        for name, columns in TWO.items():
            rows = labeled & (fitted.deciding_modality_ == name)
            assert not np.isnan(X[rows][:, columns]).any()
            assert np.bincount(fitted.transduction_[rows], minlength=3).max() <= 2
    plain = CoTrainingClassifier(modalities={"all": slice(0, 5)}, class_weight=None, max_iter=1, random_state=0)
    X, y, _ = views()
    weight = np.where(np.arange(len(y)) < 12, 1.0, 0.0) + 1e-6
    weighted = clone(plain).fit(X, y, sample_weight=weight)
    used = weighted.transduction_ >= 0
    assert weighted.estimators_["all"].class_count_.sum() == pytest.approx(weight[used].sum())
    with pytest.raises(CmcslError, match="growth must be a whole number of at least 1, got 0"):
        clone(plain).set_params(growth=0).fit(X, y)
    with pytest.raises(CmcslError, match="base_estimator must have predict_proba, but RidgeClassifier has none"):
        clone(plain).set_params(base_estimator=RidgeClassifier()).fit(X, y)


# Streams


def batches(count=3, n=30, drift=0.0):
    for number in range(count):
        X, y, true = views(n, seed=1)
        yield X + drift * number, y, true


def test_the_first_batch_is_labeled_as_by_fit():
    X, y, _ = views()
    whole, first = CMCSLClassifier(modalities=TWO).fit(X, y), CMCSLClassifier(modalities=TWO).partial_fit(X, y)
    assert (whole.transduction_ == first.transduction_).all()
    # `fit` takes sums where `partial_fit` is scikit-learn's.
    assert whole.predict_proba(X) == pytest.approx(first.predict_proba(X), abs=1e-12)


def test_seeds_of_earlier_batches_label_later_ones():
    stream = CMCSLClassifier(modalities=TWO, preprocessing="RAW")
    (X, y, _), *others = batches()
    stream.partial_fit(X, y)
    for X, _, _ in others:
        stream.partial_fit(X + 1e-3, np.full(len(X), -1))
        assert (stream.transduction_ >= 0).all() and len(stream.transduction_) == len(X)
        assert set(stream.seed_row_) <= set(np.flatnonzero(y >= 0))
    together = CMCSLClassifier(modalities=TWO, preprocessing="RAW").fit(
        np.vstack([X, X + 1e-3]), np.concatenate([y, np.full(len(X), -1)])
    )
    assert (stream.transduction_ == together.transduction_[len(X) :]).all()


def test_new_seeds_join_the_old_ones_and_are_counted_from_the_start_of_the_stream():
    stream = CMCSLClassifier(modalities=TWO, preprocessing="RAW", max_seeds=2)
    for number, (X, y, _) in enumerate(batches(drift=100.0)):
        stream.partial_fit(X, y)
        assert (stream.seed_row_ // len(X) == number).all()
    X, _, _ = next(batches())
    stream.partial_fit(X + 200.0, np.full(len(X), -1))
    seeds = np.flatnonzero(y >= 0)
    newest = np.concatenate([seeds[y[seeds] == label][-2:] for label in range(3)]) + 2 * len(X)
    assert set(stream.seed_row_) <= set(newest.tolist())


def test_forgetting_old_seeds_follows_a_drift():
    right = {}
    for max_seeds in (1, None):
        stream = CMCSLClassifier(preprocessing="RAW", max_seeds=max_seeds)
        for step in range(6):
            # The classes walk along a line, one to where the other was.
            positions = np.repeat([0.0, 2.0], 5)[:, None] + 0.9 * step + np.tile(np.linspace(-0.4, 0.4, 5), 2)[:, None]
            y = np.full(10, -1)
            y[[2, 7]] = 0, 1
            stream.partial_fit(positions, y)
        right[max_seeds] = (stream.transduction_ == np.repeat([0, 1], 5)).mean()
    assert right[1] == 1 > right[None]


def test_a_stream_may_go_on_after_fit_and_starts_anew_with_it():
    X, y, _ = views()
    fitted = CMCSLClassifier(modalities=TWO).fit(X, y).partial_fit(X, np.full(len(y), -1))
    assert (fitted.transduction_ >= 0).all()
    assert fitted.fit(X, y).seed_row_.max() < len(X)


def test_a_batch_may_lack_a_modality():
    X, y, _ = views()
    stream = CMCSLClassifier(modalities=TWO).partial_fit({"visual": X[:, :2], "text": X[:, 2:]}, y)
    before = pickle.dumps(stream.estimators_["text"])
    stream.partial_fit({"visual": X[:, :2]}, y)
    assert set(stream.deciding_modality_) == {"visual"}
    assert pickle.dumps(stream.estimators_["text"]) == before


def test_a_batch_may_lack_a_modality_whose_preprocessing_changes_the_number_of_features():
    X, y, _ = views()
    stream = CMCSLClassifier(modalities=TWO, preprocessing=make_pipeline(StandardScaler(), PCA(1)))
    stream.partial_fit(X, y)
    seeds = stream._seeds.modalities["text"][:]
    stream.partial_fit({"visual": X[:, :2]}, np.full(len(y), -1))
    assert set(stream.deciding_modality_) == {"visual"}
    assert (stream._seeds.modalities["text"][:] == seeds).all()
    stream.partial_fit(X, np.full(len(y), -1))
    assert set(stream.seed_row_) <= set(np.flatnonzero(y >= 0)) and set(stream.deciding_modality_) == set(TWO)


def test_streams_that_can_not_go_on():
    X, y, _ = views()
    assert not hasattr(CMCSLClassifier(LogisticRegression()), "partial_fit")
    with pytest.raises(AttributeError) as error:
        CMCSLClassifier(LogisticRegression()).partial_fit(X, y)
    assert "LogisticRegression has none" in str(error.value.__cause__)
    with pytest.raises(CmcslError, match="no seed for class 7"):
        CMCSLClassifier().partial_fit(X, y, classes=[0, 1, 2, 7])
    stream = CMCSLClassifier().partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(CmcslError, match="unknown class 3: choose from 0, 1, 2"):
        stream.partial_fit(X, y + (y >= 0))
    with pytest.raises(CmcslError, match="classes must be those of the first batch"):
        stream.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="features"):
        stream.partial_fit(X[:, :3], y)


# What scikit-learn's users do with it


@pytest.mark.parametrize("make", [CMCSLClassifier, UnimodalClassifier, LateFusionClassifier, EarlyFusionClassifier])
def test_the_same_from_an_array_a_data_frame_and_a_dict(make):
    X, y, _ = views(missing=0.0 if make is EarlyFusionClassifier else 0.2)
    frame = pd.DataFrame(X, columns=list("abcde"))
    arrays = {name: X[:, columns] for name, columns in TWO.items()}
    named = {"visual": ["a", "b"], "text": ["c", "d", "e"]}
    masks = {"visual": [True, True, False, False, False], "text": np.arange(5) >= 2}
    forms = [
        (X, TWO),
        (X, {"visual": slice(0, 2), "text": slice(2, None)}),
        (frame, TWO),
        (frame, named),
        (X, masks),
        ({"visual": frame[["a", "b"]], "text": frame[["c", "d", "e"]]}, None),
        (X, {"visual": [-5, -4], "text": [2, 3, 4]}),
        (arrays, None),
        (arrays, TWO),
        (arrays, ("visual", "text")),
        (dict(reversed(arrays.items())), ["visual", "text"]),
    ]
    expected = make(modalities=TWO).fit(X, y)
    for data, modalities in forms:
        fitted = make(modalities=modalities).fit(data, y)
        assert (fitted.predict_proba(data) == expected.predict_proba(X)).all()
        assert (expected.predict(X) == expected.predict(arrays)).all()


def test_a_dict_may_leave_out_a_modality_to_predict():
    X, y, _ = views()
    fitted = CMCSLClassifier(modalities=TWO).fit(X, y)
    assert (fitted.predict({"text": X[:, 2:]}) == fitted.predict_by_modality(X)["text"]).all()


@pytest.mark.parametrize("unlabeled", [-1, None, np.nan, pd.NA])
def test_rows_without_a_label_in_arrays_of_objects(unlabeled):
    X, y, _ = views()
    names = np.array(["b", "c", "a"], dtype=object)
    labels = names[y]
    labels[y < 0] = unlabeled
    fitted = CMCSLClassifier(modalities=TWO, min_margin=0.5).fit(X, labels)
    assert fitted.classes_.tolist() == ["a", "b", "c"]
    assert set(fitted.transduction_) == {"a", "b", "c", None}
    assert (fitted.transduction_[y >= 0] == names[y[y >= 0]]).all()
    numbers = y.astype(object)
    numbers[y < 0] = unlabeled
    assert CMCSLClassifier(modalities=TWO, min_margin=0.5).fit(X, numbers).transduction_.dtype.kind == "i"


@pytest.mark.parametrize("unlabeled", [-1, None, np.nan])
def test_lists_of_labels(unlabeled):
    X, y, _ = views()
    expected = CMCSLClassifier(modalities=TWO).fit(X, y).transduction_
    named = CMCSLClassifier(modalities=TWO).fit(X, [unlabeled if code < 0 else "abc"[code] for code in y])
    assert (named.transduction_ == np.array(["a", "b", "c"])[expected]).all()


def test_pandas_labels():
    X, y, _ = views()
    expected = CMCSLClassifier(modalities=TWO).fit(X, y).transduction_
    nullable = pd.Series(y).astype("Int64").mask(y < 0)
    named = pd.Series(np.array(["a", "b", "c"])[y]).mask(y < 0)
    for labels in (nullable, nullable.array):
        assert (CMCSLClassifier(modalities=TWO).fit(X, labels).transduction_ == expected).all()
    assert (CMCSLClassifier(modalities=TWO).fit(X, named).transduction_ == np.array(["a", "b", "c"])[expected]).all()


@pytest.mark.parametrize("make", CLASSIFIERS)
def test_pickled_and_cloned(make):
    X, y, true = views()
    labels = true if make is FullyLabeledClassifier else y
    chance = {"random_state": 0} if "random_state" in make().get_params() else {}
    fitted = make(modalities=TWO, **chance).fit(X, labels)
    assert (pickle.loads(pickle.dumps(fitted)).predict_proba(X) == fitted.predict_proba(X)).all()
    assert (clone(fitted).fit(X, labels).predict_proba(X) == fitted.predict_proba(X)).all()
    with pytest.raises(NotFittedError):
        clone(fitted).predict(X)


def test_in_pipelines_searches_and_cross_validation():
    X, y, true = views()
    piped = make_pipeline(StandardScaler(), CMCSLClassifier(GaussianNB(), modalities=TWO))
    assert cross_val_score(piped, X, true, cv=3).min() > 0.7
    search = GridSearchCV(
        piped,
        {
            "cmcslclassifier__exchange": list(EXCHANGES),
            "cmcslclassifier__min_margin": [0, 0.2],
            "cmcslclassifier__base_estimator__var_smoothing": [1e-9, 1e-3],
        },
        cv=2,
    )
    assert search.fit(X, y).best_score_ > 0
    named = make_pipeline(
        StandardScaler().set_output(transform="pandas"),
        CMCSLClassifier(modalities={"visual": ["a", "b"], "text": ["c", "d", "e"]}),
    )
    frame = pd.DataFrame(X, columns=list("abcde"))
    assert (named.fit(frame, y).predict(frame) == piped.fit(X, y).predict(X)).all()
    predicted = piped.predict(X)
    with sklearn.config_context(transform_output="pandas"):
        assert (clone(piped).fit(X, y).predict(X) == predicted).all()
        bare = clone(piped[-1]).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (bare.predict(X) == clone(piped[-1]).fit(X, y).predict(X)).all()


def test_rows_without_a_label_are_not_scored():
    X, y, true = views()
    named = np.where(y < 0, None, np.array(["a", "b", "c"], dtype=object)[y])
    weight = np.random.default_rng(0).random(len(y))
    plain = CMCSLClassifier(modalities=TWO)
    numbered = clone(plain).fit(X, y)
    right = numbered.predict(X[y >= 0]) == y[y >= 0]
    # Seeds are few here and a mistake among them is wanted.
    labels = np.where(np.arange(len(y)) == 0, 1, y)
    assert numbered.score(X, y) == right.mean()
    assert numbered.score(X, labels) == (numbered.predict(X) == labels)[y >= 0].mean() < 1
    assert numbered.score(X, labels, weight) == pytest.approx(
        np.average((numbered.predict(X) == labels)[y >= 0], weights=weight[y >= 0])
    )
    assert clone(plain).fit(X, named).score(X, named) == right.mean()
    assert numbered.score(X, true) == (numbered.predict(X) == true).mean()
    assert cross_val_score(plain, X, named, cv=KFold(3), error_score="raise").min() > 0.5
    with pytest.raises(CmcslError, match="y has no labelled row"):
        numbered.score(X, np.full(len(y), -1))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        numbered.score(X, y[:-1])


def test_pipelines_route_weights_to_the_score():
    X, y, true = views()
    weight = np.random.default_rng(0).random(len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        asks = CMCSLClassifier(GaussianNB().set_fit_request(sample_weight=True), modalities=TWO)
        piped = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False), asks.set_score_request(sample_weight=True)
        ).fit(X, y, sample_weight=weight)
        assert piped.score(X, true) == (piped.predict(X) == true).mean()
        assert piped.score(X, true, sample_weight=weight) == pytest.approx(
            np.average(piped.predict(X) == true, weights=weight)
        )
        search = GridSearchCV(asks, {"min_margin": [0, 0.1]}, error_score="raise")
        assert 0 < search.fit(X, true, sample_weight=weight).best_score_ <= 1


def test_weights_that_are_none_or_refused():
    X, y, _ = views()
    plain = CMCSLClassifier(modalities=TWO)
    without, none = clone(plain).fit(X, y), clone(plain).fit(X, y, sample_weight=None)
    assert (without.predict_proba(X) == none.predict_proba(X)).all()
    for weight in (np.ones(len(y) - 1), np.ones((len(y), 2))):
        with pytest.raises(CmcslError, match=r"sample_weight must have one entry per row, shape \(60,\)"):
            clone(plain).fit(X, y, sample_weight=weight)


def test_a_preprocessing_may_fill_in_gaps():
    X, y, _ = views(missing=0.2)
    complete = np.flatnonzero(~np.isnan(X[:, 3]))
    X[complete[:5], 3] = np.nan
    filled = X.copy()
    filled[complete[:5], 3] = X[complete[5:], 3].mean()
    expected = CMCSLClassifier(modalities=TWO, preprocessing="STD").fit(filled, y)
    fitted = CMCSLClassifier(modalities=TWO, preprocessing=make_pipeline(SimpleImputer(), StandardScaler())).fit(X, y)
    assert fitted.predict_proba(X) == pytest.approx(expected.predict_proba(filled))
    assert (fitted.transduction_ == expected.transduction_).all()
    with pytest.raises(CmcslError, match=f"some of the columns of modality 'text' in row {complete[0]}"):
        CMCSLClassifier(modalities=TWO, preprocessing=StandardScaler()).fit(X, y)


def test_sample_weight_reaches_the_base_estimator():
    X, y, _ = views()
    weight = np.random.default_rng(0).random(len(y))
    plain = CMCSLClassifier(GaussianNB(), modalities=TWO, class_weight=None, min_margin=0.3)
    fitted = clone(plain).fit(X, y, sample_weight=weight)
    used = fitted.transduction_ >= 0
    assert fitted.estimators_["text"].class_count_.sum() == pytest.approx(weight[used].sum())
    with sklearn.config_context(enable_metadata_routing=True):
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            clone(plain).fit(X, y, sample_weight=weight)
        asks = clone(plain).set_params(base_estimator=GaussianNB().set_fit_request(sample_weight=True))
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        piped = make_pipeline(scaler, asks).fit(X, y, sample_weight=weight)
        assert piped[-1].estimators_["text"].class_count_.sum() == pytest.approx(
            weight[piped[-1].transduction_ >= 0].sum()
        )
        streamed = clone(plain).set_params(
            base_estimator=GaussianNB().set_partial_fit_request(sample_weight="importance")
        )
        streamed.partial_fit(X, y, importance=weight)
        assert streamed.estimators_["text"].class_count_.sum() == pytest.approx(weight[used].sum())


def test_class_weights():
    X, y, _ = views()
    y[np.flatnonzero(y == 0)[1:]] = -1
    counts = {}
    for class_weight in (None, "share", "balanced", {0: 2, 1: 3, 2: 5}):
        fitted = CMCSLClassifier(modalities=TWO, class_weight=class_weight).fit(X, y)
        counts[str(class_weight)] = fitted.estimators_["text"].class_count_ / np.bincount(fitted.transduction_)
    seeds = np.bincount(y[y >= 0])
    assert counts["None"] == pytest.approx(1)
    assert counts["share"] == pytest.approx(1 - seeds / seeds.sum())
    assert counts["balanced"] == pytest.approx(seeds.sum() / (3 * seeds))
    assert counts[str({0: 2, 1: 3, 2: 5})] == pytest.approx([2, 3, 5])


def test_a_base_estimator_without_probabilities_is_not_fused():
    X, y, _ = views()
    fitted = CMCSLClassifier(RidgeClassifier(), modalities=TWO).fit(X, y)
    assert set(fitted.predict_by_modality(X)) == set(TWO)
    assert not hasattr(fitted, "predict_proba")
    with pytest.raises(CmcslError, match="base_estimator must have predict_proba.*RidgeClassifier"):
        fitted.predict(X)
    assert len(CMCSLClassifier(RidgeClassifier()).fit(X, y).predict(X)) == len(X)
    calibrated = CalibratedClassifierCV(RidgeClassifier(), cv=2)
    assert len(CMCSLClassifier(calibrated, modalities=TWO).fit(X, y).predict(X)) == len(X)


def test_fusions():
    X, y, _ = views()
    for fusion, rule in (("mean", np.mean), ("maximum", np.max)):
        fitted = LateFusionClassifier(modalities=TWO, fusion=fusion).fit(X, y)
        support = rule(list(fitted.predict_proba_by_modality(X).values()), axis=0)
        assert (fitted.predict(X) == support.argmax(axis=1)).all()


# Bad input


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (dict(modalities={"visual": slice(0, 2), "text": slice(2, 9)}), r"modalities\['text'\] is out of range.*5.*9"),
        (dict(modalities={"visual": [0, 5]}), r"modalities\['visual'\] is out of range.*5"),
        (
            dict(modalities={"visual": slice(0, 3), "text": slice(2, 5)}),
            "modalities overlap: column 2.*'visual'.*'text'",
        ),
        (dict(modalities={"visual": [0, 0]}), "modalities overlap"),
        (dict(modalities={"visual": slice(2, 2)}), r"modalities\['visual'\] must have at least one column"),
        (dict(modalities={"visual": ["a"]}), "X must be a DataFrame"),
        (dict(modalities={"visual": [0.5]}), r"modalities\['visual'\] must be"),
        (dict(modalities={"visual": 0.5}), r"modalities\['visual'\] must be.*got 0.5"),
        (dict(modalities={"visual": None}), r"modalities\['visual'\] must be.*got None"),
        (dict(modalities={"visual": [True, 1]}), r"modalities\['visual'\] must be"),
        (dict(modalities={"visual": [True, False]}), r"modalities\['visual'\] is a mask of 2 columns, but X has 5"),
        (dict(modalities={"visual": [False] * 5}), r"modalities\['visual'\] must have at least one column"),
        (dict(modalities={"visual": slice(0, 5, 0)}), r"modalities\['visual'\] must be a slice whose step is not 0"),
        (dict(modalities={"visual": [True] * 5, "text": [4]}), "modalities overlap: column 4"),
        *(
            (dict(base_estimator=base), f"base_estimator must be a classifier.*got .*{message}")
            for base, message in (
                ("GNB", "GNB"),
                (GaussianNB, "GaussianNB"),
                (StandardScaler(), "StandardScaler"),
                (LinearRegression(), "LinearRegression"),
            )
        ),
        (dict(preprocessing=StandardScaler), "preprocessing"),
        (dict(propagator=KNeighborsClassifier), r"propagator must be an estimator, such as KNeighborsClassifier\(\)"),
        (dict(modalities={"visual": slice("a", "b")}), r"modalities\['visual'\] must be a slice of column positions"),
        (dict(modalities={}), "modalities must name at least one"),
        (dict(modalities="visual"), "modalities must be a dict"),
        (dict(modalities=["visual", "text"]), "modalities must be a dict"),
        (dict(preprocessing="L3"), "preprocessing 'L3': choose from RAW, L2, STD, MM, L2STD, DECIMAL, PCAL2"),
        (dict(exchange="nearest"), "exchange 'nearest': choose from distance, rank, scale, probability, calibrated"),
        (dict(exchange="calibrated", propagator=KNeighborsClassifier()), "exchange 'calibrated'.*leave out propagator"),
        (dict(rounds=-1), "rounds must be a whole number of at least 0, got -1"),
        (dict(transfer="sound"), "transfer 'sound': choose from exchange, crosswise, visual, text"),
        (dict(fusion="sum"), "fusion 'sum': choose from calibrated, mean, maximum"),
        (dict(class_weight="equal"), "class_weight 'equal': choose from share, balanced, None"),
        (dict(class_weight="balanced", base_estimator=KNeighborsClassifier()), "KNeighborsClassifier does not"),
        (dict(min_margin=1.5), r"min_margin must be a number in \[0, 1\], got 1.5"),
        (dict(min_margin="much"), "min_margin"),
        (dict(max_seeds=0), "max_seeds"),
        (dict(propagator=RidgeClassifier()), "propagator must have predict_proba, but RidgeClassifier"),
    ],
)
def test_parameters_that_are_refused(parameters, message):
    X, y, _ = views()
    with pytest.raises(ValueError, match=message):
        CMCSLClassifier(**{"modalities": TWO, **parameters}).fit(X, y)


def test_a_column_name_that_is_not_there():
    X, y, _ = views()
    with pytest.raises(CmcslError, match=r"modalities\['text'\] names columns.*'z'"):
        CMCSLClassifier(modalities={"text": ["a", "z"]}).fit(pd.DataFrame(X, columns=list("abcde")), y)


@pytest.mark.parametrize("make", CLASSIFIERS)
def test_labels_that_are_refused(make):
    X, y, _ = views()
    for labels, message in (
        (np.full(len(y), -1), "y has no labelled row"),
        (np.full(len(y), None), "y has no labelled row"),
        (np.where(y == 0, 0, -1), "one class only, 0"),
        (np.where(y > 0, "a", "-1"), "string '-1'.*dtype object"),
        (np.where(y > 0, "a", "-1").astype(object), "string '-1'"),
        (np.where(y > 0, "a", "nan"), "string 'nan'.*dtype object"),
        (np.where(y > 0, "a", y.astype(object)), "strings and other labels"),
        (np.where(y > 0, y, np.nan), "Input y contains NaN: give rows without a label -1"),
        (y[:-1], "inconsistent numbers of samples"),
        (None, "requires y to be passed"),
    ):
        with pytest.raises(ValueError, match=message):
            make(modalities=TWO).fit(X, labels)


def test_frames_of_a_dict_keep_their_columns():
    X, y, _ = views()
    frame = pd.DataFrame(X, columns=list("abcde"))
    frames = {"visual": frame[["a", "b"]], "text": frame[["c", "d", "e"]]}
    of_frames = CMCSLClassifier().fit(frames, y)
    of_frame = CMCSLClassifier(modalities={"visual": ["a", "b"], "text": ["c", "d", "e"]}).fit(frame, y)
    assert (of_frames.predict(frames) == of_frame.predict(frame)).all()
    for fitted in (of_frames, of_frame):
        with pytest.raises(CmcslError, match=r"X\['visual'\] must have the columns .*'a', 'b', got 'b', 'a'"):
            fitted.predict({**frames, "visual": frame[["b", "a"]]})


def test_full_labelling_needs_all_labels():
    X, y, _ = views()
    with pytest.raises(CmcslError, match=f"{(y < 0).sum()} rows without"):
        FullyLabeledClassifier(modalities=TWO).fit(X, y)


def test_features_that_are_refused():
    X, y, _ = views()
    fitted = CMCSLClassifier(modalities=TWO).fit(X, y)
    arrays = {name: X[:, columns] for name, columns in TWO.items()}
    nothing, partly, text = X.copy(), X.copy(), X.copy()
    nothing[7], partly[7, 3], text[:, 2:] = np.nan, np.nan, np.nan
    for data, message in (
        (nothing, "NaN in every modality in row 7"),
        (partly, "NaN in some of the columns of modality 'text' in row 7"),
        ({**arrays, "text": arrays["text"][:-1]}, "equally many rows, got visual 60, text 59"),
        ({**arrays, "sound": arrays["text"]}, "'sound'"),
        ({**arrays, "text": arrays["visual"]}, r"out of range: X has 4 columns|X\['text'\] has 2 features.*3"),
        ({}, "no array"),
    ):
        with pytest.raises(ValueError, match=message):
            clone(fitted).fit(data, y)
        with pytest.raises(ValueError, match=message):
            fitted.predict(data)
    with pytest.raises(CmcslError, match="Modality 'text' is missing in every row"):
        clone(fitted).fit(text, y)
    with pytest.raises(CmcslError, match="modality 'all'"):
        EarlyFusionClassifier(modalities=TWO).fit(text, y)


def few_labels(n=120):
    """Two well separated classes, and which rows have a label."""
    random = np.random.default_rng(1)
    truth = np.arange(n) % 2
    return random.normal(size=(n, 10)) + truth[:, None] * 2, truth, np.arange(n) % 10 < 2


@pytest.mark.parametrize("kind", ["voting", "bagging", "one versus rest"])
def test_meta_estimators_that_number_classes_anew_are_told_which_rows_have_a_label(kind):
    X, truth, labeled = few_labels()
    with config_context(enable_metadata_routing=True):
        one = CMCSLClassifier(modalities={"visual": slice(0, 6), "text": slice(6, 10)}).set_fit_request(labeled=True)
        model = {
            "voting": VotingClassifier([("one", one), ("two", clone(one))], voting="soft"),
            "bagging": BaggingClassifier(one, n_estimators=3, random_state=0),
            "one versus rest": OneVsRestClassifier(one),
        }[kind]
        # Where there is no label, any class will do.
        model.fit(X, np.where(labeled, truth, 0), labeled=labeled)
        assert model.classes_.tolist() == [0, 1] and model.score(X, truth) > 0.9


def test_y_without_unlabelled_rows_is_noticed_unless_it_is_meant():
    X, truth, labeled = few_labels()
    with pytest.warns(UserWarning, match="no unlabelled row.*VotingClassifier.*labeled"):
        CMCSLClassifier().fit(X, truth)
    with pytest.warns(UserWarning, match="no unlabelled row"):
        VotingClassifier([("one", CMCSLClassifier())]).fit(X, np.where(labeled, truth, -1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CMCSLClassifier().fit(X, truth, labeled=np.ones(len(X), dtype=bool))


def test_minus_one_may_be_a_class():
    X, truth, labeled = few_labels()
    fitted = CMCSLClassifier(min_margin=0.99).fit(X, 2 * truth - 1, labeled=labeled)
    assert fitted.classes_.tolist() == [-1, 1]
    assert (fitted.predict(X) == 2 * truth - 1).mean() > 0.9
    assert fitted.transduction_[labeled].tolist() == (2 * truth - 1)[labeled].tolist()
    assert set(fitted.transduction_[~labeled]) == {None}, "no label is not the class -1"


def test_a_class_minus_one_is_scored():
    X, truth, labeled = few_labels()
    y = 2 * truth - 1
    fitted = CMCSLClassifier().fit(X, y, labeled=labeled)
    wrong = np.where(np.arange(len(y)) == 0, -y, y)
    assert fitted.score(X, wrong) == (fitted.predict(X) == wrong).mean() < 1
    known = np.where(labeled, wrong, None)
    assert fitted.score(X, known) == (fitted.predict(X) == wrong)[labeled].mean() < 1


@pytest.mark.parametrize("mask", [[True], np.zeros(120), np.ones((120, 1), dtype=bool)])
def test_labeled_that_is_no_mask_is_refused(mask):
    X, truth, _ = few_labels()
    with pytest.raises(CmcslError, match=r"labeled must be one truth value per row, shape \(120,\)"):
        CMCSLClassifier().fit(X, truth, labeled=mask)


def test_labels_of_arrow_with_nulls():
    X, truth, labeled = few_labels()
    y = pa.array([int(label) if known else None for label, known in zip(truth, labeled, strict=True)])
    fitted = CMCSLClassifier().fit(X, y)
    assert fitted.classes_.tolist() == [0, 1]
    expected = CMCSLClassifier().fit(X, np.where(labeled, truth, -1))
    np.testing.assert_array_equal(fitted.transduction_, expected.transduction_)


def test_frames_of_any_library_must_keep_the_order_of_their_columns():
    """Frames of polars were taken in any order: accuracy fell from .97 to .44."""

    class Frame:
        def __init__(self, array, columns):
            self.array, self.columns = array, columns

        def __array__(self, dtype=None, copy=None):
            return np.asarray(self.array, dtype)

        @property
        def shape(self):
            return self.array.shape

    X, truth, labeled = few_labels()
    y = np.where(labeled, truth, -1)
    fitted = CMCSLClassifier().fit({"visual": Frame(X[:, :2], ["a", "b"]), "text": X[:, 2:]}, y)
    fitted.predict({"visual": Frame(X[:, :2], ["a", "b"]), "text": X[:, 2:]})
    with pytest.raises(CmcslError, match="in their order, 'a', 'b', got 'b', 'a'"):
        fitted.predict({"visual": Frame(X[:, 1::-1], ["b", "a"]), "text": X[:, 2:]})


def test_nan_is_allowed_where_a_transformer_takes_it():
    takes_nan = make_pipeline(SimpleImputer(), StandardScaler())
    assert get_tags(CMCSLClassifier(preprocessing=takes_nan)).input_tags.allow_nan
    assert not get_tags(CMCSLClassifier(modalities=TWO)).input_tags.allow_nan
