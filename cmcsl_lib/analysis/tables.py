"""The paper's tables, filled from the tidy scores table of any source.

Verdict columns are named X_better_than and hold the names of the columns, separated by spaces, that X is significantly
better than, or "all". Numbers are not rounded; `csv_text` rounds where a table is printed.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..corpora import class_counts, load
from ..corpora.dataset_classes import MM_IMDB, datasets, kind
from ..corpora.features import MODALITIES
from ..experiments.published import (
    AVERAGE_RANK,
    MEAN,
    absent,
    beside_table_1,
    printed_table,
    published_comparisons,
)
from ..experiments.scores import BUDGETS
from ..files.errors import Absent, CmcslError, check_choice
from ..method.preprocessing import PREPROCESSINGS
from .statistics import (
    ALPHA,
    DECIMALS,
    Statistics,
    better_by_f_test,
    better_by_wilcoxon,
    f_p_value,
    ranks,
    variant,
)

#: Methods that Tables V to IX compare with each other; the others know all labels.
COMPARED = ("PRE", "UNI", "CMCSL")
SUPERVISED = ("FULL", "EF", "LF")
CLASSIFIERS = ("GNB", "LR", "CART")
GROUPS = ("binary", "multiclass")
#: What names a row of any table, and the end of the name of a verdict column.
KEYS = ("group", "classifier", "dataset", "kind", "class", "modality", "budget")
VERDICT = "_better_than"
#: How the paper writes the numbers of its tables.
ROMAN = dict(zip("123456789", ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"], strict=True))


class Layout(NamedTuple):
    """What one of the Tables II to IX shows.

    Parameters
    ----------
    experiment : int
        Whose scores it takes.
    group : {"binary", "multiclass", ""}
        Of the datasets; empty where it shows both.
    column : {"classifier", "preprocessing", "method"}
        Column of the scores whose values are compared.
    compared : tuple of str
        These values.
    selection : dict of str to str
        Values that other columns of the scores hold.
    classifiers : tuple of str
        Those that are shown one below the other.
    supervised : tuple of str
        Methods that know all labels, shown without a test.
    by_budget : bool
        Whether there is one row per budget instead of one per dataset and modality.
    """

    experiment: int
    group: str
    column: str
    compared: tuple[str, ...]
    selection: dict[str, str]
    classifiers: tuple[str, ...] = ()
    supervised: tuple[str, ...] = ()
    by_budget: bool = False


_EXPERIMENT_2 = {"method": "CMCSL", "classifier": "GNB"}
_EXPERIMENT_3 = {"preprocessing": "L2STD", "classifier": "GNB"}
TABLES = {
    "2": Layout(1, "", "classifier", CLASSIFIERS, {"method": "FULL", "preprocessing": "RAW"}),
    "3": Layout(2, "binary", "preprocessing", PREPROCESSINGS, _EXPERIMENT_2),
    "4": Layout(2, "multiclass", "preprocessing", PREPROCESSINGS, _EXPERIMENT_2),
    "5": Layout(3, "binary", "method", COMPARED, _EXPERIMENT_3, supervised=SUPERVISED),
    "6": Layout(3, "multiclass", "method", COMPARED, _EXPERIMENT_3, supervised=SUPERVISED),
    "7": Layout(3, "", "method", COMPARED, {"preprocessing": "L2STD"}, classifiers=("CART", "LR")),
    "8": Layout(3, "binary", "method", COMPARED, _EXPERIMENT_3, by_budget=True),
    "9": Layout(3, "multiclass", "method", COMPARED, _EXPERIMENT_3, by_budget=True),
}


def paper_table(number: int | str, scores: pd.DataFrame, statistics: str | Statistics = "corrected") -> pd.DataFrame:
    """A table of the paper by its number.

    Parameters
    ----------
    number : int or str
        1 to 9.
    scores : DataFrame
        The tidy scores table of the experiment that `TABLES` names, of one corpus and protocol, with any of its
        datasets and budgets. For Table I one row per dataset and class with the columns dataset, kind, class, samples.
    statistics : {"corrected", "published"} or Statistics

    Returns
    -------
    DataFrame
        Table I: the rows that it was given, with a column total, the size of the dataset.

        Tables II to VII: one row per dataset and modality, with the mean balanced accuracy, over budgets and folds, of
        what is compared, and verdicts by the combined 5x2 CV F test; Tables V and VI begin with the methods that know
        all labels (EF and LF, one classifier for both modalities, stand in both rows; a method that the scores lack is
        NaN). Last, one row per modality with dataset "average_rank": mean ranks, and verdicts by Wilcoxon signed-rank
        tests over datasets. With `modalities_apart` off it is one row with modality "both". Tables II and VII hold
        such rows for each group, and VII for each classifier; the paper prints those of averaged ranks only.

        Tables VIII and IX: one row per budget (as text), with the columns visual_PRE to text_CMCSL, and verdicts by the
        F test on scores that are averaged over datasets fold by fold. Last the row "average_rank": mean ranks over
        budgets, and verdicts by Wilcoxon tests over budgets. Budgets of one dataset are far from independent, so these
        verdicts say little.

    Raises
    ------
    Absent
        If the scores are the shipped means of the published ones, but of some of their budgets or datasets.
    CmcslError
        If there is no such table or variant, or the scores lack a column, a group, a compared value, a budget or a fold
        that the table needs.
    """
    number, statistics = check_choice(str(number), ROMAN, "table"), variant(statistics)
    if number == "1":
        wanted = ["dataset", "kind", "class", "samples"]
        if missing := [column for column in wanted if column not in scores]:
            raise CmcslError(f"Table 1 needs the columns {', '.join(wanted)}; {', '.join(missing)} is missing.")
        return scores[wanted].assign(total=scores.groupby("dataset").samples.transform("sum")).reset_index(drop=True)
    layout, title = TABLES[number], f"Table {number}"
    selected = _selected(scores, title, **layout.selection)
    if layout.by_budget:
        return _by_budget(selected, layout, statistics)
    rows: list[dict[str, Any]] = []
    for group in [layout.group] if layout.group else groups_of(selected):
        keys = {} if layout.group else {"group": group}
        if not layout.classifiers:
            rows += _by_dataset(selected, group, layout, statistics, keys)
        for classifier in layout.classifiers:
            part = _selected(selected, title, classifier=classifier)
            rows += _by_dataset(part, group, layout, statistics, {**keys, "classifier": classifier})
    return pd.DataFrame(rows)


def _by_dataset(
    scores: pd.DataFrame, group: str, layout: Layout, statistics: Statistics, keys: dict[str, str]
) -> list[dict[str, Any]]:
    """Rows per dataset and modality with verdicts, then averaged ranks with verdicts."""
    names, compared = datasets_of(scores, group), layout.compared
    values, budgets = _values(scores, names, layout)
    folds = values.mean(axis=3)
    means = tested = _fold_means(folds)
    if layout.experiment == 3 and group == "multiclass" and not statistics.own_rows:
        tested = _fold_means(_values(scores, datasets_of(scores, "binary"), layout)[0].mean(axis=3))
    supervised = scores[scores.method.isin(layout.supervised)]
    full = supervised.groupby(["method", "dataset", "modality"]).balanced_accuracy.mean()

    def row(dataset: str, modality: str, values: np.ndarray, better: np.ndarray) -> dict[str, Any]:
        known = {
            method: full.get((method, dataset, modality), full.get((method, dataset, "both"), np.nan))
            for method in layout.supervised
        }
        named = {**keys, "dataset": dataset, "modality": modality}
        return named | known | dict(zip(compared, values, strict=True)) | _verdicts(better, compared, compared)

    arm = layout.selection | ({"classifier": keys["classifier"]} if layout.classifiers else {})
    tests = list(product(names, MODALITIES, ["all"]))
    if folds.shape[-1] == 1 and budgets not in ([0], list(BUDGETS)):
        raise absent("F tests over some budgets")
    better = better_within(folds, statistics, tests, layout.column, compared, **arm)
    rows = [
        row(dataset, modality, means[i, j], better[i, j])
        for i, dataset in enumerate(names)
        for j, modality in enumerate(MODALITIES)
    ]
    if statistics.modalities_apart:
        parts = [(modality, means[:, j], tested[:, j]) for j, modality in enumerate(MODALITIES)]
    else:
        parts = [("both", means.reshape(-1, len(compared)), tested.reshape(-1, len(compared)))]
    return rows + [
        row(AVERAGE_RANK, modality, ranks(ranked).mean(axis=0), better_by_wilcoxon(tested, statistics))
        for modality, ranked, tested in parts
    ]


def _by_budget(scores: pd.DataFrame, layout: Layout, statistics: Statistics) -> pd.DataFrame:
    """Rows per budget with verdicts, then averaged ranks with verdicts."""
    names = datasets_of(scores, layout.group)
    values, budgets = _values(scores, names, layout)
    folds = values.mean(axis=0).swapaxes(1, 2)
    if folds.shape[-1] == 1 and len(names) < sum(kind(classes) == layout.group for classes in MM_IMDB.values()):
        raise absent("F tests over some datasets")
    parts, verdicts = [pd.DataFrame({"budget": [*map(str, budgets), AVERAGE_RANK]})], []
    for modality, tested, mean in zip(MODALITIES, folds, _fold_means(folds), strict=True):
        columns = [f"{modality}_{name}" for name in layout.compared]
        tests = [(layout.group, modality, str(budget)) for budget in budgets]
        within = better_within(tested, statistics, tests, layout.column, layout.compared, **layout.selection)
        better = [*within, better_by_wilcoxon(mean, statistics)]
        parts.append(pd.DataFrame(np.vstack([mean, ranks(mean).mean(axis=0)]), columns=columns))
        verdicts.append(pd.DataFrame([_verdicts(each, columns, layout.compared) for each in better]))
    return pd.concat([*parts, *verdicts], axis=1)


def better_within(
    folds: np.ndarray,
    statistics: str | Statistics,
    tests: Iterable[tuple[str, str, str]],
    column: str,
    compared: Sequence[str],
    **arm: str,
) -> np.ndarray:
    """Which of the compared values are better than which within datasets, by the combined F test.

    Parameters
    ----------
    folds : ndarray of shape (..., compared, 5, 2) or (..., compared, 1, 1)
        Scores by repetition and fold; or means of the published scores, whose F statistics are shipped.
    statistics : str or Statistics
        As in `combined_f_test`.
    tests : iterable of tuple of str
        Dataset, modality and budget of each test, as `published.published_comparisons` names them, in the order of the
        leading axes.
    column, compared : str and sequence of str
        As in `Layout`.
    **arm : str
        What the compared classifiers have in common of method, preprocessing and classifier.

    Returns
    -------
    ndarray of shape (..., compared, compared), dtype bool
        As `better_by_f_test` gives it.
    """
    if folds.shape[-1] > 1:
        return better_by_f_test(folds, statistics)
    procedure, rows = variant(statistics), published_comparisons()
    for name, value in arm.items():
        rows = rows[rows[name] == value]
    rows = rows[rows[column].isin(compared) & rows.than.isin(compared)]
    rows = pd.concat([rows, rows.rename(columns={column: "than", "than": column})])
    # Of the slips that both are in f_published one doubles it.
    statistic = (rows.f if procedure.halves_paired else rows.f_published / 2) * (2 - procedure.full_denominator)
    statistic.index = pd.MultiIndex.from_frame(rows[["dataset", "modality", "budget", column, "than"]])
    wanted = [(*test, first, second) for test in tests for first, second in product(compared, compared)]
    p_values = f_p_value(statistic.reindex(wanted).to_numpy()).reshape(*folds.shape[:-2], len(compared))
    means = folds[..., 0, 0]
    return (np.round(means[..., :, None] - means[..., None, :], DECIMALS) > 0) & (p_values < ALPHA)


def _verdicts(better: np.ndarray, columns: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Verdict columns of one row; `names` are those that the verdicts use."""
    verdicts = {}
    for column, wins in zip(columns, better, strict=True):
        beaten = [name for name, win in zip(names, wins, strict=True) if win]
        verdicts[column + VERDICT] = "all" if len(beaten) == len(names) - 1 else " ".join(beaten)
    return verdicts


