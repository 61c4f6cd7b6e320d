"""`cmcsl notebooks`: grids of parameters, and only what is missing."""

import nbformat
import pytest

from cmcsl_lib.book import batch
from cmcsl_lib.book.batch import batch_pages, select_notebooks
from cmcsl_lib.cli import main
from cmcsl_lib.files.errors import CmcslError


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Two notebooks instead of the book's: one that shows its parameters, one that fails for the paper protocol."""
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path / "home"))
    sources = {
        "01_good": "print(corpus, protocol)",
        "02_bad": "assert protocol == 'strict', 'on purpose'",
    }
    for name, source in sources.items():
        parameters = 'corpus = "openclipart"\nprotocol = "strict"\ndatasets = None\nbudgets = [1]'
        cells = [
            nbformat.v4.new_markdown_cell("# Title", id=f"{name[:2]}-00"),
            nbformat.v4.new_code_cell(parameters, id=f"{name[:2]}-01", metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell(source, id=f"{name[:2]}-02"),
        ]
        notebook = nbformat.v4.new_notebook(cells=cells)
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        nbformat.write(notebook, tmp_path / "notebooks" / f"{name}.ipynb")
    monkeypatch.setattr(batch, "source_notebooks", lambda: sorted((tmp_path / "notebooks").iterdir()))
    return tmp_path / "to"


def test_a_grid_is_executed_once_and_failures_do_not_stop_the_rest(small, capsys):
    words = ["notebooks", "01", "02", "--protocol", "strict", "paper", "--to", str(small), "--budgets", "1", "2"]
    assert main(words) == 2
    printed = capsys.readouterr()
    assert "3 executed, 1 failed" in printed.out
    assert "openclipart, paper/02_bad failed in its cell 02-02: AssertionError: on purpose" in printed.out
    assert "1 of 4 notebooks failed" in printed.err
    copies = sorted(path.relative_to(small).as_posix() for path in small.rglob("*.ipynb"))
    assert copies == [
        "openclipart, paper/01_good.ipynb",
        "openclipart, strict/01_good.ipynb",
        "openclipart, strict/02_bad.ipynb",
    ]
    executed = nbformat.read(small / "openclipart, paper" / "01_good.ipynb", as_version=4)
    assert "openclipart paper" in str(executed.cells) and "budgets = [1, 2]" in str(executed.cells)
    assert main(words) == 2
    assert "3 up to date, 1 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["99"], "Unknown notebook '99': choose from 01_good, 02_bad"),
        (["01", "--corpus", "nowhere"], "Unknown corpus"),
        (["01", "--protocol", "loose"], "Unknown protocol 'loose'"),
        (["01", "--statistics", "x"], "Unknown statistics"),
        (["01", "--datasets", "XX"], "Unknown dataset"),
    ],
)
def test_wrong_names_are_found_before_anything_is_executed(small, capsys, words, message):
    assert main(["notebooks", *words, "--to", str(small)]) == 2
    assert message in capsys.readouterr().err
    assert not small.exists()


def test_parameters_that_a_notebook_does_not_have_make_no_further_copies(tmp_path):
    notebooks = select_notebooks(["06", "08_rq2"])
    grid = batch_pages(notebooks, tmp_path, ["openclipart", "published"], ["strict"], ["corrected", "published"])
    assert [page.name for page in grid] == [
        "openclipart, strict, corrected/06_experiment_3",
        "openclipart, strict, published/06_experiment_3",
        "published, strict, corrected/06_experiment_3",
        "published, strict, published/06_experiment_3",
        "openclipart, strict/08_rq2",
    ]
    with pytest.raises(CmcslError, match="Unknown notebook"):
        select_notebooks(["6"])
