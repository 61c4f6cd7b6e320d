import re
import shutil

import nbformat
import papermill
import pytest

from cmcsl_lib import book
from cmcsl_lib.errors import CmcslError
from cmcsl_lib.paths import REPOSITORY

NOTEBOOKS = book.source_notebooks()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_source_notebooks_carry_no_outputs_and_declare_their_parameters(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert book.declared_parameters(path) == {"corpus": "openclipart"}
    tagged = next(cell for cell in code if "parameters" in cell.metadata.get("tags", []))
    assert all(f"{name} =" in tagged.source for name in ("corpus", "protocol", "datasets", "budgets"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_notebook_runs_alone_with_other_parameters(path, tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    given = {"corpus": "openclipart", "datasets": "PT AFP", "protocol": "paper", "budgets": [1, 3]}
    papermill.execute_notebook(path, tmp_path / "out.ipynb", given, progress_bar=False, cwd=tmp_path)


def test_a_failed_notebook_keeps_its_copy_and_leaves_no_output(tmp_path, monkeypatch):
    monkeypatch.setattr(book, "BUILD", tmp_path / "_build")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("raise RuntimeError('on purpose')")])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path, output = tmp_path / "bad.ipynb", tmp_path / "out" / "bad.ipynb"
    nbformat.write(notebook, path)
    failure = book.execute(path, output, {})
    assert "on purpose" in failure.get_msg()
    assert not output.exists()
    assert (tmp_path / "_build" / "failed" / "out" / "bad.ipynb").is_file()


def test_a_notebook_without_parameters_is_told(tmp_path):
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "bare.ipynb")
    with pytest.raises(CmcslError, match="no cell tagged"):
        book.declared_parameters(tmp_path / "bare.ipynb")


@pytest.mark.slow
def test_the_book_builds_with_all_its_pages_and_a_second_build_does_nothing(capfd):
    shutil.rmtree(REPOSITORY / "_build", ignore_errors=True)
    index = book.build()
    assert index.is_file()
    for path in NOTEBOOKS:
        page = REPOSITORY / "_build" / "html" / "book" / "notebooks" / f"{path.stem}.html"
        text = page.read_text(encoding="utf-8")
        assert "Traceback" not in text
        assert re.search(r"<h1>.*", text)
        executed = nbformat.read(book.executed_path(path), as_version=4)
        outputs = [output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]
        assert outputs and all(output.output_type != "error" for output in outputs)
    assert (REPOSITORY / "_build" / "html" / "book" / "index.html").is_file()
    capfd.readouterr()
    book.build()
    assert "Executing" not in "".join(line for line in capfd.readouterr().out.splitlines() if line.startswith("."))
