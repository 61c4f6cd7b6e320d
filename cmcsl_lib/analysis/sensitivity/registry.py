"""The changes of the protocol whose scores are compared, and which of them are on this machine."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from ...corpora import RANDOM_STATE, load
from ...corpora.dataset_classes import datasets as catalogue
from ...corpora.features import extracted_datasets, load_features
from ...experiments.protocol import PROTOCOLS, Protocol, protocol
from ...experiments.runs import load_scores
from ...experiments.scores import BUDGETS
from ...files.errors import Absent

STRICT = PROTOCOLS["strict"]


@dataclass(frozen=True)
class Change:
    """Another way to run Experiment 3.

    Parameters
    ----------
    protocol : Protocol
        ``strict`` with the change, or ``paper``.
    same_folds : bool
        Whether training and test rows are those of ``strict``, so that scores pair up fold by fold.
    extraction : str
        The options of `cmcsl extract` that its features differ in from those of ``strict``, empty if they are the same.
    """

    protocol: Protocol
    same_folds: bool
    extraction: str = ""


#: The page on sensitivity says what each of them means.
CHANGES = (
    Change(STRICT.changed(seeds="replacement"), True),
    Change(STRICT.changed(scaling="each half"), True),
    Change(STRICT.changed(class_weights="hidden"), True),
    Change(STRICT.changed(late_fusion="maximum"), True),
    Change(PROTOCOLS["paper"], True),
    Change(STRICT.changed(folds="creators apart"), False),
    Change(STRICT.changed(distances="scaled by width"), True),
    *(
        Change(STRICT.changed(features=f"{what} {seed}"), same_folds, f"{option} {seed}")
        for what, option, same_folds in (("training seed", "--seed", True), ("split seed", "--split-seed", False))
        for seed in (1411, 1412)
    ),
)


def change_label(name: str) -> str:
    """What rows of tables and figures call a protocol: its change, or its whole name if it has none.

    Parameters
    ----------
    name : str
        Of the protocol.

    Returns
    -------
    str
        The change alone.
    """
    return name.removeprefix(f"{STRICT.name}, ")


def load_changes(
    corpus: str,
    reference: str = "strict",
    *,
    datasets: list[str] | str | None = None,
    budgets: Sequence[int] = BUDGETS,
    changes: Sequence[Change] = CHANGES,
) -> pd.DataFrame:
    """Scores of Experiment 3 under the reference protocol, then under those changes whose scores are available.

    Only the reference's are computed where they are missing; `missing_changes` lists the others that are.

    Parameters
    ----------
    corpus : str
        Name of the corpus.
    reference : {"strict", "paper"}
        Protocol that the others are compared with.
    datasets : list of str or str, optional
        Names; default: those of the corpus that have features.
    budgets : sequence of int
        Seeds per class.
    changes : sequence of Change
        Those that are wanted.

    Returns
    -------
    DataFrame
        Columns `scores.COLUMNS`, the reference's rows first.

    Raises
    ------
    CmcslError
        If a name is unknown, or there are no features.
    """
    # Of some changes fewer datasets may have features: those are compared that the reference has.
    names = list(extracted_datasets(corpus)) if datasets is None else datasets
    load_experiment_3 = partial(load_scores, corpus, number=3, datasets=names, budgets=tuple(budgets))
    tables = [load_experiment_3(protocol=protocol(reference))]
    for change in changes:
        if change.protocol.name != reference:
            with suppress(Absent):
                tables.append(load_experiment_3(protocol=change.protocol, compute=False))
    return pd.concat(tables, ignore_index=True)


def missing_changes(scores: pd.DataFrame, changes: Sequence[Change] = CHANGES) -> pd.DataFrame:
    """The changes that the scores lack, and the commands that would compute them.

    Parameters
    ----------
    scores : DataFrame
        From `load_changes`.
    changes : sequence of Change
        Those that were asked for.

    Returns
    -------
    DataFrame
        One row per change: corpus, change, reason ("not computed", or why nothing can compute it: "no pictures", "no
        creators"), commands (one after the other, joined by ``&&``; empty where nothing can compute it).
    """
    corpus = load(scores.corpus.iloc[0])
    rows = []
    for change in changes:
        if change.protocol.name not in set(scores.protocol):
            label = change_label(change.protocol.name)
            if change.extraction and not corpus.has_images:
                rows.append((corpus.name, label, "no pictures", ""))
            elif change.protocol.folds == "creators apart" and "creator" not in corpus.items:
                rows.append((corpus.name, label, "no creators", ""))
            else:
                rows.append((corpus.name, label, "not computed", _commands(change, scores)))
    return pd.DataFrame(rows, columns=["corpus", "change", "reason", "commands"])


def _commands(change: Change, scores: pd.DataFrame) -> str:
    """What computes a change of scores: the features first, where these are others."""
    corpus, present = scores.corpus.iloc[0], list(scores.dataset.unique())
    every = set(present) == set(catalogue(corpus))
    name, *changed = change.protocol.name.split(", ")
    run = ["cmcsl run 3 --corpus", corpus, *([] if every else ["--datasets", *present])]
    run += [] if name == STRICT.name else [f"--protocol {name}"]
    run += ["--change", *(f'"{each}"' for each in changed)] if changed else []
    if not change.extraction:
        return " ".join(run)
    settings = load_features(corpus, present[0]).metadata.get("settings", {})
    extract = ["cmcsl extract", corpus, *([] if every else present), f'--name "{change.protocol.features}"']
    return " ".join([*extract, *_other_options(change, settings), change.extraction, "&&", *run])


def _other_options(change: Change, settings: dict[str, Any]) -> list[str]:
    """Options of `cmcsl extract` that repeat how features were made, but for those that the change is of."""
    # Features that name no precision were made before there was a choice; mixed precision names its type as well.
    precision = settings.get("precision", "single").split()[0]
    options = [f"--image-encoder {settings['image encoder']}"] if "image encoder" in settings else []
    options += [f"--start {settings.get('start', 'auto')}", f"--precision {precision}"]
    if settings.get("images", "").endswith("swapped"):
        options.append("--orientation swapped")
    if settings.get("fine-tuning") == "none":
        options.append("--finetune no")
    if settings.get("new layer", "none") != "none":
        options.append(f"--width {settings['new layer']}")
    for option, key in (("--seed", "seed"), ("--split-seed", "split seed")):
        if settings.get(key, RANDOM_STATE) != RANDOM_STATE:
            options.append(f"{option} {settings[key]}")
    changed = change.extraction.split()
    return [option for option in options if option.split()[0] not in changed]
