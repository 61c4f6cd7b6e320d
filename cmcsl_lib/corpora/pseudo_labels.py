"""From a few labels to labels of everything: pseudo-labels of a user's items, with where each comes from."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..estimators import CMCSLClassifier
from ..files.errors import CmcslError
from ..files.escaping import spreadsheet_safe
from ..files.paths import home, written_whole
from ..method.labeling import labeling
from . import load
from .corpus import RANDOM_STATE, divide
from .dataset_classes import datasets
from .features import MODALITIES, STEP, Features, check_items, load_features

#: Columns of every table of labels; the calibrated exchange adds others.
COLUMNS = ("id", "given", "label", "modality", "distance", "margin", "seed", "exchange")
#: The exchange unless another one is named.
EXCHANGE = "calibrated"


def labels_path(corpus: str, dataset: str) -> Path:
    """The file of labels unless another one is named."""
    return home() / "labels" / corpus / f"{dataset}.csv"


def unlabeled_features(corpus: str, dataset: str | None = None) -> Features:
    """Features of a dataset with labelled and unlabelled rows.

    Parameters
    ----------
    corpus : str
    dataset : str, optional
        Default: the corpus's only dataset.

    Returns
    -------
    Features

    Raises
    ------
    CmcslError
        If the corpus has several datasets and none is named, its features are absent, or it has no unlabelled row.
    """
    names = list(datasets(corpus, None if dataset is None else [dataset]))
    if len(names) > 1:
        raise CmcslError(f"The corpus {corpus} has several datasets: name one of {', '.join(names)}.")
    features = load_features(corpus, names[0], unlabeled=True, as_written=True)
    if (features.y >= 0).all():
        raise CmcslError(
            f"Every item of {corpus}/{features.dataset} has a label: leave the labels of some items "
            "empty, and they will be labelled."
        )
    return features


def hide_labels(features: Features, budget: int, random_state: int = RANDOM_STATE) -> Features:
    """Remove the labels of all but `budget` rows of each class.

    Parameters
    ----------
    features : Features
    budget : int
    random_state : int

    Returns
    -------
    Features
        With -1 in y where the label is hidden.
    """
    seeds = labeling(features.y, budget, np.random.default_rng(random_state))
    y = np.full(len(features.y), -1)
    y[seeds] = features.y[seeds]
    return replace(features, y=y)


def pseudo_labels(
    features: Features, *, preprocessing: str = "L2STD", min_margin: float = 0.0, exchange: str = EXCHANGE
) -> pd.DataFrame:
    """Label unlabelled rows by CMCSL, the labelled ones being the seeds.

    Parameters
    ----------
    features : Features
        With labelled and unlabelled rows, whose y is -1.
    preprocessing : {"RAW", "L2", "STD", "MM", "L2STD"}
    min_margin : float in [0, 1]
        Rows with a smaller margin get no label.
    exchange : str
        As `CMCSLClassifier` takes it; ``distance`` is Algorithm 1 as in the paper.

    Returns
    -------
    DataFrame
        One row per row of the features: id, given (the label that it had), label, modality (that decided, or was the
        surer one of the label), distance (to the seed, in that modality, after preprocessing), margin (by ``distance``
        1 - distance / smallest distance that speaks for another class, by ``calibrated`` the difference of the two
        highest probabilities), seed (id of the item that the label comes from), exchange; by ``calibrated`` also
        probability, and what each modality M says by itself, M_label and M_probability. What does not apply is empty or
        NaN. `attrs["seeds_right"]` is the classifier's `seeds_right_`.

    Raises
    ------
    CmcslError
        If a parameter is wrong, or fewer than two classes have a labelled row.
    """
    labeled = features.y >= 0
    if len(np.unique(features.y[labeled])) < 2:
        raise CmcslError(f"{features.corpus}/{features.dataset} needs a labelled item in at least two classes.")
    cmcsl = CMCSLClassifier(
        modalities=list(MODALITIES),
        preprocessing=preprocessing,
        min_margin=min_margin,
        exchange=exchange,
    )
    from threadpoolctl import threadpool_limits

    # Several threads would wait for each other at each of many small products, and add numbers in another order.
    with threadpool_limits(1):
        cmcsl.label(dict(zip(MODALITIES, features.modalities, strict=True)), features.y)
    # The entry after the last class stands for none, which is number -1.
    names, ids = np.array([*features.classes, ""], dtype=object), np.append(features.ids.astype(object), "")
    table = pd.DataFrame(
        {
            "id": features.ids,
            "given": names[features.y],
            "label": names[cmcsl.transduction_],
            "modality": np.where(labeled, "", cmcsl.deciding_modality_),
            "distance": np.where(labeled, np.nan, cmcsl.distance_),
            "margin": np.where(labeled, np.nan, cmcsl.margin_),
            "seed": np.where(labeled, "", ids[cmcsl.seed_row_]),
            "exchange": np.where(labeled, "", exchange),
        }
    )
    more = cmcsl.provenance_[MODALITIES[0]].iloc[:, 5:]
    for column in more:
        values = more[column].to_numpy()
        table[column] = (
            np.where(labeled, "", names[values]) if column.endswith("label") else np.where(labeled, np.nan, values)
        )
    table.attrs["seeds_right"] = cmcsl.seeds_right_
    return table


def with_finetuning_items(labels: pd.DataFrame, features: Features) -> pd.DataFrame:
    """Append the labelled items that have no features since the network was fine-tuned on them.

    Parameters
    ----------
    labels : DataFrame
        From `pseudo_labels`.
    features : Features
        That the labels come from.

    Returns
    -------
    DataFrame
        Of the same columns.

    Raises
    ------
    CmcslError
        If the corpus has other items than those of the features: it may have been replaced since they were read.
    """
    if features.ready_made:
        check_items(features)
        return labels
    items = load(features.corpus).items
    check_items(features)
    rows, y = divide(items.labels, features.classes)
    known = set(labels.id.tolist())
    ids, names = items.id.to_numpy()[rows], np.array(features.classes, dtype=object)[y]
    spent = pd.DataFrame(
        {column: "" if labels[column].dtype == object else np.nan for column in labels}
        | {"id": ids, "given": names, "label": names}
    )
    spent = spent[[identity not in known for identity in spent.id]]
    return pd.concat([labels, spent], ignore_index=True) if len(spent) else labels


def write_labels(labels: pd.DataFrame, path: Path) -> None:
    """Write labels as CSV; texts that a spreadsheet would take for a formula get an apostrophe before them.

    Parameters
    ----------
    labels : DataFrame
        From `pseudo_labels`.
    path : Path
    """
    with written_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(labels.columns)
        for start in range(0, len(labels), STEP):
            some = labels.iloc[start : start + STEP]
            writer.writerows(zip(*(_cells(some[column]) for column in some), strict=True))


def _cells(column: pd.Series) -> list[str]:
    """A column as cells of CSV; what is missing is empty."""
    if column.dtype.kind == "f":
        return ["" if value != value else f"{value:.6g}" for value in column.tolist()]
    texts = column.astype(object).where(column.notna(), "").tolist()
    # Most texts, names of classes above all, stand in many rows.
    safe = {text: spreadsheet_safe(text) for text in set(texts)}
    return [safe[text] for text in texts]
