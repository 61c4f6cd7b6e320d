"""Sensitivity of Experiment 3 to the choices of its protocol, and intervals that allow for datasets that share items.

Functions take the tidy scores table of several protocols, as `load_changes` gives it; its first protocol is the
reference that the others are compared with. Balanced accuracies are averaged over budgets and folds.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from .corpora import Corpus, datasets, load, subset
from .errors import Absent
from .experiments import EXPERIMENTS
from .features import MODALITIES
from .protocol import BUDGETS, FOLDS, PROTOCOLS, RANDOM_STATE, REPETITIONS, Protocol, protocol
from .runs import load_scores
from .statistics import ALPHA, better_by_wilcoxon, combined_f_test, ranks
from .summaries import too_few
from .tables import COMPARED

STRICT = PROTOCOLS["strict"]
#: Shares of common items up to which `gains_with_intervals` calls datasets apart.
APART = 0.01


@dataclass(frozen=True)
class Change:
    """Another way to run Experiment 3.

    Parameters
    ----------
    protocol : Protocol
    folds_kept : bool
        Whether training and test rows are those of ``strict``, so that scores pair up fold by fold.
    meaning : str
        What it changes, and why that might matter.
    extraction : str
        Options of `cmcsl extract` that make its features, empty where it takes the shipped ones.
    """

    protocol: Protocol
    folds_kept: bool
    meaning: str
    extraction: str = ""


CHANGES = (
    Change(STRICT.changed(seeds="replacement"), True,
           "Seeds are drawn with replacement and afresh for each budget: a class can have fewer distinct seeds than "
           "the budget says, which should hurt the methods that start from seeds."),
    Change(STRICT.changed(scaling="each half"), True,
           "The test half is standardised by its own mean and deviation: a classifier then sees what it could not know "
           "of single test items, and shifts between the halves vanish."),
    Change(STRICT.changed(class_weights="hidden"), True,
           "Sample weights come from the true class shares of the training half, which PRE, UNI and CMCSL can't know; "
           "it matters where classes are unequal."),
    Change(STRICT.changed(late_fusion="maximum"), True,
           "LF takes the larger of both modalities' probabilities instead of their mean; no other method is touched."),
    Change(PROTOCOLS["paper"], True, "The paper protocol: all four choices at once, as published."),
    Change(STRICT.changed(folds="creators apart"), False,
           "All items of a creator lie in one half: style and habits of wording no longer tell the class of a test "
           "item."),
    Change(STRICT.changed(distances="scaled by width"), True,
           "NEAREST compares distances divided by the root of the number of features: without it the text, with 384 "
           "features to 512, tends to be closer to its seeds and decides more often."),
    *(Change(STRICT.changed(features=f"training seed {seed}"), True,
             f"The visual network is trained with random seed {seed} instead of 1410: how much is the luck of one "
             "training?", f"--start pooled --precision single --seed {seed}")
      for seed in (1411, 1412)),
    *(Change(STRICT.changed(features=f"split seed {seed}"), False,
             f"Other 20% of the items, drawn with seed {seed}, train the visual network; experiments run on the "
             "other 80%.", f"--start pooled --precision single --split-seed {seed}")
      for seed in (1411, 1412)),
)


def label(name: str) -> str:
    """What rows of tables and figures call a protocol: its change, or its whole name if it has none."""
    return name.removeprefix(f"{STRICT.name}, ")


def changes_table() -> pd.DataFrame:
    """The changes, one row each: change, as the command's --change takes it, and meaning."""
    return pd.DataFrame({"change": [label(each.protocol.name) for each in CHANGES],
                         "meaning": [each.meaning for each in CHANGES]})


def load_changes(corpus: str, reference: str = "strict", *, datasets: list[str] | str | None = None,
                 budgets: tuple[int, ...] = BUDGETS) -> pd.DataFrame:
    """Scores of Experiment 3 under the reference protocol, then under those `CHANGES` whose scores are there.

    Only the reference's are computed where they are missing; `absent_changes` tells which others are.

    Parameters
    ----------
    corpus : str
    reference : {"strict", "paper"}
    datasets, budgets
        As in `runs.load_scores`.

    Raises
    ------
    CmcslError
        If a name is unknown, or there are no features.
    """
    options = {"datasets": datasets, "budgets": budgets}
    tables = [load_scores(corpus, protocol(reference), 3, **options)]
    for change in CHANGES:
        if change.protocol.name != reference:
            with suppress(Absent):
                tables.append(load_scores(corpus, change.protocol, 3, compute=False, **options))
    return pd.concat(tables, ignore_index=True)


