"""The datasets of each corpus: 20 subsets, named by the first letters of their classes."""

from collections.abc import Iterable

from ..errors import check_choice

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
    "ACCDDHMRS": (
        "Action", "Comedy", "Crime", "Documentary", "Drama", "Horror", "Mystery", "Romance", "Sci-Fi",
    ),
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


def kind(classes: tuple[str, ...]) -> str:
    """Group of a dataset in the paper's tables: ``"binary"`` or ``"multiclass"``."""
    return "binary" if len(classes) == 2 else "multiclass"


def datasets(corpus: str, names: Iterable[str] | str | None = None) -> dict[str, tuple[str, ...]]:
    """Datasets of a corpus with their classes, all of them or those in `names`, in catalogue order.

    Parameters
    ----------
    corpus : str
        A key of `DATASETS`.
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
    catalogue = DATASETS[check_choice(corpus, DATASETS, "corpus")]
    if names is None:
        return dict(catalogue)
    names = names.split() if isinstance(names, str) else list(names)
    for name in names:
        check_choice(name, catalogue, f"dataset of corpus {corpus}")
    return {name: classes for name, classes in catalogue.items() if name in set(names)}
