"""The explorer: plots to look at by hand, with their data inside the page: they need neither server nor network.

Data are prepared here. `scripts/explorer_data.js` reads them, `explorer_scores.js` and `explorer_items.js`
draw them.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import HTML

from ..analysis.tables import datasets_of, groups_of
from ..corpora import Corpus
from ..corpora.features import MODALITIES, Features, extracted_datasets, load_features
from ..experiments.exchange import Exchange, exchanges
from ..experiments.protocol import PROTOCOLS, Protocol
from ..experiments.scores import BUDGETS
from ..experiments.sources import PUBLISHED, source_scores
from ..files.errors import Absent
from ..plots.base import CURVES, MODALITY_COLOURS, PALETTE
from .embedding import embedded, packed, thumbnail

#: Datasets are left out whose items would make the page hold more than this many.
MOST_ITEMS = 2000
#: Width and height of a picture, in pixels, and its quality: there are many.
SIDE, QUALITY = 64, 50
#: Balanced accuracies are written as whole numbers of this part of 1, which keeps four decimals as they are.
PARTS = 60_000
#: A balanced accuracy that is not there.
MISSING = 2**16 - 1
#: Most decimals of a distance.
DECIMALS = 3
CLASSIFIERS = ("GNB", "LR", "CART")
MARKS = {"^": "triangle", "s": "square", "o": "circle"}
#: Scripts beside this module, each of which uses those before it.
SCRIPTS = ("elements", "packing", "view", "controls", "saving", "chart", "explorer_data")


def score_sources(
    corpus: str, protocol: str = "strict", *, names: list[str] | str | None = None, budgets: tuple[int, ...] = BUDGETS
) -> dict[str, pd.DataFrame]:
    """Find the scores of Experiment 3 from every source that is on this machine.

    Parameters
    ----------
    corpus : str
        Stands first.
    protocol : {"strict", "paper"}
        Stands first; its scores of the corpus with GNB are computed if they are missing.
    names : list of str or str, optional
        Datasets of the corpus; default: all.
    budgets : tuple of int
        Seeds per class, of every source.

    Returns
    -------
    dict of str to DataFrame
        Tidy scores tables by their titles: the corpus with either protocol, the published ones, one's own of MM-IMDb.
    """
    protocols = sorted(PROTOCOLS, key=lambda name: name != protocol)
    sources = {}
    for source in dict.fromkeys((corpus, PUBLISHED, "mm-imdb")):
        datasets = names if source == corpus else None
        for name in protocols[:1] if source == PUBLISHED else protocols:
            title = "published scores, MM-IMDb" if source == PUBLISHED else f"{source}, {name} protocol"
            # The slow classifiers are shown where their scores are at hand; naive Bayes, the default, is computed.
            for classifiers in (CLASSIFIERS, None):
                compute = classifiers is None and source == corpus and name == protocol
                with suppress(Absent):
                    sources[title] = source_scores(
                        source, 3, name, datasets=datasets, classifiers=classifiers, budgets=budgets, compute=compute
                    )
                    break
    return sources


def score_data(sources: dict[str, pd.DataFrame]) -> dict:
    """Balanced accuracies of every fold, for the plot against the budget.

    Parameters
    ----------
    sources : dict of str to DataFrame
        Title and tidy scores table of Experiment 3.

    Returns
    -------
    dict
        JSON values. styles: colour and mark of each method. colours: of each modality. parts: what accuracies are
        whole numbers of. sources: title, corpus, budgets, folds (their number; 1 where a table has means alone),
        datasets, groups (name to datasets), classifiers, curves and levels (modality and method, of methods with
        budgets and of those that know all labels); curve_values, `packed` by dataset, classifier, curve, fold and
        budget, level_values without the budget.
    """
    styles = {
        method: {"colour": colour, "mark": MARKS.get(CURVES.get(method, ""), "")} for method, colour in PALETTE.items()
    }
    return {
        "styles": styles,
        "colours": MODALITY_COLOURS,
        "parts": PARTS,
        "sources": [_source_data(title, scores) for title, scores in sources.items()],
    }


def _source_data(title: str, scores: pd.DataFrame) -> dict:
    groups = {f"{group} datasets, mean": datasets_of(scores, group) for group in groups_of(scores)}
    datasets = [name for names in groups.values() for name in names]
    classifiers = [name for name in CLASSIFIERS if name in set(scores.classifier)]
    budgets = sorted(int(budget) for budget in scores.budget.unique() if budget)
    folds = pd.MultiIndex.from_frame(scores[["repetition", "fold"]].drop_duplicates()).sort_values()
    keys = ["dataset", "classifier", "modality", "method", "repetition", "fold", "budget"]
    accuracies = scores.set_index(keys).balanced_accuracy

    def values(table: pd.Series, of_budgets: list[int]) -> tuple[list[list[str]], str]:
        lines = table.index.droplevel([0, 1, 4, 5, 6]).unique()
        every = [
            (dataset, classifier, *line, *fold, budget)
            for dataset in datasets
            for classifier in classifiers
            for line in lines
            for fold in folds
            for budget in of_budgets
        ]
        parts = (PARTS * table.reindex(every)).round().fillna(MISSING)
        return [list(line) for line in lines], packed(parts.to_numpy(), differences=True)

    budget = accuracies.index.get_level_values("budget")
    curves, curve_values = values(accuracies[budget > 0], budgets)
    levels, level_values = values(accuracies[budget == 0], [0])
    return {
        "title": title,
        "corpus": scores.corpus.iloc[0],
        "budgets": budgets,
        "folds": len(folds),
        "datasets": datasets,
        "groups": groups,
        "classifiers": classifiers,
        "curves": curves,
        "levels": levels,
        "curve_values": curve_values,
        "level_values": level_values,
    }


def item_data(
    corpus: Corpus,
    protocol: Protocol,
    names: list[str] | str | None = None,
    budgets: Sequence[int] = BUDGETS,
    most: int = MOST_ITEMS,
) -> dict:
    """Label the training half of every fold of every dataset, with the distances that decide each label.

    Parameters
    ----------
    corpus : Corpus
        Has the titles, texts and pictures.
    protocol : Protocol
        Decides about folds, seeds and labels.
    names : list of str or str, optional
        Datasets; default: those that have features.
    budgets : sequence of int
        Seeds per class.
    most : int
        Datasets are left out whose items would make it more than this many.

    Returns
    -------
    dict
        JSON values. corpus; budgets; decimals: of distances; items: title and text; images: WebP in base64, in the
        same order. datasets: name to what `explorer_data.js` makes the labels of each fold and budget from: see
        `_dataset_data`.
    """
    numbers: dict[str, int] = {}
    runs = {}
    for name in extracted_datasets(corpus.name, names):
        features = load_features(corpus.name, name, protocol.features)
        ids = dict.fromkeys([*numbers, *features.ids])
        if len(ids) > most:
            continue
        numbers = {each: number for number, each in enumerate(ids)}
        folds = [(fold.training, exchanges(features, protocol, budgets, fold)) for fold in protocol.divide(features)]
        runs[name] = features, folds
    largest = max(
        (
            cluster.distance.max()
            for _, folds in runs.values()
            for _, of_budgets in folds
            for cluster in of_budgets[0].clusters
        ),
        default=1.0,
    )
    decimals = int(np.clip(np.floor(np.log10(MISSING / max(largest, 1e-9))), 0, DECIMALS))
    items = corpus.items.set_index("id").loc[list(numbers)]
    return {
        "corpus": corpus.name,
        "budgets": list(budgets),
        "decimals": decimals,
        "items": items[["title", "text"]].fillna("").to_numpy().tolist(),
        "images": [thumbnail(each, SIDE, QUALITY) for each in items.image],
        "datasets": {
            name: _dataset_data(features, folds, numbers, decimals) for name, (features, folds) in runs.items()
        },
    }


def _dataset_data(
    features: Features, folds: list[tuple[np.ndarray, list[Exchange]]], numbers: dict[str, int], decimals: int
) -> dict:
    """One dataset's labels: for each row of a half, in each modality, the seeds that it joins as the budget grows.

    Most budgets bring a row no nearer seed, so that only changes are kept. A seed ends in a cluster of itself.

    Returns
    -------
    dict
        JSON values. classes. items: number of each row in the list of all items; true: its class. training, by fold and
        row: 1 where the row is in the half. The others go through folds, modalities and rows of the half in this order.
        seeds: numbers of seeds of each fold; rows of these seeds, and since, the place of the budget that each is first
        drawn for. lengths: changes of each row. Of each change: places (in the fold's seeds), late (places of budgets
        after the first one of that seed), distances (without decimal point). near: fold, row of the half and place of
        the budget where only rounding makes a distance of the text not the smaller one.
    """
    training = np.zeros((len(folds), len(features.y)), dtype=np.int64)
    seeds: list[np.ndarray] = []
    changes: list[list[np.ndarray]] = []
    near = []
    for fold, (rows, of_budgets) in enumerate(folds):
        training[fold, rows] = 1
        drawn = np.concatenate([each.seeds for each in of_budgets])
        known, first = np.unique(drawn, return_index=True)
        since = np.repeat(np.arange(len(of_budgets)), [len(each.seeds) for each in of_budgets])[first]
        order = np.argsort(first)
        place = np.empty(len(rows), dtype=np.int64)
        place[known[order]] = np.arange(len(order))
        seeds.append(np.stack([rows[known[order]], since[order]]))
        rounded = []
        for modality in range(len(MODALITIES)):
            joined = np.array([place[each.seeds[each.clusters[modality].seed]] for each in of_budgets])
            distances = np.rint(10**decimals * np.array([each.clusters[modality].distance for each in of_budgets]))
            rounded.append(distances)
            changed = np.diff(joined, axis=0, prepend=-1) != 0
            row, budget = np.nonzero(changed.T)
            late = budget - since[order][joined[budget, row]]
            changes.append([changed.sum(axis=0), joined[budget, row], late, distances[budget, row]])
        text_decides = np.array([(each.labels[0] != each.labels[1]) & (each.both.modality == 1) for each in of_budgets])
        near += [
            [fold, int(row), int(budget)] for budget, row in np.argwhere(text_decides & (rounded[0] == rounded[1]))
        ]
    lengths, places, late, distances = (np.concatenate(each) for each in zip(*changes, strict=True))
    seed_rows, seed_since = np.hstack(seeds)
    return {
        "classes": list(features.classes),
        "items": packed(np.array([numbers[each] for each in features.ids]), differences=True),
        "true": packed(features.y),
        "training": packed(training),
        "seeds": {
            "numbers": [each.shape[1] for each in seeds],
            "rows": packed(seed_rows),
            "since": packed(seed_since),
        },
        "lengths": packed(lengths),
        "places": packed(places),
        "late": packed(late),
        "distances": packed(distances, differences=True),
        "near": near,
    }


def explorer(kind: str, data: dict) -> HTML:
    """One plot of the explorer with its data, controls and script.

    Parameters
    ----------
    kind : {"scores", "items"}
    data : dict
        From `score_data` or `item_data`.

    Returns
    -------
    IPython.display.HTML
        Needs neither server nor network.
    """
    folder = Path(__file__).parent / "scripts"
    scripts = [folder / f"{name}.js" for name in (*SCRIPTS, f"explorer_{kind}")]
    return embedded(f"explore-{kind}", "cmcsl-explorer", data, folder / "explorer.css", scripts, f"cmcslExplore.{kind}")
