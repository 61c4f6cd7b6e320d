"""What the exchange between modalities does: CMCSL against UNI, from the scores of any source."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..corpora.features import MODALITIES
from ..experiments.scores import BUDGETS, COLUMNS
from ..experiments.sources import PUBLISHED, source_scores
from ..files.errors import Absent, CmcslError
from ..method.preprocessing import PREPROCESSINGS
from .statistics import better_by_wilcoxon, can_be_significant, rank_comparison, wilcoxon_p_values
from .tables import COMPARED, datasets_of, groups_of

#: Columns that name one trained classifier of a method, modality and preprocessing.
FIT = ["dataset", "budget", "repetition", "fold"]


def load_sources(
    numbers: Sequence[int],
    corpus: str = "openclipart",
    protocol: str = "strict",
    *,
    datasets: list[str] | str | None = None,
    classifiers: tuple[str, ...] | None = None,
    budgets: Sequence[int] = BUDGETS,
) -> pd.DataFrame:
    """Scores of every source that is on this machine: the published arrays, a corpus, one's own run on MM-IMDb.

    Parameters
    ----------
    numbers : sequence of int
        Experiments, whose rows stand in one table; what they have in common stands there once.
    corpus : str
        Its missing scores are computed; those of MM-IMDb are not, unless this names it.
    protocol : {"strict", "paper"}
        Published scores have their own.
    datasets : list of str or str, optional
        Of the corpus; default: all.
    classifiers : tuple of {"GNB", "LR", "CART"}, optional
        Of Experiment 3; default: GNB. The other experiments have their own.
    budgets : sequence of int
        Seeds per class.

    Returns
    -------
    DataFrame
        The tidy scores table with two more columns: source, its title, and group, binary or multiclass.

    Raises
    ------
    Absent
        If the corpus is not on this machine.
    """
    parts = []
    for source in dict.fromkeys((PUBLISHED, corpus, "mm-imdb")):
        title = "published scores" if source == PUBLISHED else f"{source}, {protocol}"
        try:
            scores = [
                source_scores(
                    source,
                    number,
                    protocol,
                    datasets=datasets if source == corpus else None,
                    classifiers=classifiers if number == 3 else None,
                    budgets=tuple(budgets),
                    compute=source == corpus,
                )
                for number in numbers
            ]
        except Absent:
            if source == corpus:
                raise
            continue
        parts.append(with_groups(distinct(pd.concat(scores, ignore_index=True))).assign(source=title))
    return pd.concat(parts, ignore_index=True)


def distinct(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores with one row per trained classifier, where several experiments have some in common.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores tables of several experiments in one.

    Returns
    -------
    DataFrame
        The same columns.
    """
    return scores.drop_duplicates([column for column in COLUMNS if not column.endswith("accuracy")])


