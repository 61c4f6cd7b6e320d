"""What the map of the simulation predicts for datasets at their places, beside what is measured on them.

Datasets of more than two classes are placed on the map of `MULTICLASS` classes.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.interpolate import RegularGridInterpolator

from ..corpora.features import MODALITIES, load_features
from ..experiments.exchange import exchange_table
from ..experiments.protocol import Protocol, protocol
from ..experiments.scores import BUDGETS
from .placement import tetrachoric

MULTICLASS = 4
KEYS = ["dataset", "modality", "budget"]
#: Smaller predicted gains are none: scores are told with three decimals.
NO_CHANGE = 0.0005
#: Columns of the map that count rows where the modalities differ.
SHARES = ["text_decides", "right_visual", "right_text", "right_kept"]


def error_correlations(cells: pd.DataFrame) -> pd.Series:
    """Dependence of FULL's errors in each row of the map, as `placement.error_dependence` measures it on datasets."""
    keys = ["missed_both", "missed_visual", "missed_text"]
    correlations = {row: tetrachoric(*row) for row in cells[keys].drop_duplicates().itertuples(index=False, name=None)}
    return pd.Series([correlations[row] for row in cells[keys].itertuples(index=False, name=None)], cells.index)


def latent_dependence(gain_map: pd.DataFrame, place: pd.DataFrame) -> np.ndarray:
    """The rho at which errors on the map depend on each other as much as those of datasets do.

    Parameters
    ----------
    gain_map : DataFrame
        Rows of the map with one geometry, one number of rows, and several dependences.
    place : DataFrame
        From `placement.with_features`.

    Returns
    -------
    ndarray of shape (datasets,), dtype float64
        Within the dependences of the map.
    """
    cells = gain_map[(gain_map.exchange == "distance") & (gain_map.budget == gain_map.budget.min())]
    cells = cells.assign(errors=error_correlations(cells))
    rho = []
    for row in place.itertuples():
        parts = _of_classes(cells, row.classes).groupby("dependence")
        by_rho = {dependence: _at(part, "errors", row.visual, row.text)[0] for dependence, part in parts}
        rho.append(np.interp(row.dependence, np.maximum.accumulate(list(by_rho.values())), list(by_rho)))
    return np.array(rho)


def predicted(
    gain_map: pd.DataFrame, place: pd.DataFrame, budgets: Sequence[int], exchange: str = "distance"
) -> pd.DataFrame:
    """Gains that the map predicts, by linear interpolation in strengths, dependence and the logarithm of the budget.

    Parameters
    ----------
    gain_map : DataFrame
        Rows of the map with one geometry and one number of rows.
    place : DataFrame
        From `placement.positions`; a column rho is heeded where the map has several dependences.
    budgets : sequence of int
        In 1..20.
    exchange : {"distance", "rank", "scale", "probability"}
        The exchange strategy.

    Returns
    -------
    DataFrame
        Columns dataset, modality, budget, predicted.
    """
    gain_map, rows = gain_map[gain_map.exchange == exchange], []
    for row in place.itertuples():
        by_rho = dict(list(_of_classes(gain_map, row.classes).groupby("dependence")))
        for modality in MODALITIES:
            curves = np.array(
                [_at(cells, f"gain_{modality}", row.visual, row.text, BUDGETS) for cells in by_rho.values()]
            )
            rho = getattr(row, "rho", min(by_rho))
            curve = [np.interp(rho, list(by_rho), column) for column in curves.T]
            gains = dict(zip(BUDGETS, curve, strict=True))
            rows += [(row.dataset, modality, budget, gains[budget]) for budget in budgets]
    return pd.DataFrame(rows, columns=[*KEYS, "predicted"])


def _of_classes(gain_map: pd.DataFrame, classes: int) -> pd.DataFrame:
    """The map for datasets of so many classes."""
    return gain_map[gain_map.classes == (2 if classes == 2 else MULTICLASS)]


def _at(
    cells: pd.DataFrame, column: str, visual: float, text: float, budgets: Sequence[int] | None = None
) -> np.ndarray:
    """A column of the map at one place, at budgets or those of the map; outside, that of the nearest edge."""
    cells = cells.sort_values(["visual", "text", "budget"])
    *strengths, known_budgets = (cells[name].unique() for name in ("visual", "text", "budget"))
    values = cells[column].to_numpy(dtype=float).reshape(*map(len, strengths), -1)
    inside = [np.clip(value, axis[0], axis[-1]) for value, axis in zip((visual, text), strengths, strict=True)]
    curve = RegularGridInterpolator(strengths, values)(inside)[0]
    return curve if budgets is None else np.interp(np.log(budgets), np.log(known_budgets), curve)


