"""One function per table of the paper, on the tidy scores table of any source.

Verdict columns are named X_better_than and hold the names of the columns, separated by spaces, that X is significantly
better than, or "all". Numbers are not rounded; `csv_text` rounds where a table is printed.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ..corpora.dataset_classes import datasets, kind
from ..corpora.features import MODALITIES
from ..experiments.published import AVERAGE_RANK, printed_table
from ..files.errors import CmcslError, check_choice
from ..method.preprocessing import PREPROCESSINGS
from .statistics import Statistics, better_by_f_test, better_by_wilcoxon, ranks, variant

#: Methods that Tables V to IX compare with each other; the others know all labels.
COMPARED = ("PRE", "UNI", "CMCSL")
SUPERVISED = ("FULL", "EF", "LF")
CLASSIFIERS = ("GNB", "LR", "CART")
GROUPS = ("binary", "multiclass")
#: What names a row of any table, and the end of the name of a verdict column.
KEYS = ("group", "classifier", "dataset", "kind", "class", "modality", "budget")
VERDICT = "_better_than"
#: Experiment whose scores a table shows; Table I shows none.
EXPERIMENT_OF_TABLE = {"2": 1, "3": 2, "4": 2, "5": 3, "6": 3, "7": 3, "8": 3, "9": 3}
#: Classifiers that a table shows where they are not its experiment's own.
CLASSIFIERS_SHOWN = {"7": ("LR", "CART")}
#: How the paper writes the numbers of its tables.
ROMAN = dict(zip("123456789", ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"], strict=True))


def classes_table(counts: pd.DataFrame) -> pd.DataFrame:
    """Table I: classes of every dataset and their sizes, one row per class; `datasets_table` is for reading.

    Parameters
    ----------
    counts : DataFrame
        Columns dataset, kind, class, samples, one row per dataset and class.

    Returns
    -------
    DataFrame
        The same rows with a column total, the size of the dataset.

    Raises
    ------
    CmcslError
        If a column is missing.
    """
    wanted = ["dataset", "kind", "class", "samples"]
    if missing := [column for column in wanted if column not in counts]:
        raise CmcslError(f"Table 1 needs the columns {', '.join(wanted)}; {', '.join(missing)} is missing.")
    return counts[wanted].assign(total=counts.groupby("dataset").samples.transform("sum")).reset_index(drop=True)


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


def classifiers_table(scores: pd.DataFrame, statistics: str | Statistics = "corrected") -> pd.DataFrame:
    """Table II: GNB, LR and CART on all labels, without preprocessing.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 1.
    statistics : str or Statistics

    Returns
    -------
    DataFrame
        group, then as `methods_table`, with columns GNB, LR, CART. The paper prints the averaged ranks only.
    """
    rows = _selected(scores, "Table 2", method="FULL", preprocessing="RAW")
    return pd.concat(
        [
            _comparison(rows, group, "classifier", CLASSIFIERS, statistics).assign(group=group)
            for group in groups_of(rows)
        ],
        ignore_index=True,
    ).pipe(_first, "group")


def preprocessing_table(scores: pd.DataFrame, group: str, statistics: str | Statistics = "corrected") -> pd.DataFrame:
    """Tables III and IV: GNB trained on CMCSL's pseudo-labels, by preprocessing, averaged over budgets.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 2.
    group : {"binary", "multiclass"}
    statistics : str or Statistics

    Returns
    -------
    DataFrame
        As `methods_table`, with columns RAW, L2, STD, MM, L2STD. Table IV prints the averaged ranks only.
    """
    rows = _selected(scores, f"Table {'3' if group == 'binary' else '4'}", method="CMCSL", classifier="GNB")
    return _comparison(rows, group, "preprocessing", PREPROCESSINGS, statistics)


def methods_table(
    scores: pd.DataFrame, group: str, statistics: str | Statistics = "corrected", classifier: str = "GNB"
) -> pd.DataFrame:
    """Tables V and VI: balanced accuracy of every method, averaged over budgets and folds.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 3, one corpus and protocol, any of its datasets and budgets.
    group : {"binary", "multiclass"}
    statistics : str or Statistics
        ``corrected`` or ``published``.
    classifier : {"GNB", "LR", "CART"}
        The paper shows GNB.

    Returns
    -------
    DataFrame
        One row per dataset and modality: dataset, modality, FULL, EF, LF, PRE, UNI, CMCSL, then the verdicts of the
        compared methods by the combined 5x2 CV F test. EF and LF are one classifier for both modalities, so their value
        stands in both rows; a method with all labels that the scores lack is NaN. Last, one row per modality
        with dataset "average_rank": mean ranks of the compared methods, and verdicts by Wilcoxon signed-rank tests
        over datasets. With `modalities_apart` off it is one row with modality "both". Over fewer than six datasets a
        two-sided Wilcoxon test can't be significant.

    Raises
    ------
    CmcslError
        If no dataset of the group is in the scores, or a compared method, a budget or a fold is missing somewhere.
    """
    rows = _selected(scores, f"Table {'5' if group == 'binary' else '6'}", preprocessing="L2STD", classifier=classifier)
    comparison = _comparison(rows, group, "method", COMPARED, statistics, other_rows=True)
    for place, method in enumerate(SUPERVISED, start=2):
        means = rows[rows.method == method].groupby(["dataset", "modality"]).balanced_accuracy.mean()
        comparison.insert(
            place,
            method,
            [
                means.get((dataset, modality), means.get((dataset, "both"), np.nan))
                for dataset, modality in zip(comparison.dataset, comparison.modality, strict=True)
            ],
        )
    return comparison


def other_classifiers_table(scores: pd.DataFrame, statistics: str | Statistics = "corrected") -> pd.DataFrame:
    """Table VII: Tables V and VI with CART and LR.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 3 with both classifiers.
    statistics : str or Statistics

    Returns
    -------
    DataFrame
        group, classifier, then as `methods_table`, without the methods that know all labels. The paper prints the
        averaged ranks only.
    """
    rows = _selected(scores, "Table 7", preprocessing="L2STD")
    parts = []
    for group in groups_of(rows):
        for classifier in ("CART", "LR"):
            part = _comparison(
                _selected(rows, "Table 7", classifier=classifier),
                group,
                "method",
                COMPARED,
                statistics,
                other_rows=True,
            )
            parts.append(part.assign(group=group, classifier=classifier))
    return pd.concat(parts, ignore_index=True).pipe(_first, "group", "classifier")


def budgets_table(scores: pd.DataFrame, group: str, statistics: str | Statistics = "corrected") -> pd.DataFrame:
    """Tables VIII and IX: balanced accuracy of PRE, UNI and CMCSL by budget, averaged over datasets.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 3.
    group : {"binary", "multiclass"}
    statistics : str or Statistics

    Returns
    -------
    DataFrame
        One row per budget (as text): budget, visual_PRE, visual_UNI, visual_CMCSL, text_PRE, text_UNI, text_CMCSL, and
        verdicts by the combined F test on scores that are averaged over datasets fold by fold. Last the row
        "average_rank": mean ranks over budgets, and verdicts by Wilcoxon tests over budgets. Budgets of one dataset
        are far from independent, so these verdicts say little.
    """
    rows = _selected(scores, f"Table {'8' if group == 'binary' else '9'}", preprocessing="L2STD", classifier="GNB")
    values, budgets = _values(rows, datasets_of(rows, group), "method", COMPARED)
    folds = values.mean(axis=0).swapaxes(1, 2)
    means = _fold_means(folds)
    parts = [pd.DataFrame({"budget": [*map(str, budgets), AVERAGE_RANK]})]
    verdicts = []
    for modality, tested, mean in zip(MODALITIES, folds, means, strict=True):
        names = [f"{modality}_{method}" for method in COMPARED]
        better = [*better_by_f_test(tested, statistics), better_by_wilcoxon(mean, statistics)]
        parts.append(pd.DataFrame(np.vstack([mean, ranks(mean).mean(axis=0)]), columns=names))
        verdicts.append(pd.DataFrame([_verdicts(each, names, COMPARED) for each in better]))
    return pd.concat([*parts, *verdicts], axis=1)


TABLES: dict[str, Callable[[pd.DataFrame, str | Statistics], pd.DataFrame]] = {
    "1": lambda counts, _: classes_table(counts),
    "2": classifiers_table,
    "3": lambda scores, statistics: preprocessing_table(scores, "binary", statistics),
    "4": lambda scores, statistics: preprocessing_table(scores, "multiclass", statistics),
    "5": lambda scores, statistics: methods_table(scores, "binary", statistics),
    "6": lambda scores, statistics: methods_table(scores, "multiclass", statistics),
    "7": other_classifiers_table,
    "8": lambda scores, statistics: budgets_table(scores, "binary", statistics),
    "9": lambda scores, statistics: budgets_table(scores, "multiclass", statistics),
}


def table(number: int | str, scores: pd.DataFrame, statistics: str | Statistics = "corrected") -> pd.DataFrame:
    """A table of the paper by its number.

    Parameters
    ----------
    number : int or str
        1 to 9.
    scores : DataFrame
        The tidy scores table of the experiment in `EXPERIMENT_OF_TABLE`; for Table I the counts that `classes_table`
        takes.
    statistics : str or Statistics
        ``corrected`` or ``published``.

    Raises
    ------
    CmcslError
        If there is no such table or variant, or the scores can't fill the table.
    """
    return TABLES[check_choice(str(number), TABLES, "table")](scores, variant(statistics))


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
    """Comma-separated values with the paper's three decimals."""
    return table.to_csv(index=False, float_format="%.3f", lineterminator="\n").rstrip("\n")


