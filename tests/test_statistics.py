import sys
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mlxtend.evaluate import combined_ftest_5x2cv
from scipy.stats import f, wilcoxon

from cmcsl_lib.analysis.statistics import (
    VARIANTS,
    Statistics,
    _exact_signed_rank_p,
    bayesian_signed_rank,
    better_by_f_test,
    better_by_wilcoxon,
    combined_f_test,
    f_p_value,
    holm,
    rank_comparison,
    ranks,
    variant,
    wilcoxon_p_values,
)
from cmcsl_lib.files.errors import CmcslError

differences_5x2 = arrays(float, (5, 2), elements=st.integers(-1000, 1000).map(lambda n: n / 1000))


class Recorded:
    """Stands in for a classifier: its score is the next of a list."""

    def __init__(self, scores):
        self.scores = iter(scores)

    def fit(self, X, y):
        return self


def mlxtend_f_test(first, second):
    return combined_ftest_5x2cv(
        Recorded(first.ravel()),
        Recorded(second.ravel()),
        np.zeros((8, 1)),
        np.zeros(8),
        scoring=lambda model, X, y: next(model.scores),
        random_seed=0,
    )


@pytest.mark.parametrize("seed", range(5))
def test_f_test_agrees_with_mlxtend(seed):
    first, second = np.random.default_rng(seed).uniform(0.5, 1, size=(2, 5, 2))
    assert combined_f_test(first - second) == pytest.approx(mlxtend_f_test(first, second), rel=1e-12)


def test_f_test_by_hand():
    # sum d^2 = 5 * 4 = 20, s2[i] = 1 + 1, so f = 20 / (2 * 10) = 1.
    statistic, p_value = combined_f_test([[2, 0]] * 5)
    assert statistic == 1
    assert p_value == pytest.approx(0.535, abs=5e-4)


def test_f_test_without_differences_finds_none():
    assert combined_f_test(np.zeros((5, 2))) == (0, 1)


def test_f_test_of_a_difference_without_variance_is_certain():
    assert combined_f_test(np.full((5, 2), 0.25)) == (np.inf, 0)


def test_f_test_takes_many_tests_at_once():
    d = np.random.default_rng(0).normal(size=(3, 4, 5, 2))
    many = combined_f_test(d)
    assert many.p_value.shape == (3, 4)
    assert many.p_value[2, 1] == combined_f_test(d[2, 1]).p_value


@given(differences_5x2, st.sampled_from([0.5, 2.0, -1.0, -4.0]))
def test_f_test_does_not_depend_on_scale_or_sign(d, factor):
    assert combined_f_test(factor * d) == combined_f_test(d)


@given(differences_5x2, st.permutations(range(5)))
def test_f_test_does_not_depend_on_the_order_of_repetitions(d, order):
    assert combined_f_test(d[list(order), ::-1]).p_value == pytest.approx(combined_f_test(d).p_value)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_f_test_refuses_what_is_not_finite(wrong):
    d = np.zeros((5, 2))
    d[3, 1] = wrong
    with pytest.raises(CmcslError, match="finite"):
        combined_f_test(d)


@pytest.mark.parametrize("shape", [(10,), (2, 5), (5, 2, 1)])
def test_f_test_refuses_other_shapes(shape):
    with pytest.raises(CmcslError, match=r"\(\.\.\., 5, 2\)"):
        combined_f_test(np.zeros(shape))


def test_halves_paired():
    # Scores 0 and 5, 1 and 6, ... are equal, so that the published pairing sees no variance.
    d = np.array([1, 2, 3, 4, 5, 1, 2, 3, 4, 5.0]).reshape(5, 2)
    assert combined_f_test(d, Statistics(halves_paired=False)) == (np.inf, 0)
    # Repetitions as they are: (1,2), (3,4), (5,1), (2,3), (4,5); s2 = 0.5, 0.5, 8, 0.5, 0.5.
    assert combined_f_test(d).statistic == pytest.approx(110 / (2 * 10))


@given(differences_5x2)
def test_full_denominator(d):
    halved, right = combined_f_test(d, Statistics(full_denominator=False)), combined_f_test(d)
    assert halved.statistic == 2 * right.statistic
    assert halved.p_value <= right.p_value