def absent_changes(scores: pd.DataFrame) -> str:
    """A Markdown list, one sentence on each change that the scores lack: what would compute it, or why nothing can."""
    corpus, there, told = scores.corpus.iloc[0], set(scores.protocol), []
    loaded = load(corpus)
    for change in CHANGES:
        name = label(change.protocol.name)
        if change.protocol.name in there:
            continue
        if change.extraction and not loaded.has_images:
            told.append(f"- `{name}` can't be shown: the features were made elsewhere.")
        elif change.protocol.folds == "creators apart" and "creator" not in loaded.items:
            told.append(f"- `{name}` can't be shown: the corpus does not tell who made its items.")
        else:
            chosen = "--protocol paper" if name == "paper" else f'--change "{name}"'
            commands = [f"`cmcsl run 3 --corpus {corpus} {chosen}`"]
            if change.extraction:
                commands.insert(0, f'`cmcsl extract {corpus} --name "{change.protocol.features}" {change.extraction}`')
            told.append(f"- `{name}` is not shown, since its scores are not here: make them with "
                        f"{', then '.join(commands)}.")
    return "\n".join(told)


def shared_items(corpus: Corpus, names: Sequence[str] | str | None = None) -> pd.DataFrame:
    """Shares of common items among the datasets of a corpus, taken for the correlation of their errors.

    With n[i] extracted items in dataset i and n[i,j] in both i and j, R[i,j] = n[i,j] / sqrt(n[i] n[j]). If each item
    had an effect of its own, independent of the others and the same in every dataset, and a dataset's result were the
    mean of its items' effects, then two results would correlate by just this much. It is an approximation: it ignores
    what datasets share through classes and creators, and overstates the correlation where an item that is easy
    in one dataset is hard among the classes of another.

    Returns
    -------
    DataFrame of shape (datasets, datasets), dtype float64
        Symmetric, diagonal 1, positive semidefinite.
    """
    everything = np.arange(len(corpus.items))
    named = list(datasets(corpus.name, names))
    divided = [subset(corpus, name) for name in named]
    member = np.array([np.isin(everything, its.rows[its.y >= 0]) for its in divided], dtype=float)
    common = member @ member.T
    root = np.sqrt(np.diag(common))
    return pd.DataFrame(common / np.outer(root, root), named, named)


def largest_apart(shared: pd.DataFrame, allowed: float = 0.0) -> list[str]:
    """The largest set of datasets of which no two share more than allowed, found by trying all sets.

    Parameters
    ----------
    shared : DataFrame
        From `shared_items`.
    allowed : float
        Largest share of common items, in [0, 1); 0 means none.

    Returns
    -------
    list of str
        The first such set, in the order of `shared`.
    """
    apart = shared.to_numpy() <= allowed

    def grow(chosen, candidates):
        yield chosen
        for place, each in enumerate(candidates, start=1):
            yield from grow([*chosen, each], [other for other in candidates[place:] if apart[each, other]])

    return [shared.index[each] for each in max(grow([], range(len(shared))), key=len)]