def datasets_table(counts: pd.DataFrame) -> pd.DataFrame:
    """Table I for reading: one row per dataset with its classes and how many items they have.

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
    return pd.DataFrame(
        {
            "kind": grouped.kind.first(),
            "classes (samples)": grouped.classes.agg(", ".join),
            "total samples": grouped.samples.sum(),
            "extracted": grouped.extracted.sum(),
        }
    )


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """A table for reading: three decimals, and each verdict beside the value it belongs to.

    Parameters
    ----------
    table : DataFrame
        A table of this module, II to IX, or one that `published.printed_table` gives.

    Returns
    -------
    DataFrame of str
        Indexed by what names a row, for example dataset and modality; "0.632 > PRE" is a value that is significantly
        better than PRE's.
    """
    shown = table.set_index([key for key in KEYS if key in table])
    values = [name for name in shown if not name.endswith(VERDICT)]
    text = pd.DataFrame({name: shown[name].map("{:.3f}".format, na_action="ignore") for name in values})
    for name in values:
        if name + VERDICT in shown:
            verdict = shown[name + VERDICT].fillna("")
            text[name] += verdict.where(verdict == "", " > " + verdict)
    return text.fillna("")


def csv_text(table: pd.DataFrame) -> str:
    """Comma-separated values with the paper's three decimals.

    Parameters
    ----------
    table : DataFrame
        A table of this module.

    Returns
    -------
    str
        Without a line break at the end.
    """
    return table.to_csv(index=False, float_format="%.3f", lineterminator="\n").rstrip("\n")


def dataset_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of one of the Tables II to IX that stand for a dataset or a budget, without those of averaged ranks.

    Parameters
    ----------
    table : DataFrame
        One of the Tables II to IX.

    Returns
    -------
    DataFrame
        The same columns.
    """
    return table[table["budget" if "budget" in table else "dataset"] != AVERAGE_RANK]


