"""Means over datasets that share items: how alike their results should be, and intervals that allow for it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ...corpora import Corpus
from ...corpora.features import MODALITIES, divided, extracted_datasets
from ...experiments.protocol import RANDOM_STATE
from ..effects import gains
from ..statistics import ALPHA

#: Shares of common items up to which `gains_with_intervals` calls datasets apart.
APART = 0.01


def shared_items(corpus: Corpus, names: Sequence[str] | str | None = None) -> pd.DataFrame:
    """Shares of common items among the datasets of a corpus, taken for the correlation of their errors.

    With n[i] extracted items in dataset i and n[i,j] in both i and j, R[i,j] = n[i,j] / sqrt(n[i] n[j]). If each item
    had an effect of its own, independent of the others and the same in every dataset, and a dataset's result were the
    mean of its items' effects, then two results would correlate by just this much. It is an approximation: it ignores
    what datasets share through classes and creators, and overstates the correlation where an item that is easy
    in one dataset is hard among the classes of another.

    Parameters
    ----------
    corpus : Corpus
        With its extracted items.
    names : sequence of str or str, optional
        Datasets; default: those that have features.

    Returns
    -------
    DataFrame of shape (datasets, datasets), dtype float64
        Symmetric, diagonal 1, positive semidefinite.
    """
    everything = np.arange(len(corpus.items))
    names = list(extracted_datasets(corpus.name, names))
    subsets = [divided(corpus, name) for name in names]
    member = np.array([np.isin(everything, each.rows[each.y >= 0]) for each in subsets], dtype=float)
    common = member @ member.T
    root = np.sqrt(np.diag(common))
    return pd.DataFrame(common / np.outer(root, root), names, names)


def largest_apart(shared: pd.DataFrame, allowed: float = 0.0) -> list[str]:
    """The largest set of datasets of which no two share more than allowed.

    Parameters
    ----------
    shared : DataFrame
        From `shared_items`.
    allowed : float
        Largest share of common items, in [0, 1); 0 means none.

    Returns
    -------
    list of str
        In the order of `shared`; of several largest sets, the one whose datasets come first there.
    """
    # Datasets that are apart are joined, so that such a set is a clique.
    import networkx as nx

    cliques = nx.find_cliques(nx.from_numpy_array(shared.to_numpy() <= allowed))
    return list(shared.index[min(map(sorted, cliques), key=lambda clique: (-len(clique), clique))])


class Interval(NamedTuple):
    """A mean and its confidence interval, numbers or arrays of one shape.

    Parameters
    ----------
    mean, low, high : float or ndarray
        The ends are NaN where the values are too few, or one in effect.
    effective : float
        Number of independent values that would give a mean of the same variance.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    effective: float


