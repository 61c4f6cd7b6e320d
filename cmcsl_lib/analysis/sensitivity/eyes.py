"""Experiment 3 with other features of the pictures, and with distances in either unit: every combination."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ...experiments.protocol import CHOICES, Protocol, protocol
from ...experiments.published import paper_claims
from ...experiments.scores import BUDGETS
from ..claims import NOT_TESTABLE, RULES, Source, judge
from .registry import Change, load_changes

#: Options of `cmcsl extract` that make the pictures' features of each name; the page on them says what they are.
EXTRACTIONS = {
    "default": "",
    "ResNet-18": "--image-encoder resnet18 --start pooled",
    "frozen": "--image-encoder efficientnet-lite0 --start imagenet --finetune no",
    "width 512": "--image-encoder efficientnet-lite0 --start imagenet --finetune yes --width 512",
}
#: The same of pictures that are made from the texts, by the names of `extraction.transformations`.
VIEWS = {
    name: f"--pictures {name} --image-encoder efficientnet-lite0 --start imagenet --finetune no"
    for name in ("sentence-space", "encoding", "sonification")
}
#: The same of a network that has learnt clusters instead of classes, before it is fine-tuned.
CLUSTERS = {name: f"--image-encoder resnet18 --start {name}" for name in ("deepcluster", "xdc")}

#: The same of features without a network: one colour of each picture, terms of each text.
NON_DEEP = {"non-deep": "--image-encoder colour --text-encoder tf-idf"}


def combinations(reference: Protocol | str = "strict") -> tuple[Change, ...]:
    """Every combination of pictures' features and distances, as changes of a protocol.

    Parameters
    ----------
    reference : Protocol or {"strict", "paper"}
        With the usual features and plain distances.

    Returns
    -------
    tuple of Change
        The reference itself first.
    """
    rules, combined = protocol(reference), []
    for features, extraction in EXTRACTIONS.items():
        for distances in CHOICES["distances"]:
            wanted = {"features": features, "distances": distances}
            changes = {name: value for name, value in wanted.items() if value != getattr(rules, name)}
            # A pooled training keeps other items from the experiments.
            combined.append(Change(rules.changed(**changes), "pooled" not in extraction, extraction))
    return tuple(combined)


def feature_changes(extractions: Mapping[str, str], reference: Protocol | str = "strict") -> tuple[Change, ...]:
    """Other features of the same items, as changes of a protocol.

    Parameters
    ----------
    extractions : dict of str to str
        Options of `cmcsl extract` by the names of the features: `VIEWS`, `CLUSTERS` or `NON_DEEP`.
    reference : Protocol or {"strict", "paper"}
        With the usual features.

    Returns
    -------
    tuple of Change
        One per name, in this order.
    """
    return tuple(
        Change(protocol(reference).changed(features=name), True, options) for name, options in extractions.items()
    )


def load_combinations(
    corpus: str, reference: str = "strict", *, datasets: list[str] | str | None = None, budgets: Sequence[int] = BUDGETS
) -> pd.DataFrame:
    """Scores of Experiment 3 under every combination whose scores are available; parameters as for `load_changes`.

    Parameters
    ----------
    corpus : str
        Name of the corpus.
    reference : {"strict", "paper"}
        Protocol that the combinations change; its own scores are computed where they are missing.
    datasets : list of str or str, optional
        Names; default: those of the corpus that have features.
    budgets : sequence of int
        Seeds per class.

    Returns
    -------
    DataFrame
        Columns `scores.COLUMNS`, and features and distances of the protocol; in the order of `combinations`.

    Raises
    ------
    CmcslError
        If a name is unknown, or there are no features.
    """
    every = combinations(reference)
    scores = load_changes(corpus, reference, datasets=datasets, budgets=budgets, changes=every)
    protocols = {change.protocol.name: change.protocol for change in every}
    return scores.assign(
        features=scores.protocol.map(lambda name: protocols[name].features),
        distances=scores.protocol.map(lambda name: protocols[name].distances),
    )


def conclusions(scores: pd.DataFrame) -> pd.DataFrame:
    """Verdicts on the paper's claims under each combination, as far as Experiment 3 can tell.

    Parameters
    ----------
    scores : DataFrame
        From `load_combinations`.

    Returns
    -------
    DataFrame
        One row per claim and combination, without the claims that none can test: name, area and claim as in
        `published.paper_claims`, features, distances, verdict as from `claims.judge`, and same (whether the claim has
        this verdict under all combinations).
    """
    rows = []
    for combination, part in scores.groupby(["features", "distances"], sort=False):
        source = Source(part)
        rows += [(name, *combination, judge(name, source)[0]) for name in RULES]
    judged = pd.DataFrame(rows, columns=["name", "features", "distances", "verdict"])
    by_claim = judged.groupby("name").verdict
    judged["same"] = by_claim.transform("nunique") == 1
    testable = by_claim.transform(lambda verdicts: (verdicts != NOT_TESTABLE).any())
    return paper_claims()[["name", "area", "claim"]].merge(judged[testable.astype(bool)], on="name")