def better_rows(table: pd.DataFrame, column: str, than: str) -> pd.Series:
    """In which rows of a table a column is significantly better than another.

    Parameters
    ----------
    table : DataFrame
        Some rows of one of the Tables II to IX.
    column : str
        A compared column, for example ``"CMCSL"`` or in Tables VIII and IX ``"visual_CMCSL"``.
    than : str
        A name as it stands in the verdicts, for example ``"UNI"``.

    Returns
    -------
    Series of bool

    Raises
    ------
    CmcslError
        If the column has no verdicts.
    """
    check_choice(column, [name.removesuffix(VERDICT) for name in table if name.endswith(VERDICT)], "compared column")
    return table[column + VERDICT].map(lambda names: names == "all" or than in names.split()).astype(bool)


def count_better(table: pd.DataFrame, column: str, than: str) -> tuple[int, int]:
    """In how many datasets (or budgets) a column is significantly better than another, and how many there are.

    Parameters
    ----------
    table : DataFrame
        One of the Tables II to IX; its rows of averaged ranks are not counted.
    column, than : str
        As in `better_rows`.

    Returns
    -------
    better, rows : int
        Rows in which the column is better, and all rows.
    """
    wins = better_rows(dataset_rows(table), column, than)
    return int(wins.sum()), len(wins)


