"""Networks of Section II: limits in which they are something known, toy data, and what is refused."""

import doctest
import sys

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

from cmcsl_lib.estimators.related import (
    AutoencoderClassifier,
    GatedMultimodalClassifier,
    PrototypeClassifier,
    autoencoder,
    gated,
    prototypes,
)
from cmcsl_lib.estimators.related.prototypes import consistency_loss, prototype_loss
from cmcsl_lib.files.errors import CmcslError

CLASSIFIERS = [AutoencoderClassifier, GatedMultimodalClassifier, PrototypeClassifier]
TRAINED_BY_TORCH = CLASSIFIERS[1:]
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


@pytest.mark.parametrize("module", [autoencoder, gated, prototypes], ids=lambda module: module.__name__)
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


@pytest.mark.parametrize("make", TRAINED_BY_TORCH)
def test_without_torch_the_command_that_installs_it_is_named(monkeypatch, make):
    X, labels, _ = views()
    fitted = make(modalities=TWO).fit(X, labels)
    monkeypatch.setitem(sys.modules, "torch", None)
    for use in (lambda: fitted.predict(X), lambda: make().fit(X, labels)):
        with pytest.raises(CmcslError, match=rf"^{make.__name__} needs torch: pip install [^\n]*extract[^\n]*$"):
            use()


@pytest.mark.parametrize("make", TRAINED_BY_TORCH)
def test_threads_of_torch_are_left_as_they_are(make):
    torch = pytest.importorskip("torch")
    X, labels, _ = views()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        make(modalities=TWO).fit(X, labels).predict(X)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("make", TRAINED_BY_TORCH)
def test_a_modality_alone_is_what_its_rows_without_the_others_are(make):
    X, labels, _ = views()
    fitted = make(modalities=TWO, random_state=0).fit(X, labels)
    gaps = lacking(X, np.arange(20))
    visual, text = fitted.predict_proba_by_modality(gaps).values()
    np.testing.assert_allclose(visual, fitted.predict_proba(lacking(X, np.arange(60))), rtol=1e-5)
    assert np.isnan(text[:20]).all() and not np.isnan(text[20:]).any()
    np.testing.assert_allclose(visual[:20], fitted.predict_proba(gaps)[:20], rtol=1e-5)
    by_text = fitted.predict_by_modality(gaps)["text"]
    assert (by_text[:20] == -1).all() and (by_text[20:] == text[20:].argmax(axis=1)).all()


# Autoencoder


