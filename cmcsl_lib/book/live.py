"""Algorithm 1, live: a toy in two planes, and one training half of a dataset, both calculated in the browser.

Data are prepared here. `scripts/live_method.js` has the algorithm, `live.js` draws it and listens.
"""

import base64
from pathlib import Path

import numpy as np
from IPython.display import HTML

from ..corpora import Corpus
from ..corpora.features import MODALITIES, Features
from ..experiments.protocol import Protocol
from .embedding import embedded, thumbnail

#: Levels of a column of features: one byte.
LEVELS = 255
#: A training half is shown in part if it has more items, or both matrices together more values.
MOST_ITEMS, MOST_VALUES = 600, 1_500_000
#: Largest budget, as in the paper.
LARGEST_BUDGET = 20
#: The toy's classes are shapes, so that a plane can show true class and label together.
SHAPES = ("circle", "square", "triangle")
#: Standard deviations of the toy's planes: as extracted, modalities have no common unit.
UNITS = (9.0, 2.5)
#: Draws items that lie apart, and seeds with which either modality decides and the exchange helps.
TOY = 2714


class Quantised:
    """A matrix with one byte per value: each column in equal steps from its lowest to its highest value.

    Parameters
    ----------
    X : ndarray of shape (n, d), dtype float64
        Finite, within the range of single precision.
    """

    def __init__(self, X: np.ndarray) -> None:
        self.low = X.min(axis=0).astype(np.float32)
        self.step = ((X.max(axis=0) - self.low) / LEVELS).astype(np.float32)
        steps = np.where(self.step > 0, self.step, 1).astype(float)
        self.values = np.clip(np.rint((X - self.low) / steps), 0, LEVELS).astype(np.uint8)

    def matrix(self) -> np.ndarray:
        """The values that the page calculates with, shape (n, d), dtype float64."""
        return self.low.astype(float) + self.step.astype(float) * self.values

    def encoded(self) -> dict:
        """JSON values for the page, bytes in base64."""
        rows, columns = self.values.shape
        parts = {
            name: base64.b64encode(np.ascontiguousarray(getattr(self, name)).tobytes()).decode()
            for name in ("values", "low", "step")
        }
        return {"rows": rows, "columns": columns, **parts}


def toy_data(seed: int = TOY, size: int = 8) -> dict:
    """Items of three classes in two planes, in which the classes overlap differently.

    Parameters
    ----------
    seed : int
        Of the generator that draws them.
    size : int
        Items per class.

    Returns
    -------
    dict
        JSON values. classes; y, class of each item; visual and text, for each item two coordinates; seeds, one item
        per class.
    """
    random = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(SHAPES)), size)
    angles = 2 * np.pi * np.arange(len(SHAPES)) / len(SHAPES)
    planes = {}
    for name, unit, turn in zip(MODALITIES, UNITS, (0.4, 2.6), strict=True):
        centres = 1.5 * np.c_[np.cos(angles + turn), np.sin(angles + turn)]
        planes[name] = (unit * (centres[y] + random.normal(size=(len(y), 2)))).round(2).tolist()
    seeds = [int(random.choice(np.flatnonzero(y == label))) for label in range(len(SHAPES))]
    return {"classes": list(SHAPES), "y": y.tolist(), "seeds": seeds, **planes}


def training_half(features: Features, protocol: Protocol) -> np.ndarray:
    """Rows of the first training half of a dataset, or of a part of it that a page can carry.

    Parameters
    ----------
    features : Features
        Of one dataset.
    protocol : Protocol
        Divides it.

    Returns
    -------
    ndarray of shape (n,), dtype int64
        Row numbers, of every class as large a share as of the others, and at least two rows.
    """
    rows = protocol.divide(features)[0].training
    columns = sum(X.shape[1] for X in features.modalities)
    share = min(1.0, min(MOST_ITEMS, MOST_VALUES / columns) / len(rows))
    members = [rows[features.y[rows] == label] for label in range(len(features.classes))]
    return np.sort(np.concatenate([each[: max(2, int(share * len(each)))] for each in members]))


def dataset_data(corpus: Corpus, features: Features, protocol: Protocol, budget: int = 5) -> dict:
    """One training half of a dataset as the page needs it to run Algorithm 1 with any seeds.

    Parameters
    ----------
    corpus : Corpus
        Has the titles, texts and pictures, where there are some.
    features : Features
        Of one dataset.
    protocol : Protocol
        Divides it, draws the first seeds, and says what distances are divided by before they are compared.
    budget : int
        Seeds per class to begin with.

    Returns
    -------
    dict
        JSON values. dataset, classes, y; items: title and text; images: WebP in base64, none where the corpus has none;
        names: of the modalities, in words; modalities: as `Quantised.encoded`; scales: what their distances are divided
        by; seeds: by budget, those that the protocol draws; budget.
    """
    rows = training_half(features, protocol)
    y, ids = features.y[rows], features.ids[rows]
    largest = max(1, min(LARGEST_BUDGET, int(np.bincount(y).min()) - 1))
    matrices = [X[rows] for X in features.modalities]
    items = corpus.items.set_index("id").loc[list(ids)]
    texts = items.text.astype(object).fillna("")
    titles = items.get("title", texts).astype(object).fillna("")
    images = [thumbnail(each) for each in items.image] if corpus.has_images else []
    return {
        "dataset": features.dataset,
        "classes": list(features.classes),
        "y": y.tolist(),
        "items": list(zip(titles.where(titles != "", ids), texts, strict=True)),
        "images": images,
        "names": ["picture", "text"] if images else [f"{name} modality" for name in MODALITIES],
        "modalities": [Quantised(X).encoded() for X in matrices],
        "scales": [float(protocol.distance_scale(X)) for X in matrices],
        # A row that was drawn twice is one seed.
        "seeds": {
            each: list(dict.fromkeys(protocol.draw_seeds(y, each, 0, 0).tolist())) for each in range(1, largest + 1)
        },
        "budget": min(budget, largest),
    }


def live(kind: str, data: dict) -> HTML:
    """A part of the page that runs Algorithm 1.

    Parameters
    ----------
    kind : {"toy", "dataset"}
        What is shown.
    data : dict
        From `toy_data` or `dataset_data`.

    Returns
    -------
    IPython.display.HTML
        Needs neither server nor network.
    """
    folder = Path(__file__).parent / "scripts"
    scripts = [folder / f"{name}.js" for name in ("elements", "live_method", "live")]
    return embedded(f"live-{kind}", "cmcsl-live", data, folder / "live.css", scripts, f"cmcslLive.{kind}")
