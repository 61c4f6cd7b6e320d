"""The calibrated exchange beside CMCSL and UNI: on the same features, folds, seeds and naive Bayes.

The rule and its constants were developed on the datasets of `DEVELOPMENT` and frozen before the others were looked at,
so that only the others say what it is worth.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss

from ..analysis.sensitivity.intervals import mean_interval
from ..corpora.features import MODALITIES
from ..estimators import CMCSLClassifier, UnimodalClassifier
from ..estimators.base import ModalityClassifier
from .base import Halves, ScoreRow, Study, classifier_scores

#: Datasets of openclipart on which the rule was developed.
DEVELOPMENT = ("AF", "PT", "CO", "AFP", "PTT", "FPS", "CHMP", "HP")
CALIBRATED = "calibrated"
PLAIN_MEAN = "calibrated, plain mean"
METHODS = ("UNI", "CMCSL", CALIBRATED, PLAIN_MEAN)


def score(halves: Halves, budgets: tuple[int, ...]) -> Iterator[ScoreRow]:
    """Scores of all methods on one fold, and under ``both`` the log-loss of what is fused.

    `CALIBRATED` is fused by temperatures and weights, UNI and CMCSL by the mean of the probabilities as they are, and
    `PLAIN_MEAN` is the same classifiers fused so; in each modality it would be the same.
    """
    for budget in budgets:
        known = halves.known(halves.seeds(budget))
        common = halves.parameters(known)
        together = CMCSLClassifier(**common | {"fusion": "calibrated"}, exchange="calibrated")
        classifiers = {"UNI": UnimodalClassifier(**common), "CMCSL": CMCSLClassifier(**common), CALIBRATED: together}
        for method, classifier in classifiers.items():
            yield from _with_loss(classifier.fit(halves.X, known), halves, method, budget, known)
        *_, both = _with_loss(together.set_params(fusion="mean"), halves, PLAIN_MEAN, budget, known)
        yield both


def _with_loss(
    classifier: ModalityClassifier, halves: Halves, method: str, budget: int, known: np.ndarray
) -> Iterator[ScoreRow]:
    """Scores of a fitted classifier; the last row is that of ``both``."""
    for row in classifier_scores(classifier, halves, method, budget, known):
        loss = log_loss(halves.y_test, classifier.predict_proba(halves.X_test)) if row["modality"] == "both" else np.nan
        yield row | {"log_loss": loss}


def group(datasets: pd.Series) -> np.ndarray:
    """``developed on`` or ``untouched``, for each name of a dataset of openclipart."""
    return np.where(datasets.isin(DEVELOPMENT), "developed on", "untouched")


def gains(
    scores: pd.DataFrame,
    shared: pd.DataFrame,
    references: Sequence[str] = ("UNI", "CMCSL"),
    value: str = "balanced_accuracy",
) -> pd.DataFrame:
    """Gains of the calibrated exchange, with the interval that allows for shared items.

    Parameters
    ----------
    scores : DataFrame
        Those of the study, of one protocol.
    shared : DataFrame
        From `analysis.sensitivity.shared_items`, of at least their datasets.
    references : sequence of str
        Methods that it is compared with.
    value : {"balanced_accuracy", "pseudo_label_accuracy"}
        What is compared.

    Returns
    -------
    DataFrame
        One row per reference, modality and budget, and with budget "all" for the mean over budgets: these, gain, low,
        high (of the 95% interval of the mean over datasets), above (datasets with a gain above 0) and datasets.
    """
    names = list(scores.dataset.unique())
    R = shared.loc[names, names].to_numpy()
    means = scores.pivot_table(index=["modality", "budget", "dataset"], columns="method", values=value, sort=False)
    rows = []
    for reference in references:
        gain = (means[CALIBRATED] - means[reference]).unstack("dataset")[names]
        for modality in MODALITIES:
            own = gain.loc[modality]
            for budget, values in [*own.iterrows(), ("all", own.mean())]:
                mean, low, high, _ = mean_interval(values.to_numpy(), R)
                rows.append((reference, modality, budget, mean, low, high, int((values > 0).sum()), len(names)))
    columns = ["reference", "modality", "budget", "gain", "low", "high", "above", "datasets"]
    return pd.DataFrame(rows, columns=columns)


EXCHANGE = Study(score, budgets=(1, 2, 5, 10, 20))
