"""Sentences and small tables that answer the research questions, computed from the scores of every source."""

from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import pandas as pd

from .corpora.catalogue import datasets as catalogue
from .corpora.catalogue import kind
from .errors import Absent, CmcslError
from .features import MODALITIES
from .preprocessing import PREPROCESSINGS
from .protocol import BUDGETS
from .published import AVERAGE_RANK, printed_table
from .scores import COLUMNS
from .sources import PUBLISHED, source_scores
from .statistics import (
    ALPHA,
    Posterior,
    bayesian_signed_rank,
    better_by_wilcoxon,
    rank_comparison,
    wilcoxon_p_values,
)
from .tables import COMPARED, datasets_of, groups_of

#: Differences up to this do not matter in practice: one point of balanced accuracy.
ROPE = 0.01
#: Whether the paper finds CMCSL better than UNI, by classifier (Section IV-E).
PAPER_BETTER = {"GNB": True, "LR": False, "CART": False}
#: The preprocessing that alone improves both modalities, as the paper finds (Section IV-D).
PAPER_BOTH = ["L2STD"]
FIT = ["dataset", "budget", "repetition", "fold"]
#: How a sentence tells the verdicts of `exchange`.
TOLD = {"better": "significantly better than UNI", "worse": "significantly worse than UNI",
        "no difference": "not significantly different from UNI",
        "too few datasets": "not told from UNI for want of datasets"}


class SourceScores(NamedTuple):
    """Scores of one source by its title; where it is not on this machine no rows, and the sentence that says so."""

    title: str
    scores: pd.DataFrame
    absence: str = ""


def load_sources(numbers: Sequence[int], corpus: str = "openclipart", protocol: str = "strict", *,
                 datasets: list[str] | str | None = None, classifiers: tuple[str, ...] | None = None,
                 budgets: tuple[int, ...] = BUDGETS) -> list[SourceScores]:
    """Scores of the published arrays, of a corpus, and of one's own run on MM-IMDb.

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
        Of Experiment 3; default: GNB. The others have their own.
    budgets : tuple of int

    Returns
    -------
    list of SourceScores
        Their scores have one column more, group: binary or multiclass.
    """
    loaded = []
    for source in dict.fromkeys((PUBLISHED, corpus, "mm-imdb")):
        title = "published scores, MM-IMDb" if source == PUBLISHED else f"{source}, {protocol} protocol"
        try:
            parts = [source_scores(source, number, protocol, datasets=datasets if source == corpus else None,
                                   classifiers=classifiers if number == 3 else None, budgets=budgets,
                                   compute=source == corpus)
                     for number in numbers]
        except Absent as absence:
            loaded.append(SourceScores(title, pd.DataFrame(columns=list(COLUMNS)), f"Not here. {absence}"))
            continue
        loaded.append(SourceScores(title, with_groups(distinct(pd.concat(parts, ignore_index=True)))))
    return loaded


