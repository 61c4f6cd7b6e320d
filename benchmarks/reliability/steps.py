"""The steps that are killed and starved: a command, what it needs, and what it leaves."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import made_up
import nbformat

from cmcsl_lib.files.checksums import Damaged, check_seal
from cmcsl_lib.files.paths import REPOSITORY

HERE = Path(__file__).parent
FILMS = 60
#: Seconds that processes may stay after the one that started them.
STAYING = 30
#: Names that come and go: locks, temporary files, and what a download or a run has not finished.
PASSING = re.compile(r"(^|/)(\.|tmp)|\.part$|\.etag$|\.parts/|^(checkpoints|weights|images|texts)/")
#: What pages tell of when their notebook was executed.
EXECUTED_ON = re.compile(rb"(?<=Run )[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}(?= UTC)")


@dataclass(frozen=True)
class Step:
    """One command.

    Parameters
    ----------
    words : tuple of str
        What follows ``cmcsl``.
    prepare : callable
        Puts what the command needs into an empty CMCSL_HOME.
    served : bool
        Whether it downloads.
    repository : callable, optional
        From a scratch folder to the copy of the repository in which it runs.
    """

    name: str
    words: tuple[str, ...]
    prepare: Callable[[Path], object] = lambda home: None
    served: bool = False
    repository: Callable[[Path], Path] | None = None
    #: Files of one run are equal to those of any other.
    outputs: Callable[[Path, Path], dict[str, str]] = field(default=lambda home, repository: digests(home))

    def start(self, home: Path, repository: Path = REPOSITORY, url: str = "") -> subprocess.Popen:
        """Start the command in a process group of its own, so that what it starts can be ended with it."""
        environment = os.environ | {
            "CMCSL_HOME": str(home),
            "PYTHONPATH": str(repository),
            "OMP_NUM_THREADS": "1",
            "NO_PROXY": "127.0.0.1",
            "PYTHONWARNINGS": "ignore",
        }
        if url:
            environment |= {"RELIABILITY_SERVER": url, "RELIABILITY_ARRAYS": made_up.registry(made_up.arrays())}
        words = [word.format(home=home) for word in self.words]
        return subprocess.Popen(
            [sys.executable, str(HERE / "child.py"), *words],
            env=environment,
            cwd=repository,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the finished files in a folder."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in sorted(paths.items())
        if not PASSING.search(name)
    }


def broken(folder: Path) -> list[str]:
    """Files that are there under their final names and are not whole: each says so itself, by its SHA-256."""
    problems = []
    for path in folder.rglob("*"):
        if path.suffix in (".parquet", ".arrow", ".json", ".pt") and not path.name.startswith("."):
            with suppress(FileNotFoundError):
                try:
                    check_seal(path.read_bytes())
                except Damaged:
                    problems.append(path.relative_to(folder).as_posix())
    return problems


def finished(folder: Path) -> set[str]:
    """What was reported as done: finished files, and finished folds by dataset."""
    folds = {f"{path.parent.parent.name}/{path.stem}" for path in folder.rglob("*.parts/*/[0-9].parquet")}
    return folds | set(digests(folder))


def end(process: subprocess.Popen, group: bool = True, by: signal.Signals = signal.SIGKILL) -> bool:
    """End a process, with or without those that it started, and wait until all of them are gone.

    Returns
    -------
    bool
        False if one of them stays; it is killed.
    """
    with suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(process.pid, by)
    try:
        process.communicate(timeout=STAYING)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return False
    return True


def small_book(scratch: Path) -> Path:
    """A copy of the repository whose book has two pages, one of them a notebook."""
    copy = scratch / "repository"
    skipped = shutil.ignore_patterns(
        ".git", ".venv*", ".*_cache", "_build", "cache", "__pycache__", "scores", "*.egg-info", "tests"
    )
    shutil.copytree(REPOSITORY, copy, ignore=skipped, symlinks=True)
    for notebook in (copy / "notebooks").glob("*.ipynb"):
        notebook.unlink()
    cells = [
        nbformat.v4.new_markdown_cell("# A page", id="01-01"),
        nbformat.v4.new_code_cell('corpus = "openclipart"', id="01-02", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("from cmcsl_lib.corpora import load\nlen(load(corpus).items)", id="01-03"),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), copy / "notebooks" / "01_page.ipynb")
    shutil.rmtree(copy / "book")
    (copy / "book").mkdir()
    (copy / "book" / "index.md").write_text("# A small book\n")
    (copy / "_config.yml").write_text(
        'title: Small\nonly_build_toc_files: true\nexecute:\n  execute_notebooks: "off"\n'
    )
    (copy / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n  - file: book/notebooks/01_page\n")
    return copy


def page_texts(home: Path, repository: Path) -> dict[str, str]:
    """SHA-256 of the pages of a book, but for the minute in which their notebooks were executed."""
    html = repository / "_build" / "html"
    return {
        path.relative_to(html).as_posix(): hashlib.sha256(EXECUTED_ON.sub(b"", path.read_bytes())).hexdigest()
        for path in sorted(html.rglob("*.html"))
    }


def forget_pages(repository: Path) -> None:
    """Remove what was made of a small book."""
    for folder in (repository / "_build", repository / "book" / "notebooks"):
        shutil.rmtree(folder, ignore_errors=True)


def _archive(home: Path) -> None:
    (home / "mmimdb.tar.gz").write_bytes(made_up.tar(made_up.films(FILMS)))


def _corpus(home: Path) -> None:
    from cmcsl_lib.corpora import mm_imdb

    _archive(home)
    before = os.environ.get("CMCSL_HOME")
    os.environ["CMCSL_HOME"] = str(home)
    mm_imdb.fetch(home / "mmimdb.tar.gz")
    os.environ.pop("CMCSL_HOME") if before is None else os.environ.update(CMCSL_HOME=before)


STEPS = {
    step.name: step
    for step in (
        Step("fetch mm-imdb", ("fetch", "mm-imdb"), served=True),
        Step("fetch published-scores", ("fetch", "published-scores"), served=True),
        Step("divide", ("divide", "mm-imdb", "--csv", "--min-class", "1"), _corpus),
        Step(
            "extract",
            ("extract", "folder", "--items", "{home}/own/items.csv", "--as", "own", "--device", "cpu"),
            lambda home: made_up.folder(home / "own"),
        ),
        Step(
            "run",
            (
                "run",
                "3",
                "--datasets",
                "AF",
                "--classifier",
                "GNB",
                "CART",
                "--workers",
                "2",
                "--budgets",
                *map(str, range(1, 9)),
            ),
            made_up.features,
        ),
        Step("book", ("book", "--workers", "1"), repository=small_book, outputs=page_texts),
    )
}