class Interval(NamedTuple):
    """A mean and its confidence interval, numbers or arrays of one shape.

    Attributes
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


def effects(scores: pd.DataFrame, shared: pd.DataFrame) -> pd.DataFrame:
    """What each change does to the mean balanced accuracy of each method, against the reference.

    Differences are taken dataset by dataset, and averaged over datasets. Pairing folds as well would not move the
    mean; where folds are kept it allows an F test within each dataset.

    Parameters
    ----------
    scores : DataFrame
    shared : DataFrame
        From `shared_items`.

    Returns
    -------
    DataFrame
        One row per change, method and modality: effect, low, high (95% interval of `mean_interval`, which allows for
        shared items), higher (datasets that the change raises), significant (those whose effect the combined 5x2 CV F
        test tells from chance; missing where folds are not kept), datasets.
    """
    names = _names(scores)
    folds = _by_protocol(scores, ["method", "modality", "dataset", "repetition", "fold"])
    kept = {change.protocol.name for change in CHANGES if change.folds_kept}
    R, rows = shared.loc[names, names].to_numpy(), []
    order = pd.MultiIndex.from_product([names, range(REPETITIONS), range(FOLDS)])
    reference, *others = scores.protocol.unique()
    for other in others:
        for fitted, its in (folds[other] - folds[reference]).groupby(level=[0, 1], sort=False):
            d = its.droplevel([0, 1])[order].to_numpy().reshape(-1, REPETITIONS, FOLDS)
            gained = d.mean(axis=(1, 2))
            significant = (combined_f_test(d).p_value < ALPHA).sum() if other in kept else None
            rows.append((label(other), *fitted, *mean_interval(gained, R)[:3], (gained > 0).sum(), significant))
    columns = ["change", "method", "modality", "effect", "low", "high", "higher", "significant"]
    return pd.DataFrame(rows, columns=columns).astype({"significant": "Int64"}).assign(datasets=len(names))


def levels(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean balanced accuracy over datasets, budgets and folds.

    Returns
    -------
    DataFrame
        One row per protocol, the reference first; columns method and modality.
    """
    columns = [(method, modality) for method in EXPERIMENTS[3].methods for modality in (*MODALITIES, "both")]
    means = _by_protocol(scores, ["method", "modality"]).T
    return means[[column for column in columns if column in means]].rename(index=label).rename_axis(index="protocol")


def answers(scores: pd.DataFrame, shared: pd.DataFrame) -> pd.DataFrame:
    """RQ2 under each protocol: does the exchange between modalities help?

    Parameters
    ----------
    scores : DataFrame
    shared : DataFrame
        From `shared_items`.

    Returns
    -------
    DataFrame
        One row per protocol, the reference first, and modality: PRE, UNI, CMCSL (average rank over datasets, the higher
        the better), gain (mean of CMCSL - UNI over datasets), low, high (95% interval, which allows for shared items),
        better: which of CMCSL and UNI is better by the Wilcoxon test with Holm's correction, "neither", or "too few
        datasets".
    """
    names = _names(scores)
    means = _by_protocol(scores[scores.method.isin(COMPARED)], ["modality", "dataset", "method"])
    R, rows = shared.loc[names, names].to_numpy(), []
    for protocol_name in scores.protocol.unique():
        for modality in MODALITIES:
            values = means[protocol_name].xs(modality).unstack().loc[names, list(COMPARED)].to_numpy()
            better = better_by_wilcoxon(values)
            winner = ("too few datasets" if too_few(*values.shape) else
                      "CMCSL" if better[2, 1] else "UNI" if better[1, 2] else "neither")
            found = mean_interval(values[:, 2] - values[:, 1], R)
            rows.append((label(protocol_name), modality, *ranks(values).mean(axis=0), *found[:3], winner))
    return pd.DataFrame(rows, columns=["protocol", "modality", *COMPARED, "gain", "low", "high", "better"])


def answers_by_budget(scores: pd.DataFrame, shared: pd.DataFrame) -> pd.DataFrame:
    """`answers` over all budgets, and at the smallest one alone, told apart by a first column, budgets."""
    budgets = sorted(scores.budget[scores.method.isin(COMPARED)].unique())
    few = scores[scores.budget == budgets[0]]
    parts = {_seeds(budgets): answers(scores, shared), _seeds(budgets[:1]): answers(few, shared)}
    return pd.concat(parts, names=["budgets"]).reset_index(level=0)


def _seeds(budgets: Sequence[int]) -> str:
    if len(budgets) == 1:
        return f"{budgets[0]} seed{'s' if budgets[0] > 1 else ''} per class"
    return f"mean of {budgets[0]} to {budgets[-1]} seeds per class"


