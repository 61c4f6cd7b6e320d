"""Real datasets on the map of the simulation, and what it predicts for them.

A dataset's place is its number of classes (two, or more), the strength of each modality (FULL, adjusted for chance) and
the dependence of the modalities' errors. Datasets of more than two classes are placed on the map of `MANY` classes.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.interpolate import RegularGridInterpolator

from ..analysis.effects import gains
from ..corpora.dataset_classes import datasets as catalogue
from ..corpora.dataset_classes import kind
from ..corpora.features import MODALITIES, Features, load_features
from ..experiments.exchange import exchange_table
from ..experiments.protocol import BUDGETS, Protocol, protocol
from ..experiments.published import load_published, printed_table
from ..files.errors import Absent
from ..method import naive_bayes
from .simulation import adjusted, effective_dimension, tetrachoric

MANY = 4
#: Budget of a gain that is the mean over budgets 1 to 20, all that the paper prints.
MEAN = 0
KEYS = ["dataset", "modality", "budget"]
#: Of rows where the modalities differ.
SHARES = ["text_decides", "right_visual", "right_text", "right_kept"]


def positions(scores: pd.DataFrame) -> pd.DataFrame:
    """Where datasets lie.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores table of Experiment 3 of one protocol, of which the rows of FULL are used.

    Returns
    -------
    DataFrame
        One row per dataset: dataset, kind, classes (k), visual, text (strengths).
    """
    full = scores[(scores.method == "FULL") & scores.modality.isin(MODALITIES)]
    place = full.pivot_table(index="dataset", columns="modality", values="balanced_accuracy", sort=False)
    classes = catalogue(full.corpus.iloc[0], list(place.index))
    k = np.array([len(classes[name]) for name in place.index])
    return pd.DataFrame(
        {
            "dataset": place.index,
            "kind": [kind(classes[name]) for name in place.index],
            "classes": k,
            **{modality: adjusted(place[modality].to_numpy(), k) for modality in MODALITIES},
        }
    )


def with_features(place: pd.DataFrame, corpus: str, rules: Protocol | str) -> pd.DataFrame:
    """Positions of a corpus's datasets, with what is measured on their features.

    Parameters
    ----------
    place : DataFrame
        From `positions`.
    corpus : str
    rules : Protocol or str
        The protocol, or its name.

    Returns
    -------
    DataFrame
        Further columns dependence (of errors, `error_dependence`), dimension_visual, dimension_text (effective
        dimensions of the first training half after L2STD).
    """
    rules = protocol(rules)
    rows = [_measured(load_features(corpus, name), rules) for name in place.dataset]
    columns = ["dependence", *(f"dimension_{modality}" for modality in MODALITIES)]
    return pd.concat([place, pd.DataFrame(rows, columns=columns, index=place.index)], axis=1)


def _measured(features: Features, rules: Protocol) -> tuple[float, float, float]:
    """Dependence and effective dimensions of one dataset."""
    truth, missed, dimensions = [], [], []
    for _, _, training, test in rules.divide(features):
        y, y_test, errors = features.y[training], features.y[test], []
        weights = rules.weights(y, y)[y]
        for matrix in features.modalities:
            X, X_test = rules.preprocess(matrix[training], matrix[test], "L2STD")
            model = naive_bayes.fit(X, y[None], weights[None], len(features.classes))
            errors.append(naive_bayes.classify(model, X_test)[0][0] != y_test)
            dimensions.append(effective_dimension(X, y) if len(dimensions) < len(MODALITIES) else np.nan)
        truth.append(y_test)
        missed.append(errors)
    return error_dependence(np.concatenate(truth), *np.concatenate(missed, axis=1)), *dimensions[: len(MODALITIES)]


def error_dependence(y: np.ndarray, visual: np.ndarray, text: np.ndarray) -> float:
    """Tetrachoric correlation of two classifiers' errors given the class, averaged over items.

    Parameters
    ----------
    y : ndarray of shape (n,), dtype int64
    visual, text : ndarray of shape (n,), dtype bool
        Rows whose class is missed.

    Notes
    -----
    Half an item is added to each of the four cells (missed by both, one, the other, none) of a class, without which an
    empty cell makes the correlation 1 or -1.
    """
    correlations = []
    for label in np.unique(y):
        one, other = visual[y == label], text[y == label]
        n = len(one) + 2
        correlations.append(tetrachoric(((one & other).sum() + 0.5) / n, (one.sum() + 1) / n, (other.sum() + 1) / n))
    return float(np.average(correlations, weights=np.unique(y, return_counts=True)[1]))


def published() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Positions and gains of the paper's datasets: of all 20 from the authors' arrays, else of the 10 printed ones.

    Dependence is unknown, since there are no features. Table V prints gains averaged over budgets; their budget is
    `MEAN`.
    """
    try:
        scores = load_published(3)
    except Absent:
        scores = _printed()
    scores = scores[scores.classifier == "GNB"]
    return positions(scores), gains(scores, ["budget"])


