"""Execute one notebook with papermill; the copy tells what it was run with and when."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import papermill
from doit.exceptions import TaskFailed
from nbformat import NotebookNode

from .. import __version__
from ..experiments.published import available
from ..experiments.sources import PUBLISHED
from ..files.checksums import BLANK, written_sealed
from ..files.paths import REPOSITORY, readable_path
from .freshness import RECORD, page_origin
from .pages import Page

BUILD = REPOSITORY / "_build"
#: Where the copies of failed notebooks are kept.
FAILED = BUILD / "failed"
#: What papermill reports of a kernel that ended before it ran a cell.
NOT_STARTED = "Kernel died before replying to kernel_info"
#: Where what is not whole yet is made.
RUNNING = BUILD / "running"


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for one step: what a killed build has started may go on for a while, and writes into its own."""
    RUNNING.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=RUNNING, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def execute(page: Page) -> TaskFailed | None:
    """Execute one notebook; its output appears only if every cell succeeds, else the failed copy is kept.

    Where a page needs what is not on this machine, its output is one paragraph that says how to get it.

    Returns
    -------
    TaskFailed or None
        doit's way to be told of a failure: the cell and its error.
    """
    # Before the run: what changes meanwhile makes the page stale.
    origin = page_origin(page)
    if page.absence:
        write_page(placeholder(page), page, origin)
        return None
    with scratch() as folder:
        running = folder / page.notebook.name
        done = run_papermill(page, running)
        if done.returncode:
            return TaskFailed(f"{page.name} failed {failure(running, done.stderr)}\n{keep_failed(page, running)}")
        executed = nbformat.read(running, as_version=4)
        write_page(executed, page, origin)
    return None


def write_page(executed: NotebookNode, page: Page, origin: dict[str, object]) -> None:
    """Write an executed notebook with the record of its run, whole or not at all."""
    add_record(executed, page, origin)
    with written_sealed(page.output) as temporary:
        nbformat.write(executed, temporary)


def placeholder(page: Page) -> NotebookNode:
    """What stands for a page that can't be executed on this machine: its title, and how to get what it needs."""
    first = nbformat.read(page.notebook, as_version=4).cells[0]
    first.source = f"{first.source.splitlines()[0]}\n\n{page.absence}"
    notebook = nbformat.v4.new_notebook(cells=[first])
    notebook.metadata["papermill"] = {"start_time": datetime.now(UTC).isoformat()}
    return notebook


def run_papermill(page: Page, running: Path) -> subprocess.CompletedProcess[str]:
    """Run papermill; once more where the kernel did not start, since two that start at once can choose one port."""
    for _ in range(2):
        done = subprocess.run(papermill_command(page, running), check=False, capture_output=True, text=True)
        if NOT_STARTED not in done.stderr:
            break
    return done


def papermill_command(page: Page, running: Path) -> list[str]:
    """The command that executes a page's notebook into another one."""
    given = [
        word
        for name, value in page.parameters.items()
        for word in (("-y", f"{name}: {value}") if isinstance(value, list) else ("-p", name, str(value)))
    ]
    return [
        sys.executable,
        "-m",
        "papermill",
        str(page.notebook),
        str(running),
        *given,
        "--cwd",
        str(page.notebook.parent),
        "--no-progress-bar",
        "--no-log-output",
    ]


def keep_failed(page: Page, running: Path) -> str:
    """Keep the copy of a notebook that failed, and tell where; nothing where papermill had not begun it."""
    if not running.is_file():
        return ""
    copy = FAILED / f"{page.name}.ipynb"
    copy.parent.mkdir(parents=True, exist_ok=True)
    running.replace(copy)
    return f"The failed copy is {readable_path(copy)}."


def failure(copy: Path, report: str) -> str:
    """The cell of a failed copy that raised, with its error; the end of papermill's report where none did."""
    cells = nbformat.read(copy, as_version=4).cells if copy.is_file() else []
    for cell in cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                return f"in its cell {cell.id}: {output.ename}: {output.evalue}\n\n{cell.source}"
    return f"outside its cells:\n{report[-3000:]}"


def add_record(executed: NotebookNode, page: Page, origin: dict[str, object]) -> None:
    """Put the record of a run into an executed notebook: as metadata, and as its last cell for readers.

    Pages of the published scores say so in their title, which they share with those of the corpus.
    """
    run = executed.metadata["papermill"]
    # papermill tells the folders of this machine.
    run.update(input_path=readable_path(page.notebook), output_path=readable_path(page.output))
    executed.metadata[RECORD] = {
        "made_from": origin,
        "version": __version__,
        "executed": run["start_time"],
        "seal": BLANK.decode(),
    }
    for cell in executed.cells:
        # Told by the record below.
        if "injected-parameters" in cell.metadata.get("tags", ()):
            cell.metadata.tags.append("remove-cell")
    if page.parameters.get("corpus") == PUBLISHED:
        title, *rest = executed.cells[0].source.split("\n")
        executed.cells[0].source = "\n".join([f"{title}, published scores", *rest])
    line = (
        f"*Run {run['start_time'][:16].replace('T', ' ')} UTC: {sources(page)}, cmcsl {__version__}, data "
        f"{str(origin['data'])[:12]}.*"
    )
    executed.cells.append(nbformat.v4.new_markdown_cell(line, id=f"{page.notebook.stem[:2]}-record"))


def sources(page: Page) -> str:
    """Corpus and protocol that a page was run with, and whether the authors' scores were there."""
    declared = papermill.inspect_notebook(str(page.notebook))
    values = {name: told["default"].strip("\"'") for name, told in declared.items()} | page.parameters
    published = f"{'with' if available() else 'without'} the authors' published scores"
    if values.get("corpus") == PUBLISHED:
        return published
    return f"corpus {values.get('corpus')}, protocol {values.get('protocol')}, {published}"
