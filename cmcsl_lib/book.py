"""Execute the notebooks and build the HTML book; only what changed is done again.

doit decides what is stale by content: a notebook is executed again when it, its parameters, the library, the
data or the interpreter's packages have changed, not when a file is merely newer.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import nbformat
from doit.action import CmdAction
from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
from doit.exceptions import TaskFailed
from doit.tools import config_changed

from .corpora import datasets, own_corpora
from .corpora.catalogue import description_path
from .corpora.store import items_path
from .errors import CmcslError
from .features import features_folder
from .paths import REPOSITORY
from .published import available, published_files
from .sources import PUBLISHED

#: Notebooks that show one source and are executed for the published scores as well.
ALSO_PUBLISHED = ("04_experiment_1", "05_experiment_2", "06_experiment_3")
BUILD = REPOSITORY / "_build"
INDEX = BUILD / "html" / "index.html"


def source_notebooks() -> list[Path]:
    """The notebooks of the repository, in reading order."""
    return sorted((REPOSITORY / "notebooks").glob("[0-9]*.ipynb"))


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
    folder = REPOSITORY / "book" / "notebooks"
    made = []
    for notebook in source_notebooks():
        check_parameters(notebook)
        made.append(Page(notebook, folder / notebook.name, {"corpus": corpus} | chosen))
        if notebook.stem in ALSO_PUBLISHED:
            made.append(Page(notebook, folder / PUBLISHED / notebook.name, {"corpus": PUBLISHED}))
    return made


def execute(notebook: Path, output: Path, parameters: dict[str, object]) -> TaskFailed | None:
    """Execute one notebook with papermill.

    Parameters
    ----------
    notebook, output : Path
        `output` appears only if every cell succeeds; a failed copy is kept in ``_build/failed``.
    parameters : dict
        Values for the notebook's cell tagged "parameters".

    Returns
    -------
    TaskFailed or None
        doit's way to be told of a failure, here with the end of papermill's report.
    """
    failed = BUILD / "failed" / output.parent.name / output.name
    failed.parent.mkdir(parents=True, exist_ok=True)
    given = [word for name, value in parameters.items()
             for word in (("-y", f"{name}: {value}") if isinstance(value, list) else ("-p", name, str(value)))]
    command = [sys.executable, "-m", "papermill", str(notebook), str(failed), *given,
               "--cwd", str(notebook.parent), "--no-progress-bar", "--no-log-output"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return TaskFailed(f"{notebook.name} failed; the failed copy is {failed}.\n{done.stderr[-3000:]}")
    output.parent.mkdir(parents=True, exist_ok=True)
    failed.replace(output)
    return None


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


def shared_inputs() -> list[Path]:
    """Files that every notebook may read: the library, the shipped data, and the authors' arrays if they are there."""
    library = (REPOSITORY / "cmcsl_lib").rglob("*.py")
    data = (path for path in (REPOSITORY / "data").rglob("*") if path.is_file())
    cache = REPOSITORY / "data" / "cache"
    pins = REPOSITORY / "requirements" / "book.txt"
    published = published_files() if available() else []
    return sorted([*library, pins, *published, *(path for path in data if cache not in path.parents)])


def user_features(corpus: str) -> list[Path]:
    """Features of a corpus that the user made, and that notebooks take before the shipped ones; and the corpus."""
    own = [description_path(corpus), items_path(corpus)] if corpus in own_corpora() else []
    return [*own, *sorted(features_folder(corpus).glob("*.parquet"))]


def tasks(corpus: str = "openclipart", **chosen: object) -> Iterator[dict]:
    """doit's description of the work: one task per page that is a notebook, then the HTML; parameters as `pages`."""
    made = pages(corpus, **chosen)
    for page in made:
        yield {
            "basename": str(page.output.relative_to(REPOSITORY / "book" / "notebooks").with_suffix("")),
            "actions": [(execute, list(page))],
            "file_dep": [page.notebook, *shared_inputs(), *user_features(corpus)],
            "targets": [page.output],
            "uptodate": [config_changed({"parameters": page.parameters, "python": sys.version,
                                         "published": available()})],
            "title": lambda task: f"Executing {task.name}",
        }
    executed = [page.output for page in made]
    notebooks = REPOSITORY / "book" / "notebooks"
    own = [path for path in (REPOSITORY / "book").rglob("*") if path.is_file() and notebooks not in path.parents]
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    arguments = [str(jupyter_book), "build", str(REPOSITORY), "--warningiserror", "--nitpick", "--keep-going", "--all"]
    yield {
        "basename": "html",
        # Pages of an earlier table of contents would stay.
        "actions": [(shutil.rmtree, [BUILD / "html"], {"ignore_errors": True}), CmdAction(arguments, shell=False)],
        "file_dep": [REPOSITORY / "_config.yml", REPOSITORY / "_toc.yml", *own, *executed],
        "targets": [INDEX],
        "title": lambda task: "Building the HTML book",
    }


def build(corpus: str = "openclipart", workers: int = 2, *, names: Sequence[str] | None = None,
          budgets: Sequence[int] | None = None) -> Path:
    """Bring the book up to date.

    Parameters
    ----------
    corpus : str
        What the pages show beside the published scores.
    workers : int
        Notebooks executed at the same time, each in its own process.
    names : sequence of str, optional
        Datasets of the corpus; default: what each notebook takes by itself, mostly all.
    budgets : sequence of int, optional
        Seeds per class; default likewise, mostly 1 to 20.

    Returns
    -------
    Path
        The page to open.

    Raises
    ------
    CmcslError
        If the corpus is unknown, a notebook failed or the HTML could not be built; the other notebooks were executed
        all the same.
    """
    datasets(corpus, names)
    chosen = {"datasets": " ".join(names)} if names else {}
    chosen |= {"budgets": list(budgets)} if budgets else {}
    BUILD.mkdir(exist_ok=True)
    loader = ModuleTaskLoader({"task_book": lambda: tasks(corpus, **chosen)})
    code = DoitMain(loader, config_filenames=()).run([
        "run", "--db-file", str(BUILD / "doit"), "--backend", "sqlite3", "--continue",
        "--parallel-type", "thread", "--process", str(workers), "--verbosity", "1",
    ])
    if code:
        raise CmcslError("The book was not built: a notebook or the HTML failed, as told above.")
    return INDEX