def mean_interval(values: np.ndarray, correlation: np.ndarray | None = None, level: float = 1 - ALPHA) -> Interval:
    """Mean of correlated values with an interval.

    The values are taken to have one mean, one variance s2 and correlation R. Then their plain mean has variance
    s2 / n_eff with n_eff = n^2 / 1'R1, and with the centring matrix C = I - 11'/n the squares around the mean sum to
    s2 trace(CR) on average, which gives s2 without bias. That sum is not a multiple of a chi-squared variable;
    Student's t takes the degrees of freedom that match its first two moments [1]_, trace(CR)^2 / trace(CRCR). For
    independent values all of this is the usual interval, with n - 1 degrees of freedom.

    The plain mean is kept rather than generalised least squares, whose weights of datasets that overlap much are
    large and of opposite signs, and hang on R being exact.

    Parameters
    ----------
    values : ndarray of shape (..., n), dtype float
        Leading axes are separate means.
    correlation : ndarray of shape (n, n), optional
        R; default: independent values.
    level : float
        Of confidence, in (0, 1).

    Returns
    -------
    Interval
        One mean per leading axis.

    References
    ----------
    .. [1] F. E. Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics Bulletin
       2 (6), 1946.
    """
    values = np.asarray(values, dtype=float)
    n = values.shape[-1]
    R = np.eye(n) if correlation is None else np.asarray(correlation, dtype=float)
    centred = R - R.mean(axis=0)
    effective = n**2 / R.sum()
    mean = values.mean(axis=-1)
    squares = ((values - mean[..., None]) ** 2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.trace(centred) ** 2 / np.trace(centred @ centred)
        half = stats.t.ppf((1 + level) / 2, freedom) * np.sqrt(squares / np.trace(centred) / effective)
    return Interval(mean[()], mean - half, mean + half, float(effective))


def gains_with_intervals(scores: pd.DataFrame, shared: pd.DataFrame) -> pd.DataFrame:
    """CMCSL - UNI with the interval that takes datasets for independent beside those that allow for shared items.

    Parameters
    ----------
    scores : DataFrame
        Only the reference protocol is taken.
    shared : DataFrame
        From `shared_items`.

    Returns
    -------
    DataFrame
        One row per interval, modality and budget: interval ("independent", "shared items", and, if there are several
        such datasets, "nearly apart", of the largest set of which no two share more than `APART`), modality, budget,
        datasets (how many), effective (how many independent ones they are worth), gain, low, high.
    """
    names = list(scores.dataset.unique())
    R = shared.loc[names, names]
    apart = largest_apart(R, APART)
    correlations = {"independent": pd.DataFrame(np.eye(len(names)), names, names), "shared items": R}
    if len(apart) > 1:
        correlations["nearly apart"] = R.loc[apart, apart]
    by_budget = (
        gains(_reference(scores), ["budget"])
        .pivot(index=["modality", "budget"], columns="dataset", values="gain")
        .loc[list(MODALITIES)]
    )
    parts = []
    for interval, correlation in correlations.items():
        mean, low, high, effective = mean_interval(by_budget[correlation.index].to_numpy(), correlation.to_numpy())
        part = by_budget.index.to_frame(index=False).assign(
            datasets=len(correlation), effective=effective, gain=mean, low=low, high=high
        )
        part.insert(0, "interval", interval)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def likeness(
    scores: pd.DataFrame,
    shared: pd.DataFrame,
    bounds: Sequence[float] = (0.05, 0.5),
    draws: int = 10000,
    random_state: int = RANDOM_STATE,
) -> pd.DataFrame:
    """Whether datasets that share many items are indeed alike in CMCSL - UNI.

    Half the squared difference of two values with variance s2 and correlation R is s2 (1 - R) on average: if sharing
    items made results alike as `shared_items` supposes, it would fall from group to group of pairs.

    Parameters
    ----------
    scores : DataFrame
        Only the reference protocol is taken.
    shared : DataFrame
        From `shared_items`.
    bounds : sequence of float
        Shares of common items that divide pairs of datasets into groups.
    draws, random_state : int
        Size and seed of a sample of results that are normal and correlate as supposed.

    Returns
    -------
    DataFrame
        One row per group: shared (its range), pairs (how many), and the mean of half the squared differences over that
        of all pairs: expected and limit (median and 95% quantile of the sample), then each modality.
    """
    names = list(scores.dataset.unique())
    R = shared.loc[names, names].to_numpy()
    by_dataset = gains(_reference(scores)).pivot(index="modality", columns="dataset", values="gain")
    sample = np.random.default_rng(random_state).multivariate_normal(np.zeros(len(R)), R, draws, method="eigh")
    first, second = np.triu_indices(len(R), k=1)
    values = np.vstack([by_dataset.loc[list(MODALITIES), names], sample])
    squares = (values[:, first] - values[:, second]) ** 2 / 2
    rows = []
    for low, high in pairwise([-1, *bounds, 1]):
        inside = (R[first, second] > low) & (R[first, second] <= high)
        if inside.any():
            # NaN where all datasets gain the same.
            with np.errstate(invalid="ignore"):
                ratios = squares[:, inside].mean(axis=1) / squares.mean(axis=1)
            expected = np.quantile(ratios[2:], [0.5, 0.95])
            rows.append((f"{max(low, 0):g} to {high:g}", inside.sum(), *expected, *ratios[:2]))
    return pd.DataFrame(rows, columns=["shared", "pairs", "expected", "limit", *MODALITIES])


def _reference(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores.protocol == scores.protocol.iloc[0]]
