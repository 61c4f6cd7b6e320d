"""From a few labels to labels of everything: pseudo-labels of a user's items, with where each comes from."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV

from .corpora import datasets, divide, load
from .errors import CmcslError
from .escaping import spreadsheet_safe_table
from .estimators import CMCSLClassifier
from .features import MODALITIES, Features, load_features
from .labeling import labeling
from .paths import home, written_whole
from .protocol import RANDOM_STATE

COLUMNS = ("id", "given", "label", "modality", "distance", "margin", "seed")


class Task(NamedTuple):
    """Items to label.

    Attributes
    ----------
    features : Features
        Labelled and unlabelled rows.
    truth : ndarray of shape (n,), dtype int64, or None
        Class of each row where labels were only hidden, as an example.
    """

    features: Features
    truth: np.ndarray | None


def labels_path(corpus: str, dataset: str) -> Path:
    """Where labels go unless another file is named."""
    return home() / "labels" / corpus / f"{dataset}.csv"


def only_dataset(corpus: str, dataset: str | None = None) -> str:
    """The dataset of that name, or the corpus's only one.

    Raises
    ------
    CmcslError
        If there is none of that name, or no name is given and there are several.
    """
    there = list(datasets(corpus, None if dataset is None else [dataset]))
    if len(there) > 1:
        raise CmcslError(f"The corpus {corpus} has several datasets: name one of {', '.join(there)}.")
    return there[0]


def unlabeled_features(corpus: str, dataset: str | None = None) -> Features:
    """Features of a dataset with labelled and unlabelled rows.

    Raises
    ------
    CmcslError
        If the dataset is not told, its features are absent, or it has no unlabelled row.
    """
    features = load_features(corpus, only_dataset(corpus, dataset), unlabeled=True)
    if (features.y >= 0).all():
        raise CmcslError(f"Every item of {corpus}/{features.dataset} has a label: leave the labels of some items "
                         "empty, and they will be labelled.")
    return features


def hidden(features: Features, budget: int, random_state: int = RANDOM_STATE) -> Features:
    """The same features with the labels of all but `budget` rows of each class removed."""
    seeds = labeling(features.y, budget, np.random.default_rng(random_state))
    y = np.full(len(features.y), -1)
    y[seeds] = features.y[seeds]
    return replace(features, y=y)


def task(corpus: str, dataset: str | None = None, budget: int = 5) -> Task:
    """What there is to label in a dataset: its unlabelled items, or where it has none an example made of it.

    Parameters
    ----------
    budget : int
        Labels per class that the example keeps, fewer if the smallest class has fewer.
    """
    features = load_features(corpus, only_dataset(corpus, dataset), unlabeled=True)
    if (features.y < 0).any():
        return Task(features, None)
    return Task(hidden(features, min(budget, int(np.bincount(features.y).min()))), features.y)


def pseudo_labels(features: Features, *, preprocessing: str = "L2STD", min_margin: float = 0.0) -> pd.DataFrame:
    """Label unlabelled rows by CMCSL (Algorithm 1), the labelled ones being the seeds.

    Parameters
    ----------
    features : Features
        With labelled and unlabelled rows, whose y is -1.
    preprocessing : {"RAW", "L2", "STD", "MM", "L2STD"}
    min_margin : float in [0, 1]
        Rows with a smaller margin get no label.

    Returns
    -------
    DataFrame
        One row per row of the features: id, given (the label that it had), label, modality (that decided), distance (to
        the seed, in that modality, after preprocessing), margin (1 - distance / smallest distance that speaks for
        another class), seed (id of the item that the label comes from). What does not apply is empty or NaN.

    Raises
    ------
    CmcslError
        If a parameter is wrong, or fewer than two classes have a labelled row.
    """
    if len(np.unique(features.y[features.y >= 0])) < 2:
        raise CmcslError(f"{features.corpus}/{features.dataset} needs a labelled item in at least two classes.")
    cmcsl = CMCSLClassifier(modalities=list(MODALITIES), preprocessing=preprocessing, min_margin=min_margin)
    cmcsl.fit(dict(zip(MODALITIES, features.modalities, strict=True)), features.y)
    # The entry after the last class stands for none, which is number -1.
    names = np.array([*features.classes, ""], dtype=object)
    given = features.y >= 0
    return pd.DataFrame({
        "id": features.ids, "given": names[features.y], "label": names[cmcsl.transduction_],
        "modality": np.where(given, "", cmcsl.deciding_modality_),
        "distance": np.where(given, np.nan, cmcsl.distance_), "margin": np.where(given, np.nan, cmcsl.margin_),
        "seed": np.where(given, "", features.ids[cmcsl.seed_row_]),
    })


def with_finetuning_items(labels: pd.DataFrame, corpus: str, dataset: str) -> pd.DataFrame:
    """The labels, and after them the labelled items that have no features since the network was fine-tuned on them."""
    items, classes = load(corpus).items, datasets(corpus, [dataset])[dataset]
    rows, y = divide(items.labels, classes)
    absent = ~items.id.iloc[rows].isin(labels.id).to_numpy()
    names = np.array(classes, dtype=object)[y[absent]]
    spent = pd.DataFrame({"id": items.id.to_numpy()[rows[absent]], "given": names, "label": names,
                          "modality": "", "distance": np.nan, "margin": np.nan, "seed": ""})
    return pd.concat([labels, spent], ignore_index=True) if len(spent) else labels


def write_labels(labels: pd.DataFrame, path: Path) -> None:
    """Write labels as CSV; texts that a spreadsheet would take for a formula get an apostrophe before them.

    Parameters
    ----------
    labels : DataFrame
        From `pseudo_labels`.
    """
    safe = spreadsheet_safe_table(labels[list(COLUMNS)])
    with written_whole(path) as temporary:
        safe.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")


def tried(search: GridSearchCV, features: Features) -> pd.DataFrame:
    """Settings of an estimator, each judged on labelled items that it was not told of, the best first.

    Parameters
    ----------
    search : GridSearchCV
        Unfitted; it is fitted to both modalities side by side, and to the labels, -1 where there is none.

    Returns
    -------
    DataFrame
        One row per setting: a column for each parameter that is searched, and accuracy, the mean over folds. Without
        rows if a class has fewer than two labelled items, which leaves nothing to judge by.
    """
    labeled = np.bincount(features.y[features.y >= 0])
    if labeled[labeled > 0].min() < 2:
        return pd.DataFrame(columns=["accuracy"])
    results = search.fit(np.hstack(features.modalities), features.y).cv_results_
    settings = pd.DataFrame(results["params"]).rename(columns=lambda name: name.split("__")[-1])
    judged = settings.assign(accuracy=results["mean_test_score"])
    return judged.sort_values("accuracy", ascending=False, kind="stable", ignore_index=True)


def told(labels: pd.DataFrame, written: Callable[[str], str] = str) -> str:
    """Labels in a sentence: how many, of which classes, and who decided.

    Parameters
    ----------
    written : callable
        How the name of a class is written: by `escaping.markdown_safe` on a page.
    """
    made = labels[labels.given == ""]
    kept = made[made.label != ""]
    classes = ", ".join(f"{written(label)} {count}" for label, count in kept.label.value_counts(sort=False).items())
    deciders = kept.modality.value_counts()
    shares = " and ".join(f"the {name} modality {deciders.get(name, 0)}" for name in MODALITIES)
    none = f" {len(made) - len(kept)} items were too close to call." if len(kept) < len(made) else ""
    return (f"{len(kept)} items labelled from {(labels.given != '').sum()}: {classes or 'none'}. "
            f"Decided by {shares}.{none}")


def judged(labels: pd.DataFrame, its: Task) -> pd.DataFrame:
    """The made labels beside the truth that was hidden, if there is any: columns of `labels`, true, right."""
    if its.truth is None:
        return labels.iloc[:0].assign(true="", right=False)
    true = np.array(its.features.classes, dtype=object)[its.truth]
    beside = labels.assign(true=true, right=labels.label == true)
    return beside[(beside.given == "") & (beside.label != "")]


def right_by(beside: pd.DataFrame, groups: pd.Series, name: str) -> pd.DataFrame:
    """Number and share of right labels in each group of rows, and in all.

    Parameters
    ----------
    beside : DataFrame
        From `judged`.
    groups : Series
        Group of each row.
    name : str
        Of the column of groups.
    """
    if beside.empty:
        return pd.DataFrame(columns=[name, "items", "share_right"])
    grouped = beside.right.groupby(groups, observed=True, sort=False)
    made = pd.DataFrame({"items": grouped.size(), "share_right": grouped.mean()}).rename_axis(name).reset_index()
    whole = pd.DataFrame({name: ["all"], "items": [len(beside)], "share_right": [beside.right.mean()]})
    return pd.concat([made.sort_values(name).astype({name: str}), whole], ignore_index=True)


def right_by_modality(beside: pd.DataFrame) -> pd.DataFrame:
    """`right_by` the modality that decided."""
    return right_by(beside, beside.modality, "modality")


def right_by_sureness(beside: pd.DataFrame) -> pd.DataFrame:
    """`right_by` quarters of the items by their margin, the surest first."""
    place = beside.margin.rank(method="first", ascending=False, pct=True)
    quarters = np.ceil(place * 4).astype(int).map({1: "surest quarter", 2: "second", 3: "third", 4: "last"})
    order = pd.Categorical(quarters, ["surest quarter", "second", "third", "last"], ordered=True)
    return right_by(beside, pd.Series(order, beside.index), "by margin")


def told_quality(beside: pd.DataFrame) -> str:
    """In a sentence how good the labels are, all and the surest half, or that this can't be told."""
    if beside.empty:
        return "The truth is not known here, so nothing can be said. Look at some items yourself, the least sure first."
    surest = beside.nlargest(max(1, len(beside) // 2), "margin")
    return (f"Of {len(beside)} labels {beside.right.mean():.1%} are right; of the half with the largest margins "
            f"{surest.right.mean():.1%}.")


def about(its: Task) -> str:
    """A sentence on what is labelled: the user's unlabelled items, or an example with hidden labels."""
    where = f"{its.features.corpus}/{its.features.dataset}"
    known = int((its.features.y >= 0).sum())
    count = len(its.features.y) - known
    if its.truth is None:
        return f"{where}: {known} items have a label, {count} have none and will get one."
    return (f"Every item of {where} has a label. As an example all but {known} of them are hidden here, so that the "
            f"{count} labels made can be compared with the truth.")


def items_list(its: Task, rows: int = 8) -> pd.DataFrame:
    """How the list of items in a CSV file looks: image where the corpus has images, text where it has texts, label.

    Labelled items stand first. Where an item's id is not the path of its image, one is made of it.
    """
    items = load(its.features.corpus).items.set_index("id")
    names = np.array([*its.features.classes, ""], dtype=object)
    first = np.concatenate([np.flatnonzero(its.features.y >= 0)[: rows // 2],
                            np.flatnonzero(its.features.y < 0)[: rows - rows // 2]])
    ids, made = its.features.ids[first], {}
    if items.image.notna().any():
        made["image"] = [name if Path(name).suffix else f"{name}.webp" for name in ids]
    if items.text.notna().any():
        made["text"] = items.text.loc[ids].str.slice(0, 80).to_numpy()
    return pd.DataFrame(made | {"label": names[its.features.y[first]]})
