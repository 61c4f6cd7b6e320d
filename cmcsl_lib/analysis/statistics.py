"""Tests that compare methods: within one dataset, and over datasets. Functions return, they never print.

Differences of scores, and scores that are ranked, are first rounded to `DECIMALS`: what differs beyond is arithmetic,
and must neither rank one difference above another nor be a difference.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..files.errors import CmcslError, check_choice
from ..files.extras import require

ALPHA = 0.05
#: Balanced accuracies are ratios of small counts and their means: two that differ do so before the twelfth decimal.
DECIMALS = 12


@dataclass(frozen=True)
class Statistics:
    """How methods are tested. A field is True where that is done right, False where a slip of the paper is repeated.

    Parameters
    ----------
    halves_paired : bool
        The F test's variance is taken within the two halves of one repetition. False: scores 0 and 5, 1 and 6, ...
        are taken for one repetition, though scores are kept repetition by repetition (0 and 1, 2 and 3, ...).
    full_denominator : bool
        The F test divides by 2 sum s2, as Alpaydin does. False: by sum s2, so that F is doubled.
    two_sided : bool
        The Wilcoxon test looks for a difference in either direction. False: only for the better one, tested in both
        directions, which doubles the risk of a false verdict.
    modalities_apart : bool
        The Wilcoxon test and the ranks take the datasets of one modality as rows. False: both modalities of a dataset
        are two rows, though they are not independent.
    holm : bool
        Holm's correction over the pairs of methods compared. False: no correction for many tests.
    own_rows : bool
        Verdicts over multiclass datasets come from these. False: in Experiment 3 they come from the binary datasets.
    """

    halves_paired: bool = True
    full_denominator: bool = True
    two_sided: bool = True
    modalities_apart: bool = True
    holm: bool = True
    own_rows: bool = True


VARIANTS = {
    "corrected": Statistics(),
    "published": Statistics(
        halves_paired=False, full_denominator=False, two_sided=False, modalities_apart=False, holm=False, own_rows=False
    ),
}


def variant(statistics: str | Statistics) -> Statistics:
    """The variant of that name, ``corrected`` or ``published``; a `Statistics` is returned as it is.

    Parameters
    ----------
    statistics : {"corrected", "published"} or Statistics
        A variant or its name.

    Returns
    -------
    Statistics
        The variant itself.

    Raises
    ------
    CmcslError
        If the name is unknown.
    """
    if isinstance(statistics, Statistics):
        return statistics
    return VARIANTS[check_choice(statistics, VARIANTS, "statistics")]


class FTest(NamedTuple):
    """Statistic and p-value, numbers or arrays of one shape.

    Parameters
    ----------
    statistic, p_value : float or ndarray
        The p-value is in [0, 1].
    """

    statistic: np.ndarray
    p_value: np.ndarray


def combined_f_test(differences: np.ndarray, statistics: str | Statistics = "corrected") -> FTest:
    """Alpaydin's combined 5x2 CV F test [1]_.

    Parameters
    ----------
    differences : ndarray of shape (..., 5, 2), dtype float
        Difference of the scores of two classifiers in repetition i and fold j, rounded to `DECIMALS` here; leading
        axes are separate tests.
    statistics : str or Statistics
        Its fields `halves_paired` and `full_denominator` are heeded.

    Returns
    -------
    FTest
        With d the differences, m[i] their mean in repetition i and s2[i] = (d[i,0]-m[i])^2 + (d[i,1]-m[i])^2, the
        statistic is f = sum d^2 / (2 sum s2), compared with F(10, 5). Without variance (all s2 are 0) f is 0 and p 1
        if all differences are 0, else f is infinite and p 0.

    Raises
    ------
    CmcslError
        If the last axes are not (5, 2) or a difference is not finite.

    References
    ----------
    .. [1] E. Alpaydin, "Combined 5 x 2 cv F test for comparing supervised classification learning algorithms",
       Neural Computation 11 (8), 1999.
    """
    procedure = variant(statistics)
    d = np.round(np.asarray(differences, dtype=float), DECIMALS)
    if d.shape[-2:] != (5, 2):
        raise CmcslError(f"The combined 5x2 CV F test needs differences of shape (..., 5, 2), got {d.shape}.")
    if not np.isfinite(d).all():
        raise CmcslError("The combined 5x2 CV F test needs finite differences, but some are NaN or infinite.")
    if not procedure.halves_paired:
        d = d.reshape(*d.shape[:-2], 2, 5).swapaxes(-1, -2)
    variance = ((d - d.mean(axis=-1, keepdims=True)) ** 2).sum(axis=(-2, -1))
    squares = (d**2).sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(squares == 0, 0.0, squares / ((2 if procedure.full_denominator else 1) * variance))
    # An array of no axes becomes a number.
    return FTest(statistic[()], f_p_value(statistic)[()])


def f_p_value(statistic: np.ndarray) -> np.ndarray:
    """Probability of more than the statistic under F(10, 5): scipy.stats.f.sf, whose import takes a second.

    Parameters
    ----------
    statistic : ndarray
        At least 0.

    Returns
    -------
    ndarray
        Of the same shape. It is the regularised incomplete beta function I_y(5/2, 5), a sum of five terms.
    """
    y = 1 / (1 + 2 * statistic)
    return y**2.5 * np.polynomial.polynomial.polyval(1 - y, [1, 5 / 2, 35 / 8, 105 / 16, 1155 / 128])


def better_by_f_test(scores: np.ndarray, statistics: str | Statistics = "corrected") -> np.ndarray:
    """Which methods are better than which, by the combined F test.

    Parameters
    ----------
    scores : ndarray of shape (..., methods, 5, 2)
        Scores by repetition and fold.
    statistics : str or Statistics
        As in `combined_f_test`.

    Returns
    -------
    ndarray of shape (..., methods, methods), dtype bool
        [a, b] is True where a has the higher mean and the difference is significant at `ALPHA`.
    """
    scores = np.asarray(scores, dtype=float)
    differences = scores[..., :, None, :, :] - scores[..., None, :, :, :]
    higher = np.round(differences.mean(axis=(-2, -1)), DECIMALS) > 0
    return higher & (combined_f_test(differences, statistics).p_value < ALPHA)


def ranks(values: np.ndarray) -> np.ndarray:
    """Rank of each method in each row: the higher the value the higher the rank, ties averaged (Section IV-A).

    Parameters
    ----------
    values : ndarray of shape (rows, methods)
        Scores, usually of one dataset a row; those that agree in `DECIMALS` are tied.

    Returns
    -------
    ndarray of shape (rows, methods), dtype float64
        From 1, the lowest, to the number of methods.
    """
    return pd.DataFrame(values).round(DECIMALS).rank(axis=1).to_numpy()


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down correction of the p-values of one family.

    Parameters
    ----------
    p_values : ndarray of shape (m,)
        In [0, 1], not corrected.

    Returns
    -------
    ndarray of shape (m,)
        Adjusted p-values; those below alpha are significant with a family-wise error of at most alpha.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(stepped, 1)[np.argsort(order)]


def can_be_significant(rows: int, comparisons: int) -> bool:
    """Whether a two-sided Wilcoxon test over so many rows can be significant after Holm's correction.

    The smallest p-value, where all differences have one sign, is 2^(1 - rows).

    Parameters
    ----------
    rows : int
        Usually datasets.
    comparisons : int
        Number of tests in the family that is corrected: for all pairs of m methods, m (m - 1) / 2.

    Returns
    -------
    bool
        True if so.
    """
    return comparisons * 2.0 ** (1 - rows) < ALPHA


def wilcoxon_p_values(values: np.ndarray, statistics: str | Statistics = "corrected") -> np.ndarray:
    """Wilcoxon signed-rank tests of every method with every other, over rows.

    Parameters
    ----------
    values : ndarray of shape (rows, methods)
        Scores, one row per dataset.
    statistics : str or Statistics
        Its fields `two_sided` and `holm` are heeded.

    Returns
    -------
    ndarray of shape (methods, methods)
        Two-sided: symmetric. One-sided: [a, b] tests whether a is better than b. The diagonal is 1. Zero differences
        count half for either side (zero_method "zsplit"); where all are zero p is 1. Differences are rounded to
        `DECIMALS` before they are ranked.

    Raises
    ------
    CmcslError
        If a value is not finite or there are no rows.
    """
    procedure = variant(statistics)
    values = np.asarray(values, dtype=float)
    if not len(values) or not np.isfinite(values).all():
        raise CmcslError("The Wilcoxon test needs at least one row of finite scores; some are missing or infinite.")
    p_values = np.ones((values.shape[1],) * 2)
    first, second = np.triu_indices(values.shape[1], k=1)
    if not procedure.two_sided:
        first, second = np.append(first, second), np.append(second, first)
    differences = np.round(values[:, first] - values[:, second], DECIMALS)
    tested = np.array([_signed_rank_p(d, "two-sided" if procedure.two_sided else "greater") for d in differences.T])
    p_values[first, second] = holm(tested) if procedure.holm else tested
    return np.minimum(p_values, p_values.T) if procedure.two_sided else p_values


def _signed_rank_p(differences: np.ndarray, alternative: str) -> float:
    if not differences.any():
        return 1.0
    sizes = np.abs(differences)
    distinct = sizes.all() and len(np.unique(sizes)) == len(sizes)
    if len(sizes) <= (50 if distinct else 13):
        return _exact_signed_rank_p(differences, alternative)
    from scipy import stats

    return stats.wilcoxon(differences, zero_method="zsplit", alternative=alternative).pvalue


def _exact_signed_rank_p(differences: np.ndarray, alternative: str) -> float:
    """What scipy.stats.wilcoxon gives where it counts all signs: over up to 50 rows, with zeros or ties over up to 13.

    Importing SciPy's takes a second, and with ties it ranks the differences again for each choice of signs.
    """
    _, places, counts = np.unique(np.abs(differences), return_inverse=True, return_counts=True)
    # Ties have the mean of their ranks; twice that is an integer.
    ranks = (2 * np.cumsum(counts) - counts + 1)[places]
    # Half of the ranks of zeros counts on either side, whatever the signs.
    ways = _ways_to_sum(tuple(sorted(ranks[differences != 0].tolist())))
    positive, negative = ranks[differences > 0].sum(), ranks[differences < 0].sum()
    if alternative == "greater":
        return ways[positive:].sum() / ways.sum()
    return min(1, 2 * ways[max(positive, negative) :].sum() / ways.sum())


@lru_cache(1000)
def _ways_to_sum(ranks: tuple[int, ...]) -> np.ndarray:
    """In how many of the 2^n ways to give n ranks signs the positive ones have the sum 0, 1, and so on."""
    ways = np.ones(1)
    for rank in ranks:
        ways = np.pad(ways, (0, rank)) + np.pad(ways, (rank, 0))
    return ways


def better_by_wilcoxon(values: np.ndarray, statistics: str | Statistics = "corrected") -> np.ndarray:
    """Which methods are better than which over rows, by Wilcoxon signed-rank tests.

    Parameters
    ----------
    values : ndarray of shape (rows, methods)
        One row per dataset, of one modality: two modalities of a dataset are not independent.
    statistics : str or Statistics
        Two-sided tests with Holm's correction, unless it says otherwise.

    Returns
    -------
    ndarray of shape (methods, methods), dtype bool
        [a, b] is True where the ranks of a's positive differences to b sum to more than those of the negative ones,
        and the p-value is below `ALPHA`.
    """
    values = np.asarray(values, dtype=float)
    significant = wilcoxon_p_values(values, statistics) < ALPHA
    differences = np.round(values[:, :, None] - values[:, None, :], DECIMALS)
    sizes = pd.DataFrame(np.abs(differences).reshape(len(values), -1))
    excess = (np.sign(differences) * sizes.rank().to_numpy().reshape(differences.shape)).sum(axis=0)
    return significant & (excess > 0)


class RankComparison(NamedTuple):
    """What ``scikit_posthocs.critical_difference_diagram`` takes.

    Parameters
    ----------
    ranks : Series
        Average rank of each method, higher is better.
    p_values : DataFrame
        Symmetric; methods by methods, diagonal 1.
    """

    ranks: pd.Series
    p_values: pd.DataFrame


def rank_comparison(values: pd.DataFrame) -> RankComparison:
    """Average ranks and pairwise p-values for a critical-difference diagram.

    Methods that the diagram joins by a bar differ by no more than chance by two-sided Wilcoxon tests with Holm's
    correction, which unlike Nemenyi's test do not depend on what other methods are in the diagram [1]_.

    Parameters
    ----------
    values : DataFrame
        One row per dataset of one modality, one column per method.

    Returns
    -------
    RankComparison
        Methods in the order of the columns.

    References
    ----------
    .. [1] A. Benavoli, G. Corani and F. Mangili, "Should we really use post-hoc tests based on mean-ranks?", Journal
       of Machine Learning Research 17 (5), 2016.
    """
    names = values.columns
    return RankComparison(
        pd.Series(ranks(values.to_numpy()).mean(axis=0), index=names, name="average_rank"),
        pd.DataFrame(wilcoxon_p_values(values.to_numpy()), index=names, columns=names),
    )


class Posterior(NamedTuple):
    """Probabilities that the first is better, that the difference does not matter, and that the second is better.

    Parameters
    ----------
    first, equivalent, second : float
        In [0, 1]; they sum to 1.
    """

    first: float
    equivalent: float
    second: float


def bayesian_signed_rank(
    first: np.ndarray, second: np.ndarray, rope: float = 0.01, random_state: int = 1410, samples: int = 50000
) -> Posterior:
    """Bayesian signed-rank test with a region of practical equivalence, through baycomp [1]_.

    Parameters
    ----------
    first, second : ndarray of shape (datasets,)
        Mean balanced accuracy of two methods on each dataset.
    rope : float
        Differences up to this, above 0, do not matter in practice; 0.01 is one point of balanced accuracy.
    random_state : int
        Seed of the posterior's sample.
    samples : int
        Its size.

    Returns
    -------
    Posterior
        The probabilities sum to 1.

    Raises
    ------
    CmcslError
        If baycomp is not installed, `rope` is not above 0, or the scores do not pair up.

    References
    ----------
    .. [1] A. Benavoli, G. Corani, J. Demsar and M. Zaffalon, "Time for a change: a tutorial for comparing multiple
       classifiers through Bayesian analysis", Journal of Machine Learning Research 18 (77), 2017.
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if rope <= 0:
        raise CmcslError(f"The region of practical equivalence must be wider than 0, got {rope}.")
    if first.ndim != 1 or first.shape != second.shape or not np.isfinite([first, second]).all():
        raise CmcslError(
            f"The Bayesian signed-rank test needs two equally long lists of finite scores, got shapes "
            f"{first.shape} and {second.shape}."
        )
    require("bayes", "The Bayesian signed-rank test")
    from baycomp import SignedRankTest

    return Posterior(
        *map(float, SignedRankTest.probs(first, second, rope, nsamples=samples, random_state=random_state))
    )
