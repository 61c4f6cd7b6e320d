"""What the name of an item's creator gives away of its class."""

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from ..corpora import creators
from ..corpora.features import Features, extracted_datasets, load_features
from .protocol import PROTOCOLS


def creators_alone(corpus: str, names: list[str] | str | None = None) -> pd.Series:
    """How well the name of an item's creator alone predicts its class.

    Parameters
    ----------
    corpus : str
        Name of the corpus.
    names : list of str or str, optional
        Datasets; default: those that have features.

    Returns
    -------
    Series
        Mean balanced accuracy over the folds of the strict protocol, by dataset, of naive Bayes on creators' names.

    Raises
    ------
    CmcslError
        If the creators of the items are not known.
    """
    return pd.Series(
        {name: _creators_alone(load_features(corpus, name)) for name in extracted_datasets(corpus, names)},
        name="balanced_accuracy",
    ).rename_axis("dataset")


def _creators_alone(features: Features) -> float:
    creator = creators(features.corpus, features.ids)[:, None]
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), MultinomialNB())
    scores = []
    for _, _, training, test in PROTOCOLS["strict"].divide(features):
        model.fit(creator[training], features.y[training])
        scores.append(balanced_accuracy_score(features.y[test], model.predict(creator[test])))
    return float(np.mean(scores))