def agreement(compared: pd.DataFrame, by: Sequence[str] = ("modality",)) -> pd.DataFrame:
    """How often the map predicts the sign of CMCSL - UNI, where it predicts a change.

    Parameters
    ----------
    compared : DataFrame
        Columns gain and predicted, and those of `by`.
    by : sequence of str
        Columns whose values are looked at apart.

    Returns
    -------
    DataFrame
        One row per group: pairs (datasets times budgets), compared (those of them for which the map predicts a change
        in the third decimal; where one modality decides everything, it predicts none for it), share_agreeing and
        share_commoner (what one would get by always naming the commoner sign) of these, rank_correlation (Spearman's,
        NaN where it predicts fewer than two different changes), gain_measured, gain_predicted (means of all pairs).
    """
    rows = []
    for names, part in compared.groupby(list(by), sort=False):
        changed = part[part.predicted.abs() >= NO_CHANGE]
        gaining = changed.gain > 0
        varied = changed.predicted.nunique() > 1
        rows.append(
            {
                **dict(zip(by, names, strict=True)),
                "pairs": len(part),
                "compared": len(changed),
                "share_agreeing": (gaining == (changed.predicted > 0)).mean(),
                "share_commoner": max(gaining.mean(), 1 - gaining.mean()),
                "rank_correlation": part.gain.corr(part.predicted, method="spearman") if varied else np.nan,
                "gain_measured": part.gain.mean(),
                "gain_predicted": part.predicted.mean(),
            }
        )
    return pd.DataFrame(rows)


def deciders(corpus: str, names: Sequence[str], rules: Protocol | str, budgets: Sequence[int]) -> pd.DataFrame:
    """Who decides where the modalities differ, and who is right, in the first training half of datasets.

    Parameters
    ----------
    corpus : str
        Name of the corpus.
    names : sequence of str
        Datasets.
    rules : Protocol or {"strict", "paper"}
        The protocol, or its name.
    budgets : sequence of int
        Seeds per class.

    Returns
    -------
    DataFrame
        One row per dataset and budget: dataset, classes, budget, differ (rows that are not seeds and whose labels
        differ), and as shares of these text_decides, right_visual, right_text and right_kept (by the label that CMCSL
        keeps); NaN where no row differs.

    Raises
    ------
    CmcslError
        If features are missing, or a budget can't be drawn.
    """
    rows = []
    for name in names:
        features = load_features(corpus, name)
        for budget in budgets:
            table = exchange_table(features, protocol(rules), budget)
            differing = table[~table.agree & ~table.seed]
            rows.append(
                {
                    "dataset": name,
                    "classes": len(features.classes),
                    "budget": budget,
                    "differ": len(differing),
                    "text_decides": (differing.decided_by == "text").mean(),
                    "right_visual": (differing.visual_label == differing.true).mean(),
                    "right_text": (differing.text_label == differing.true).mean(),
                    "right_kept": differing.right.mean(),
                }
            )
    return pd.DataFrame(rows)


def simulated_deciders(gain_map: pd.DataFrame, visual: float, text: float, budgets: Sequence[int]) -> pd.DataFrame:
    """Who decides, and who is right, at one place of the map.

    Parameters
    ----------
    gain_map : DataFrame
        Rows of the map with one setting.
    visual, text : float
        Strengths.
    budgets : sequence of int
        Seeds per class.

    Returns
    -------
    DataFrame
        Columns exchange, budget, and as shares of the differing rows text_decides, right_visual, right_text and
        right_kept.
    """
    parts = []
    for exchange, cells in gain_map.groupby("exchange", sort=False):
        differ, *counts = (_at(cells, name, visual, text, budgets) for name in ("differ", *SHARES))
        shares = {name: count / differ for name, count in zip(SHARES, counts, strict=True)}
        parts.append(pd.DataFrame({"exchange": exchange, "budget": budgets, **shares}))
    return pd.concat(parts, ignore_index=True)
