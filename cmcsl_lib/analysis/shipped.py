"""What the repository ships instead of the authors' arrays: from it every table and verdict can be computed.

`experiments.published` reads it; ``data/paper/build.py`` writes it.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from ..corpora.features import MODALITIES
from ..method.preprocessing import PREPROCESSINGS
from .claims import CLOSE
from .effects import distinct, half_differences, same, with_groups
from .errata import all_published
from .statistics import combined_f_test
from .tables import CLASSIFIERS, COMPARED

#: What is compared in every dataset: a column, its values, and what the classifiers have in common.
COMPARISONS: list[tuple[str, Sequence[str], dict[str, str]]] = [
    ("classifier", CLASSIFIERS, {"method": "FULL", "preprocessing": "RAW"}),
    ("preprocessing", PREPROCESSINGS, {"method": "CMCSL", "classifier": "GNB"}),
    *(("method", COMPARED, {"preprocessing": name, "classifier": "GNB"}) for name in PREPROCESSINGS),
    *(("method", COMPARED, {"preprocessing": "L2STD", "classifier": name}) for name in ("LR", "CART")),
    *(("preprocessing", ("RAW", "L2STD"), {"method": "FULL", "classifier": name}) for name in CLASSIFIERS),
]
#: What is compared at every budget, averaged over the datasets of a group.
USUAL = {"preprocessing": "L2STD", "classifier": "GNB"}
#: The example whose differences are shipped half by half.
EXAMPLE = {"dataset": "HR", "modality": "text"} | USUAL
#: Columns that name one of the ten halves.
HALF = ["repetition", "fold"]


def shipped_tables() -> dict[str, pd.DataFrame]:
    """Everything that is shipped of the authors' scores, computed from their arrays.

    Returns
    -------
    dict of str to DataFrame
        By the names of the files, without ending. ``published_means``: one row per method, preprocessing and
        classifier in one modality of a dataset, one column per budget, balanced accuracies averaged over the ten
        halves. ``published_comparisons`` and ``published_differences``: as `experiments.published` describes them.

    Raises
    ------
    Absent
        If the arrays are not on this machine.
    """
    scores = distinct(all_published())
    arms = ["dataset", "modality", "method", "preprocessing", "classifier"]
    means = scores.pivot_table("balanced_accuracy", arms, "budget", sort=False)
    apart = scores[scores.modality.isin(MODALITIES)]
    differences = half_differences(_selected(scores, EXAMPLE)).stack().rename("difference").reset_index()
    return {
        "published_means": means.reset_index().rename_axis(columns=None),
        "published_comparisons": _comparisons(apart),
        "published_differences": pd.DataFrame(EXAMPLE, index=differences.index).join(differences),
    }


def _selected(scores: pd.DataFrame, values: dict[str, str]) -> pd.DataFrame:
    return scores[np.logical_and.reduce([scores[column] == value for column, value in values.items()])]


def _comparisons(scores: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for column, names, arm in COMPARISONS:
        compared = _compared(_selected(scores, arm), column, names, ["dataset", "modality"])
        parts.append(compared.assign(budget="all", **arm))
    usual = with_groups(_selected(scores, USUAL)).drop(columns="dataset").rename(columns={"group": "dataset"})
    keys = ["dataset", "modality", "budget"]
    means = usual.groupby([*keys, "method", *HALF]).balanced_accuracy.mean().reset_index()
    parts.append(_compared(means, "method", COMPARED, keys).assign(**USUAL))
    together = pd.concat(parts, ignore_index=True)
    first = ["dataset", "modality", "method", "preprocessing", "classifier", "budget", "than"]
    # Experiments share some of what they compare.
    return together[[*first, *together.columns.drop(first)]].drop_duplicates(first, ignore_index=True)


def _compared(scores: pd.DataFrame, column: str, names: Sequence[str], keys: list[str]) -> pd.DataFrame:
    """Every pair of names, one row for each of the values of the keys."""
    halves = scores.pivot(index=dict.fromkeys([column, *keys, "budget"]), columns=HALF, values="balanced_accuracy")
    parts = []
    for second, first in combinations(names, 2):
        one, other = halves.loc[first], halves.loc[second]
        by_keys = (one - other).groupby(level=keys)
        differences = by_keys.mean()
        d = differences.to_numpy().reshape(-1, 5, 2)
        right, slipped = combined_f_test(d), combined_f_test(d, "published")
        counts = {"equal": same(one, other), "close": (one - other).abs() <= CLOSE}
        part = differences.mean(axis=1).rename("difference").to_frame().assign(fits=by_keys.size() * d[0].size)
        for name, mask in counts.items():
            part[name] = pd.Series(np.sum(mask, axis=1), one.index).groupby(level=keys).sum()
        part = part.assign(f=right.statistic, p_value=right.p_value)
        part = part.assign(f_published=slipped.statistic, p_value_published=slipped.p_value)
        parts.append(part.assign(**{column: first, "than": second}).reset_index())
    return pd.concat(parts)
