"""Statistics of the studies across datasets, and the sentences that they amount to."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..features import MODALITIES
from ..statistics import ALPHA, Statistics, better_by_wilcoxon, holm, ranks, wilcoxon_p_values
from ..summaries import listed
from .peers import METHODS
from .robustness import COMPARED, DISTURBANCES
from .seeds import CHOICES, PER_CLASS, RANDOM

REFERENCE = "CMCSL"
BETTER, WORSE, NEITHER, TOO_FEW = "better", "worse", "no difference", "too few datasets"
MARKS = {BETTER: " ▲", WORSE: " ▼"}
#: Two-sided tests; Holm's correction follows, over the comparisons with the reference alone.
UNCORRECTED = Statistics(holm=False)


def ordered(scores: pd.DataFrame, **columns: Iterable[str]) -> pd.DataFrame:
    """The scores in the order of the studies rather than of the alphabet: modalities, then the given columns."""
    wanted = {"modality": (*MODALITIES, "both"), **{name: tuple(values) for name, values in columns.items()}}
    return scores.sort_values(list(wanted), key=lambda column: column.map(wanted[column.name].index), kind="stable",
                              ignore_index=True)


def compared(scores: pd.DataFrame, reference: str = REFERENCE, column: str = "method",
             by: Sequence[str] = ("modality", "budget")) -> pd.DataFrame:
    """Every method beside one of them, over datasets.

    Parameters
    ----------
    scores : DataFrame
        Columns `by`, `column`, dataset, balanced_accuracy; methods are scored on the same datasets and folds.
    reference : str
        A value of `column`.
    column : str
        What is compared: methods, or choices of seeds.
    by : sequence of str
        Columns whose values are compared apart.

    Returns
    -------
    DataFrame
        One row per values of `by` and method: balanced_accuracy (mean over datasets of the mean over folds),
        average_rank (among all methods, the higher the better), gain (over the reference), higher (datasets in which
        the method is above the reference), datasets, p_value (two-sided Wilcoxon signed-rank test over datasets, with
        Holm's correction over all comparisons with the reference under the same values of `by`) and verdict on the
        method: "better" or "worse" than the reference, "no difference", "too few datasets", or "" for the reference.
    """
    order = {name: list(scores[name].unique()) for name in (*by, column)}
    parts = []
    for values, its in scores.groupby(list(by), sort=False):
        means = its.pivot_table(index="dataset", columns=column, values="balanced_accuracy", sort=False)
        names = [name for name in order[column] if name in means]
        if reference in names:
            part = _beside(means[names], names.index(reference)).rename_axis(column).reset_index()
            parts.append(part.assign(**dict(zip(by, values, strict=True))))
    made = pd.concat(parts)[[*by, column, *(name for name in parts[0] if name not in (*by, column))]]
    return made.sort_values(list(by), key=lambda values: values.map({v: i for i, v in enumerate(order[values.name])}),
                            kind="stable", ignore_index=True)


def _beside(means: pd.DataFrame, place: int) -> pd.DataFrame:
    """One row per method: what `compared` tells of it."""
    values = means.to_numpy()
    others = np.delete(np.arange(values.shape[1]), place)
    p_values, better = np.ones(values.shape[1]), better_by_wilcoxon(values, UNCORRECTED)
    p_values[others] = holm(wilcoxon_p_values(values, UNCORRECTED)[others, place])
    significant = p_values < ALPHA
    verdict = np.select([significant & better[:, place], significant & better[place]], [BETTER, WORSE], NEITHER)
    verdict = verdict.astype(object)
    # The smallest two-sided p-value, where all differences have one sign, is 2^(1 - datasets).
    if len(others) * 2.0 ** (1 - len(values)) >= ALPHA:
        verdict[:] = TOO_FEW
    verdict[place] = ""
    gains = values - values[:, [place]]
    return pd.DataFrame({"balanced_accuracy": values.mean(axis=0), "average_rank": ranks(values).mean(axis=0),
                         "gain": gains.mean(axis=0), "higher": (gains > 0).sum(axis=0), "datasets": len(values),
                         "p_value": p_values, "verdict": verdict}, index=means.columns)


def beside(table: pd.DataFrame, lines: Sequence[str] = ("method",)) -> pd.DataFrame:
    """Means for reading, modalities and budgets side by side: ▲ significantly better than the reference, ▼ worse.

    Parameters
    ----------
    table : DataFrame
        From `compared`.
    lines : sequence of str
        Columns of the table whose values are lines.
    """
    text = table.assign(text=[f"{mean:.3f}{MARKS.get(verdict, '')}"
                              for mean, verdict in zip(table.balanced_accuracy, table.verdict, strict=True)])
    spread = text.pivot(index=list(lines), columns=["modality", "budget"], values="text")
    rows, columns = (list(dict.fromkeys(table[list(names)].itertuples(index=False, name=None)))
                     for names in (lines, ("modality", "budget")))
    index = pd.MultiIndex.from_tuples(rows, names=list(lines)) if len(lines) > 1 else [row[0] for row in rows]
    return spread.reindex(index=index, columns=pd.MultiIndex.from_tuples(columns, names=["modality", "budget"])
                          ).fillna("")


def told(table: pd.DataFrame, reference: str = REFERENCE, column: str = "method",
         by: Sequence[str] = ("modality", "budget")) -> str:
    """A Markdown list: under each value of `by`, what is significantly better than the reference, and what is worse.

    Parameters
    ----------
    table : DataFrame
        From `compared`, with the same other parameters.
    """
    entries = []
    for values, its in table.groupby(list(by), sort=False):
        own = its[its[column] == reference].iloc[0]
        others = its[its[column] != reference]
        entries.append(f"- **{_where(by, values)}**: {reference} reaches {own.balanced_accuracy:.3f}. "
                       + _verdicts(others, column))
    return "\n".join(entries)


def _verdicts(others: pd.DataFrame, column: str) -> str:
    if (others.verdict == TOO_FEW).all():
        above = [f"{row[column]} ({row.gain:+.3f})" for _, row in others.iterrows() if row.gain > 0]
        return (f"Over {others.datasets.iloc[0]} datasets no test can be significant. Higher on average: "
                f"{listed(above)}.")
    parts = [f"Significantly {verdict}: {listed(names)}." for verdict, names in
             ((verdict, _named(others[others.verdict == verdict], column)) for verdict in (BETTER, WORSE))]
    return " ".join([*parts, f"No significant difference: {(others.verdict == NEITHER).sum()} of {len(others)}."])


def _named(rows: pd.DataFrame, column: str) -> list[str]:
    return [f"{row[column]} ({row.gain:+.3f})" for _, row in rows.sort_values("gain", ascending=False).iterrows()]


def _where(by: Sequence[str], values: Iterable) -> str:
    written = {"budget": lambda budget: f"{budget} seed{'s' if budget > 1 else ''} per class",
               "share": lambda share: f"share {share:.2g}",
               "modality": {"both": "both together"}.get}
    return ", ".join(str(written.get(name, str)(value) or value) for name, value in zip(by, values, strict=True))


def losses(table: pd.DataFrame, column: str = "method") -> str:
    """Sentences that say plainly where the reference CMCSL loses.

    Parameters
    ----------
    table : DataFrame
        From `compared` with the reference CMCSL.
    """
    others = table[table.verdict != ""]
    if (others.verdict == TOO_FEW).all():
        return f"Over {others.datasets.iloc[0]} datasets no test can be significant, so nothing is said of losses."
    told_of, cells = [], others.groupby(["modality", "budget"], sort=False).ngroups
    for name, its in others.groupby(column, sort=False):
        lost, won = (its[its.verdict == verdict] for verdict in (BETTER, WORSE))
        if len(lost):
            where = "; ".join(_where(("modality", "budget"), (row.modality, row.budget)) for row in lost.itertuples())
            told_of.append((len(lost), f"- **{name}**: {where} (up to {lost.gain.max():+.3f}"
                            f"{f'; significantly worse elsewhere, {len(won)} times' if len(won) else ''})."))
    if not told_of:
        return f"No method is significantly better than CMCSL in any of {cells} comparisons of modality and budget."
    lines = [line for _, line in sorted(told_of, key=lambda entry: -entry[0])]
    return "\n".join([f"CMCSL loses significantly to {len(lines)} of {others[column].nunique()} methods somewhere:", "",
                      *lines])


def exchange_told(scores: pd.DataFrame) -> str:
    """A Markdown list: what CMCSL's exchange adds to each propagator's own labels, averaged over budgets.

    Parameters
    ----------
    scores : DataFrame
        Of the study of peers.
    """
    entries = []
    for name in ("", *(f" on {name}" for name in _propagators(scores))):
        pair = scores[scores.method.isin([f"UNI{name}", f"CMCSL{name}"])]
        table = compared(pair, f"UNI{name}", by=("modality",))
        rows = table[table.method == f"CMCSL{name}"]
        entries.append(f"- **{name.removeprefix(' on ') or 'nearest seed, as in the paper'}**: " + "; ".join(
            f"{_where(('modality',), (row.modality,))} {row.gain:+.3f} ({row.verdict})" for row in rows.itertuples())
            + ".")
    return "\n".join(entries)


def _propagators(scores: pd.DataFrame) -> list[str]:
    return [name.removeprefix("CMCSL on ") for name in scores.method.unique() if name.startswith("CMCSL on ")]


def curves(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean balanced accuracy over datasets and folds at each share of a disturbance.

    Returns
    -------
    DataFrame
        Columns disturbance, modality, budget, method, share, balanced_accuracy.
    """
    keys = ["disturbance", "modality", "budget", "method", "share"]
    means = scores.groupby([*keys, "dataset"], sort=False).balanced_accuracy.mean()
    return means.groupby(level=keys, sort=False).mean().reset_index().sort_values(
        "share", kind="stable", ignore_index=True)


def curves_told(scores: pd.DataFrame) -> str:
    """A Markdown list: for each disturbance and budget, what the methods lose, and where CMCSL is above or below.

    Parameters
    ----------
    scores : DataFrame
        Of the study of robustness; only the fused predictions are taken.
    """
    by = ("disturbance", "budget", "share")
    table = compared(scores[scores.modality == "both"], by=by)
    entries = []
    for (disturbance, budget), its in table.groupby(list(by[:2]), sort=False):
        if its.share.nunique() < 2:
            continue
        its = its.sort_values("share", kind="stable")
        levels = its.pivot(index="share", columns="method", values="balanced_accuracy")
        shares = f"{levels.index[0]:g} to {levels.index[-1]:.2g}"
        fell = [f"{name} {levels[name].iloc[0]:.3f} to {levels[name].iloc[-1]:.3f}" for name in its.method.unique()]
        leads = [_lead(name, its[its.method == name]) for name in its.method.unique() if name != REFERENCE]
        entries.append(f"- **{disturbance.capitalize()}, {_where(('budget',), (budget,))}**: from share {shares} "
                       f"{listed(fell)}. {' '.join(leads)}")
    return "\n".join(entries)


def _lead(name: str, rows: pd.DataFrame) -> str:
    if (rows.verdict == TOO_FEW).all():
        below = [f"{row.share:.2g}" for row in rows.itertuples() if row.gain > 0]
        return f"CMCSL is on average below {name} {_at(below)}."
    lost, won = ([f"{row.share:.2g}" for row in rows.itertuples() if row.verdict == verdict]
                 for verdict in (BETTER, WORSE))
    return f"CMCSL is significantly better than {name} {_at(won)}, significantly worse {_at(lost)}."


def _at(shares: list[str]) -> str:
    return f"at share{'s' if len(shares) > 1 else ''} {listed(shares)}" if shares else "at no share"


def classes_found(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean share of the classes that each choice of seeds finds; one row per choice, one column per budget."""
    classes = scores.groupby("dataset", sort=False).classes_found.max()
    shares = scores.assign(share=scores.classes_found / scores.dataset.map(classes))
    return shares.pivot_table(index="choice", columns="budget", values="share", sort=False)


def rq2_by_choice(table: pd.DataFrame) -> str:
    """A Markdown list: under each choice of seeds, where CMCSL is better and where it is worse than UNI.

    Parameters
    ----------
    table : DataFrame
        From `compared` with the reference UNI, by choice, modality and budget.
    """
    entries = []
    for choice, its in table[table.method == REFERENCE].groupby("choice", sort=False):
        if (its.verdict == TOO_FEW).all():
            told_of = f"over {its.datasets.iloc[0]} datasets no test can be significant"
        else:
            told_of = ", ".join(f"significantly {verdict} than UNI in {(its.verdict == verdict).sum()}"
                                for verdict in (BETTER, WORSE)) + f" of {len(its)} comparisons"
        entries.append(f"- **{choice}**: {told_of}; mean gain {its.gain.mean():+.3f}, at the fewest seeds "
                       f"{its.gain[its.budget == its.budget.min()].mean():+.3f}.")
    return "\n".join(entries)


def ties_told(shares: dict[int, float], where: str) -> str:
    """A sentence on `peers.ties` at several budgets.

    Parameters
    ----------
    shares : dict of int to float
        By budget; NaN where modalities agree on every row.
    where : str
        Dataset.
    """
    told_of = listed(f"{share:.0%} at {budget}" for budget, share in shares.items() if np.isfinite(share))
    return (f"In the first fold of {where}, self-training is exactly as confident in one modality as in the other for "
            f"{told_of} seeds per class of the rows that it labels differently in both. Such ties go to the visual "
            "modality.")


def fusion_told(scores: pd.DataFrame) -> str:
    """A sentence on the fused prediction of CMCSL beside that of its better modality."""
    means = scores[scores.method == REFERENCE].pivot_table(index="dataset", columns="modality",
                                                           values="balanced_accuracy")
    best = means[list(MODALITIES)].mean().idxmax()
    above = (means["both"] > means[best]).sum()
    return (f"Averaged over budgets, CMCSL's fused prediction ({means['both'].mean():.3f}) is above that of its "
            f"classifier of the {best} modality ({means[best].mean():.3f}) in {above} of {len(means)} datasets.")


class Peers(NamedTuple):
    """What the page on peers shows: the scores in order, and every method beside CMCSL."""

    scores: pd.DataFrame
    table: pd.DataFrame


def analyse_peers(scores: pd.DataFrame) -> Peers:
    """The tables of the page on peers."""
    scores = ordered(scores, method=METHODS)
    return Peers(scores, compared(scores))


class Robustness(NamedTuple):
    """What the page on missing modalities and noise shows: the scores in order, and means at every share."""

    scores: pd.DataFrame
    curves: pd.DataFrame


def analyse_robustness(scores: pd.DataFrame) -> Robustness:
    """The tables of the page on missing modalities and noise."""
    scores = ordered(scores, disturbance=DISTURBANCES, method=COMPARED)
    return Robustness(scores, curves(scores))


class Seeds(NamedTuple):
    """What the page on the choice of seeds shows.

    Attributes
    ----------
    choices : DataFrame
        From `compared`: every choice beside random seeds, with CMCSL.
    beside_paper : DataFrame
        The same beside the paper's draw, equally many of each class.
    exchange : DataFrame
        From `compared`: CMCSL and PRE beside UNI, under every choice.
    found : DataFrame
        From `classes_found`.
    """

    choices: pd.DataFrame
    beside_paper: pd.DataFrame
    exchange: pd.DataFrame
    found: pd.DataFrame


def analyse_seeds(scores: pd.DataFrame) -> Seeds:
    """The tables of the page on the choice of seeds."""
    scores = ordered(scores, choice=CHOICES)
    exchange = compared(scores, "UNI", by=("choice", "modality", "budget"))
    own = scores[scores.method == REFERENCE]
    return Seeds(compared(own, RANDOM, "choice"), compared(own, PER_CLASS, "choice"), exchange, classes_found(scores))
