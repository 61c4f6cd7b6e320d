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
    book.check_parameters(path)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert all(cell.id.startswith(path.stem[:2]) for cell in notebook.cells)
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
        book.check_parameters(tmp_path / "bare.ipynb")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_figure_has_a_caption_a_text_alternative_and_a_link_to_its_data(path):
    cells = nbformat.read(path, as_version=4).cells
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        lines = cell.source.splitlines()
        if cell.cell_type == "code" and "figures." in cell.source and "mystnb" not in cell.metadata:
            pytest.fail(f"{cell.id} draws a figure without a caption")
        if "mystnb" in cell.metadata:
            told = cell.metadata["mystnb"]
            assert len(told["figure"]["caption"]) > 10 and len(told["image"]["alt"]) > 20
            assert following.source.startswith(f"data_link({lines[-1]}, ")


@pytest.mark.parametrize("name", book.ALSO_PUBLISHED)
def test_pages_of_published_scores_stay_whole_without_them(name, tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    monkeypatch.delenv("CMCSL_PUBLISHED_SCORES", raising=False)
    done = papermill.execute_notebook(REPOSITORY / "notebooks" / f"{name}.ipynb", tmp_path / "out.ipynb",
                                      {"corpus": "published"}, progress_bar=False, cwd=tmp_path)
    told = [output.data.get("text/markdown", "") for cell in done.cells if cell.cell_type == "code"
            for output in cell.outputs if "data" in output]
    assert sum("cmcsl fetch published-scores" in text for text in told) == 1


@pytest.mark.slow
def test_the_book_builds_with_all_its_pages_and_a_second_build_does_nothing(capfd):
    shutil.rmtree(REPOSITORY / "_build", ignore_errors=True)
    index = book.build()
    assert index.is_file()
    for page in book.pages():
        built = REPOSITORY / "_build" / "html" / page.output.relative_to(REPOSITORY).with_suffix(".html")
        text = built.read_text(encoding="utf-8")
        assert "Traceback" not in text
        assert re.search(r"<h1>.*", text)
        figures = [image for image in re.findall("<img[^>]*>", text) if "_images" in image]
        assert all(re.search(r'alt="[^"]{20,}"', image) for image in figures)
        assert text.count("<figcaption") == text.count("data:text/csv;base64,") == len(figures)
        executed = nbformat.read(page.output, as_version=4)
        outputs = [output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]
        assert outputs and all(output.output_type != "error" for output in outputs)
    assert (REPOSITORY / "_build" / "html" / "book" / "index.html").is_file()
    capfd.readouterr()
    book.build()
    assert "Executing" not in "".join(line for line in capfd.readouterr().out.splitlines() if line.startswith("."))
