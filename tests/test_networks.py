"""Networks of Section II: limits in which they are something known, toy data, and what is refused."""

import doctest

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from cmcsl_lib.estimators.related import AutoencoderClassifier, autoencoder
from cmcsl_lib.files.errors import CmcslError

CLASSIFIERS = [AutoencoderClassifier]
TWO = {"visual": [0, 1], "text": [2, 3, 4]}
CHECKED = {"first": [0], "others": slice(1, None)}


def views(n=60, seed=0):
    """Two views of three classes, one seed in four rows, and the true classes."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = random.normal(size=(3, 5))[y] * 3 + random.normal(size=(n, 5))
    return X, np.where(np.arange(n) // 3 % 4 == 0, y, -1), y


def lacking(X, rows, modality="text"):
    """The same without a modality in some rows."""
    X = X.copy()
    X[np.ix_(rows, TWO[modality])] = np.nan
    return X


def excused(estimator):
    """Checks that fail, and why."""
    failed = {"check_classifiers_classes": "-1 stands for no label"}
    if isinstance(estimator, AutoencoderClassifier) and estimator.base_estimator is None and estimator.width > 2:
        failed["check_class_weight_classifiers"] = (
            "64 values of a code of two features outweigh any prior of naive Bayes"
        )
    return failed


@parametrize_with_checks(
    [make() for make in CLASSIFIERS]
    + [AutoencoderClassifier(LogisticRegression()), AutoencoderClassifier(width=2, propagate=True)]
    # Of several modalities some may be missing, so that checks put NaN here and there: gaps must be filled in.
    + [
        make(modalities=CHECKED, preprocessing=make_pipeline(SimpleImputer(), StandardScaler())) for make in CLASSIFIERS
    ],
    expected_failed_checks=excused,
)
def test_scikit_learn_accepts(estimator, check):
    check(estimator)


@pytest.mark.parametrize("module", [autoencoder], ids=lambda module: module.__name__)
def test_examples(module):
    results = doctest.testmod(module)
    assert results.attempted and not results.failed


@pytest.mark.parametrize("make", CLASSIFIERS)
def test_classes_are_told_apart_with_and_without_a_modality(make):
    X, labels, y = views()
    fitted = make(modalities=TWO, random_state=0).fit(X, labels)
    assert (fitted.predict(X) == y).mean() > 0.9
    gaps = lacking(X, np.arange(0, 60, 5))
    assert (make(modalities=TWO, random_state=0).fit(gaps, labels).predict(gaps) == y).mean() > 0.8
    with_names = np.array(["c", "a", "b"])[y].astype(object)
    with_names[labels < 0] = None
    assert set(make(modalities=TWO, random_state=0).fit(X, with_names).predict(X)) == {"a", "b", "c"}


@pytest.mark.parametrize("make", CLASSIFIERS)
def test_the_random_state_decides_and_that_of_the_process_does_not(make):
    X, labels = np.random.default_rng(0).normal(size=(60, 5)), views()[1]
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (
        make(modalities=TWO, random_state=seed).fit(X, labels).predict_proba(X) for seed in (0, 0, 1)
    )
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize("make", CLASSIFIERS)
def test_a_dict_may_leave_out_a_modality_whose_preprocessing_changes_the_number_of_features(make):
    X, labels, _ = views()
    fitted = make(modalities=TWO, preprocessing=make_pipeline(StandardScaler(), PCA(1)), random_state=0).fit(X, labels)
    alone = fitted.predict_proba({"visual": X[:, :2]})
    np.testing.assert_allclose(alone, fitted.predict_proba(lacking(X, np.arange(60))))


@pytest.mark.parametrize("make", CLASSIFIERS)
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (dict(width=0), "width must be a whole number of at least 1, got 0"),
        (dict(width=2.5), "width must be a whole number"),
        (dict(max_iter=True), "max_iter must be a whole number"),
        (dict(preprocessing="PCA"), "preprocessing"),
        (dict(modalities={"a": [9]}), "out of range"),
    ],
)
def test_parameters_that_are_refused(make, parameters, message):
    X, labels, _ = views()
    with pytest.raises(ValueError, match=message) as error:
        make(**{"modalities": TWO, **parameters}).fit(X, labels)
    assert isinstance(error.value, CmcslError) and "\n" not in str(error.value)


# Autoencoder


def reconstruction_error(X, **parameters):
    """Mean squared error of an autoencoder with linear units, after many epochs."""
    fitted = AutoencoderClassifier(
        modalities=TWO, preprocessing="STD", activation="identity", max_iter=2000, random_state=0, **parameters
    ).fit(X, np.arange(len(X)) % 2)
    X = StandardScaler().fit_transform(X)
    return np.mean((fitted.autoencoder_.predict(X.astype(np.float32)) - X) ** 2)


def test_an_autoencoder_of_full_width_with_linear_units_reconstructs():
    X, _, _ = views(200)
    assert reconstruction_error(X, width=5) < 0.01


@pytest.mark.parametrize("width", [1, 2])
def test_a_narrow_one_with_linear_units_reconstructs_as_principal_components_do(width):
    """Baldi and Hornik, 1989."""
    X, _, _ = views(200)
    scaled = StandardScaler().fit_transform(X)
    pca = PCA(width).fit(scaled)
    least = np.mean((pca.inverse_transform(pca.transform(scaled)) - scaled) ** 2)
    assert least <= reconstruction_error(X, width=width) < 1.05 * least


def test_the_code_is_learnt_without_labels_and_the_classifier_from_the_seeds_alone():
    X, labels, y = views()
    first, second = (
        AutoencoderClassifier(LogisticRegression(), modalities=TWO, class_weight=None, random_state=0).fit(X, known)
        for known in (labels, y)
    )
    assert (first.code(X) == second.code(X)).all() and first.code(X).shape == (60, 64)
    seeds = labels >= 0
    alone = LogisticRegression().fit(first.code(X)[seeds], y[seeds])
    np.testing.assert_allclose(first.predict_proba(X), alone.predict_proba(first.code(X)))
    assert (first.transduction_ == labels).all()


def test_propagated_labels_are_those_of_the_nearest_seed_in_the_code():
    X, labels, _ = views()
    fitted = AutoencoderClassifier(modalities=TWO, propagate=True, class_weight=None, random_state=0).fit(X, labels)
    code, seeds = fitted.code(X), labels >= 0
    nearest = KNeighborsClassifier(1).fit(code[seeds], labels[seeds]).predict(code)
    assert (fitted.transduction_ == nearest).all()
    np.testing.assert_allclose(fitted.predict_proba(X), GaussianNB().fit(code, nearest).predict_proba(code))


def test_parameters_of_the_autoencoder_that_are_refused():
    X, labels, _ = views()
    for parameters, message in (
        (dict(activation="sine"), "activation 'sine'|activation.*identity, relu, tanh"),
        (dict(propagate="yes"), "propagate must be True or False, got 'yes'"),
        (dict(base_estimator=PCA()), "base_estimator must be a classifier"),
    ):
        with pytest.raises(CmcslError, match=message):
            clone(AutoencoderClassifier(modalities=TWO)).set_params(**parameters).fit(X, labels)
