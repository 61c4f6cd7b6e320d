import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from cmcsl_lib.errors import CmcslError
from cmcsl_lib.statistics import better_by_f_test, better_by_wilcoxon, combined_f_test, holm, ranks

DIFFERENCES = arrays(float, (5, 2), elements=st.floats(-1, 1, width=32).map(float))


def mlxtend_arithmetic(differences):
    """F and p as mlxtend's combined_ftest_5x2cv computes them from the differences of its folds."""
    numerator, denominator = 0.0, 0.0
    for first, second in differences:
        mean = (first + second) / 2.0
        numerator += first**2 + second**2
        denominator += (first - mean) ** 2 + (second - mean) ** 2
    f = numerator / (2 * denominator)
    return f, stats.f.sf(f, 10, 5)


@given(DIFFERENCES)
def test_f_test_agrees_with_mlxtends_formula(differences):
    if (differences[:, 0] - differences[:, 1]).any():
        with np.errstate(all="ignore"):
            assert combined_f_test(differences) == pytest.approx(mlxtend_arithmetic(differences), rel=1e-9)


def test_f_test_agrees_with_mlxtend_itself():
    evaluate = pytest.importorskip("mlxtend.evaluate")
    datasets = pytest.importorskip("sklearn.datasets")
    from sklearn.model_selection import train_test_split
    from sklearn.naive_bayes import GaussianNB
    from sklearn.tree import DecisionTreeClassifier

    X, y = datasets.load_iris(return_X_y=True)
    X = X + np.random.default_rng(0).normal(0, 2, X.shape)
    one, other = GaussianNB(), DecisionTreeClassifier(random_state=0)
    expected = evaluate.combined_ftest_5x2cv(one, other, X, y, random_seed=7)
    # mlxtend draws its divisions from one generator; the halves of a division belong together.
    random = np.random.RandomState(7)
    differences = np.empty((5, 2))
    for repetition in range(5):
        state = random.randint(low=0, high=2**15 - 1)
        halves = train_test_split(X, y, test_size=0.5, random_state=state)
        for fold, (X1, X2, y1, y2) in enumerate([halves, (halves[1], halves[0], halves[3], halves[2])]):
            differences[repetition, fold] = other.fit(X1, y1).score(X2, y2) - one.fit(X1, y1).score(X2, y2)
    assert combined_f_test(differences) == pytest.approx(expected)


def test_f_test_without_variance_has_defined_answers():
    assert combined_f_test(np.zeros((5, 2))) == (0, 1)
    assert combined_f_test(np.full((5, 2), 0.25)) == (np.inf, 0)


@pytest.mark.parametrize(("wrong", "told"), [(np.zeros((2, 5)), r"\(\.\.\., 5, 2\)"), (np.full((5, 2), np.nan), "finite")])
def test_f_test_refuses_other_input(wrong, told):
    with pytest.raises(CmcslError, match=told):
        combined_f_test(wrong)


def test_holm_on_known_values():
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.6, 0.9])).tolist() == [1, 1]


def test_ranks_are_higher_for_better_and_average_ties():
    assert ranks(np.array([[0.1, 0.3, 0.2], [0.5, 0.5, 0.1]])).tolist() == [[1, 3, 2], [2.5, 2.5, 1]]


def test_better_by_f_test_needs_a_clear_difference_in_the_right_direction():
    noise = np.random.default_rng(0).normal(0, 0.001, (3, 5, 2))
    better = better_by_f_test(np.array([0.5, 0.5, 0.9])[:, None, None] + noise)
    assert better.tolist() == [[False, False, False], [False, False, False], [True, True, False]]


def test_better_by_wilcoxon_over_datasets():
    base = np.linspace(0.5, 0.9, 10)
    better = better_by_wilcoxon(np.column_stack([base, base, base + np.linspace(0.01, 0.1, 10)]))
    assert better.tolist() == [[False, False, False], [False, False, False], [True, True, False]]


def test_wilcoxon_over_one_dataset_finds_nothing():
    assert not better_by_wilcoxon(np.array([[0.1, 0.5, 0.9]])).any()
