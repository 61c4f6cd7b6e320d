"""Execute one notebook with papermill, and record in the copy what it was run with, by what and when."""

import json
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
from ..files.progress import LINE
from .freshness import RECORD, page_origin
from .kernels import execute_notebook, kernel_description
from .pages import ALSO_PUBLISHED, Page

BUILD = REPOSITORY / "_build"
#: Where the copies of failed notebooks are kept.
FAILED = BUILD / "failed"
#: Where files are written until they are complete.
RUNNING = BUILD / "running"
#: A link to a page that is not executed for the published scores as well.
OTHER_PAGE = re.compile(rf"\]\((?!{'|'.join(ALSO_PUBLISHED)})(\d\d_\w+\.ipynb)")
#: What papermill reports of a kernel that ended before it ran a cell.
NOT_STARTED = "Kernel died before replying to kernel_info"


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for one step: what a killed build has started may go on for a while, and writes into its own."""
    RUNNING.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=RUNNING, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def own_environment(**variables: str) -> dict[str, str]:
    """Environment variables for a process that imports this library, not the one that is installed beside it."""
    path = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path)} | variables


def execute(page: Page) -> TaskFailed | None:
    """Execute one notebook; its output appears only if every cell succeeds, else the failed copy is kept.

    A failure is in the form that doit reports: the cell and its error.
    """
    # Before the run: what changes meanwhile makes the page stale.
    origin = page_origin(page)
    with scratch() as folder:
        running = folder / page.notebook.name
        report = _run_papermill(page, running)
        if not report:
            write_page(nbformat.read(running, as_version=4), page, origin)
            return None
        reason = f"{page.name} failed {_failure(running, report)}\n"
        if running.is_file():
            copy = FAILED / f"{page.name}.ipynb"
            copy.parent.mkdir(parents=True, exist_ok=True)
            running.replace(copy)
            reason += f"The failed copy is {readable_path(copy)}."
        return TaskFailed(reason)


def _run_papermill(page: Page, running: Path) -> str:
    """Execute a notebook into another one, by this interpreter; returns the report of `execute_notebook`.

    Papermill runs again where the kernel did not start: two that start at once can choose one port.
    """
    # Jupyter looks for kernels in JUPYTER_PATH first.
    kernel = running.parent / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps(kernel_description()), encoding="utf-8")
    # One thread, where readers ask for no other number: matrices are small, and pages are executed side by side.
    environment = {"OMP_NUM_THREADS": "1"} | own_environment(JUPYTER_PATH=str(running.parent))
    notebooks, folder = (str(page.notebook), str(running)), str(page.notebook.parent)
    options = {"kernel_name": "python3", "cwd": folder, "progress_bar": False}
    for _ in range(2):
        report = execute_notebook(environment, running.parent / "log", *notebooks, dict(page.parameters), **options)
        if NOT_STARTED not in report:
            break
    return report


def _failure(copy: Path, report: str) -> str:
    """The cell of a failed copy that raised, with its error; the end of papermill's report where none did."""
    cells = nbformat.read(copy, as_version=4).cells if copy.is_file() else []
    for cell in cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                return f"in its cell {cell.id}: {output.ename}: {output.evalue}\n\n{cell.source}"
    return f"outside its cells:\n{report[-3000:]}"


def write_page(executed: NotebookNode, page: Page, origin: dict[str, object]) -> None:
    """Write an executed notebook, whole or not at all, with a record of its run: metadata, and a last cell for readers.

    Pages of the published scores say so in their title, which they share with those of the corpus.
    """
    run = executed.metadata["papermill"]
    # papermill writes down the folders of this machine.
    run.update(input_path=readable_path(page.notebook), output_path=readable_path(page.output))
    python = f"Python {platform.python_version()}"
    prefix = Path(sys.prefix)
    executed.metadata[RECORD] = {
        "made_from": origin,
        "version": __version__,
        "executed": run["start_time"],
        "executed_by": f"{python}, {readable_path(prefix) if prefix.is_relative_to(REPOSITORY) else prefix.name}",
        "seal": BLANK.decode(),
    }
    for cell in executed.cells:
        tags = cell.metadata.get("tags", ())
        if "parameters" in tags:
            cell.source = _with_values(cell.source, page.parameters)
        elif "injected-parameters" in tags:
            # They stand in the cell of the parameters now.
            cell.metadata.tags.append("remove-cell")
        if cell.cell_type == "code":
            cell.outputs = _without_progress(cell.outputs)
    if page.parameters.get("corpus") == PUBLISHED:
        title, *rest = executed.cells[0].source.split("\n")
        executed.cells[0].source = "\n".join([f"{title}, published scores", *rest])
        # They stand in a folder of their own, beside which all other pages are.
        for cell in executed.cells:
            if cell.cell_type == "markdown":
                cell.source = OTHER_PAGE.sub(r"](../\1", cell.source)
    when = run["start_time"][:16].replace("T", " ")
    line = f"*Run {when} UTC: {_sources(page)}, {python}, cmcsl {__version__}, data {str(origin['data'])[:12]}.*"
    executed.cells.append(nbformat.v4.new_markdown_cell(line, id=f"{page.notebook.stem[:2]}-record"))
    with written_sealed(page.output) as temporary:
        nbformat.write(executed, temporary)


def _with_values(source: str, parameters: Mapping[str, object]) -> str:
    """The cell that declares parameters, with the values that a page was run with instead of the notebook's own."""
    for name, value in parameters.items():
        # JSON's texts, numbers and lists are Python's.
        line = f"{name} = {json.dumps(value, ensure_ascii=False)}".replace("\\", r"\\")
        source = re.sub(rf"^{name} = .*?(?=  #|$)", line, source, flags=re.MULTILINE)
    return source


def _without_progress(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs of a cell without the lines on the progress of a run, which concern nobody who reads the page."""
    errors = [output for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    for output in errors:
        output.text = LINE.sub("", output.text)
    return [output for output in outputs if output not in errors or output.text]


def _sources(page: Page) -> str:
    """Corpus and protocol that a page was run with, and whether the authors' arrays were there."""
    declared = papermill.inspect_notebook(str(page.notebook))
    values = {name: each["default"].strip("\"'") for name, each in declared.items()} | page.parameters
    published = f"published scores {'from the arrays' if available() else 'as means'}"
    if values.get("corpus") == PUBLISHED:
        return published
    return f"corpus {values.get('corpus')}, protocol {values.get('protocol')}, {published}"
