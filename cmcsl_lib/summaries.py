"""Sentences that pages still take from here; numbers are in `effects`."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from .corpora.catalogue import datasets as catalogue
from .corpora.catalogue import kind
from .effects import FIT, against_uni, distinct, label_traces, preprocessing_ranks, with_groups
from .features import MODALITIES
from .preprocessing import PREPROCESSINGS
from .published import AVERAGE_RANK, printed_table
from .statistics import can_be_significant

__all__ = ["distinct", "label_traces"]

#: Whether the paper finds CMCSL better than UNI, by classifier (Section IV-E).
PAPER_BETTER = {"GNB": True, "LR": False, "CART": False}
#: The preprocessing that alone improves both modalities, as the paper finds (Section IV-D).
PAPER_BOTH = ["L2STD"]
#: How a sentence tells the verdicts of `exchange`.
TOLD = {"better": "significantly better than UNI", "worse": "significantly worse than UNI",
        "no difference": "not significantly different from UNI",
        "too few datasets": "not told from UNI for want of datasets"}


def exchange(scores: pd.DataFrame, by: Sequence[str] = ("classifier",)) -> pd.DataFrame:
    """`effects.against_uni`, rows of one modality together."""
    return against_uni(scores, by).sort_values("modality", key=lambda m: m != "visual", kind="stable")


def too_few(rows: int, methods: int) -> bool:
    """Whether no pair of so many methods can differ significantly over so many rows."""
    return not can_be_significant(rows, comparisons=methods * (methods - 1) // 2)


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


def _best(ranked: pd.DataFrame, modality: str) -> list[str]:
    its = ranked[ranked.modality == modality]
    return its.preprocessing[np.isclose(its.average_rank, its.average_rank.max())].tolist()


def _improved_in_both(scores: pd.DataFrame) -> list[str]:
    """Preprocessings under which CMCSL is significantly better than UNI in both modalities."""
    made = exchange(scores, ["preprocessing"])
    better = made[made.verdict == "better"].preprocessing.value_counts()
    return [name for name in PREPROCESSINGS if better.get(name) == len(MODALITIES)]


def paper_rq1() -> str:
    """The paper's answer to RQ1, its best preprocessing read from the printed Tables III and IV."""
    return (f"{listed(_printed_best())} has the best average rank in Tables III and IV, both modalities together, and "
            f"only {listed(PAPER_BOTH)} improves both modalities; labels come from the text alone under RAW, from "
            "images alone under L2 (Section IV-D).")


def _printed_best() -> list[str]:
    best = {}
    for number in (3, 4):
        printed = printed_table(number)
        ranks = printed[printed.dataset == AVERAGE_RANK][list(PREPROCESSINGS)].iloc[0]
        best |= dict.fromkeys(ranks.index[ranks == ranks.max()])
    return list(best)


def beside_rq1(scores: pd.DataFrame) -> str:
    """Whether scores of Experiment 2 give the paper's answer to RQ1, modality by modality."""
    ranked, both = preprocessing_ranks(scores), _improved_in_both(scores)
    differing = [f"the best rank in the {modality} modality is under {listed(best)}"
                 for modality in MODALITIES if (best := _best(ranked, modality)) != _printed_best()]
    if too_few(scores.dataset.nunique(), ranked.preprocessing.nunique()):
        return "Too few datasets for a verdict."
    if both != PAPER_BOTH:
        differing.append(f"both modalities are significantly improved by {listed(both, 'none of them')}")
    return f"Differs: {'; '.join(differing)}." if differing else "The same."


def beside_rq2(scores: pd.DataFrame) -> str:
    """In which groups of datasets and modalities the answer is not the paper's, scores of Experiment 3 with GNB."""
    return beside_rq3(scores[scores.classifier == "GNB"])


def _told_verdicts(made: pd.DataFrame) -> str:
    """The verdicts of both modalities, two rows of `exchange`, as a sentence tells them after "CMCSL is"."""
    rows = list(made.itertuples())
    if made.verdict.nunique() == 1:
        both = "; ".join(f"{row.modality}: {_numbers(row)}" for row in rows)
        return f"{TOLD[rows[0].verdict]} in both modalities ({both})"
    return " and ".join(f"{TOLD[row.verdict]} in the {row.modality} modality ({_numbers(row)})" for row in rows)


