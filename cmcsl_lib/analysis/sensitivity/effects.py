"""What each change of the protocol does to every method, and to CMCSL against UNI."""

from itertools import product

import numpy as np
import pandas as pd

from ...corpora.features import MODALITIES
from ...experiments.grid import EXPERIMENTS
from ...experiments.protocol import FOLDS, REPETITIONS
from ..effects import against_uni
from ..statistics import ALPHA, combined_f_test, ranks
from ..tables import COMPARED
from .intervals import mean_interval
from .registry import CHANGES, change_label


def change_effects(scores: pd.DataFrame, shared: pd.DataFrame) -> pd.DataFrame:
    """What each change does to the mean balanced accuracy of each method, against the reference.

    Differences are taken dataset by dataset, and averaged over datasets. Pairing folds as well would not move the
    mean; where folds are the same it allows an F test within each dataset.

    Parameters
    ----------
    scores : DataFrame
        From `load_changes`.
    shared : DataFrame
        From `shared_items`.

    Returns
    -------
    DataFrame
        One row per change, method and modality: effect, low, high (95% interval of `mean_interval`, which allows for
        shared items), higher (datasets that the change raises), significant (those whose effect the combined 5x2 CV F
        test tells from chance; missing where folds are others), datasets.
    """
    names = list(scores.dataset.unique())
    folds = _by_protocol(scores, ["method", "modality", "dataset", "repetition", "fold"])
    paired = {change.protocol.name for change in CHANGES if change.same_folds}
    R, rows = shared.loc[names, names].to_numpy(), []
    order = pd.MultiIndex.from_product([names, range(REPETITIONS), range(FOLDS)])
    reference, *others = scores.protocol.unique()
    for other in others:
        for method, part in (folds[other] - folds[reference]).groupby(level=[0, 1], sort=False):
            d = part.droplevel([0, 1])[order].to_numpy().reshape(-1, REPETITIONS, FOLDS)
            by_dataset = d.mean(axis=(1, 2))
            significant = (combined_f_test(d).p_value < ALPHA).sum() if other in paired else None
            rows.append(
                (change_label(other), *method, *mean_interval(by_dataset, R)[:3], (by_dataset > 0).sum(), significant)
            )
    columns = ["change", "method", "modality", "effect", "low", "high", "higher", "significant"]
    return pd.DataFrame(rows, columns=columns).astype({"significant": "Int64"}).assign(datasets=len(names))


def levels(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean balanced accuracy over datasets, budgets and folds.

    Parameters
    ----------
    scores : DataFrame
        From `load_changes`.

    Returns
    -------
    DataFrame
        One row per protocol, the reference first; columns method and modality.
    """
    columns = [(method, modality) for method in EXPERIMENTS[3].methods for modality in (*MODALITIES, "both")]
    means = _by_protocol(scores, ["method", "modality"]).T
    return means[[name for name in columns if name in means]].rename(index=change_label).rename_axis(index="protocol")


def answers(scores: pd.DataFrame, shared: pd.DataFrame) -> pd.DataFrame:
    """RQ2 under each protocol: does the exchange between modalities help?

    Parameters
    ----------
    scores : DataFrame
        From `load_changes`.
    shared : DataFrame
        From `shared_items`.

    Returns
    -------
    DataFrame
        One row per protocol, the reference first, and modality: PRE, UNI, CMCSL (average rank over datasets, the higher
        the better), gain (mean of CMCSL - UNI over datasets), low, high (95% interval, which allows for shared items),
        above, datasets, p_value and verdict as in `effects.against_uni`.
    """
    names = list(scores.dataset.unique())
    R, rows = shared.loc[names, names].to_numpy(), []
    means = _by_protocol(scores[scores.method.isin(COMPARED)], ["modality", "dataset", "method"])
    tested = against_uni(scores, ["protocol"]).set_index(["protocol", "modality"])
    tested = tested[["above", "datasets", "p_value", "verdict"]]
    for protocol, modality in product(scores.protocol.unique(), MODALITIES):
        values = means[protocol].xs(modality).unstack().loc[names, list(COMPARED)].to_numpy()
        gain = mean_interval(values[:, 2] - values[:, 1], R)
        rows.append(
            (
                change_label(protocol),
                modality,
                *ranks(values).mean(axis=0),
                *gain[:3],
                *tested.loc[(protocol, modality)],
            )
        )
    columns = ["protocol", "modality", *COMPARED, "gain", "low", "high", *tested]
    return pd.DataFrame(rows, columns=columns).astype({"above": np.int64, "datasets": np.int64})


def _by_protocol(scores: pd.DataFrame, index: list[str]) -> pd.DataFrame:
    """Mean balanced accuracy, one column per protocol; datasets and protocols keep their order."""
    means = scores.groupby([*index, "protocol"], sort=False).balanced_accuracy.mean()
    # unstack(sort=False) puts numbers into wrong columns before pandas 3.1.
    return means.unstack().reindex(index=means.index.droplevel("protocol").unique(), columns=scores.protocol.unique())
