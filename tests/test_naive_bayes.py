import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import MinMaxScaler

from cmcsl_lib.method import naive_bayes


def scikit_learn(X, labels, weights):
    """The classifier to be met, in double precision."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return GaussianNB().fit(X.astype(np.float64), labels, sample_weight=weights)


def check_labels(predicted, model, X_test):
    """Equal labels, but where scikit-learn's two best likelihoods differ by no more than 1e-9 of themselves."""
    with np.errstate(divide="ignore", invalid="ignore"):
        likelihoods = np.sort(model.predict_joint_log_proba(X_test.astype(np.float64)), axis=1)
        expected = model.predict(X_test.astype(np.float64))
    if likelihoods.shape[1] > 1:
        best, second = likelihoods[:, -1], likelihoods[:, -2]
        clear = best - second > 1e-9 * np.abs(best)
        predicted, expected = predicted[clear], expected[clear]
    assert predicted.tolist() == expected.tolist()


@st.composite
def problems(draw):
    """Training and test rows, labels of several fits, weights, number of classes."""
    n, m, d = draw(st.integers(2, 40)), draw(st.integers(1, 10)), draw(st.integers(1, 8))
    k, f = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = random.normal(size=(n + m, d))
    if draw(st.booleans()):
        X = X.round()
    X = (X + random.choice([0, 1, 100], size=d)) * 10.0 ** random.integers(-3, 4, size=d)
    # Constant features, but one; duplicated rows, but one.
    X[:, 1:] = np.where(random.random(d - 1) < 0.2, X[0, 1:], X[:, 1:])
    if draw(st.booleans()):
        X[1:n] = X[random.integers(1, n, size=n - 1)]
    X[0, 0] = X[:, 0].max() + abs(X[:, 0]).max() + 1
    if draw(st.booleans()):
        X = X.astype(np.float32)
    labels = random.integers(0, k, size=(f, n))
    if draw(st.booleans()):
        labels[0] = labels[0, 0]
    weights = random.random((f, n)) * (random.random((f, n)) < draw(st.sampled_from([0.5, 1])))
    weights[:, 0] = 1
    return X[:n], X[n:], labels, weights, k


@given(problems())
def test_labels_are_those_of_scikit_learn(problem):
    X, X_test, labels, weights, k = problem
    predicted, _ = naive_bayes.classify(naive_bayes.fit(X, labels, weights, k), X_test)
    assert predicted.dtype == np.int64
    for own, own_labels, own_weights in zip(predicted, labels, weights, strict=True):
        check_labels(own, scikit_learn(X, own_labels, own_weights), X_test)