def _printed() -> pd.DataFrame:
    table = printed_table(5)
    table = table[table.modality.isin(MODALITIES)]
    scores = table.melt(["dataset", "modality"], ["FULL", "UNI", "CMCSL"], "method", "balanced_accuracy")
    return scores.assign(
        corpus="mm-imdb", classifier="GNB", budget=MEAN, balanced_accuracy=scores.balanced_accuracy.astype(float)
    )


def error_correlations(table: pd.DataFrame) -> pd.Series:
    """Dependence of FULL's errors that each row of the map shows, as `error_dependence` measures it on datasets."""
    keys = ["missed_both", "missed_visual", "missed_text"]
    distinct = table[keys].drop_duplicates()
    correlations = {row: tetrachoric(*row) for row in distinct.itertuples(index=False, name=None)}
    return pd.Series([correlations[row] for row in table[keys].itertuples(index=False, name=None)], table.index)


def latent_dependence(world: pd.DataFrame, place: pd.DataFrame) -> np.ndarray:
    """The rho at which errors on the map depend on each other as much as those of datasets do.

    Parameters
    ----------
    world : DataFrame
        One geometry of the map, with several dependences.
    place : DataFrame
        From `with_features`.

    Returns
    -------
    ndarray of shape (datasets,)
        Within the dependences of the map.
    """
    one = world[(world.exchange == "distance") & (world.budget == world.budget.min())]
    one = one.assign(errors=error_correlations(one))
    rho = np.empty(len(place))
    for dataset, (cells, row) in enumerate(zip(_maps(one, place), place.itertuples(), strict=True)):
        grid = np.sort(cells.dependence.unique())
        errors = [_at(cells[cells.dependence == each], "errors", row.visual, row.text)[0] for each in grid]
        rho[dataset] = np.interp(row.dependence, np.maximum.accumulate(errors), grid)
    return rho


def predicted(
    world: pd.DataFrame, place: pd.DataFrame, budgets: Sequence[int], exchange: str = "distance"
) -> pd.DataFrame:
    """Gains that the map predicts, by linear interpolation in strengths, dependence and the logarithm of the budget.

    Parameters
    ----------
    world : DataFrame
        Rows of the map with one geometry and one number of rows.
    place : DataFrame
        From `positions`; a column rho is heeded where the map has several dependences.
    budgets : sequence of int
        `MEAN` stands for the mean over 1 to 20.

    Returns
    -------
    DataFrame
        Columns dataset, modality, budget, predicted.
    """
    world, rows = world[world.exchange == exchange], []
    for cells, row in zip(_maps(world, place), place.itertuples(), strict=True):
        grid = np.sort(cells.dependence.unique())
        for modality in MODALITIES:
            curves = np.array(
                [
                    _at(cells[cells.dependence == each], f"gain_{modality}", row.visual, row.text, BUDGETS)
                    for each in grid
                ]
            )
            curve = [np.interp(getattr(row, "rho", grid[0]), grid, column) for column in curves.T]
            rows += [
                (row.dataset, modality, budget, np.mean(curve) if budget == MEAN else curve[budget - 1])
                for budget in budgets
            ]
    return pd.DataFrame(rows, columns=[*KEYS, "predicted"])


def _maps(world: pd.DataFrame, place: pd.DataFrame) -> list[pd.DataFrame]:
    """For each dataset the map of its kind."""
    of_kind = {classes: world[world.classes == classes] for classes in (2, MANY)}
    return [of_kind[2 if classes == 2 else MANY] for classes in place.classes]