def gains_with_intervals(scores: pd.DataFrame, shared: pd.DataFrame, budgets: Sequence[int]) -> pd.DataFrame:
    """CMCSL - UNI with the interval that takes datasets for independent beside those that allow for shared items.

    Parameters
    ----------
    scores : DataFrame
        Only the reference protocol is taken.
    shared : DataFrame
        From `shared_items`.
    budgets : sequence of int
        Those that the scores do not hold are left out.

    Returns
    -------
    DataFrame
        One row per interval, modality and budget: interval (of all datasets, naive and allowing for shared items, and
        of the largest set of which no two share more than `APART` if that holds several), modality, budget, gain, low,
        high, effective (number of datasets).
    """
    names = _names(scores)
    apart = largest_apart(shared.loc[names, names], APART)
    own = scores[scores.protocol == scores.protocol.iloc[0]]
    means = own.pivot_table(index=["modality", "budget", "dataset"], columns="method", values="balanced_accuracy")
    gains = (means.CMCSL - means.UNI).dropna()
    taken = {f"all {len(names)}, taken for independent": (names, pd.DataFrame(np.eye(len(names)), names, names)),
             f"all {len(names)}, allowing for shared items": (names, shared)}
    if len(apart) > 1:
        taken[f"{', '.join(apart)}, which share next to nothing"] = apart, shared
    rows = [
        (title, modality, budget, *mean_interval(gains[modality, budget][chosen], R.loc[chosen, chosen]))
        for title, (chosen, R) in taken.items() for modality in MODALITIES
        for budget in budgets if (modality, budget) in gains
    ]
    return pd.DataFrame(rows, columns=["interval", "modality", "budget", "gain", "low", "high", "effective"])


def readable(table: pd.DataFrame, index: list[str], columns: str, value: str) -> pd.DataFrame:
    """Means with their intervals as text, "+0.012 (-0.003 to +0.027)", spread over columns.

    Parameters
    ----------
    table : DataFrame
        Columns low, high and those that the other parameters name.
    index : list of str
    columns, value : str
    """
    order = [list(table[name].unique()) for name in (*index, columns)]
    text = table[[*index, columns]].assign(text=_intervals(table, value))
    spread = text.pivot(index=index, columns=columns, values="text")
    return spread.reindex(index=[key for key in pd.MultiIndex.from_product(order[:-1]) if key in spread.index],
                          columns=order[-1]).fillna("")


def readable_answers(answered: pd.DataFrame) -> pd.DataFrame:
    """`answers_by_budget` for reading: average ranks, the gain with its interval as text, and the verdict."""
    text = answered.assign(**{"CMCSL - UNI": _intervals(answered, "gain")})
    return text.set_index(["budgets", "protocol", "modality"])[[*COMPARED, "CMCSL - UNI", "better"]]


def _intervals(table: pd.DataFrame, value: str) -> list[str]:
    return [f"{mean:+.3f} ({low:+.3f} to {high:+.3f})" if np.isfinite(low) else f"{mean:+.3f}"
            for mean, low, high in zip(table[value], table.low, table.high, strict=True)]


def overlap(shared: pd.DataFrame) -> str:
    """Sentences on how far datasets are from independent.

    Parameters
    ----------
    shared : DataFrame
        From `shared_items`.
    """
    if len(shared) == 1:
        return f"There is one dataset, {shared.index[0]}, and nothing that it could share items with."
    effective = mean_interval(np.zeros(len(shared)), shared).effective
    free, apart = largest_apart(shared), largest_apart(shared, APART)
    told = f"is {', '.join(free)}" if len(free) > 1 else "is a single one: any two have some in common"
    return (f"By the items that they share, {len(shared)} datasets are worth {effective:.1f} independent ones. The "
            f"largest set of datasets without any common item {told}. The largest of which no two share more than "
            f"{APART:.0%} is {', '.join(apart)}.")


def likeness(scores: pd.DataFrame, shared: pd.DataFrame, bounds: Sequence[float] = (0.05, 0.5),
             draws: int = 10000, random_state: int = RANDOM_STATE) -> pd.DataFrame:
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
    names = _names(scores)
    R = shared.loc[names, names].to_numpy()
    own = _by_protocol(scores[scores.protocol == scores.protocol.iloc[0]], ["modality", "dataset", "method"]).iloc[:, 0]
    gains = [(own[modality].unstack().CMCSL - own[modality].unstack().UNI)[names] for modality in MODALITIES]
    sample = np.random.default_rng(random_state).multivariate_normal(np.zeros(len(R)), R, draws, method="eigh")
    first, second = np.triu_indices(len(R), k=1)
    values = np.vstack([*gains, sample])
    squares = (values[:, first] - values[:, second]) ** 2 / 2
    rows = []
    for low, high in pairwise([-1, *bounds, 1]):
        inside = (R[first, second] > low) & (R[first, second] <= high)
        if inside.any():
            ratios = squares[:, inside].mean(axis=1) / squares.mean(axis=1)
            expected = np.quantile(ratios[2:], [0.5, 0.95])
            rows.append((f"{max(low, 0):g} to {high:g}", inside.sum(), *expected, *ratios[:2]))
    return pd.DataFrame(rows, columns=["shared", "pairs", "expected", "limit", *MODALITIES])


