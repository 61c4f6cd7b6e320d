"""Which pages of the book are notebooks, and with which parameters each is run."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import nbformat

from ..corpora import load
from ..corpora.features import extracted_datasets, load_features
from ..experiments.sources import PUBLISHED
from ..files.errors import CmcslError, check_positive
from ..files.paths import REPOSITORY

#: Notebooks that show one source and are executed for the published scores as well.
ALSO_PUBLISHED = ("04_experiment_1", "05_experiment_2", "06_experiment_3")
#: Notebooks that show nothing but the published scores.
ONLY_PUBLISHED = ("10_published_numbers",)
SOURCES = REPOSITORY / "notebooks"
EXECUTED = REPOSITORY / "book" / "notebooks"


class Page(NamedTuple):
    """One notebook executed with one set of parameters.

    Attributes
    ----------
    notebook, output : Path
        The source, and its executed copy.
    parameters : dict
        Values for the notebook's cell tagged "parameters".
    folder : Path
        Holds the executed copies, and folders of them.
    """

    notebook: Path
    output: Path
    parameters: dict[str, object]
    folder: Path = EXECUTED

    @property
    def name(self) -> str:
        """The page as messages call it, for example ``published/04_experiment_1``."""
        inside = self.output.is_relative_to(self.folder)
        return (self.output.relative_to(self.folder) if inside else Path(self.output.name)).with_suffix("").as_posix()


def source_notebooks() -> list[Path]:
    """The notebooks of the repository, in reading order."""
    return sorted(SOURCES.glob("[0-9]*.ipynb"))


def check_corpus(corpus: str, names: Sequence[str] | None = None) -> None:
    """Raise a `CmcslError` unless a corpus and the features of these datasets of it are on this machine.

    Without names, those datasets count that have features, one at least. The corpus ``published`` needs nothing: its
    statistics are shipped.
    """
    if corpus != PUBLISHED:
        load(corpus)
        for name in extracted_datasets(corpus, names):
            load_features(corpus, name)


def page_parameters(datasets: Sequence[str] | None, budgets: Sequence[int] | None) -> dict[str, object]:
    """Datasets and budgets as parameters of a notebook; without those that are None, so that its own default holds."""
    check_positive(budgets or (), "Budgets")
    parameters: dict[str, object] = {"datasets": " ".join(datasets)} if datasets else {}
    return parameters | ({"budgets": list(budgets)} if budgets else {})


def pages(corpus: str = "openclipart", **parameters: object) -> list[Page]:
    """The book's pages that are notebooks, in reading order; the pages of the corpus have further parameters."""
    book_pages = []
    for notebook in source_notebooks():
        check_parameters(notebook)
        book_pages.append(Page(notebook, EXECUTED / notebook.name, {"corpus": corpus} | parameters))
        if notebook.stem in ALSO_PUBLISHED:
            book_pages.append(Page(notebook, EXECUTED / PUBLISHED / notebook.name, {"corpus": PUBLISHED}))
    return book_pages


def check_parameters(notebook: Path) -> None:
    """Raise unless the notebook has a cell tagged "parameters" that declares the corpus."""
    try:
        cells = nbformat.read(notebook, as_version=4).cells
        declared = any("corpus =" in cell.source for cell in cells if "parameters" in cell.metadata.get("tags", ()))
    # nbformat raises whatever the damage leads it to.
    except Exception as error:
        raise CmcslError(
            f"The notebook {notebook} can't be read ({type(error).__name__}): take it from the repository again."
        ) from None
    if not declared:
        raise CmcslError(f'{notebook} has no cell tagged "parameters" that declares corpus.')