def paper_rq2() -> str:
    """The paper's answer to RQ2."""
    return ("Yes: CMCSL is significantly better than UNI with GNB, for binary and for multiclass datasets, both "
            "modalities together (Tables V and VI).")


def paper_rq3() -> str:
    """The paper's answer to RQ3."""
    yes, no = ([name for name, better in PAPER_BETTER.items() if better is wanted] for wanted in (True, False))
    return (f"CMCSL is significantly better than UNI with {listed(yes)}, and not with {listed(no)} (Table VII, Section "
            "IV-E).")


def beside_rq3(scores: pd.DataFrame) -> str:
    """Where "CMCSL is significantly better" is not what the paper finds, by group, modality and classifier.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 3.
    """
    made = exchange(with_groups(scores), ["classifier", "group"])
    made = made[made.verdict != "too few datasets"]
    if made.empty:
        return "Too few datasets for a verdict."
    differing = made[(made.verdict == "better") != made.classifier.map(PAPER_BETTER)]
    if differing.empty:
        return f"The same in all {len(made)} comparisons."
    told = [f"{row.classifier}, {row.group}, {row.modality} ({row.verdict})" for row in differing.itertuples()]
    return f"Differs in {len(told)} of {len(made)} comparisons: {'; '.join(told)}."


def answer_labels(scores: pd.DataFrame) -> str:
    """In sentences: were all classifiers trained on the same pseudo-labels?

    Parameters
    ----------
    scores : DataFrame
        The tidy scores tables of Experiments 1, 2 and 3 together.
    """
    traces = label_traces(scores)
    shares = traces.groupby("classifier", sort=False).share_as_unprocessed.agg(["min", "max"])
    unprocessed = shares.index[shares["min"] > 0.5]
    if len(unprocessed):
        return _told_unprocessed(traces, shares, unprocessed) + _told_raw(scores)
    known = scores[(scores.preprocessing == "L2STD") & scores.method.isin(["UNI", "CMCSL"])].pivot(
        index=["modality", "method", *FIT], columns="classifier", values="pseudo_label_accuracy").dropna()
    if known.empty:
        return "The accuracy of pseudo-labels is not known; nothing in the scores shows that they differ."
    same = (known.nunique(axis=1) == 1).mean()
    return f"Pseudo-labels are equally accurate with {listed(known.columns)} in {_percent(same)} of fits."


def _told_unprocessed(traces: pd.DataFrame, shares: pd.DataFrame, unprocessed: pd.Index) -> str:
    equal = traces[traces.modality == "text"].set_index("classifier").share_equal
    told = [f"with {name} in {_percent(*shares.loc[name])} and {_percent(equal[name])}" for name in shares.index]
    return ("No. FULL scores as in Experiment 1, which has no preprocessing, and CMCSL scores as UNI in the text "
            f"modality: {'; '.join(told)} of fits. Scores of {listed(unprocessed)} bear the marks of no "
            "preprocessing, where the text alone gives the labels, and not of L2STD.")


def _told_raw(scores: pd.DataFrame) -> str:
    """GNB without preprocessing, the fair counterpart of classifiers that had none."""
    made = exchange(scores[(scores.preprocessing == "RAW") & (scores.classifier == "GNB")])
    return "" if made.empty else f" With GNB and no preprocessing (Experiment 2) CMCSL is {_told_verdicts(made)}."


def example_datasets(scores: pd.DataFrame, each: int = 2) -> list[str]:
    """The first datasets of either kind, as many as asked for, among those in the scores."""
    present = set(scores.dataset)
    chosen = {name: kind(classes) for name, classes in catalogue(scores.corpus.iloc[0]).items() if name in present}
    return [name for wanted in ("binary", "multiclass")
            for name in [name for name, its in chosen.items() if its == wanted][:each]]


def listed(names: Iterable[str], none: str = "none") -> str:
    """Names as a sentence has them: "a", "a and b", "a, b and c"."""
    names = [name for name in names if name]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])) or none


def _numbers(row) -> str:
    p_value = "" if row.verdict == "too few datasets" else f", {told_p_value(row.p_value)}"
    return f"mean gain {row.gain:+.3f}, above UNI in {row.above} of {row.datasets} datasets{p_value}"


def told_p_value(p: float) -> str:
    """A p-value in words, three decimals."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _percent(low: float, high: float | None = None) -> str:
    ends = dict.fromkeys(f"{100 * share:.1f}" for share in (low, low if high is None else high))
    return f"{' to '.join(ends)}%"
