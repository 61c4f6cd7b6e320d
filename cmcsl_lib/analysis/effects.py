"""What the exchange between modalities does: CMCSL against UNI, from the scores of any source."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..corpora.features import MODALITIES
from ..experiments.published import HALVES, MEAN, absent, published_comparisons, published_differences
from ..experiments.scores import BUDGETS, COLUMNS
from ..experiments.sources import PUBLISHED, source_scores
from ..files.errors import Absent, CmcslError
from ..method.preprocessing import PREPROCESSINGS
from .statistics import better_by_wilcoxon, can_be_significant, rank_comparison, wilcoxon_p_values
from .tables import COMPARED, datasets_of, groups_of

#: Columns that name one trained classifier of a method, modality and preprocessing.
FIT = ["dataset", "budget", "repetition", "fold"]
#: Columns that name what methods are compared on.
ARM = ["dataset", "modality", "preprocessing", "classifier"]


def load_sources(
    numbers: Sequence[int],
    corpus: str = "openclipart",
    protocol: str = "strict",
    *,
    datasets: list[str] | str | None = None,
    classifiers: tuple[str, ...] | None = None,
    budgets: Sequence[int] = BUDGETS,
) -> pd.DataFrame:
    """Scores of every source that is on this machine: the published ones, a corpus, one's own run on MM-IMDb.

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
        Seeds per class. Where the authors' arrays are absent, published scores stand there only if these are all 20.

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


def extents(scores: pd.DataFrame) -> pd.DataFrame:
    """How much each source holds.

    Parameters
    ----------
    scores : DataFrame
        From `load_sources`.

    Returns
    -------
    DataFrame
        Indexed by source, in its order: datasets, and classifiers, how many were trained.
    """
    trained = scores.assign(classifiers=np.where(scores.fold == MEAN, HALVES, 1))
    by_source = trained.groupby("source", sort=False)
    return by_source.agg(datasets=("dataset", "nunique"), classifiers=("classifiers", "sum"))


def halves_compared(scores: pd.DataFrame, method: str, than: str) -> pd.DataFrame | None:
    """What is shipped about the single halves, where the scores are means over them.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table.
    method, than : str
        What is compared, for example CMCSL than UNI.

    Returns
    -------
    DataFrame or None
        The rows of `published.published_comparisons` over all budgets, one for each dataset, modality, preprocessing
        and classifier that the scores have of the method. None where the scores are those of single halves.

    Raises
    ------
    Absent
        If the scores are means over halves, but of some budgets.
    """
    if not (scores.fold == MEAN).all():
        return None
    arms = scores[scores.method == method]
    if set(arms.budget) - {0} not in (set(), set(BUDGETS)):
        raise absent("Comparisons over some budgets")
    shipped = published_comparisons()
    shipped = shipped[(shipped.budget == "all") & (shipped.method == method) & (shipped.than == than)]
    return shipped.merge(arms[ARM].drop_duplicates(), on=ARM)


def half_differences(scores: pd.DataFrame) -> pd.DataFrame:
    """What the F test takes: CMCSL - UNI in each half of one dataset, averaged over budgets.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of one dataset, modality, preprocessing and classifier.

    Returns
    -------
    DataFrame
        One row per repetition, one column per fold.

    Raises
    ------
    Absent
        If the scores are means over halves, and not those whose differences are shipped as an example.
    """
    if not (scores.fold == MEAN).all():
        folds = scores.pivot_table(index=["repetition", "fold"], columns="method", values="balanced_accuracy")
        return (folds.CMCSL - folds.UNI).unstack("fold")
    example = published_differences()
    here, shipped = (table[ARM].drop_duplicates() for table in (scores, example))
    if not np.array_equal(here, shipped):
        raise absent(f"Differences half by half other than those of {', '.join(shipped.iloc[0])}")
    return example.pivot(index="repetition", columns="fold", values="difference")


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
        shipped = halves_compared(part, "CMCSL", "UNI")
        equal = same(fits.CMCSL, fits.UNI).mean() if shipped is None else shipped.equal.sum() / shipped.fits.sum()
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


def same(first: pd.Series, second: pd.Series) -> np.ndarray:
    """Which balanced accuracies are the same: those that differ do so by far more than rounding.

    Parameters
    ----------
    first, second : Series of float
        Fit by fit.

    Returns
    -------
    ndarray of bool
    """
    return np.isclose(first, second, rtol=0, atol=1e-9)


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
    full = scores[(scores.method == "FULL") & scores.preprocessing.isin(["RAW", "L2STD"])]
    unprocessed = {names: share_unprocessed(part) for names, part in full.groupby(keys)}
    right = processed.groupby([*keys, "method"]).pseudo_label_accuracy.mean().unstack()
    traces = against_uni(processed, [*by, "classifier"]).set_index(keys)[["share_equal"]]
    traces["share_as_unprocessed"] = pd.Series(unprocessed, dtype=float)
    return traces.join(right[["UNI", "CMCSL"]].add_prefix("share_right_")).reset_index()


def share_unprocessed(full: pd.DataFrame) -> float:
    """Of folds in which FULL scores with L2STD as without preprocessing.

    Parameters
    ----------
    full : DataFrame
        Scores of FULL in one modality with one classifier.

    Returns
    -------
    float
        NaN if there are no scores of both preprocessings.
    """
    shipped = halves_compared(full, "FULL", "RAW")
    if shipped is not None:
        return shipped.equal.sum() / shipped.fits.sum()
    folds = full.pivot(index=FIT, columns="preprocessing", values="balanced_accuracy")
    folds = folds.reindex(columns=["RAW", "L2STD"]).dropna()
    return same(folds.RAW, folds.L2STD).mean() if len(folds) else np.nan