def with_groups(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores of one corpus with a column group: binary or multiclass.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of one corpus.

    Returns
    -------
    DataFrame
        One column more.
    """
    groups = {name: group for group in groups_of(scores) for name in datasets_of(scores, group)}
    return scores.assign(group=scores.dataset.map(groups))


def gains(scores: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """CMCSL - UNI in every dataset: the difference of mean balanced accuracies.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table; only UNI and CMCSL are taken.
    by : sequence of str
        Columns that divide the scores, for example ``["budget"]``; over all others the mean is taken.

    Returns
    -------
    DataFrame
        One row per values of `by`, modality and dataset: these, UNI, CMCSL, and gain.
    """
    means = (
        scores[scores.method.isin(["UNI", "CMCSL"])]
        .pivot_table(index=[*by, "modality", "dataset"], columns="method", values="balanced_accuracy", sort=False)
        .dropna()[["UNI", "CMCSL"]]
    )
    return means.assign(gain=means.CMCSL - means.UNI).rename_axis(columns=None).reset_index()


def against_uni(scores: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """CMCSL against UNI over datasets, with a verdict.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table; only PRE, UNI and CMCSL are taken.
    by : sequence of str
        Columns that divide the scores, for example ``["source", "group"]``; within their values there is one score
        per trained classifier of a method and modality.

    Returns
    -------
    DataFrame
        One row per values of `by` and modality: PRE, UNI, CMCSL (mean over datasets of the mean balanced accuracy
        over budgets and folds), gain (CMCSL - UNI), above (datasets in which CMCSL is above UNI), datasets (how many
        there are), p_value and verdict on CMCSL ("better", "worse", "no difference", "too few datasets") of the
        two-sided Wilcoxon signed-rank test over datasets with Holm's correction over the three pairs of methods, and
        share_equal (of fits in which CMCSL scores as UNI does: all of them, if all labels come from that modality).

    Raises
    ------
    CmcslError
        If a fit of one of the methods is missing.
    """
    rows = []
    compared = scores[scores.method.isin(COMPARED)]
    for names, part in compared.groupby([*by, "modality"], sort=False):
        fits = part.pivot(index=FIT, columns="method", values="balanced_accuracy").reindex(columns=COMPARED)
        if fits.isna().any(axis=None):
            raise CmcslError(
                f"The scores of {', '.join(map(str, names))} must hold PRE, UNI and CMCSL for the same "
                "datasets, budgets and folds, but lack some."
            )
        means = fits.groupby(level="dataset").mean()
        gain = means.CMCSL - means.UNI
        # Balanced accuracies that differ do so by far more than rounding.
        equal = np.isclose(fits.CMCSL, fits.UNI, rtol=0, atol=1e-9).mean()
        rows.append(
            (
                *names,
                *means.mean(),
                gain.mean(),
                (gain > 0).sum(),
                len(gain),
                wilcoxon_p_values(means.to_numpy())[1, 2],
                _verdict(means.to_numpy()),
                equal,
            )
        )
    columns = [*by, "modality", *COMPARED, "gain", "above", "datasets", "p_value", "verdict", "share_equal"]
    return _together(pd.DataFrame(rows, columns=columns), [*by, "modality"])


def _together(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The table with equal values of some columns together, in the order in which they come first."""
    return table.sort_values(columns, key=lambda column: pd.factorize(column)[0], ignore_index=True)


def _verdict(means: np.ndarray) -> str:
    """On CMCSL, the third column, against UNI, the second."""
    if not can_be_significant(len(means), comparisons=3):
        return "too few datasets"
    better = better_by_wilcoxon(means)
    return "better" if better[2, 1] else "worse" if better[1, 2] else "no difference"


def preprocessing_ranks(scores: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """How CMCSL fares under each preprocessing, over datasets.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 2.
    by : sequence of str
        Columns that divide the scores.

    Returns
    -------
    DataFrame
        One row per values of `by`, modality and preprocessing: CMCSL (mean balanced accuracy), average_rank (the
        higher the better), better_than (names of those that it is significantly better than, by two-sided Wilcoxon
        tests with Holm's correction over all pairs; empty if there are too few datasets).
    """
    rows = []
    cmcsl = scores[(scores.method == "CMCSL") & scores.modality.isin(MODALITIES)]
    for names, part in cmcsl.groupby([*by, "modality"], sort=False):
        means = part.pivot_table(index="dataset", columns="preprocessing", values="balanced_accuracy")
        means = means[[name for name in PREPROCESSINGS if name in means]]
        average = rank_comparison(means).ranks
        pairs = means.shape[1] * (means.shape[1] - 1) // 2
        better = better_by_wilcoxon(means.to_numpy()) & can_be_significant(len(means), comparisons=pairs)
        rows += [
            (*names, name, means[name].mean(), average[name], ", ".join(means.columns[wins]))
            for name, wins in zip(means, better, strict=True)
        ]
    return pd.DataFrame(rows, columns=[*by, "modality", "preprocessing", "CMCSL", "average_rank", "better_than"])


def label_traces(scores: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """What scores tell about the pseudo-labels that each classifier was trained on in Experiment 3.

    Labels do not depend on the classifier, so that all should show the same traces.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores tables of Experiments 1 and 3 together.
    by : sequence of str
        Columns that divide the scores.

    Returns
    -------
    DataFrame
        One row per values of `by`, modality and classifier: share_equal as in `against_uni`; share_as_unprocessed, of
        folds in which FULL scores as in Experiment 1, which has no preprocessing; share_right_UNI and
        share_right_CMCSL, the pseudo-labels' mean accuracy where it is known. A tree on texts of unit length is much
        the same with L2STD as without, so only images tell for it.
    """
    keys = [*by, "classifier", "modality"]
    processed = scores[scores.preprocessing == "L2STD"]
    full = scores[(scores.method == "FULL") & scores.preprocessing.isin(["RAW", "L2STD"])].pivot(
        index=[*keys, *FIT], columns="preprocessing", values="balanced_accuracy"
    )
    full = full.reindex(columns=["RAW", "L2STD"]).dropna()
    equal = pd.Series(np.isclose(full.RAW, full.L2STD, rtol=0, atol=1e-9), full.index)
    right = processed.groupby([*keys, "method"]).pseudo_label_accuracy.mean().unstack()
    traces = against_uni(processed, [*by, "classifier"]).set_index(keys)[["share_equal"]]
    traces["share_as_unprocessed"] = equal.groupby(level=keys).mean()
    return traces.join(right[["UNI", "CMCSL"]].add_prefix("share_right_")).reset_index()