@given(problems())
def test_fits_of_few_rows_are_those_of_scikit_learn(problem):
    X, X_test, labels, weights, k = problem
    # Rows that stand several times, as seeds that are drawn with replacement do.
    several = [np.append(np.arange(len(X)) // 2, number % len(X)) for number in range(len(labels))]
    fitted = naive_bayes.join(
        [
            naive_bayes.fit_one(X[rows], own[rows], weight[rows], k)
            for rows, own, weight in zip(several, labels, weights, strict=True)
        ]
    )
    predicted, _ = naive_bayes.classify(fitted, X_test)
    for own, rows, own_labels, own_weights in zip(predicted, several, labels, weights, strict=True):
        check_labels(own, scikit_learn(X[rows], own_labels[rows], own_weights[rows]), X_test)


@given(problems())
def test_means_and_variances_are_those_of_scikit_learn(problem):
    X, _, labels, weights, k = problem
    weights = weights + 0.1
    fitted = naive_bayes.fit(X, labels, weights, k)
    spread = X.astype(np.float64).std(axis=0).max()
    for number, (own, weight) in enumerate(zip(labels, weights, strict=True)):
        model = scikit_learn(X, own, weight)
        present = model.classes_
        assert np.allclose(np.exp(fitted.log_prior[number, present]), model.class_prior_, rtol=1e-12)
        assert np.isneginf(np.delete(fitted.log_prior[number], present)).all()
        assert np.allclose(fitted.mean[number, present], model.theta_, rtol=1e-12, atol=1e-12 * spread)
        assert np.allclose(fitted.variance[number, present], model.var_, rtol=1e-9, atol=0)


@given(problems())
def test_probabilities_are_those_of_scikit_learn(problem):
    X, X_test, labels, weights, k = problem
    weights = weights + 0.1
    asked = range(0, len(labels), 2)
    _, probabilities = naive_bayes.classify(naive_bayes.fit(X, labels, weights, k), X_test, asked)
    for own, number in zip(probabilities, asked, strict=True):
        model = scikit_learn(X, labels[number], weights[number])
        likelihoods = model.predict_joint_log_proba(X_test.astype(np.float64))
        expected = np.zeros((len(X_test), k))
        expected[:, model.classes_] = model.predict_proba(X_test.astype(np.float64))
        # Likelihoods, hence the logarithms of probabilities, are right to SURE and to 1e-9 of themselves.
        allowed = naive_bayes.SURE + 1e-9 * abs(likelihoods).max(axis=1, keepdims=True)
        assert (abs(own - expected) <= allowed).all()


@given(problems())
def test_steps_over_few_rows_change_nothing(problem):
    X, X_test, labels, weights, k = problem
    fitted = naive_bayes.fit(X, labels, weights, k)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(naive_bayes, "MEMORY", 8 * 3 * (2 * X.shape[1] + labels.shape[0] * k))
        again = naive_bayes.fit(X, labels, weights, k)
        predicted, probabilities = naive_bayes.classify(fitted, X_test, [0])
    assert np.allclose(again.variance, fitted.variance, rtol=1e-9, atol=0)
    expected = naive_bayes.classify(fitted, X_test, [0])
    assert (predicted == expected[0]).all()
    assert probabilities == pytest.approx(expected[1], abs=1e-9)


def gaussian_data(deviations, classes=3, n=300, seed=0):
    """Rows of classes with different means, features of these deviations around 1."""
    random = np.random.default_rng(seed)
    y = random.integers(0, classes, size=2 * n)
    X = random.normal(size=(2 * n, len(deviations))) + 0.3 * random.normal(size=(classes, len(deviations)))[y]
    return X[:n] * deviations, X[n:] * deviations, y[:n]


@pytest.mark.parametrize("scaler", [None, MinMaxScaler()], ids=["RAW", "MM"])
def test_nearly_dead_features(scaler):
    # MiniLM has three such features.
    X, X_test, y = gaussian_data(np.array([1e-33, 1e-33, 4e-9] + [0.05] * 40))
    if scaler is not None:
        X, X_test = scaler.fit_transform(X), scaler.transform(X_test)
    labels = np.array([y, np.roll(y, 1), y // 2])
    weights = np.ones(labels.shape)
    predicted, _ = naive_bayes.classify(naive_bayes.fit(X, labels, weights, 3), X_test)
    for own, own_labels in zip(predicted, labels, strict=True):
        assert own.tolist() == scikit_learn(X, own_labels, None).predict(X_test).tolist()


def test_a_feature_that_is_constant_in_a_class_has_the_smoothing_as_variance():
    X, _, y = gaussian_data(np.ones(4))
    X[y == 1, 2] = 0.7
    fitted = naive_bayes.fit(X, y[None], np.ones((1, len(y))), 3)
    expected = naive_bayes.SMOOTHING * X.var(axis=0).max()
    assert fitted.variance[0, 1, 2] == pytest.approx(expected, rel=1e-12)
    # The difference of two sums alone would be far off.
    mean = (X[:, 2] - X[:, 2].mean())[y == 1].mean()
    assert mean**2 > naive_bayes.CANCELLATION * expected


def test_a_class_of_one_row():
    X, X_test, y = gaussian_data(np.ones(6))
    labels = np.where(np.arange(len(y)) == 5, 2, y % 2)
    predicted, _ = naive_bayes.classify(naive_bayes.fit(X, labels[None], np.ones((1, len(y))), 3), X_test)
    check_labels(predicted[0], scikit_learn(X, labels, None), X_test)
    assert naive_bayes.classify(naive_bayes.fit(X, labels[None], np.ones((1, len(y))), 3), X[5:6])[0] == 2


def neighbours():
    """Two classes far off the centre and 1e-6 apart, a third one opposite; rows to be classified between the two."""
    random = np.random.default_rng(0)
    spread = np.linspace(-1, 1, 50)[:, None]
    X = np.concatenate([1e6 + spread, 1e6 + 1e-6 + spread, -1e6 + spread])
    return X, np.repeat([0, 1, 2], 50)[None], 1e6 + random.normal(size=(2000, 1))


def test_what_products_round_off_is_calculated_again(monkeypatch):
    X, labels, X_test = neighbours()
    fitted = naive_bayes.fit(X, labels, np.ones(labels.shape), 3)
    expected = scikit_learn(X, labels[0], None).predict(X_test)
    predicted, _ = naive_bayes.classify(fitted, X_test)
    # The means themselves are rounded to 1e-10.
    clear = abs(X_test[:, 0] - 1e6 - 5e-7) > 1e-3
    assert (predicted[0] == expected)[clear].all()
    expand = naive_bayes._expand
    monkeypatch.setattr(naive_bayes, "_expand", lambda fitted: expand(fitted)._replace(rounding=0.0))
    assert (naive_bayes.classify(fitted, X_test)[0][0] != expected)[clear].any()


def test_probabilities_beside_a_feature_that_is_constant_in_two_classes():
    X, X_test, y = gaussian_data(np.ones(4))
    X[y > 0, 2], X_test[:, 2] = 7, 7
    fitted = naive_bayes.fit(X, y[None], np.ones((1, len(y))), 3)
    expected = scikit_learn(X, y, None).predict_proba(X_test)
    assert (np.median(expected, axis=1) > 1e-3).any()
    assert naive_bayes.classify(fitted, X_test, [0])[1][0] == pytest.approx(expected, abs=naive_bayes.SURE)


def test_a_tie_goes_to_the_first_class():
    X = np.array([[-1.0], [1.0], [-1.0], [1.0]])
    labels = np.array([[1, 1, 2, 2]])
    predicted, _ = naive_bayes.classify(naive_bayes.fit(X, labels, np.ones((1, 4)), 3), np.array([[0.5], [7.0]]))
    assert predicted.tolist() == [[1, 1]]


def test_one_class_alone():
    X, X_test, _ = gaussian_data(np.ones(3))
    labels = np.ones((1, len(X)), dtype=np.int64)
    predicted, probabilities = naive_bayes.classify(naive_bayes.fit(X, labels, np.ones(labels.shape), 3), X_test, [0])
    assert (predicted == 1).all()
    assert (probabilities == [0, 1, 0]).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_equal_rows_give_the_first_class_that_is_there():
    # scikit-learn has only NaN to choose from.
    X = np.full((4, 3), 0.5)
    labels, weights = np.array([1, 2, 2, 2]), np.ones(4)
    model = scikit_learn(X, labels, weights)
    assert model.predict(X).tolist() == [1] * 4
    for fitted in (naive_bayes.fit(X, labels[None], weights[None], 3), naive_bayes.fit_one(X, labels, weights, 3)):
        assert naive_bayes.classify(fitted, X)[0].tolist() == [[1] * 4]


@given(st.integers(1, 60), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_balanced_accuracies_are_those_of_scikit_learn(m, k, seed):
    random = np.random.default_rng(seed)
    y, predicted = random.integers(0, k, size=m), random.integers(0, k, size=(5, m))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        expected = [balanced_accuracy_score(y, own) for own in predicted]
    assert naive_bayes.balanced_accuracies(y, predicted).tolist() == expected