def compare_with_printed(number: int | str, table: pd.DataFrame) -> pd.DataFrame:
    """Numbers of a table beside those that the paper prints.

    Parameters
    ----------
    number : int or str
        1 to 9.
    table : DataFrame
        That table from scores on MM-IMDb.

    Returns
    -------
    DataFrame
        One row per number that both tables hold: the keys of its row, column, printed, ours (not rounded), and
        difference (ours, rounded to the printed precision, minus printed).
    """
    pairs = _pairs(table, printed_table(number), lambda column, name: pd.api.types.is_numeric_dtype(column))
    return pairs.assign(difference=(pairs.ours.round(3) - pairs.printed).round(3))


def compare_verdicts(number: int | str, table: pd.DataFrame) -> pd.DataFrame:
    """Verdicts of a table beside those that could be read in the paper.

    Parameters
    ----------
    number : int or str
        2 to 9.
    table : DataFrame
        That table from scores on MM-IMDb.

    Returns
    -------
    DataFrame
        One row per verdict that both tables hold: the keys of its row, column, printed, ours, same.
    """
    pairs = _pairs(table, printed_table(number), lambda column, name: name.endswith(VERDICT))
    return pairs.assign(same=pairs.ours == pairs.printed)


def beside_paper(number: int | str, scores: pd.DataFrame) -> pd.DataFrame:
    """The paper's numbers, ours and their difference.

    On other datasets than the paper's only averages can be compared: ranks over both modalities together, as it prints
    them, means over the datasets, and in Tables VIII and IX budgets, which are such means already. Datasets are the
    paper's if each class has as many items as in Table I.

    Parameters
    ----------
    number : int or str
        2 to 9.
    scores : DataFrame
        The tidy scores table of the experiment that `TABLES` names.

    Returns
    -------
    DataFrame
        One row per number: table ("V"), the keys of its row (dataset is "mean" for a mean over datasets), column,
        paper, ours and difference (ours, rounded to the printed precision, minus the paper's), all with three decimals.

    Raises
    ------
    CmcslError
        As `paper_table`.
    """
    # Of all slips only this one changes numbers and not verdicts alone.
    ours, printed = paper_table(number, scores, Statistics(modalities_apart=False)), printed_table(number)
    if not are_the_papers(scores):
        ours, printed = _averages(ours), _averages(printed)
    pairs = _pairs(ours, printed, lambda column, name: pd.api.types.is_numeric_dtype(column)).round(3)
    row = pairs.groupby([key for key in KEYS if key in pairs], sort=False).ngroup()
    pairs = pairs.iloc[row.argsort(kind="stable")].rename(columns={"printed": "paper"}).reset_index(drop=True)
    pairs.insert(0, "table", ROMAN[str(number)])
    return pairs.assign(difference=(pairs.ours - pairs.paper).round(3))


