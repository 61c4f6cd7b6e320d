"""Sentences and small tables that answer a research question, computed from the scores."""

import pandas as pd

from .corpora.catalogue import datasets, kind
from .features import MODALITIES


def gains(scores: pd.DataFrame, method: str = "CMCSL", reference: str = "UNI") -> pd.DataFrame:
    """How much better one method is than another, over datasets, for each modality and budget.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of one protocol and classifier.
    method, reference : {"PRE", "UNI", "CMCSL"}

    Returns
    -------
    DataFrame
        One row per modality and budget: gain (mean over datasets of the difference of mean balanced
        accuracies), better (datasets in which `method` is above `reference`), datasets (how many there are).
    """
    means = scores.pivot_table(index=["modality", "budget", "dataset"], columns="method", values="balanced_accuracy")
    difference = (means[method] - means[reference]).dropna()
    grouped = difference.groupby(["modality", "budget"])
    table = pd.DataFrame({"gain": grouped.mean(), "better": grouped.agg(lambda d: (d > 0).sum()),
                          "datasets": grouped.size()}).reset_index()
    return table.astype({"better": int})


def answer_rq2(scores: pd.DataFrame) -> str:
    """One sentence per modality on RQ2: does the exchange between modalities help, at few and at many seeds?

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 3, one protocol and classifier.
    """
    table = gains(scores)
    sentences = []
    for modality in MODALITIES:
        rows = table[table.modality == modality].sort_values("budget")
        few, many = rows.iloc[0], rows.iloc[-1]
        sentences.append(
            f"In the {modality} modality CMCSL is above UNI in {few.better} of {few.datasets} datasets at "
            f"{_seeds(few.budget)} per class (mean difference {few.gain:+.3f}), and in {many.better} of "
            f"{many.datasets} at {_seeds(many.budget)} ({many.gain:+.3f})."
        )
    return " ".join(sentences)


def _seeds(budget: int) -> str:
    return "1 seed" if budget == 1 else f"{budget} seeds"


def example_datasets(scores: pd.DataFrame, each: int = 2) -> list[str]:
    """The first datasets of either kind, as many as asked for, among those in the scores."""
    present = set(scores.dataset)
    chosen = {name: kind(classes) for name, classes in datasets(scores.corpus.iloc[0]).items() if name in present}
    return [name for wanted in ("binary", "multiclass")
            for name in [name for name, its in chosen.items() if its == wanted][:each]]