def test_better_by_f_test_tells_the_direction():
    noise = np.random.default_rng(0).normal(scale=1e-3, size=(5, 2))
    scores = np.stack([0.5 + noise, 0.7 - noise, 0.7 - noise])
    better = better_by_f_test(scores)
    assert better.tolist() == [[False] * 3, [True, False, False], [True, False, False]]


def test_ranks_are_averaged_over_ties():
    assert ranks(np.array([[0.1, 0.3, 0.2], [0.5, 0.5, 0.1]])).tolist() == [[1, 3, 2], [2.5, 2.5, 1]]


def test_holm_by_hand():
    # 0.01 * 4, 0.015 * 3, 0.04 * 2, and 0.03 * 1 raised to the one before it.
    assert holm([0.04, 0.01, 0.05, 0.015]) == pytest.approx([0.08, 0.04, 0.08, 0.045])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_holm_never_lowers_and_keeps_the_order(p_values):
    p, adjusted = np.array(p_values), holm(p_values)
    assert (adjusted >= p).all() and (adjusted <= np.minimum(1, p * len(p))).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


def test_two_sided():
    # The second is better in five rows of five: exact p 1/32 one-sided, 1/16 two-sided.
    values = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [0, 5.0]])
    one_sided = Statistics(two_sided=False)
    assert wilcoxon_p_values(values)[0, 1] == wilcoxon_p_values(values)[1, 0] == 1 / 16
    assert wilcoxon_p_values(values, Statistics(two_sided=False, holm=False)).tolist() == [[1, 1], [1 / 32, 1]]
    assert not better_by_wilcoxon(values).any()
    # Holm's correction then counts both directions as tests of one family.
    assert wilcoxon_p_values(values, one_sided)[1, 0] == 2 / 32
    assert better_by_wilcoxon(values, Statistics(two_sided=False, holm=False)).tolist() == [[False] * 2, [True, False]]


def test_holm_switch():
    values = np.arange(7.0)[:, None] ** 2 * [0, 1, 3] + np.arange(7.0)[:, None]
    values[0] = [0, 0.5, 1.7]
    alone = wilcoxon_p_values(values, Statistics(holm=False))[np.triu_indices(3, 1)]
    assert alone == pytest.approx([2 / 128] * 3)
    assert wilcoxon_p_values(values)[np.triu_indices(3, 1)] == pytest.approx([6 / 128] * 3)


def test_better_by_wilcoxon_tells_the_direction():
    values = np.add(np.random.default_rng(0).uniform(size=(12, 1)), [0, 0.5, 0.1])
    assert better_by_wilcoxon(values).tolist() == [[False, False, False], [True, False, True], [True, False, False]]


def test_wilcoxon_of_equal_methods_finds_none():
    values = np.repeat(np.arange(6.0)[:, None], 2, axis=1)
    assert wilcoxon_p_values(values).tolist() == [[1, 1], [1, 1]]
    assert not better_by_wilcoxon(values).any()


def test_wilcoxon_over_one_dataset_finds_nothing():
    assert not better_by_wilcoxon(np.array([[0.1, 0.5, 0.9]])).any()


def test_zero_differences_count_half_for_either_side():
    values = np.array([[0, 0], [0, 0], [0, 1], [0, 2], [0, 3], [0, 4], [0, 5.0]])
    expected = wilcoxon(values[:, 0] - values[:, 1], zero_method="zsplit").pvalue
    assert wilcoxon_p_values(values)[0, 1] == expected


@pytest.mark.parametrize("values", [np.empty((0, 2)), np.array([[0.1, np.nan]])])
def test_wilcoxon_refuses_no_rows_and_nan(values):
    with pytest.raises(CmcslError, match="finite"):
        wilcoxon_p_values(values)


def test_rank_comparison_agrees_with_scikit_posthocs():
    posthocs = pytest.importorskip("scikit_posthocs", reason="scikit-posthocs is not installed")
    values = pd.DataFrame(
        np.add(np.random.default_rng(0).uniform(size=(12, 4)), [0, 0.1, 0.3, 1.9]), columns=list("ABCD")
    )
    compared = rank_comparison(values)
    assert compared.ranks["D"] == 4
    expected = posthocs.posthoc_wilcoxon(values.to_numpy().T, zero_method="zsplit", p_adjust="holm")
    assert compared.p_values.to_numpy() == pytest.approx(expected.to_numpy())