def count_better(table: pd.DataFrame, column: str, than: str) -> tuple[int, int]:
    """In how many rows of a table a column is significantly better than another, and how many rows there are.

    Rows of averaged ranks are not counted.

    Parameters
    ----------
    table : DataFrame
        A table of this module.
    column : str
        A compared column, for example ``"CMCSL"`` or in Tables VIII and IX ``"visual_CMCSL"``.
    than : str
        A name as it stands in the verdicts, for example ``"UNI"``.

    Raises
    ------
    CmcslError
        If the column has no verdicts.
    """
    check_choice(column, [name.removesuffix(VERDICT) for name in table if name.endswith(VERDICT)], "compared column")
    rows = table[table["budget" if "budget" in table else "dataset"] != AVERAGE_RANK]
    wins = rows[column + VERDICT].map(lambda names: names == "all" or than in names.split())
    return int(wins.sum()), len(rows)


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
    them, means over the datasets, and in Tables VIII and IX budgets, which are such means already.

    Parameters
    ----------
    number : int or str
        2 to 9.
    scores : DataFrame
        The tidy scores table of the experiment in `EXPERIMENT_OF_TABLE`.

    Returns
    -------
    DataFrame
        One row per number: table ("V"), the keys of its row (dataset is "mean" for a mean over datasets), column,
        paper, ours and difference (ours, rounded to the printed precision, minus the paper's), all with three decimals.

    Raises
    ------
    CmcslError
        As `table`.
    """
    # Of all slips only this one changes numbers and not verdicts alone.
    ours, printed = table(number, scores, Statistics(modalities_apart=False)), printed_table(number)
    if set(scores.corpus) != {"mm-imdb"}:
        ours, printed = _averages(ours), _averages(printed)
    pairs = _pairs(ours, printed, lambda column, name: pd.api.types.is_numeric_dtype(column)).round(3)
    row = pairs.groupby([key for key in KEYS if key in pairs], sort=False).ngroup()
    pairs = pairs.iloc[row.argsort(kind="stable")].rename(columns={"printed": "paper"}).reset_index(drop=True)
    pairs.insert(0, "table", ROMAN[str(number)])
    return pairs.assign(difference=(pairs.ours - pairs.paper).round(3))


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
    """Those of binary and multiclass that have datasets in the scores."""
    present = set(scores.dataset.unique())
    kinds = {kind(classes) for name, classes in datasets(scores.corpus.iloc[0]).items() if name in present}
    return [group for group in GROUPS if group in kinds]


def datasets_of(scores: pd.DataFrame, group: str) -> list[str]:
    """Datasets of a group in the scores, in the catalogue's order.

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
    """
    return [name for group in groups_of(scores) for name in datasets_of(scores, group)[:each]]


def _values(scores: pd.DataFrame, names: list[str], column: str, compared: tuple[str, ...]) -> tuple[np.ndarray, list]:
    """Balanced accuracies, shape (datasets, 2 modalities, compared, budgets, 5, 2), and the budgets."""
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
    axes = [names, MODALITIES, compared, budgets, range(5), range(2)]
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
    return folds.reshape(*folds.shape[:-2], 10).mean(axis=-1)


def _comparison(
    scores: pd.DataFrame,
    group: str,
    column: str,
    compared: tuple[str, ...],
    statistics: str | Statistics,
    other_rows: bool = False,
) -> pd.DataFrame:
    """Rows per dataset and modality with verdicts, then averaged ranks with verdicts.

    Parameters
    ----------
    other_rows : bool
        Whether the paper takes the verdicts of this multiclass table from the binary datasets by a slip.
    """
    statistics = variant(statistics)
    names = datasets_of(scores, group)
    folds = _values(scores, names, column, compared)[0].mean(axis=3)
    means = tested = _fold_means(folds)
    if other_rows and not statistics.own_rows and group == "multiclass":
        tested = _fold_means(_values(scores, datasets_of(scores, "binary"), column, compared)[0].mean(axis=3))
    better = better_by_f_test(folds, statistics)
    rows = [
        {"dataset": dataset, "modality": modality}
        | dict(zip(compared, means[i, j], strict=True))
        | _verdicts(better[i, j], compared)
        for i, dataset in enumerate(names)
        for j, modality in enumerate(MODALITIES)
    ]
    if statistics.modalities_apart:
        parts = [(modality, means[:, j], tested[:, j]) for j, modality in enumerate(MODALITIES)]
    else:
        parts = [("both", means.reshape(-1, len(compared)), tested.reshape(-1, len(compared)))]
    rows += [
        {"dataset": AVERAGE_RANK, "modality": modality}
        | dict(zip(compared, ranks(ranked).mean(axis=0), strict=True))
        | _verdicts(better_by_wilcoxon(tested, statistics), compared)
        for modality, ranked, tested in parts
    ]
    return pd.DataFrame(rows)


def _verdicts(
    better: np.ndarray, names: tuple[str, ...] | list[str], short: tuple[str, ...] | None = None
) -> dict[str, str]:
    """Verdict columns of one row; `short` are the names that verdicts use where columns are called otherwise."""
    verdicts = {}
    for name, row in zip(names, better, strict=True):
        beaten = [other for other, wins in zip(short or names, row, strict=True) if wins]
        verdicts[name + VERDICT] = "all" if len(beaten) == len(names) - 1 else " ".join(beaten)
    return verdicts


def _first(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return table[[*columns, *(name for name in table if name not in columns)]]