def are_the_papers(scores: pd.DataFrame) -> bool:
    """Whether the datasets of scores are the paper's: by what Table I says of their classes, not by their names.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of one corpus.

    Returns
    -------
    bool
        True for the published scores, and where every class has as many items as in Table I. False if the corpus is
        not on this machine, so that nobody can count.
    """
    if set(scores.protocol) == {"published"}:
        return True
    names = scores.dataset.unique()
    # Before the corpus is read, which may take long.
    if not set(names) <= MM_IMDB.keys():
        return False
    try:
        sizes = beside_table_1(class_counts(load(scores.corpus.iloc[0]), names))
    except Absent:
        return False
    return bool((sizes.samples == sizes.expected).all())


def _averages(values: pd.DataFrame) -> pd.DataFrame:
    """A table with means over datasets in the place of its datasets' rows."""
    if "dataset" not in values:
        return values
    ranks = values.dataset == AVERAGE_RANK
    keys = [key for key in KEYS if key in values and key != "dataset"]
    means = values[~ranks].groupby(keys, sort=False).mean(numeric_only=True).reset_index()
    return pd.concat([means.assign(dataset="mean"), values[ranks]], ignore_index=True)


def _pairs(ours: pd.DataFrame, printed: pd.DataFrame, wanted: Callable[[pd.Series, str], bool]) -> pd.DataFrame:
    """What stands in both tables, in long form."""
    keys = [key for key in KEYS if key in printed]
    columns = [name for name in printed if name not in keys and name in ours and wanted(printed[name], name)]
    left, right = (
        table.melt(keys, columns, var_name="column", value_name=name).dropna(subset=name)
        for table, name in ((printed, "printed"), (ours, "ours"))
    )
    return left.merge(right, on=[*keys, "column"])


def _selected(scores: pd.DataFrame, title: str, **values: str) -> pd.DataFrame:
    """Rows that hold the given values, of one corpus and protocol."""
    for column in ("corpus", "protocol"):
        names = scores[column].unique()
        if len(names) > 1:
            raise CmcslError(f"A table shows one {column}, but the scores hold {', '.join(names)}.")
    rows = scores
    for column, value in values.items():
        rows = rows[rows[column] == value]
    if rows.empty:
        wanted = ", ".join(f"{column} {value}" for column, value in values.items())
        raise CmcslError(f"{title} needs scores with {wanted}, but there are none.")
    return rows