def test_bayesian_signed_rank():
    pytest.importorskip("baycomp", reason="baycomp is not installed")
    first = np.linspace(0.6, 0.9, 15)
    better = bayesian_signed_rank(first + 0.1, first, samples=500)
    assert better.first > 0.99 and sum(better) == pytest.approx(1)
    assert bayesian_signed_rank(first, first + 0.1, samples=500).second > 0.99
    assert bayesian_signed_rank(first, first + 0.001, samples=500).equivalent > 0.99
    assert better == bayesian_signed_rank(first + 0.1, first, samples=500)


def test_bayesian_signed_rank_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "baycomp", None)
    with pytest.raises(CmcslError, match=r"\.\[bayes\]"):
        bayesian_signed_rank([0.5, 0.6], [0.5, 0.6])


@pytest.mark.parametrize(
    ("first", "second", "rope"), [([0.5], [0.5, 0.6], 0.01), ([0.5], [0.6], 0), ([0.5], [np.nan], 0.01)]
)
def test_bayesian_signed_rank_refuses(first, second, rope):
    with pytest.raises(CmcslError):
        bayesian_signed_rank(first, second, rope)


def test_variants_differ_in_every_switch():
    published, corrected = variant("published"), variant("corrected")
    for field in fields(Statistics):
        assert (getattr(published, field.name), getattr(corrected, field.name)) == (False, True)
    assert variant(corrected) is corrected
    with pytest.raises(CmcslError, match=", ".join(VARIANTS)):
        variant("right")


def test_p_values_are_those_of_scipy():
    random = np.random.default_rng(0)
    ratios = np.append(random.lognormal(0, 3, 200), [0, 1e300])
    np.testing.assert_allclose(f_p_value(ratios), f.sf(ratios, 10, 5), rtol=1e-12)
    for rows in range(1, 51):
        differences = random.normal(0.3, 1, rows)
        for alternative in ("two-sided", "greater"):
            expected = wilcoxon(differences, alternative=alternative).pvalue
            assert _exact_signed_rank_p(differences, alternative) == pytest.approx(expected, rel=1e-12)


@given(arrays(int, st.integers(2, 13), elements=st.integers(-4, 4)), st.sampled_from(["two-sided", "greater"]))
@settings(max_examples=30)
def test_p_values_with_zeros_and_ties_are_those_of_scipy(differences, alternative):
    expected = wilcoxon(differences.astype(float), zero_method="zsplit", alternative=alternative).pvalue
    assert _exact_signed_rank_p(differences, alternative) == pytest.approx(expected, rel=1e-12)


def test_no_verdict_turns_on_the_last_bit():
    values = np.random.default_rng(0).uniform(0.5, 1, size=(20, 1)) * [1, 1]
    values[:, 1] = np.nextafter(values[:, 0], 1)
    assert wilcoxon_p_values(values).tolist() == [[1, 1], [1, 1]]
    assert not better_by_wilcoxon(values).any()
    assert ranks(values).tolist() == [[1.5, 1.5]] * 20
    folds = values[:10].T.reshape(2, 5, 2)
    assert combined_f_test(folds[1] - folds[0]) == (0, 1)
    assert not better_by_f_test(folds).any()


def test_equal_differences_are_tied_however_they_were_computed():
    first = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    second = first + 0.1
    assert len(np.unique(second - first)) > 1
    expected = wilcoxon(np.full(7, 0.1), zero_method="zsplit").pvalue
    assert wilcoxon_p_values(np.column_stack([first, second]))[0, 1] == expected
    # No mean difference, only its last bit: +0.1 and -0.1 in halves of one repetition each.
    folds = np.stack([first[[0, 2, 4, 1, 3]], second[[0, 2, 4, 1, 3]]], axis=-1)
    assert not better_by_f_test(np.stack([folds, folds[:, ::-1]])).any()
