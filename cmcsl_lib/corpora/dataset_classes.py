"""Datasets of each corpus and their classes: 20 of the paper, named by first letters, and those of users' corpora.

A user's corpus is a folder ``corpora/NAME`` in CMCSL_HOME with a description, which `user_corpora.write` makes.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..files.checksums import BLANK, read_checked, written_sealed
from ..files.errors import check_choice
from ..files.paths import home
from ..files.tables import reading

#: Table I of the paper, in its order; class order gives the class index.
MM_IMDB = {
    "HR": ("Horror", "Romance"),
    "DS": ("Documentary", "Sci-Fi"),
    "HM": ("History", "Music"),
    "BW": ("Biography", "Western"),
    "AM": ("Animation", "Musical"),
    "FS": ("Film-Noir", "Short"),
    "FW": ("Family", "War"),
    "MS": ("Musical", "Sport"),
    "FM": ("Fantasy", "Mystery"),
    "AT": ("Adventure", "Thriller"),
    "HMSWW": ("History", "Musical", "Sci-Fi", "War", "Western"),
    "FMSW": ("Family", "Musical", "Sci-Fi", "War"),
    "FMNSSW": ("Film-Noir", "Musical", "News", "Short", "Sport", "Western"),
    "FFW": ("Fantasy", "Film-Noir", "Western"),
    "CDFS": ("Crime", "Documentary", "Fantasy", "Sci-Fi"),
    "AFHMS": ("Animation", "Fantasy", "History", "Mystery", "Sport"),
    "ACMD": ("Adventure", "Crime", "Music", "Documentary"),
    "ACCDDHMRS": ("Action", "Comedy", "Crime", "Documentary", "Drama", "Horror", "Mystery", "Romance", "Sci-Fi"),
    "ABHMW": ("Animation", "Biography", "History", "Music", "War"),
    "ABFHSS": ("Action", "Biography", "Family", "Horror", "Short", "Sport"),
}

#: Chosen for class sizes and for covering easy to hard problems; see data/openclipart/README.md.
OPENCLIPART = {
    "AF": ("animal", "food"),
    "PT": ("people", "transport"),
    "CO": ("computer", "office"),
    "OT": ("office", "tool"),
    "PS": ("people", "shape"),
    "AP": ("animal", "people"),
    "HP": ("holiday", "people"),
    "CT": ("computer", "tool"),
    "MO": ("map", "office"),
    "AT": ("animal", "transport"),
    "AFP": ("animal", "food", "people"),
    "PTT": ("people", "tool", "transport"),
    "COT": ("computer", "office", "tool"),
    "AFT": ("animal", "food", "transport"),
    "FPS": ("food", "people", "shape"),
    "ACPT": ("animal", "computer", "people", "transport"),
    "FOST": ("food", "office", "shape", "transport"),
    "CHMP": ("computer", "holiday", "map", "people"),
    "AFPTT": ("animal", "food", "people", "tool", "transport"),
    "ACFOPSTT": ("animal", "computer", "food", "office", "people", "shape", "tool", "transport"),
}

DATASETS = {"openclipart": OPENCLIPART, "mm-imdb": MM_IMDB}
DESCRIPTION = "corpus.json"


def description_path(corpus: str) -> Path:
    """The description of a user's corpus."""
    return home() / "corpora" / corpus / DESCRIPTION


def own_corpora() -> list[str]:
    """Names of the users' corpora on this machine."""
    names = sorted(path.parent.name for path in (home() / "corpora").glob(f"*/{DESCRIPTION}"))
    return [name for name in names if name not in DATASETS]


def known_corpora() -> list[str]:
    """Names of all corpora: those of `DATASETS`, then the users' own."""
    return [*DATASETS, *own_corpora()]


def description(corpus: str) -> dict:
    """The description of a user's corpus.

    Returns
    -------
    dict
        corpus: its name. items: the checksum that its file of items carries. datasets: classes of each dataset.

    Raises
    ------
    CmcslError
        If it is not what `write_description` wrote for this corpus.
    """
    path = description_path(corpus)
    with reading(path, "description", "make the corpus again with `cmcsl extract folder` or `cmcsl extract arrays`"):
        content = json.loads(read_checked(path))
        if content["corpus"] != corpus:
            raise ValueError("it is that of another corpus")
    return content


def write_description(corpus: str, items: str, classes: Mapping[str, Sequence[str]]) -> None:
    """Write the description of a user's corpus; parameters are the values that `description` returns."""
    named = {name: list(names) for name, names in classes.items()}
    content = {"corpus": corpus, "items": items, "datasets": named, "seal": BLANK.decode()}
    with written_sealed(description_path(corpus)) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def kind(classes: tuple[str, ...]) -> str:
    """Group of a dataset in the paper's tables: ``"binary"`` or ``"multiclass"``."""
    return "binary" if len(classes) == 2 else "multiclass"


def datasets(corpus: str, names: Iterable[str] | str | None = None) -> dict[str, tuple[str, ...]]:
    """Datasets of a corpus with their classes, all of them or those in `names`, in the corpus's order.

    Parameters
    ----------
    corpus : str
        One of `known_corpora`.
    names : iterable of str or str, optional
        Dataset names, or one string of them divided by blanks; None means all.

    Returns
    -------
    dict of str to tuple of str
        Classes of each dataset; their order gives the class index 0, 1, ...

    Raises
    ------
    CmcslError
        If the corpus or a dataset is unknown.
    """
    if check_choice(corpus, known_corpora(), "corpus") in DATASETS:
        known = dict(DATASETS[corpus])
    else:
        known = {name: tuple(classes) for name, classes in description(corpus)["datasets"].items()}
    if names is None:
        return known
    wanted = {
        check_choice(name, known, f"dataset of corpus {corpus}")
        for name in (names.split() if isinstance(names, str) else names)
    }
    return {name: classes for name, classes in known.items() if name in wanted}
