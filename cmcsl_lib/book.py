"""Execute the notebooks and build the HTML book; only what changed is done again.

doit decides what is stale by content: a notebook is executed again when it, its parameters, the library, the
data or the interpreter's packages have changed, not when a file is merely newer.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from doit.action import CmdAction
from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
from doit.exceptions import TaskFailed
from doit.tools import config_changed

from .errors import CmcslError
from .paths import REPOSITORY

#: Parameters of the book's notebooks; what a notebook does not declare is not passed to it.
PARAMETERS = {"corpus": "openclipart"}
BUILD = REPOSITORY / "_build"
INDEX = BUILD / "html" / "index.html"


def source_notebooks() -> list[Path]:
    """The notebooks of the repository, in reading order."""
    return sorted((REPOSITORY / "notebooks").glob("[0-9]*.ipynb"))


def executed_path(notebook: Path) -> Path:
    """Where the book takes the executed copy of a source notebook from."""
    return REPOSITORY / "book" / "notebooks" / notebook.name


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
    failed = BUILD / "failed" / notebook.name
    failed.parent.mkdir(parents=True, exist_ok=True)
    given = [word for name, value in parameters.items() for word in ("-p", name, str(value))]
    command = [sys.executable, "-m", "papermill", str(notebook), str(failed), *given,
               "--cwd", str(notebook.parent), "--no-progress-bar", "--no-log-output"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return TaskFailed(f"{notebook.name} failed; the failed copy is {failed}.\n{done.stderr[-3000:]}")
    output.parent.mkdir(parents=True, exist_ok=True)
    failed.replace(output)
    return None


def declared_parameters(notebook: Path) -> dict[str, object]:
    """Those of `PARAMETERS` that the notebook's cell tagged "parameters" declares.

    Raises
    ------
    CmcslError
        If the notebook has no such cell.
    """
    for cell in nbformat.read(notebook, as_version=4).cells:
        if "parameters" in cell.metadata.get("tags", []):
            return {name: value for name, value in PARAMETERS.items() if f"{name} =" in cell.source}
    raise CmcslError(f"{notebook} has no cell tagged \"parameters\".")


def shared_inputs() -> list[Path]:
    """Files that every notebook may read: the library and the shipped data."""
    library = (REPOSITORY / "cmcsl_lib").rglob("*.py")
    data = (path for path in (REPOSITORY / "data").rglob("*") if path.is_file())
    cache = REPOSITORY / "data" / "cache"
    pins = REPOSITORY / "requirements" / "book.txt"
    return sorted([*library, pins, *(path for path in data if cache not in path.parents)])


def tasks() -> Iterator[dict]:
    """doit's description of the work: one task per notebook, then the HTML."""
    for notebook in source_notebooks():
        parameters = declared_parameters(notebook)
        yield {
            "basename": notebook.stem,
            "actions": [(execute, [notebook, executed_path(notebook), parameters])],
            "file_dep": [notebook, *shared_inputs()],
            "targets": [executed_path(notebook)],
            "uptodate": [config_changed({"parameters": parameters, "python": sys.version})],
            "title": lambda task: f"Executing {task.name}",
        }
    pages = [path for path in (REPOSITORY / "book").rglob("*") if path.is_file()]
    executed = [executed_path(notebook) for notebook in source_notebooks()]
    own = [path for path in pages if executed_path(path) != path]
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    arguments = [str(jupyter_book), "build", str(REPOSITORY), "--warningiserror", "--nitpick", "--keep-going", "--all"]
    yield {
        "basename": "html",
        "actions": [CmdAction(arguments, shell=False)],
        "file_dep": [REPOSITORY / "_config.yml", REPOSITORY / "_toc.yml", *own, *executed],
        "targets": [INDEX],
        "title": lambda task: "Building the HTML book",
    }


def build(workers: int = 2) -> Path:
    """Bring the book up to date.

    Parameters
    ----------
    workers : int
        Notebooks executed at the same time, each in its own process.

    Returns
    -------
    Path
        The page to open.

    Raises
    ------
    CmcslError
        If a notebook failed or the HTML could not be built; the other notebooks were executed all the same.
    """
    BUILD.mkdir(exist_ok=True)
    loader = ModuleTaskLoader({"task_book": tasks})
    code = DoitMain(loader, config_filenames=()).run([
        "run", "--db-file", str(BUILD / "doit"), "--backend", "sqlite3", "--continue",
        "--parallel-type", "thread", "--process", str(workers), "--verbosity", "1",
    ])
    if code:
        raise CmcslError("The book was not built: a notebook or the HTML failed, as told above.")
    return INDEX
