"""Tests that compare methods: within one dataset, and over datasets. Functions return, they never print."""

from typing import NamedTuple

import numpy as np
from scipy import stats

from .errors import CmcslError

ALPHA = 0.05


class TestResult(NamedTuple):
    """Statistic and p-value, numbers or arrays of one shape."""

    statistic: np.ndarray
    p_value: np.ndarray


def combined_f_test(differences: np.ndarray) -> TestResult:
    """Alpaydin's combined 5x2 CV F test [1]_.

    Parameters
    ----------
    differences : ndarray of shape (..., 5, 2), dtype float
        Difference of the scores of two classifiers in repetition i and fold j; leading axes are separate tests.

    Returns
    -------
    TestResult
        With d the differences, m[i] their mean in repetition i and s2[i] = (d[i,0]-m[i])^2 + (d[i,1]-m[i])^2, the
        statistic is f = sum d^2 / (2 sum s2), which follows F(10, 5) where the classifiers are equally good.
        Without variance (all s2 are 0) f is 0 and p 1 if all differences are 0, else f is infinite and p 0.

    Raises
    ------
    CmcslError
        If the last axes are not (5, 2) or a difference is not finite.

    References
    ----------
    .. [1] E. Alpaydin, "Combined 5 x 2 cv F test for comparing supervised classification learning algorithms",
       Neural Computation 11 (8), 1999.
    """
    d = np.asarray(differences, dtype=float)
    if d.shape[-2:] != (5, 2):
        raise CmcslError(f"The combined 5x2 CV F test needs differences of shape (..., 5, 2), got {d.shape}.")
    if not np.isfinite(d).all():
        raise CmcslError("The combined 5x2 CV F test needs finite differences, but some are NaN or infinite.")
    variance = ((d - d.mean(axis=-1, keepdims=True)) ** 2).sum(axis=(-2, -1))
    squares = (d**2).sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(squares == 0, 0.0, squares / (2 * variance))
    return TestResult(statistic, stats.f.sf(statistic, 10, 5))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down correction of the p-values of one family.

    Parameters
    ----------
    p_values : ndarray of shape (m,)

    Returns
    -------
    ndarray of shape (m,)
        Adjusted p-values; those below alpha are significant with a family-wise error of at most alpha.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def ranks(values: np.ndarray) -> np.ndarray:
    """Rank of each method in each row: the higher the value the higher the rank, ties averaged (Section IV-A).

    Parameters
    ----------
    values : ndarray of shape (rows, methods)
    """
    return stats.rankdata(values, axis=1)


def better_by_f_test(scores: np.ndarray) -> np.ndarray:
    """Which methods are better than which, by the combined F test.

    Parameters
    ----------
    scores : ndarray of shape (methods, 5, 2)
        Scores by repetition and fold.

    Returns
    -------
    ndarray of shape (methods, methods), dtype bool
        [a, b] is True where a has the higher mean and the difference is significant at `ALPHA`.
    """
    differences = scores[:, None] - scores[None, :]
    higher = differences.mean(axis=(-2, -1)) > 0
    return higher & (combined_f_test(differences).p_value < ALPHA)


def better_by_wilcoxon(values: np.ndarray) -> np.ndarray:
    """Which methods are better than which over rows, by two-sided Wilcoxon signed-rank tests with Holm's correction.

    Parameters
    ----------
    values : ndarray of shape (rows, methods)
        One row per dataset, of one modality: two modalities of a dataset are not independent.

    Returns
    -------
    ndarray of shape (methods, methods), dtype bool
        [a, b] is True where the ranks of differences in favour of a outweigh the others and the corrected p-value
        is below `ALPHA`.
        Zero differences count for neither side (zero_method "zsplit"); where all are zero nothing is better.
    """
    methods = values.shape[1]
    pairs = [(a, b) for a in range(methods) for b in range(a + 1, methods)]
    tests = [_signed_rank(values[:, a] - values[:, b]) for a, b in pairs]
    adjusted = holm(np.array([p for _, p in tests]))
    better = np.zeros((methods, methods), dtype=bool)
    for (a, b), (sign, _), p in zip(pairs, tests, adjusted, strict=True):
        better[a, b], better[b, a] = p < ALPHA and sign > 0, p < ALPHA and sign < 0
    return better


def _signed_rank(differences: np.ndarray) -> tuple[float, float]:
    """Sign of the rank sum's excess, and the two-sided p-value."""
    if not differences.any():
        return 0.0, 1.0
    signed = np.sign(differences) * stats.rankdata(np.abs(differences))
    return float(np.sign(signed.sum())), float(stats.wilcoxon(differences, zero_method="zsplit").pvalue)