class Analysis(NamedTuple):
    """What the page shows of the scores: tables of `shared_items`, `answers_by_budget`, `effects`,
    `gains_with_intervals` and `likeness`."""

    shared: pd.DataFrame
    answers: pd.DataFrame
    effects: pd.DataFrame
    gains: pd.DataFrame
    likeness: pd.DataFrame


def analyse(scores: pd.DataFrame, budgets: Sequence[int] = (1, 2, 5, 10, 20)) -> Analysis:
    """All of the page's tables.

    Parameters
    ----------
    scores : DataFrame
        From `load_changes`.
    budgets : sequence of int
        Those of `gains_with_intervals`.
    """
    shared = shared_items(load(scores.corpus.iloc[0]), _names(scores))
    return Analysis(shared, answers_by_budget(scores, shared), effects(scores, shared),
                    gains_with_intervals(scores, shared, budgets), likeness(scores, shared))


def likeness_told(made: pd.DataFrame) -> str:
    """What the last group of `likeness`, the pairs that share most, says of the supposed correlation.

    A ratio above the limit counts against it.

    Parameters
    ----------
    made : DataFrame
        From `likeness`.
    """
    if len(made) < 2:
        return "There are too few datasets to see whether those that share items are alike."
    last = made.iloc[-1]
    seen = " and ".join(f"{last[modality]:.2f} ({modality})" for modality in MODALITIES)
    above = [modality for modality in MODALITIES if last[modality] > last.limit]
    verdict = "That does not speak against the supposition."
    if above:
        verdict = (f"That speaks against the supposition ({' and '.join(above)}): there, datasets that share items are "
                   "less alike than it says, and intervals that allow for it are rather too wide than too narrow.")
    return (f"If results correlated as supposed, pairs in the last row would differ about {last.expected:.2f} times as "
            f"much as all pairs do, and with a probability of 95% no more than {last.limit:.2f} times. They differ "
            f"{seen} times as much. {verdict}")


def summary(answered: pd.DataFrame) -> str:
    """A Markdown list, per budgets and modality: the reference's answer and the changes that turn it.

    Parameters
    ----------
    answered : DataFrame
        From `answers_by_budget`.
    """
    entries = []
    for (budgets, modality), its in answered.groupby(["budgets", "modality"], sort=False):
        reference, *others = its.itertuples()
        turned = "; ".join(f"`{row.protocol}` ({_verdict(row)})" for row in others if row.better != reference.better)
        entries.append(
            f"- **{modality.capitalize()}, {budgets}.** Under `{reference.protocol}` {_verdict(reference)}. "
            f"Changes that turn this answer, of {len(others)}: {turned or 'none'}."
            + (f" Allowing for shared items, the interval leaves out 0 under {(its.low * its.high > 0).sum()} of "
               f"{len(its)} protocols." if its.low.notna().all() else ""))
    return "\n".join(entries)


def _verdict(row) -> str:
    told = {"CMCSL": "CMCSL is better than UNI", "UNI": "UNI is better than CMCSL",
            "neither": "no significant difference of CMCSL and UNI",
            "too few datasets": "there are too few datasets for a verdict on CMCSL and UNI"}[row.better]
    interval = f", 95% interval {row.low:+.3f} to {row.high:+.3f}" if np.isfinite(row.low) else ""
    return f"{told} ({row.gain:+.3f}{interval})"


def _names(scores: pd.DataFrame) -> list[str]:
    return list(scores.dataset.unique())


def _by_protocol(scores: pd.DataFrame, index: list[str]) -> pd.DataFrame:
    """Mean balanced accuracy, one column per protocol; datasets and protocols keep their order."""
    means = scores.groupby([*index, "protocol"], sort=False).balanced_accuracy.mean()
    # unstack(sort=False) puts numbers into wrong columns before pandas 3.1.
    return means.unstack().reindex(index=means.index.droplevel("protocol").unique(), columns=scores.protocol.unique())