def reconstruction_error(X, **parameters):
    """Mean squared error of an autoencoder with linear units, after many epochs."""
    fitted = AutoencoderClassifier(
        modalities=TWO, preprocessing="STD", activation="identity", max_iter=400, random_state=0, **parameters
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


@pytest.mark.parametrize("make", TRAINED_BY_TORCH)
@pytest.mark.parametrize("rate", [0, -1.0, np.inf, np.nan, "small"])
def test_learning_rates_that_are_refused(make, rate):
    X, labels, _ = views()
    with pytest.raises(CmcslError, match="^learning_rate_init must be a finite number above 0, got"):
        make(learning_rate_init=rate).fit(X, labels)


def test_parameters_of_the_autoencoder_that_are_refused():
    X, labels, _ = views()
    for parameters, message in (
        (dict(activation="sine"), "activation 'sine'|activation.*identity, relu, tanh"),
        (dict(propagate="yes"), "propagate must be True or False, got 'yes'"),
        (dict(base_estimator=PCA()), "base_estimator must be a classifier"),
    ):
        with pytest.raises(CmcslError, match=message):
            clone(AutoencoderClassifier(modalities=TWO)).set_params(**parameters).fit(X, labels)


# Gated multimodal units


def gated_fitted(X, labels, modalities=TWO, **parameters):
    parameters = {"preprocessing": "STD", "width": 7, "learning_rate_init": 0.03, "random_state": 0, **parameters}
    return GatedMultimodalClassifier(modalities=modalities, **parameters).fit(X, labels)


@pytest.mark.parametrize("modalities", [TWO, {"a": [0], "b": [1, 2], "c": [3, 4]}])
def test_gates_sum_to_one_and_one_of_a_missing_modality_is_zero(modalities):
    X, labels, _ = views()
    X[np.ix_(np.arange(20), next(iter(modalities.values())))] = np.nan
    first, *others = gated_fitted(X, labels, modalities).gates(X).values()
    np.testing.assert_allclose(first + sum(others), np.ones((60, 7)), rtol=1e-6)
    assert (first[:20] == 0).all() and (first[20:] > 0).all() and (first[20:] < 1).all()
    if len(others) == 1:
        assert (others[0][:20] == 1).all()


def test_two_modalities_are_gated_as_arevalo_et_al_write_it():
    X, labels, _ = views()
    fitted = gated_fitted(X, labels)
    visual, text = (StandardScaler().fit_transform(X[:, columns]) for columns in TWO.values())
    weights = fitted.weights_
    z = 1 / (1 + np.exp(-np.hstack([visual, text]) @ weights["gates"]))
    h = z * np.tanh(visual @ weights["unit visual"]) + (1 - z) * np.tanh(text @ weights["unit text"])
    np.testing.assert_allclose(fitted.gates(X)["visual"], z, atol=1e-5)
    support = np.exp(h @ weights["classes"] + weights["biases"])
    np.testing.assert_allclose(fitted.predict_proba(X), support / support.sum(axis=1, keepdims=True), atol=1e-5)


def test_with_one_modality_it_is_a_plain_layer_of_tanh():
    X, labels, _ = views()
    fitted = gated_fitted(X, labels, None)
    assert (fitted.gates(X)["all"] == 1).all() and fitted.weights_["gates"].size == 0
    hidden = np.tanh(StandardScaler().fit_transform(X) @ fitted.weights_["unit all"])
    support = np.exp(hidden @ fitted.weights_["classes"] + fitted.weights_["biases"])
    np.testing.assert_allclose(fitted.predict_proba(X), support / support.sum(axis=1, keepdims=True), atol=1e-5)


def test_gates_learn_where_a_modality_tells_the_classes():
    """A feature of the second modality says in which rows the first is noise; there its gates close."""
    random = np.random.default_rng(0)
    y, noisy = np.arange(400) % 2, np.arange(400) // 2 % 2
    sign = np.where(y, 1, -1)[:, None]
    visual = np.where(noisy[:, None], random.normal(size=(400, 1)), sign) * 2
    X = np.hstack([visual, random.normal(size=(400, 1)) + sign / 2, 2.0 * noisy[:, None] - 1])
    fitted = gated_fitted(X, y, {"visual": [0], "text": [1, 2]}, max_iter=200)
    visual_gates = fitted.gates(X)["visual"].mean(axis=1)
    assert visual_gates[noisy == 0].mean() > visual_gates[noisy == 1].mean() + 0.1


def test_gated_units_learn_labelled_rows_alone_and_lower_their_loss():
    X, labels, y = views()
    seeds = labels >= 0
    from_all, from_seeds = (
        gated_fitted(X, labels, preprocessing="RAW"),
        gated_fitted(X[seeds], y[seeds], preprocessing="RAW"),
    )
    assert (from_all.predict_proba(X) == from_seeds.predict_proba(X)).all()
    assert from_all.loss_curve_[-1] < from_all.loss_curve_[0] / 2 and from_all.n_iter_ == len(from_all.loss_curve_)


def test_training_ends_where_the_loss_stops_falling():
    X, labels, _ = views()
    assert gated_fitted(X * 10, labels, preprocessing="RAW", max_iter=5000).n_iter_ < 5000


def test_a_class_of_weight_zero_does_no_harm():
    X, labels, _ = views()
    assert np.isfinite(gated_fitted(X, labels, class_weight={0: 1.0, 1: 1.0, 2: 0.0}).predict_proba(X)).all()


# Prototypes and three losses


def tensor(values):
    """Rows of modalities as a tensor of single precision."""
    torch = pytest.importorskip("torch")
    return torch.tensor(values, dtype=torch.float32)


def everywhere(units):
    """That all rows have all modalities."""
    return units.new_ones(units.shape[:2], dtype=bool)


def test_consistency_is_zero_where_modalities_agree_and_else_their_squared_distance():
    same = tensor([[[1, 0], [1, 0]], [[0, 1], [0, 1]]])
    assert consistency_loss(same, everywhere(same)).item() == 0
    units = tensor([[[1, 0], [0, 1]], [[1, 0], [-1, 0]]])
    present = everywhere(units)
    assert consistency_loss(units, present).item() == 3  # the mean of 2 and 4
    present[1, 0] = False
    assert consistency_loss(units, present).item() == 2
    present[0, 1] = False
    assert consistency_loss(units, present).item() == 0
    assert consistency_loss(units[:, :1], present[:, :1]).item() == 0


def test_the_loss_of_prototypes_is_zero_for_rows_at_their_own_and_cold():
    units, classes = tensor([[[1, 0], [1, 0]], [[0, 1], [0, 1]]]), tensor([[3, 0], [0, 0.5]])
    labels = everywhere(units)[:, 0].cumsum(0) - 1  # 0, 1
    present = everywhere(units)
    assert prototype_loss(units, present, classes, labels, 0.001).item() == 0
    # Cosines of 1 and 0.
    assert prototype_loss(units, present, classes, labels, 1.0).item() == pytest.approx(np.log(1 + np.exp(-1)))
    assert prototype_loss(units, present, classes, labels.flip(0), 1.0).item() == pytest.approx(np.log(1 + np.e))
    unknown = labels * 0 - 1
    assert prototype_loss(units, present, classes, unknown, 1.0).item() == 0
    present[1] = False
    labels[1] = 0
    assert prototype_loss(units, present, classes, labels, 0.001).item() == 0, "row 1 has no modality"


def prototypes_fitted(X, labels, **parameters):
    parameters = {"modalities": TWO, "preprocessing": "STD", "learning_rate_init": 0.01, "random_state": 0} | parameters
    return PrototypeClassifier(**parameters).fit(X, labels)


def test_without_the_two_other_losses_it_is_a_plain_classifier():
    """A linear map after another is linear: it is logistic regression without a penalty."""
    X, _, y = views()
    X = X / 4 + np.random.default_rng(5).normal(size=X.shape)
    parameters = {"consistency_weight": 0, "prototype_weight": 0, "class_weight": None, "max_iter": 1000}
    fitted = prototypes_fitted(X, y, modalities=None, **parameters)
    scaled = StandardScaler().fit_transform(X)
    plain = LogisticRegression(C=1e6).fit(scaled, y).predict_proba(scaled)
    assert np.abs(fitted.predict_proba(X) - plain).max() < 0.03 < plain.std()


def test_modalities_are_heard_alike():
    X, labels, _ = views()
    fitted = prototypes_fitted(X, labels)
    mean = np.mean(list(fitted.predict_proba_by_modality(X).values()), axis=0)
    np.testing.assert_allclose(fitted.predict_proba(X), mean, atol=1e-6)


def test_cross_entropy_falls_towards_zero_where_classes_are_apart():
    _, labels, y = views()
    losses = prototypes_fitted(
        y[:, None] == np.arange(3) * np.ones(3),
        labels,
        modalities=None,
        consistency_weight=0,
        prototype_weight=0,
        max_iter=300,
        learning_rate_init=0.1,
    ).loss_curve_
    assert losses[-1] < 0.01 < losses[0]


def test_consistency_teaches_a_modality_what_its_unlabelled_pairs_show():
    """Seeds have no text, so that only pairs can tell what a text's class is."""
    X, _, y = views(120)
    X, labels = lacking(X, np.arange(12)), np.where(np.arange(120) < 12, y, -1)
    alone, together = (
        prototypes_fitted(X, labels, consistency_weight=weight, prototype_weight=0).predict_by_modality(X)["text"]
        for weight in (0, 1)
    )
    assert (together == y)[12:].mean() > 0.9 > 0.7 > (alone == y)[12:].mean()


def test_rows_of_one_class_gather_around_one_prototype():
    X, labels, y = views()
    fitted = prototypes_fitted(X, labels, prototype_weight=5, max_iter=100)
    scaled = StandardScaler().fit_transform(X)
    classes = fitted.weights_["prototypes"]
    for name, columns in TWO.items():
        projected = scaled[:, columns] @ fitted.weights_[f"projection {name}"]
        cosines = projected @ (classes / np.linalg.norm(classes, axis=1, keepdims=True)).T
        assert (cosines.argmax(axis=1) == y).mean() > 0.8


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (dict(consistency_weight=-1), "consistency_weight must be a finite number of at least 0, got -1"),
        (dict(prototype_weight=np.inf), "prototype_weight must be a finite number of at least 0, got inf"),
        (dict(temperature=0), "temperature must be a finite number above 0, got 0"),
        (dict(threshold=1.5), r"threshold must be a number in \[0, 1\], got 1.5"),
    ],
)
def test_parameters_of_the_three_losses_that_are_refused(parameters, message):
    X, labels, _ = views()
    with pytest.raises(CmcslError, match=message):
        prototypes_fitted(X, labels, **parameters)
