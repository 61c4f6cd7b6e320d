"""Bring the book up to date, in parallel and only what changed: the tasks that doit runs."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
from doit.exceptions import TaskFailed
from doit.tools import config_changed

from ..files.errors import CmcslError, check_positive
from ..files.paths import REPOSITORY, locked, readable_path
from .execution import BUILD, RUNNING, execute, own_environment, scratch
from .freshness import stale
from .pages import EXECUTED, Page, check_corpus, page_parameters, pages
from .pdf import PDF, print_book

INDEX = BUILD / "html" / "index.html"
#: What the system says of a full disk.
NO_ROOM = os.strerror(errno.ENOSPC)
SETTINGS = (REPOSITORY / "_config.yml", REPOSITORY / "_toc.yml")
#: Jupyter Book in this interpreter: its script may be that of another one, whose environment was copied.
JUPYTER_BOOK = (sys.executable, "-c", "from jupyter_book.cli.main import main; main()")
#: Every warning is an error.
STRICT = ("--warningiserror", "--nitpick", "--keep-going", "--all")


def jupyter_book(builder: str) -> TaskFailed | None:
    """Run ``jupyter-book build`` with the builder ``html`` or ``singlehtml``; a failure leaves the last book."""
    with scratch() as folder:
        command = [*JUPYTER_BOOK, "build", str(REPOSITORY), "--builder", builder, "--path-output", str(folder), *STRICT]
        done = subprocess.run(
            command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=own_environment()
        )
        if done.returncode:
            return TaskFailed(f"jupyter-book failed:\n{_failure_reason(done.stdout)}")
        shutil.rmtree(BUILD / builder, ignore_errors=True)
        (folder / "_build" / builder).replace(BUILD / builder)
    return None


def _failure_reason(output: str) -> str:
    """What jupyter-book printed, without the traceback that it ends every failure with."""
    if NO_ROOM in output:
        return f"{readable_path(BUILD)} can't be written ({NO_ROOM}): make room there."
    before, _, after = output.rpartition("Traceback (most recent call last):")
    return before.rstrip() if "error in building your book" in after else output


def tasks(book_pages: list[Page], pdf: bool = False) -> Iterator[dict]:
    """Doit's description of the work: one task per page that is a notebook, then the PDF if wanted, then the HTML."""
    for page in book_pages:
        yield {
            "basename": page.name,
            "actions": [(execute, [page])],
            "targets": [page.output],
            "uptodate": [not stale(page)],
            "title": lambda task: f"Executing {task.name}",
        }
    own = [
        path
        for folder in (REPOSITORY / "book", Path(__file__).parent)
        for path in folder.rglob("*")
        if path.is_file() and EXECUTED not in path.parents and path.suffix != ".pyc"
    ]
    sources = [*SETTINGS, *own, *(page.output for page in book_pages)]
    if pdf:
        yield {
            "basename": "pdf",
            "actions": [(jupyter_book, ["singlehtml"]), print_book],
            "file_dep": sources,
            "targets": [PDF],
            "title": lambda task: "Printing the book",
        }
    yield {
        "basename": "html",
        "actions": [(jupyter_book, ["html"])],
        "file_dep": [*sources, PDF] if pdf else sources,
        "targets": [INDEX],
        # Front page and launch buttons differ with it.
        "uptodate": [config_changed({"pdf": pdf})],
        "title": lambda task: "Building the HTML book",
    }


def build(
    corpus: str = "openclipart",
    datasets: Sequence[str] | None = None,
    budgets: Sequence[int] | None = None,
    workers: int = 2,
    pdf: bool = False,
) -> Path:
    """Bring the book up to date; a second build at the same time waits for the first.

    Parameters
    ----------
    corpus : str
        What the pages show beside the published scores.
    datasets : sequence of str, optional
        Of the corpus; default: what each notebook takes by itself, mostly all.
    budgets : sequence of int, optional
        Seeds per class; default likewise, mostly 1 to 20.
    workers : int
        Notebooks executed at the same time, each in its own process.
    pdf : bool
        Whether the whole book is printed as well, for its front page to link; without it the HTML holds no PDF.

    Returns
    -------
    Path
        The page to open.

    Raises
    ------
    CmcslError
        If the corpus is unknown or not on this machine, a notebook failed or the HTML could not be built; the other
        notebooks were executed all the same.

    Notes
    -----
    Processes that execute notebooks import the script that calls this, which needs ``if __name__ == "__main__":``.
    """
    check_positive([workers], "--workers")
    check_corpus(corpus, datasets)
    check_settings()
    book_pages = pages(corpus, **page_parameters(datasets, budgets))
    options = {"dep_file": str(BUILD / "doit"), "backend": "sqlite3", "par_type": "thread", "num_process": workers}
    with locked(BUILD):
        # Left by a build that was killed.
        shutil.rmtree(RUNNING, ignore_errors=True)
        if not pdf:
            PDF.unlink(missing_ok=True)
        loader = ModuleTaskLoader(
            {"task_book": lambda: tasks(book_pages, pdf), "DOIT_CONFIG": options | {"continue": True}}
        )
        if DoitMain(loader, config_filenames=()).run(["run"]):
            unfinished = [page.name for page in book_pages if stale(page)] or ["jupyter-book or the PDF"]
            raise CmcslError(f"The book was not built: {', '.join(unfinished)} failed, as told above.")
    return INDEX


def check_settings() -> None:
    """Raise a `CmcslError` unless the book's settings and table of contents are YAML, before an hour of notebooks."""
    for path in SETTINGS:
        try:
            settings = yaml.safe_load(path.read_text(encoding="utf-8"))
            if not isinstance(settings, dict):
                raise ValueError("no names with values")
        except (OSError, ValueError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise CmcslError(
                f"{readable_path(path)} can't be read ({reason}): mend it, or take it from the repository again."
            ) from None