def distinct(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores with one row per fitted classifier, where several experiments have some in common."""
    return scores.drop_duplicates([column for column in COLUMNS if not column.endswith("accuracy")])


def with_groups(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores with a column group: binary or multiclass."""
    groups = {name: group for group in groups_of(scores) for name in datasets_of(scores, group)}
    return scores.assign(group=scores.dataset.map(groups))


def answer_table(sources: list[SourceScores], answer: Callable[[pd.DataFrame], str], paper: str = "",
                 beside: Callable[[pd.DataFrame], str] | None = None) -> pd.DataFrame:
    """The answer of every source, or the sentence that it is absent.

    Parameters
    ----------
    sources : list of SourceScores
    answer : callable
        Gives sentences from scores.
    paper : str
        The paper's own answer, which then stands in the first row.
    beside : callable, optional
        Gives a sentence from scores that compares their answer with the paper's.

    Returns
    -------
    DataFrame of str
        Columns source, answer, and if asked for "beside the paper".
    """
    rows = [("the paper", paper, "")] if paper else []
    for title, scores, absence in sources:
        rows.append((title, absence, "") if scores.empty
                    else (title, answer(scores), beside(scores) if beside else ""))
    made = pd.DataFrame(rows, columns=["source", "answer", "beside the paper"])
    return made if beside else made.drop(columns="beside the paper")


def over_sources(sources: list[SourceScores], make: Callable[..., pd.DataFrame], *arguments) -> pd.DataFrame:
    """What `make` gives for the scores of each source that is there, under each other, first the column source."""
    made = {title: make(scores, *arguments) for title, scores, _ in sources if not scores.empty}
    if not made:
        return pd.DataFrame(columns=["source"])
    return pd.concat(made, names=["source"]).reset_index("source").reset_index(drop=True)


def exchange(scores: pd.DataFrame, by: Sequence[str] = ("classifier",)) -> pd.DataFrame:
    """What the exchange between modalities does: CMCSL against UNI, over datasets.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of one source; only PRE, UNI and CMCSL are taken.
    by : sequence of str
        Columns that divide the scores; within their values there is one score per fit.

    Returns
    -------
    DataFrame
        One row per modality and values of `by`: PRE, UNI, CMCSL (mean over datasets of the mean balanced accuracy over
        budgets and folds), gain (CMCSL - UNI), above (datasets in which CMCSL is above UNI), datasets (how many there
        are), p_value and verdict ("better", "worse", "no difference", "too few datasets") of the two-sided Wilcoxon
        signed-rank test over datasets, with Holm's correction over the three pairs of methods, and share_equal (of fits
        in which CMCSL scores as UNI does: all of them, if all labels come from that modality).

    Raises
    ------
    CmcslError
        If a fit of one of the methods is missing.
    """
    rows = []
    compared = scores[scores.method.isin(COMPARED)].sort_values("modality", key=lambda m: m != "visual", kind="stable")
    for names, its in compared.groupby(["modality", *by], sort=False):
        fits = its.pivot(index=FIT, columns="method", values="balanced_accuracy").reindex(columns=COMPARED)
        if fits.isna().any(axis=None):
            raise CmcslError(f"The scores of {', '.join(names)} must hold PRE, UNI and CMCSL for the same datasets, "
                             "budgets and folds, but lack some.")
        means = fits.groupby(level="dataset").mean()
        gain = means.CMCSL - means.UNI
        # Balanced accuracies that differ do so by far more than rounding.
        equal = np.isclose(fits.CMCSL, fits.UNI, rtol=0, atol=1e-9).mean()
        rows.append((*names, *means.mean(), gain.mean(), (gain > 0).sum(), len(gain),
                     wilcoxon_p_values(means.to_numpy())[1, 2], _verdict(means.to_numpy()), equal))
    return pd.DataFrame(rows, columns=["modality", *by, *COMPARED, "gain", "above", "datasets", "p_value", "verdict",
                                       "share_equal"])


def _verdict(means: np.ndarray) -> str:
    """CMCSL, the third column, against UNI, the second."""
    if too_few(*means.shape):
        return "too few datasets"
    better = better_by_wilcoxon(means)
    return "better" if better[2, 1] else "worse" if better[1, 2] else "no difference"


def too_few(rows: int, methods: int) -> bool:
    """Whether no two-sided Wilcoxon test over so many rows can be significant after Holm's correction over all pairs.

    The smallest p-value, where all differences have one sign, is 2^(1 - rows).
    """
    return methods * (methods - 1) / 2 * 2.0 ** (1 - rows) >= ALPHA


def dataset_gains(scores: pd.DataFrame, by: Sequence[str] = ("classifier",)) -> pd.DataFrame:
    """The gain of `exchange` in every dataset: columns `by`, modality, dataset, gain."""
    means = scores.pivot_table(index=[*by, "modality", "dataset"], columns="method", values="balanced_accuracy",
                               sort=False)
    return (means.CMCSL - means.UNI).dropna().rename("gain").reset_index()


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


def gains_by_budget(sources: list[SourceScores]) -> pd.DataFrame:
    """`gains` of all sources side by side: one row per budget, cells such as "+0.050 (18 of 20)"."""
    long = over_sources(sources, gains)
    if long.empty:
        return long
    long["column"] = long.source + ", " + long.modality
    long["told"] = [f"{row.gain:+.3f} ({row.better} of {row.datasets})" for row in long.itertuples()]
    columns = [f"{title}, {modality}" for title in long.source.unique() for modality in MODALITIES]
    return long.pivot(index="budget", columns="column", values="told")[columns].reset_index().rename_axis(columns=None)


def few_and_many(scores: pd.DataFrame) -> pd.DataFrame:
    """The gain at few and at many seeds, and what it means in practice.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 3, one protocol and classifier.

    Returns
    -------
    DataFrame
        One row per modality: fewest_seeds, gain_at_fewest, most_seeds, gain_at_most (per class; mean gain of CMCSL over
        UNI), then the probabilities of the Bayesian signed-rank test on means over budgets, CMCSL_better by more than
        `ROPE`, equivalent, UNI_better by more. They are missing without baycomp.
    """
    table, rows = gains(scores), []
    means = scores.pivot_table(index=["modality", "dataset"], columns="method", values="balanced_accuracy")
    for modality in MODALITIES:
        its = table[table.modality == modality].sort_values("budget")
        few, many = its.iloc[0], its.iloc[-1]
        posterior = _posterior(means.loc[modality].CMCSL, means.loc[modality].UNI)
        rows.append((modality, few.budget, few.gain, many.budget, many.gain, *posterior))
    return pd.DataFrame(rows, columns=["modality", "fewest_seeds", "gain_at_fewest", "most_seeds", "gain_at_most",
                                       "CMCSL_better", "equivalent", "UNI_better"])


def _posterior(first: pd.Series, second: pd.Series) -> Posterior:
    if find_spec("baycomp") is None:
        return Posterior(np.nan, np.nan, np.nan)
    return bayesian_signed_rank(first.to_numpy(), second.to_numpy(), ROPE)


def about_posteriors() -> str:
    """One sentence on the probabilities of `few_and_many`, or on why there are none."""
    if find_spec("baycomp") is None:
        return ("The probabilities of the Bayesian signed-rank test are left out: they need baycomp, "
                'which `pip install -e ".[bayes]"` brings.')
    return (f"The last three columns are the probabilities of the Bayesian signed-rank test that over datasets CMCSL "
            f"is better by more than {ROPE}, that the difference is smaller than that, and that UNI is better by more.")


def preprocessing_ranks(scores: pd.DataFrame) -> pd.DataFrame:
    """How CMCSL fares under each preprocessing, over all datasets.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 2.

    Returns
    -------
    DataFrame
        One row per modality and preprocessing: CMCSL (mean balanced accuracy), average_rank (the higher the better),
        better_than (names of those that it is significantly better than, by two-sided Wilcoxon tests with Holm's
        correction; empty if there are too few datasets).
    """
    rows = []
    for modality in MODALITIES:
        its = scores[(scores.method == "CMCSL") & (scores.modality == modality)]
        means = its.pivot_table(index="dataset", columns="preprocessing", values="balanced_accuracy")
        means = means[[name for name in PREPROCESSINGS if name in means]]
        average = rank_comparison(means).ranks
        better = better_by_wilcoxon(means.to_numpy()) & (not too_few(*means.shape))
        rows += [(modality, name, means[name].mean(), average[name], ", ".join(means.columns[wins]))
                 for name, wins in zip(means, better, strict=True)]
    return pd.DataFrame(rows, columns=["modality", "preprocessing", "CMCSL", "average_rank", "better_than"])


def answer_rq1(scores: pd.DataFrame) -> str:
    """RQ1 in sentences: what does the preprocessing do to CMCSL?

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 2.
    """
    ranked = preprocessing_ranks(scores)
    told = []
    for modality in MODALITIES:
        best = ranked[(ranked.modality == modality) & ranked.preprocessing.isin(_best(ranked, modality))]
        words = f"in the {modality} modality under {listed(best.preprocessing)} (rank {best.average_rank.iloc[0]:.2f}"
        if too_few(scores.dataset.nunique(), ranked.preprocessing.nunique()):
            words += ", too few datasets for a verdict"
        elif len(best) == 1:
            words += f", significantly better than {listed(best.better_than.item().split(', '), 'none of the others')}"
        told.append(words + ")")
    return " ".join([f"{_extent(scores)} CMCSL has its best average rank {' and '.join(told)}.",
                     *_told_improved(scores), *_told_one_sided_labels(scores)])


def _best(ranked: pd.DataFrame, modality: str) -> list[str]:
    its = ranked[ranked.modality == modality]
    return its.preprocessing[np.isclose(its.average_rank, its.average_rank.max())].tolist()


def _improved_in_both(scores: pd.DataFrame) -> list[str]:
    """Preprocessings under which CMCSL is significantly better than UNI in both modalities."""
    made = exchange(scores, ["preprocessing"])
    better = made[made.verdict == "better"].preprocessing.value_counts()
    return [name for name in PREPROCESSINGS if better.get(name) == len(MODALITIES)]


def _told_improved(scores: pd.DataFrame) -> list[str]:
    if too_few(scores.dataset.nunique(), len(COMPARED)):
        return []
    return [f"It is significantly better than UNI in both modalities under "
            f"{listed(_improved_in_both(scores), 'none of the preprocessings')}."]


def _told_one_sided_labels(scores: pd.DataFrame) -> list[str]:
    """How often the paper's "labels from one modality only" can be seen in the scores."""
    shares = exchange(scores, ["preprocessing"]).set_index(["preprocessing", "modality"]).share_equal
    told = [f"{_percent(shares[key])} of {key[1]} fits under {key[0]}"
            for key in (("RAW", "text"), ("L2", "visual")) if key in shares]
    return [f"CMCSL scores as UNI does in {listed(told)}; with labels from that modality alone it would in all."
            ] if told else []


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


def answer_rq2(scores: pd.DataFrame) -> str:
    """RQ2 in sentences: does the exchange between modalities help, and at few and at many seeds?

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 3, one protocol and classifier.
    """
    made = exchange(scores)
    better = made.modality[made.verdict == "better"].tolist()
    if (made.verdict == "too few datasets").all():
        lead = "No verdict"
    elif len(better) == 1:
        lead = f"Only in the {better[0]} modality"
    else:
        lead = "Yes, in both modalities" if better else "No, in neither modality"
    return " ".join([f"{lead}. {_extent(scores)} CMCSL is {_told_verdicts(made)}.", *_told_few_and_many(scores)])


def _told_few_and_many(scores: pd.DataFrame) -> list[str]:
    table = gains(scores)
    told = []
    for budget in dict.fromkeys((table.budget.min(), table.budget.max())):
        its = table[table.budget == budget].set_index("modality").gain
        told.append(f"at {_seeds(budget)} per class it is " +
                    " and ".join(f"{its[modality]:+.3f} ({modality})" for modality in MODALITIES))
    return [f"The mean gain, CMCSL - UNI, varies with the budget: {', '.join(told)}."] if len(told) > 1 else []


def paper_rq2() -> str:
    """The paper's answer to RQ2."""
    return ("Yes: CMCSL is significantly better than UNI with GNB, for binary and for multiclass datasets, both "
            "modalities together (Tables V and VI).")


def beside_rq2(scores: pd.DataFrame) -> str:
    """In which groups of datasets and modalities the answer is not the paper's, scores of Experiment 3 with GNB."""
    return beside_rq3(scores[scores.classifier == "GNB"])


def answer_rq3(scores: pd.DataFrame) -> str:
    """RQ3 in sentences: how much does the classifier matter for what the exchange brings?

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 3 with several classifiers.
    """
    made = exchange(scores)
    classifiers = list(made.classifier.unique())
    changed = [modality for modality in MODALITIES if made[made.modality == modality].verdict.nunique() > 1]
    if len(classifiers) == 1:
        lead = f"Can't be told from the scores of {classifiers[0]} alone"
    elif (made.verdict == "too few datasets").all():
        lead = "No verdict"
    else:
        where = "both modalities" if len(changed) > 1 else f"the {listed(changed)} modality"
        lead = f"It decides the verdict in {where}" if changed else "It does not change the verdict"
    clauses = [f"with {name} {_told_verdicts(made[made.classifier == name])}" for name in classifiers]
    return f"{lead}. {_extent(scores)} CMCSL is {'; '.join(clauses)}."


def _told_verdicts(made: pd.DataFrame) -> str:
    """The verdicts of both modalities, two rows of `exchange`, as a sentence tells them after "CMCSL is"."""
    rows = list(made.itertuples())
    if made.verdict.nunique() == 1:
        both = "; ".join(f"{row.modality}: {_numbers(row)}" for row in rows)
        return f"{TOLD[rows[0].verdict]} in both modalities ({both})"
    return " and ".join(f"{TOLD[row.verdict]} in the {row.modality} modality ({_numbers(row)})" for row in rows)


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


def label_traces(scores: pd.DataFrame) -> pd.DataFrame:
    """What scores tell about the pseudo-labels that each classifier was trained on in Experiment 3.

    Labels do not depend on the classifier, so that all should show the same traces.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores tables of Experiments 1 and 3 together.

    Returns
    -------
    DataFrame
        One row per modality and classifier: share_equal as in `exchange`; share_as_unprocessed, of folds in which FULL
        scores as in Experiment 1, which has no preprocessing; share_right_UNI and share_right_CMCSL, the pseudo-labels'
        mean accuracy where it is known. A tree on texts of unit length is much the same with L2STD as without, so only
        images tell for it.
    """
    processed = scores[scores.preprocessing == "L2STD"]
    full = scores[(scores.method == "FULL") & scores.preprocessing.isin(["RAW", "L2STD"])].pivot(
        index=["modality", "classifier", *FIT], columns="preprocessing", values="balanced_accuracy")
    full = full.reindex(columns=["RAW", "L2STD"]).dropna()
    equal = pd.Series(np.isclose(full.RAW, full.L2STD, rtol=0, atol=1e-9), full.index)
    right = processed.groupby(["modality", "classifier", "method"]).pseudo_label_accuracy.mean().unstack()
    made = exchange(processed).set_index(["modality", "classifier"])[["share_equal"]]
    made["share_as_unprocessed"] = equal.groupby(level=["modality", "classifier"]).mean()
    return made.join(right[["UNI", "CMCSL"]].add_prefix("share_right_")).reset_index()


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


def _extent(scores: pd.DataFrame) -> str:
    """Beginning of a sentence: over how many datasets and which budgets."""
    budgets = sorted(scores.budget[scores.budget > 0].unique())
    seeds = f"at {_seeds(budgets[0])}" if len(budgets) == 1 else f"averaged over {budgets[0]} to {budgets[-1]} seeds"
    count = scores.dataset.nunique()
    return f"Over {count} dataset{'s' if count > 1 else ''}, {seeds} per class,"


def _numbers(row) -> str:
    p_value = "" if row.verdict == "too few datasets" else f", {told_p_value(row.p_value)}"
    return f"mean gain {row.gain:+.3f}, above UNI in {row.above} of {row.datasets} datasets{p_value}"


def told_p_value(p: float) -> str:
    """A p-value in words, three decimals."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _percent(low: float, high: float | None = None) -> str:
    ends = dict.fromkeys(f"{100 * share:.1f}" for share in (low, low if high is None else high))
    return f"{' to '.join(ends)}%"


def _seeds(budget: int) -> str:
    return "1 seed" if budget == 1 else f"{budget} seeds"