def _at(
    cells: pd.DataFrame, column: str, visual: float, text: float, budgets: Sequence[int] | None = None
) -> np.ndarray:
    """A column of the map at one place, at budgets, or at the map's one budget; outside, that of the nearest edge."""
    cells = cells.sort_values(["visual", "text", "budget"])
    axes = [cells[name].unique() for name in ("visual", "text", "budget")]
    values = cells[column].to_numpy(dtype=float).reshape([len(axis) for axis in axes])
    plane = RegularGridInterpolator(axes[:2], values)
    ends = [np.clip(value, axis[0], axis[-1]) for value, axis in zip((visual, text), axes, strict=False)]
    here = plane(ends)[0]
    return here if budgets is None else np.interp(np.log(budgets), np.log(axes[2]), here)


def agreement(compared: pd.DataFrame, by: Sequence[str] = ("modality",)) -> pd.DataFrame:
    """How often the map predicts the sign of CMCSL - UNI.

    Parameters
    ----------
    compared : DataFrame
        Columns gain and predicted, and those of `by`.

    Returns
    -------
    DataFrame
        One row per group: compared (datasets times budgets), share_agreeing, share_commoner (what one would get by
        always naming the commoner sign), rank_correlation (Spearman's), gain_measured, gain_predicted (means).
    """
    rows = []
    for names, part in compared.groupby(list(by), sort=False):
        up = (part.gain > 0).mean()
        rows.append(
            (
                *names,
                len(part),
                ((part.gain > 0) == (part.predicted > 0)).mean(),
                max(up, 1 - up),
                part.gain.corr(part.predicted, method="spearman"),
                part.gain.mean(),
                part.predicted.mean(),
            )
        )
    return pd.DataFrame(
        rows,
        columns=[
            *by,
            "compared",
            "share_agreeing",
            "share_commoner",
            "rank_correlation",
            "gain_measured",
            "gain_predicted",
        ],
    )


def deciders(corpus: str, names: Sequence[str], rules: Protocol | str, budgets: Sequence[int]) -> pd.DataFrame:
    """Who decides where the modalities differ, and who is right, in the first training half of datasets.

    Parameters
    ----------
    corpus : str
    names : sequence of str
        Datasets.
    rules : Protocol or str
        The protocol, or its name.
    budgets : sequence of int

    Returns
    -------
    DataFrame
        One row per dataset and budget: dataset, classes, budget, differ (rows that are not seeds and whose labels
        differ), and as shares of these text_decides, right_visual, right_text and right_kept (by the label that CMCSL
        keeps); NaN where no row differs.
    """
    rules, rows = protocol(rules), []
    for name in names:
        features = load_features(corpus, name)
        for budget in budgets:
            table = exchange_table(features, rules, budget)
            differing = table[~table.agree & ~table.seed]
            rows.append(
                (
                    name,
                    len(features.classes),
                    budget,
                    len(differing),
                    (differing.decided_by == "text").mean(),
                    (differing.visual_label == differing.true).mean(),
                    (differing.text_label == differing.true).mean(),
                    differing.right.mean(),
                )
            )
    return pd.DataFrame(rows, columns=["dataset", "classes", "budget", "differ", *SHARES])


def simulated_deciders(world: pd.DataFrame, visual: float, text: float, budgets: Sequence[int]) -> pd.DataFrame:
    """Who decides, and who is right, at one place of the map.

    Parameters
    ----------
    world : DataFrame
        Rows of the map with one setting.
    visual, text : float
        Strengths.

    Returns
    -------
    DataFrame
        Columns exchange, budget, `SHARES` and right_coin: how often a coin would be right that is thrown among the
        differing rows and names the text as often as it really decides.
    """
    rows = []
    for exchange, cells in world.groupby("exchange", sort=False):
        counts = {name: _at(cells, name, visual, text, budgets) for name in ("differ", *SHARES)}
        rows.append(
            pd.DataFrame(
                {"exchange": exchange, "budget": budgets, **{name: counts[name] / counts["differ"] for name in SHARES}}
            )
        )
    shares = pd.concat(rows, ignore_index=True)
    return shares.assign(
        right_coin=shares.text_decides * shares.right_text + (1 - shares.text_decides) * shares.right_visual
    )
