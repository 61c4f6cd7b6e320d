"""Notebooks executed one after the other in one kernel, which imports what they share once."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import nbformat
from jupyter_client import KernelManager
from nbclient import NotebookClient
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from cmcsl_lib.book.execution import own_environment, write_page
from cmcsl_lib.book.freshness import page_origin
from cmcsl_lib.book.pages import SOURCES, Page

#: Before each notebook: no variable and no figure of the one before.
RESET = "import matplotlib.pyplot as plt\nplt.close('all')\n%reset -f"


class OneKernel:
    """A kernel that is running."""

    def __init__(self, manager: KernelManager) -> None:
        self.manager = manager

    def execute(self, page: Page) -> None:
        """Execute and write a page; raises `nbclient.exceptions.CellExecutionError` where a cell does."""
        origin = page_origin(page)
        notebook = parameterize_notebook(load_notebook_node(str(page.notebook)), page.parameters)
        notebook.metadata.papermill["start_time"] = datetime.now(UTC).isoformat()
        notebook.cells.insert(0, nbformat.v4.new_code_cell(RESET))
        NotebookClient(notebook, km=self.manager, timeout=None).execute()
        del notebook.cells[0]
        write_page(notebook, page, origin)


@contextmanager
def one_kernel() -> Iterator[OneKernel]:
    """Start a kernel in the notebooks' folder, with the variables of the environment as they are now."""
    manager = KernelManager()
    manager.start_kernel(cwd=str(SOURCES), env=own_environment())
    try:
        yield OneKernel(manager)
    finally:
        manager.shutdown_kernel(now=True)
