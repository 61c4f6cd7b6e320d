"""What an executed page was made from, by content, and whether that has changed since.

Each executed notebook carries a record of its parameters and of the SHA-256 of its source, of the modules of the
library that it imports, of the data that these may read, and of the installed packages. A page is stale if any of them
has changed; times decide nothing.
"""

import ast
import hashlib
import json
import site
import sys
import threading
from collections.abc import Collection, Iterable
from functools import cache
from importlib import metadata, util
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode
from packaging.utils import canonicalize_name

from ..experiments.published import published_files
from ..files.checksums import Damaged, file_sha256, read_checked
from ..files.paths import REPOSITORY, features_folders, home, shipped
from .pages import SOURCES, Page

LIBRARY = "cmcsl_lib"
#: Pages are looked at in threads, and CPython counts the depth of syntax trees of all threads together: two at a time
#: can end in a SystemError.
PARSING = threading.Lock()
#: Key of the record in an executed notebook's metadata.
RECORD = "cmcsl"
#: Shipped data that only pages which import a module can read, by the name of their folder; every page is taken to
#: read the rest of ``data/``.
READ_BY = {"features": "corpora.features", "scores": "experiments.runs", "paper": "experiments.published"}
#: Files among the data that no page reads.
NOT_DATA = {".md", ".py", ".pyc"}


def page_origin(page: Page) -> dict[str, object]:
    """What a page would be made from now: its parameters, and the SHA-256 of everything else."""
    modules = library(page.notebook)
    return {
        "notebook": digest([page.notebook]),
        "parameters": page.parameters,
        "library": digest(modules),
        "data": digest(data_files(modules, str(page.parameters.get("corpus")))),
        "environment": environment(),
    }


def stale(page: Page) -> list[str]:
    """Why the executed copy of a page is not up to date: missing, damaged, or names of `page_origin` that changed."""
    if not page.output.is_file():
        return ["missing"]
    executed = read_executed(page.output)
    if executed is None:
        return ["damaged"]
    recorded = executed.metadata[RECORD]["made_from"]
    return [name for name, value in page_origin(page).items() if recorded.get(name) != value]


def executed_page(output: Path) -> Page:
    """The page of an executed notebook, with the parameters that it was run with."""
    executed = read_executed(output)
    parameters = executed.metadata[RECORD]["made_from"]["parameters"] if executed else {}
    return Page(SOURCES / output.name, output, dict(parameters))


def read_executed(path: Path) -> NotebookNode | None:
    """An executed notebook, or None if it is not what was written."""
    try:
        return nbformat.reads(read_checked(path).decode(), as_version=4)
    except Damaged:
        return None


def library(notebook: Path) -> frozenset[Path]:
    """Files of the library that a notebook imports, directly or through others, wherever the import stands."""
    cells = [cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    paths: set[Path] = set()
    waiting = imports("\n".join(map(TransformerManager().transform_cell, cells)), "__main__")
    while waiting:
        path = module_path(name := waiting.pop())
        if path is None or path in paths:
            continue
        paths.add(path)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting |= imports(path.read_text(encoding="utf-8"), package) | {package}
    beside = {
        file
        for path in paths
        if path.name == "__init__.py"
        for file in path.parent.iterdir()
        if file.is_file() and file.suffix not in (".py", ".pyc")
    }
    return frozenset(paths | beside)


def imports(source: str, package: str) -> set[str]:
    """Absolute names that may be modules of the library among what Python source imports."""
    names = set()
    with PARSING:
        tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = util.resolve_name("." * node.level + (node.module or ""), package)
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.split(".")[0] == LIBRARY}


def module_path(name: str) -> Path | None:
    """The file of a module of the library, or None where the name is not a module's."""
    path = REPOSITORY.joinpath(*name.split("."))
    candidates = (path.with_name(f"{path.name}.py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def data_files(modules: Collection[Path], corpus: str) -> list[Path]:
    """Data that a page which imports these modules may read.

    Scores in CMCSL_HOME are left out: they are kept under a key of what they were computed from, and found by it.
    """
    imported = {folder for folder, module in READ_BY.items() if module_path(f"{LIBRARY}.{module}") in modules}
    unread = {"cache", *READ_BY} - imported
    files = [
        path
        for path in shipped().rglob("*")
        if path.suffix not in NOT_DATA and unread.isdisjoint(path.relative_to(shipped()).parts)
    ]
    files += published_files() if "paper" in imported else []
    files += (home() / "corpora" / corpus).glob("*")
    files += [path for folder in features_folders(corpus) for path in folder.glob("*.parquet")]
    return sorted(path for path in files if path.is_file())


def digest(paths: Iterable[Path]) -> str:
    """SHA-256 over the names and contents of files."""
    digests = {
        str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else path.name: file_digest(path)
        for path in paths
    }
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, which is read again only after the file was written."""
    status = path.stat()
    return _file_digest(path, status.st_mtime_ns, status.st_size)


@cache
def _file_digest(path: Path, *_written: int) -> str:
    return file_sha256(path)


def packages() -> dict[str, str | None]:
    """Versions of the installed packages that requirements/book.txt names; None of one that is not here."""
    lines = (REPOSITORY / "requirements" / "book.txt").read_text(encoding="utf-8").splitlines()
    # Where packages are installed, not sys.path: some put copies of others there while they are imported.
    folders = [*site.getsitepackages(), site.getusersitepackages()]
    distributions = metadata.distributions(path=folders)
    installed = {canonicalize_name(distribution.name): distribution.version for distribution in distributions}
    names = [canonicalize_name(line.partition("==")[0]) for line in lines if "==" in line]
    return {name: installed.get(name) for name in names}


@cache
def environment() -> str:
    """SHA-256 of Python's version and of those of `packages`."""
    versions = [sys.version, *(f"{name} {version}" for name, version in packages().items())]
    return hashlib.sha256("\n".join(versions).encode()).hexdigest()
