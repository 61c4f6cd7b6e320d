"""One function per table of the paper, on the tidy scores table of any source."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from .corpora.catalogue import datasets, kind
from .errors import CmcslError, check_choice
from .features import MODALITIES
from .statistics import better_by_f_test, better_by_wilcoxon, ranks

#: Methods that Tables V and VI compare with each other; the others know all labels.
COMPARED = ("PRE", "UNI", "CMCSL")
SUPERVISED = ("FULL", "EF", "LF")


def methods_table(scores: pd.DataFrame, group: str) -> pd.DataFrame:
    """Tables V and VI: balanced accuracy of every method, averaged over budgets and folds.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 3, one protocol and classifier.
    group : {"binary", "multiclass"}

    Returns
    -------
    DataFrame
        One row per dataset and modality: dataset, modality, FULL, EF, LF, PRE, UNI, CMCSL, then for each compared
        method M the column M_better_than: names of the compared methods, or "all", that it is significantly better
        than by the combined 5x2 CV F test. EF and LF are one classifier for both modalities, so their value stands
        in both rows. Last, one row per modality with dataset "average_rank": mean ranks of the compared methods,
        and verdicts by Wilcoxon signed-rank tests over datasets with Holm's correction.

    Raises
    ------
    CmcslError
        If no dataset of the group is in the scores, or a compared method or a fold is missing.
    """
    names = _datasets_of(scores, group)
    rows, ranked = [], []
    for modality in MODALITIES:
        folds = np.stack([_fold_scores(scores, dataset, modality) for dataset in names])
        means = folds.mean(axis=(-2, -1))
        for dataset, mean, fold in zip(names, means, folds, strict=True):
            rows.append(_method_row(scores, dataset, modality, mean) | _verdicts(better_by_f_test(fold)))
        ranked.append({"dataset": "average_rank", "modality": modality}
                      | dict(zip(COMPARED, ranks(means).mean(axis=0), strict=True))
                      | _verdicts(better_by_wilcoxon(means)))
    # The paper prints both modalities of a dataset below each other.
    order = sorted(rows, key=lambda row: (names.index(row["dataset"]), MODALITIES.index(row["modality"])))
    verdicts = [f"{method}_better_than" for method in COMPARED]
    return pd.DataFrame([*order, *ranked], columns=["dataset", "modality", *SUPERVISED, *COMPARED, *verdicts])


def _datasets_of(scores: pd.DataFrame, group: str) -> list[str]:
    catalogue = datasets(scores.corpus.iloc[0])
    present = set(scores.dataset)
    names = [name for name, classes in catalogue.items() if name in present and kind(classes) == group]
    if not names:
        raise CmcslError(f"There are no scores of any {group} dataset: run some of "
                         f"{', '.join(name for name, classes in catalogue.items() if kind(classes) == group)}.")
    return names


def _fold_scores(scores: pd.DataFrame, dataset: str, modality: str) -> np.ndarray:
    """Scores of the compared methods, averaged over budgets: shape (3, 5, 2)."""
    chosen = scores[(scores.dataset == dataset) & (scores.modality == modality) & scores.method.isin(COMPARED)]
    folds = chosen.groupby(["method", "repetition", "fold"]).balanced_accuracy.mean()
    try:
        return np.stack([folds[method].to_numpy().reshape(5, 2) for method in COMPARED])
    except (KeyError, ValueError):
        raise CmcslError(
            f"Scores of {dataset}, {modality}, must hold {', '.join(COMPARED)} on 5 repetitions of 2 folds."
        ) from None


def _method_row(scores: pd.DataFrame, dataset: str, modality: str, compared: np.ndarray) -> dict[str, object]:
    chosen = scores[(scores.dataset == dataset) & scores.modality.isin([modality, "both"])]
    supervised = chosen[chosen.method.isin(SUPERVISED)].groupby("method").balanced_accuracy.mean()
    return ({"dataset": dataset, "modality": modality} | supervised.to_dict()
            | dict(zip(COMPARED, compared, strict=True)))


def _verdicts(better: np.ndarray) -> dict[str, str]:
    told = {}
    for method, row in zip(COMPARED, better, strict=True):
        beaten = [other for other, wins in zip(COMPARED, row, strict=True) if wins]
        told[f"{method}_better_than"] = "all" if len(beaten) == len(COMPARED) - 1 else " ".join(beaten)
    return told


TABLES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "5": lambda scores: methods_table(scores, "binary"),
    "6": lambda scores: methods_table(scores, "multiclass"),
}


def table(number: str | int, scores: pd.DataFrame) -> pd.DataFrame:
    """A table of the paper by its number.

    Raises
    ------
    CmcslError
        If there is no such table here, or the scores can't fill it.
    """
    return TABLES[check_choice(str(number), TABLES, "table")](scores)


def readable(made: pd.DataFrame) -> pd.DataFrame:
    """A methods table for reading: three decimals, and each verdict beside the value it belongs to.

    Returns
    -------
    DataFrame of str
        Indexed by dataset and modality; "0.632 > PRE" is a value that is significantly better than PRE's.
    """
    shown = made.set_index(["dataset", "modality"])
    text = pd.DataFrame({name: shown[name].map("{:.3f}".format, na_action="ignore") for name in (*SUPERVISED, *COMPARED)})
    for method in COMPARED:
        verdict = shown[f"{method}_better_than"]
        text[method] += verdict.where(verdict == "", " > " + verdict)
    return text.fillna("")


def table_or_note(number: str | int, scores: pd.DataFrame) -> pd.DataFrame | str:
    """A table for reading, or the sentence that says why these scores can't fill it."""
    try:
        return readable(table(number, scores))
    except CmcslError as error:
        return str(error)


def datasets_table(counts: pd.DataFrame) -> pd.DataFrame:
    """Table I: one row per dataset with its classes and how many items they have.

    Parameters
    ----------
    counts : DataFrame
        Columns dataset, kind, class, samples, extracted, one row per class.

    Returns
    -------
    DataFrame
        Indexed by dataset: kind, "classes (samples)", total samples, extracted.
    """
    named = counts.assign(classes=counts["class"] + " (" + counts.samples.astype(str) + ")")
    grouped = named.groupby("dataset", sort=False)
    return pd.DataFrame({"kind": grouped.kind.first(), "classes (samples)": grouped.classes.agg(", ".join),
                         "total samples": grouped.samples.sum(), "extracted": grouped.extracted.sum()})


def csv_text(made: pd.DataFrame) -> str:
    """Comma-separated values with the paper's three decimals."""
    return made.to_csv(index=False, float_format="%.3f").rstrip("\n")
