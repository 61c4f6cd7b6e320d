"""The explorer: plots to look at by hand, with their data inside the page: they need neither server nor network.

Data are prepared here; `explorer.js` beside this module draws them.
"""

import base64
import io
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd
from IPython.display import HTML

from ..analysis.tables import datasets_of, groups_of
from ..corpora import Corpus
from ..corpora.features import MODALITIES, extracted_datasets, load_features
from ..corpora.pictures import decoded
from ..experiments.exchange import exchange_table
from ..experiments.protocol import PROTOCOLS, Protocol
from ..experiments.scores import BUDGETS
from ..experiments.sources import PUBLISHED, source_scores
from ..files.errors import Absent
from ..plots.base import CURVES, PALETTE

#: Budgets whose items can be looked at.
ITEM_BUDGETS = (1, 5, 20)
#: Datasets are left out whose items would make the page hold more than this many.
MOST_ITEMS = 3000
#: Width and height of a drawing, in pixels.
SIDE = 96
CLASSIFIERS = ("GNB", "LR", "CART")
MARKS = {"^": "triangle", "s": "square", "o": "circle"}


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
    """Balanced accuracies, averaged over folds, for the plot against the budget.

    Parameters
    ----------
    sources : dict of str to DataFrame
        Title and tidy scores table of Experiment 3.

    Returns
    -------
    dict
        JSON values. styles: colour and mark of each method. sources: title, budgets, and datasets, where name,
        classifier, modality and method lead to one value per budget, or to a single one for methods that know all
        labels. Before the datasets stand the means over those of each group.
    """
    styles = {
        method: {"colour": colour, "mark": MARKS.get(CURVES.get(method, ""), "")} for method, colour in PALETTE.items()
    }
    return {"styles": styles, "sources": [_source_data(title, scores) for title, scores in sources.items()]}


def _source_data(title: str, scores: pd.DataFrame) -> dict:
    keys = ["classifier", "modality", "method", "budget"]
    means = scores.groupby(["dataset", *keys], sort=False).balanced_accuracy.mean().reset_index()
    means = means.sort_values("budget", kind="stable")
    groups = {f"{group} datasets, mean": datasets_of(scores, group) for group in groups_of(scores)}
    parts = groups | {name: [name] for names in groups.values() for name in names}
    by_dataset: dict[str, dict] = {name: {} for name in parts}
    for name, names in parts.items():
        part = means[means.dataset.isin(names)].groupby(keys, sort=False).balanced_accuracy.mean()
        curves = part.groupby(keys[:-1], sort=False)
        for (classifier, modality, method), curve in sorted(curves, key=lambda each: CLASSIFIERS.index(each[0][0])):
            methods = by_dataset[name].setdefault(classifier, {}).setdefault(modality, {})
            methods[method] = [round(accuracy, 4) for accuracy in curve]
    budgets = sorted(int(budget) for budget in means.budget.unique() if budget)
    return {"title": title, "budgets": budgets, "datasets": by_dataset}


def item_data(
    corpus: Corpus,
    protocol: Protocol,
    names: list[str] | str | None = None,
    budgets: Sequence[int] = ITEM_BUDGETS,
    most: int = MOST_ITEMS,
) -> dict:
    """Label the first training half of every dataset, with the distances and the modality that decides each label.

    Parameters
    ----------
    corpus : Corpus
        Has the titles, texts and pictures.
    protocol : Protocol
        Decides about folds, seeds and labels.
    names : list of str or str, optional
        Datasets; default: those that have features.
    budgets : sequence of int
        Those of `ITEM_BUDGETS` among them are shown, or else the first one.
    most : int
        Datasets are left out whose items would make it more than this many.

    Returns
    -------
    dict
        JSON values. items: title and text; images: WebP in base64, in the same order. datasets: name to classes, and
        budgets, where each leads to columns, one value per item that is not a seed: item (number in items), true,
        label, decided (number of the modality), and for each modality label, distance and seed (number in items).
    """
    budgets = [budget for budget in ITEM_BUDGETS if budget in budgets] or list(budgets[:1])
    numbers: dict[str, int] = {}
    by_dataset = {}
    for name in extracted_datasets(corpus.name, names):
        features = load_features(corpus.name, name, protocol.features)
        tables = {budget: exchange_table(features, protocol, budget) for budget in budgets}
        ids = dict.fromkeys([*numbers, *next(iter(tables.values())).id])
        if len(ids) > most:
            continue
        numbers = {each: number for number, each in enumerate(ids)}
        columns = {budget: _columns(table, numbers, features.classes) for budget, table in tables.items()}
        by_dataset[name] = {"classes": list(features.classes), "budgets": columns}
    items = corpus.items.set_index("id").loc[list(numbers)]
    return {
        "items": items[["title", "text"]].fillna("").to_numpy().tolist(),
        "images": [thumbnail(each) for each in items.image],
        "datasets": by_dataset,
    }


def _columns(table: pd.DataFrame, numbers: dict[str, int], classes: Sequence[str]) -> dict:
    hidden = table[~table.seed]
    order = {name: number for number, name in enumerate(classes)}
    by_modality = {
        modality: {
            "label": hidden[f"{modality}_label"].map(order).tolist(),
            "distance": hidden[f"{modality}_distance"].round(3).tolist(),
            "seed": hidden[f"{modality}_seed"].map(numbers).tolist(),
        }
        for modality in MODALITIES
    }
    return {
        "item": hidden.id.map(numbers).tolist(),
        "true": hidden.true.map(order).tolist(),
        "label": hidden.label.map(order).tolist(),
        "decided": hidden.decided_by.map(MODALITIES.index).tolist(),
        **by_modality,
    }


def thumbnail(content: object, side: int = SIDE) -> str:
    """A picture for a page, made smaller if it is large.

    Parameters
    ----------
    content : object
        Bytes of a picture's file; anything else where an item has none.
    side : int
        Most pixels in either direction.

    Returns
    -------
    str
        WebP in base64; empty without a picture.
    """
    if not isinstance(content, bytes):
        return ""
    image = decoded(content)
    if max(image.size) > side or content[8:12] != b"WEBP":
        image.thumbnail((side, side))
        small = io.BytesIO()
        image.save(small, "WEBP")
        content = small.getvalue()
    return base64.b64encode(content).decode()


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
    style, script = (Path(__file__).with_suffix(suffix) for suffix in (".css", ".js"))
    return embedded(f"explore-{kind}", "cmcsl-explorer", data, style, [script], f"cmcslExplorer.{kind}")


def embedded(name: str, role: str, data: dict, style: Path, scripts: Sequence[Path], call: str) -> HTML:
    """A part of a page that a script draws, with all that it needs inside.

    Parameters
    ----------
    name : str
        Identifier of its element; that of the data ends in ``-data``.
    role : str
        Class of the element.
    data : dict
        JSON values.
    style, scripts : Path, sequence of Path
        Files of CSS and JavaScript.
    call : str
        The function that draws it; it is given the name.

    Returns
    -------
    IPython.display.HTML
        Needs neither server nor network.
    """
    # "</script>" in a text would end the element that holds the data, "<!--<script>" would keep it from ending.
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    code = "".join(script.read_text(encoding="utf-8") for script in scripts)
    return HTML(
        f'<style>{style.read_text(encoding="utf-8")}</style><div class="{role}" id="{name}">'
        f'<p>This plot needs JavaScript.</p></div><script type="application/json" id="{name}-data">{text}</script>'
        f'<script>{code}{call}("{name}");</script>'
    )