def groups_of(scores: pd.DataFrame) -> list[str]:
    """Those of binary and multiclass that have datasets in the scores.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of one corpus.

    Returns
    -------
    list of {"binary", "multiclass"}
        In this order.
    """
    present = set(scores.dataset.unique())
    kinds = {kind(classes) for name, classes in datasets(scores.corpus.iloc[0]).items() if name in present}
    return [group for group in GROUPS if group in kinds]


def datasets_of(scores: pd.DataFrame, group: str) -> list[str]:
    """Datasets of a group in the scores, in the catalogue's order.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of one corpus.
    group : {"binary", "multiclass"}
        Two classes, or more.

    Returns
    -------
    list of str
        At least one.

    Raises
    ------
    CmcslError
        If there is none.
    """
    catalogue = datasets(scores.corpus.iloc[0])
    present = set(scores.dataset.unique())
    names = [name for name, classes in catalogue.items() if name in present and kind(classes) == group]
    if not names:
        possible = [name for name, classes in catalogue.items() if kind(classes) == group]
        if not possible:
            raise CmcslError(f"The corpus {scores.corpus.iloc[0]} has no {group} dataset.")
        raise CmcslError(f"There are no scores of any {group} dataset: run some of {', '.join(possible)}.")
    return names


def example_datasets(scores: pd.DataFrame, each: int = 2) -> list[str]:
    """The first datasets of each group in the scores, binary ones first, in the catalogue's order.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of one corpus.
    each : int
        How many of a group, at most.

    Returns
    -------
    list of str
        Names.
    """
    return [name for group in groups_of(scores) for name in datasets_of(scores, group)[:each]]


def _values(scores: pd.DataFrame, names: list[str], layout: Layout) -> tuple[np.ndarray, list[int]]:
    """Balanced accuracies, shape (datasets, 2 modalities, compared, budgets, 5, 2), and the budgets.

    The last axes have length 1 where the scores are means over halves.
    """
    column, compared = layout.column, layout.compared
    rows = scores[scores[column].isin(compared) & scores.dataset.isin(names) & scores.modality.isin(MODALITIES)]
    absent = [name for name in compared if name not in rows[column].unique()]
    if absent:
        raise CmcslError(
            f"The scores of {', '.join(names)} must hold {', '.join(compared)}, but lack {', '.join(absent)}."
        )
    keys = ["dataset", "modality", column, "budget", "repetition", "fold"]
    # Experiments share some of their fits; equal rows are one.
    rows = rows.drop_duplicates([*keys, "balanced_accuracy"])
    twice = rows.duplicated(keys)
    if twice.any():
        raise CmcslError(
            f"The scores hold two balanced accuracies for {_in_words(keys, rows[twice][keys].iloc[0])}: "
            "give the scores of one run."
        )
    budgets = sorted(rows.budget.unique())
    halves = [[MEAN], [MEAN]] if (rows.fold == MEAN).all() else [range(5), range(2)]
    axes = [names, MODALITIES, compared, budgets, *halves]
    values = rows.set_index(keys).balanced_accuracy.reindex(pd.MultiIndex.from_product(axes, names=keys))
    missing = values.isna()
    if missing.any():
        raise CmcslError(
            f"The scores lack the balanced accuracy of {_in_words(keys, values.index[missing][0])}: "
            f"a table needs every {column}, budget and fold for all of its datasets."
        )
    if len(rows) > len(values):
        raise CmcslError("The scores hold more than the 5 repetitions (0 to 4) of 2 folds that the F test takes.")
    return values.to_numpy().reshape([len(axis) for axis in axes]), budgets


def _in_words(keys: list[str], values: tuple) -> str:
    return ", ".join(f"{key} {value}" for key, value in zip(keys, values, strict=True))


def _fold_means(folds: np.ndarray) -> np.ndarray:
    return folds.reshape(*folds.shape[:-2], -1).mean(axis=-1)
