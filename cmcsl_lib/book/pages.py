"""Which pages of the book are notebooks, and with which parameters each is run."""

from pathlib import Path
from typing import NamedTuple

import nbformat

from ..errors import CmcslError
from ..paths import REPOSITORY
from ..sources import PUBLISHED

#: Notebooks that show one source and are executed for the published scores as well.
ALSO_PUBLISHED = ("04_experiment_1", "05_experiment_2", "06_experiment_3")
SOURCES = REPOSITORY / "notebooks"
EXECUTED = REPOSITORY / "book" / "notebooks"


class Page(NamedTuple):
    """One notebook executed with one set of parameters.

    Attributes
    ----------
    notebook, output : Path
        The source, and the executed copy that the book takes.
    parameters : dict
        Values for the notebook's cell tagged "parameters".
    """

    notebook: Path
    output: Path
    parameters: dict[str, object]

    @property
    def name(self) -> str:
        """The page as messages tell it, for example ``published/04_experiment_1``."""
        inside = self.output.is_relative_to(EXECUTED)
        return (self.output.relative_to(EXECUTED) if inside else Path(self.output.name)).with_suffix("").as_posix()


def source_notebooks() -> list[Path]:
    """The notebooks of the repository, in reading order."""
    return sorted(SOURCES.glob("[0-9]*.ipynb"))


def pages(corpus: str = "openclipart", **chosen: object) -> list[Page]:
    """The book's pages that are notebooks, in reading order.

    Parameters
    ----------
    corpus : str
    **chosen
        Further parameters of the pages that show it.

    Raises
    ------
    CmcslError
        If a notebook has no cell tagged "parameters".
    """
    made = []
    for notebook in source_notebooks():
        check_parameters(notebook)
        made.append(Page(notebook, EXECUTED / notebook.name, {"corpus": corpus} | chosen))
        if notebook.stem in ALSO_PUBLISHED:
            made.append(Page(notebook, EXECUTED / PUBLISHED / notebook.name, {"corpus": PUBLISHED}))
    return made


def check_parameters(notebook: Path) -> None:
    """Raise unless the notebook has a cell tagged "parameters" that declares the corpus."""
    try:
        tagged = [cell for cell in nbformat.read(notebook, as_version=4).cells
                  if "parameters" in cell.metadata.get("tags", [])]
        declared = any("corpus =" in cell.source for cell in tagged)
    # nbformat raises whatever the damage leads it to.
    except Exception as error:
        raise CmcslError(f"The notebook {notebook} can't be read ({type(error).__name__}): take it from the repository "
                         "again.") from None
    if not declared:
        raise CmcslError(f"{notebook} has no cell tagged \"parameters\" that declares corpus.")
