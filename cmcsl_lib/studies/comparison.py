"""Statistics of the studies across datasets: every method beside a reference, with a verdict."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from ..analysis.sensitivity.intervals import mean_interval
from ..analysis.statistics import (
    ALPHA,
    Statistics,
    better_by_wilcoxon,
    can_be_significant,
    holm,
    ranks,
    wilcoxon_p_values,
)
from ..corpora.features import MODALITIES

BETTER, WORSE, NEITHER, TOO_FEW = "better", "worse", "no difference", "too few datasets"
MARKS = {BETTER: " ▲", WORSE: " ▼"}
#: Two-sided tests; Holm's correction follows, over the comparisons with the reference alone.
UNCORRECTED = Statistics(holm=False)


def ordered(scores: pd.DataFrame, **columns: Iterable[str]) -> pd.DataFrame:
    """The scores in the order of the studies rather than of the alphabet: modalities, then other columns.

    Parameters
    ----------
    scores : DataFrame
        From `results.load_study`.
    **columns : iterable of str
        All values of a column of that name, in their order.

    Returns
    -------
    DataFrame
        The same rows.
    """
    return _sorted(
        scores, {"modality": [*MODALITIES, "both"], **{name: list(values) for name, values in columns.items()}}
    )


def _sorted(table: pd.DataFrame, orders: Mapping[str, Sequence[object]]) -> pd.DataFrame:
    """The rows sorted by columns, each by a list of its values."""
    return table.sort_values(
        list(orders), key=lambda column: column.map(orders[column.name].index), kind="stable", ignore_index=True
    )


def compared(
    scores: pd.DataFrame,
    reference: str | None = "CMCSL",
    column: str = "method",
    by: Sequence[str] = ("modality", "budget"),
    shared: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Every method beside one of them, over datasets.

    Parameters
    ----------
    scores : DataFrame
        Columns `by`, `column`, dataset, balanced_accuracy; methods are scored on the same datasets and folds.
    reference : str or None
        A value of `column`; None: the one with the highest mean, which may be another under other values of `by`.
    column : str
        What is compared: methods, modalities, or choices of seeds.
    by : sequence of str
        Columns whose values are compared apart.
    shared : DataFrame, optional
        From `analysis.sensitivity.shared_items`, of at least the scores' datasets.

    Returns
    -------
    DataFrame
        One row per values of `by` and method: balanced_accuracy (mean over datasets of the mean over folds),
        average_rank (among all methods, the higher the better), gain (over the reference), with `shared` also low and
        high (of its 95% interval, which allows for items that datasets share), above (datasets in which the method is
        above the reference), datasets, p_value (two-sided Wilcoxon signed-rank test over datasets, with
        Holm's correction over all comparisons with the reference under the same values of `by`) and verdict on the
        method: "better" or "worse" than the reference, "no difference", "too few datasets", or "" for the reference.
    """
    orders = {name: list(scores[name].unique()) for name in (*by, column)}
    parts = {}
    for values, part in scores.groupby(list(by), sort=False):
        means = part.pivot_table(index="dataset", columns=column, values="balanced_accuracy", sort=False)
        means = means[[name for name in orders[column] if name in means]]
        own = means.mean().idxmax() if reference is None else reference
        if own in means:
            parts[values] = _beside(means, own, shared)
    return _sorted(pd.concat(parts, names=list(orders)).reset_index(), {name: orders[name] for name in by})


def _beside(means: pd.DataFrame, reference: str, shared: pd.DataFrame | None) -> pd.DataFrame:
    """One row per method, as `compared` describes it, from one column per method and one row per dataset."""
    values, place = means.to_numpy(), means.columns.get_loc(reference)
    others = np.delete(np.arange(values.shape[1]), place)
    pairs = [values[:, [other, place]] for other in others]
    p_values, ahead, behind = np.ones(values.shape[1]), np.zeros(values.shape[1], bool), np.zeros(values.shape[1], bool)
    p_values[others] = holm(np.array([wilcoxon_p_values(pair, UNCORRECTED)[0, 1] for pair in pairs]))
    better = np.array([better_by_wilcoxon(pair, UNCORRECTED) for pair in pairs]).reshape(-1, 2, 2)
    ahead[others], behind[others] = better[:, 0, 1], better[:, 1, 0]
    significant = p_values < ALPHA
    verdict = np.select([significant & ahead, significant & behind], [BETTER, WORSE], NEITHER)
    verdict = verdict.astype(object)
    if not can_be_significant(len(values), comparisons=len(others)):
        verdict[:] = TOO_FEW
    verdict[place] = ""
    gains = values - values[:, [place]]
    table = pd.DataFrame(
        {
            "balanced_accuracy": values.mean(axis=0),
            "average_rank": ranks(values).mean(axis=0),
            "gain": gains.mean(axis=0),
            "above": (gains > 0).sum(axis=0),
            "datasets": len(values),
            "p_value": p_values,
            "verdict": verdict,
        },
        index=means.columns,
    )
    if shared is not None:
        interval = mean_interval(gains.T, shared.loc[means.index, means.index].to_numpy())
        table.insert(table.columns.get_loc("above"), "low", interval.low)
        table.insert(table.columns.get_loc("above"), "high", interval.high)
    return table


def marked(
    table: pd.DataFrame,
    index: Sequence[str] = ("method",),
    columns: Sequence[str] = ("modality", "budget"),
    value: str = "balanced_accuracy",
) -> pd.DataFrame:
    """Means or gains for reading: ▲ significantly better than the reference, ▼ significantly worse.

    Parameters
    ----------
    table : DataFrame
        From `compared`.
    index, columns : sequence of str
        Columns of the table whose values become rows and columns, in the order in which they come.
    value : {"balanced_accuracy", "gain"}
        Gains have signs.

    Returns
    -------
    DataFrame
        Of str, "" where there is no value.
    """
    number = "{:+.3f}" if value == "gain" else "{:.3f}"
    # Adding zero makes -0.0 of a small loss 0.0.
    text = (table[value].round(3) + 0.0).map(number.format) + table.verdict.map(MARKS).fillna("")
    cells = table.assign(cell=text)
    return cells.pivot_table("cell", list(index), list(columns), aggfunc="first", sort=False).fillna("")


def curves(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean balanced accuracy over datasets and folds at each share of a disturbance.

    Parameters
    ----------
    scores : DataFrame
        Those of the study of robustness.

    Returns
    -------
    DataFrame
        Columns disturbance, modality, budget, method, share, balanced_accuracy.
    """
    keys = ["disturbance", "modality", "budget", "method", "share"]
    by_dataset = scores.groupby([*keys, "dataset"], sort=False).balanced_accuracy.mean()
    means = by_dataset.groupby(level=keys, sort=False).mean().reset_index()
    return means.sort_values("share", kind="stable", ignore_index=True)


def classes_found(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean share of the classes that each choice of seeds finds.

    Parameters
    ----------
    scores : DataFrame
        Those of the study of seeds.

    Returns
    -------
    DataFrame
        One row per choice, one column per budget.
    """
    classes = scores.groupby("dataset", sort=False).classes_found.max()
    shares = scores.assign(share=scores.classes_found / scores.dataset.map(classes))
    return shares.pivot_table(index="choice", columns="budget", values="share", sort=False)
