import os
import re
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from docutils.utils import new_document
from sphinx import addnodes
from sphinx.errors import ExtensionError, SphinxError

from cmcsl_lib.book import execution, freshness, mathematics, previews, schedule, site
from cmcsl_lib.book.pages import Page, check_parameters, pages
from cmcsl_lib.cli import main
from cmcsl_lib.experiments.published import published_files
from cmcsl_lib.files.errors import CmcslError
from cmcsl_lib.files.paths import REPOSITORY


@pytest.fixture
def make_page(tmp_path, monkeypatch):
    """Write a notebook of one code cell beside its parameters; gives the page."""
    monkeypatch.setattr(execution, "FAILED", tmp_path / "failed")
    for module in (execution, schedule):
        monkeypatch.setattr(module, "RUNNING", tmp_path / "running")
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path / "home"))

    def make(source: str = "corpus", name: str = "20_made") -> Page:
        parameters = nbformat.v4.new_code_cell(
            'corpus = "mm-imdb"\nprotocol = "paper"', id="20-00", metadata={"tags": ["parameters"]}
        )
        notebook = nbformat.v4.new_notebook(cells=[parameters, nbformat.v4.new_code_cell(source, id="20-01")])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, path)
        return Page(path, tmp_path / "executed" / path.name, {"corpus": "openclipart"})

    return make


def pretend_published_scores(folder, monkeypatch):
    """Files by the names of the authors' arrays, which is all that a page asks for before it is executed."""
    folder.mkdir()
    for path in published_files():
        (folder / path.name).write_bytes(b"scores")
    monkeypatch.setenv("CMCSL_PUBLISHED_SCORES", str(folder))


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="there is one process")
def test_one_process_tests_the_built_book(request, built_book):
    assert request.node.nodeid.endswith("@book")


def test_what_some_packages_put_on_the_path_is_not_the_environment(tmp_path, monkeypatch):
    (tmp_path / "numpy-0.1.dist-info").mkdir()
    (tmp_path / "numpy-0.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 0.1\n")
    before = freshness.environment.__wrapped__()
    monkeypatch.syspath_prepend(tmp_path)
    assert metadata.version("numpy") == "0.1"
    assert freshness.environment.__wrapped__() == before


def test_packages_are_known_by_any_spelling_of_their_names():
    versions = freshness.packages()
    for name in ("jinja2", "jupyter-client", "numpy", "pyyaml", "typing-extensions"):
        assert versions[name] == metadata.version(name)


def test_a_failed_notebook_tells_its_cell_and_error_and_keeps_its_copy(make_page, tmp_path):
    page = make_page("raise RuntimeError('on purpose')")
    message = execution.execute(page).get_msg()
    assert "20_made failed in its cell 20-01: RuntimeError: on purpose" in message
    assert not page.output.exists()
    copy = nbformat.read(tmp_path / "failed" / "20_made.ipynb", as_version=4)
    assert any(output.output_type == "error" for cell in copy.cells for output in cell.get("outputs", ()))


@pytest.mark.parametrize(
    ("ended", "report"), [("os.getpid()", "DeadKernelError"), ("os.getppid()", "BrokenProcessPool")]
)
def test_a_notebook_whose_process_is_killed_fails(make_page, ended, report):
    page = make_page(f"import os, signal, time\nos.kill({ended}, signal.SIGKILL)\ntime.sleep(60)")
    message = execution.execute(page).get_msg()
    assert "20_made failed outside its cells" in message and report in message
    assert not page.output.exists()


BUILD = """
import pathlib
import sys
from cmcsl_lib.book import execution
from cmcsl_lib.book.pages import Page
execution.RUNNING = pathlib.Path(sys.argv[3])
execution.execute(Page(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), {"corpus": "openclipart"}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has copies of a process")
def test_what_executes_a_notebook_ends_with_the_build(make_page, tmp_path):
    source = f"import os, pathlib, time\npathlib.Path({str(tmp_path / 'numbers')!r}).write_text("
    page = make_page(source + "f'{os.getpid()} {os.getppid()}')\ntime.sleep(60)")
    command = [sys.executable, "-c", BUILD, *map(str, (page.notebook, page.output, tmp_path / "running"))]
    build = subprocess.Popen(command, env=execution.own_environment())
    numbers = tmp_path / "numbers"
    wait_until(lambda: numbers.is_file() and " " in numbers.read_text())
    build.kill()
    build.wait()
    wait_until(lambda: not any(is_running(int(number)) for number in numbers.read_text().split()))


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def is_running(number: int) -> bool:
    """Whether there is a process with a number that has not ended, were it only that nobody has asked how it did."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_other_notebooks_go_on_and_the_exit_code_tells(make_page, tmp_path, monkeypatch, capsys):
    bad, good = make_page("1 / 0", "20_bad"), make_page(name="21_good")
    monkeypatch.setattr(schedule, "pages", lambda corpus: [bad, good])
    monkeypatch.setattr(schedule, "BUILD", tmp_path / "build")
    monkeypatch.setattr(schedule, "jupyter_book", lambda builder: pytest.fail("a book without one of its pages"))
    monkeypatch.setattr(schedule, "PDF", tmp_path / "build" / "cmcsl.pdf")
    assert main(["book"]) == 2
    assert good.output.is_file() and not bad.output.exists()
    assert (tmp_path / "failed" / "20_bad.ipynb").is_file()
    assert "The book was not built: 20_bad failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (
            "WARNING: a page\nTraceback (most recent call last):\n  File\nThere was an error in building your book.\n",
            "jupyter-book failed:\nWARNING: a page",
        ),
        ("Traceback (most recent call last):\n  File\nKeyError: 'own'", None),
        (
            "OSError: [Errno 28] No space left on device: 'page.html'",
            "jupyter-book failed:\n_build can't be written (No space left on device): make room there.",
        ),
    ],
)
def test_a_book_that_jupyter_book_did_not_finish_leaves_the_last_one(tmp_path, monkeypatch, printed, reason):
    monkeypatch.setattr(execution, "RUNNING", tmp_path / "running")
    monkeypatch.setattr(schedule, "BUILD", tmp_path)
    monkeypatch.setattr(schedule, "readable_path", lambda path: "_build")

    def run(command, **options):
        folder = Path(command[command.index("--path-output") + 1])
        (folder / "_build" / "html").mkdir(parents=True)
        (folder / "_build" / "html" / "index.html").write_text("new")
        return subprocess.CompletedProcess(command, code, printed)

    monkeypatch.setattr(schedule.subprocess, "run", run)
    code = 0
    assert schedule.jupyter_book("html") is None
    (tmp_path / "html" / "index.html").write_text("old")
    code = 1
    assert schedule.jupyter_book("html").get_msg() == (reason or f"jupyter-book failed:\n{printed.rstrip()}") + "\n"
    assert (tmp_path / "html" / "index.html").read_text() == "old"
    code = 0
    assert schedule.jupyter_book("html") is None
    assert (tmp_path / "html" / "index.html").read_text() == "new"
    assert not list((tmp_path / "running").iterdir())


def test_an_executed_page_tells_what_it_was_run_with_and_when(make_page):
    page = make_page()
    assert execution.execute(page) is None
    executed = nbformat.read(page.output, as_version=4)
    run = executed.metadata["papermill"]
    record = executed.metadata[freshness.RECORD]
    assert record["executed"] == run["start_time"]
    assert str(REPOSITORY.parent) not in run["input_path"] or not page.notebook.is_relative_to(REPOSITORY)
    last = executed.cells[-1]
    assert last.id == "20-record"
    for words in (
        run["start_time"][:10],
        "corpus openclipart",
        "protocol paper",
        "cmcsl 0.1.0",
        record["made_from"]["data"][:12],
        "published scores as means",
    ):
        assert words in last.source


def test_readers_see_the_record_and_which_pages_show_published_scores(make_page, tmp_path, monkeypatch):
    page = make_page()
    pretend_published_scores(tmp_path / "authors", monkeypatch)
    links = "[Data]({}01_data.ipynb), [Experiment 2](05_experiment_2.ipynb)"
    for corpus, title, folder in (("openclipart", "# Made", ""), ("published", "# Made, published scores", "../")):
        notebook = nbformat.read(page.notebook, as_version=4)
        notebook.cells[0] = nbformat.v4.new_markdown_cell("# Made\n\n" + links.format(""), id="20-00")
        parameters = nbformat.v4.new_code_cell("corpus = 'mm-imdb'", id="20-02", metadata={"tags": ["parameters"]})
        notebook.cells[1:] = [parameters]
        nbformat.write(notebook, page.notebook)
        assert execution.execute(page._replace(parameters={"corpus": corpus})) is None
        first, *_, injected, _record = nbformat.read(page.output, as_version=4).cells
        assert first.source == f"{title}\n\n{links.format(folder)}"
        assert injected.metadata.tags == ["injected-parameters", "remove-cell"] and corpus in injected.source


def test_a_page_shows_its_own_parameters_and_no_progress(make_page):
    page = make_page(
        "from cmcsl_lib.files.progress import progress, tell\n"
        "with progress('Experiment 3, strict', 1, 'folds') as advance:\n    advance('last openclipart/AF')\n"
        "corpus"
    )
    page = page._replace(parameters={"corpus": "films", "budgets": [1, 5]})
    assert execution.execute(page) is None
    first, injected, cell, _record = nbformat.read(page.output, as_version=4).cells
    assert first.source == 'corpus = "films"\nprotocol = "paper"'
    assert "budgets = [1, 5]" in injected.source
    (output,) = cell.outputs
    assert output.data["text/plain"] == "'films'"
    loud = page._replace(notebook=make_page("import warnings\nwarnings.warn('odd')", "21_loud").notebook)
    assert execution.execute(loud) is None
    assert "odd" in nbformat.read(loud.output, as_version=4).cells[2].outputs[0].text


def test_a_page_is_stale_when_what_it_was_made_from_is_another(make_page, tmp_path, monkeypatch):
    page = make_page("import cmcsl_lib.corpora.features")
    assert freshness.stale(page) == ["missing"]
    assert execution.execute(page) is None
    assert freshness.stale(page) == []
    assert freshness.stale(page._replace(parameters={"corpus": "mm-imdb"})) == ["parameters"]
    page.notebook.touch()
    assert freshness.stale(page) == []

    own = tmp_path / "home" / "features" / "openclipart" / "AF.parquet"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"other features")
    assert freshness.stale(page) == ["data"]
    own.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(freshness, "environment", lambda: "another")
        assert freshness.stale(page) == ["environment"]
    written = page.notebook.read_text(encoding="utf-8")
    changed = written.replace("cmcsl_lib.corpora.features", "cmcsl_lib.experiments.scores")
    page.notebook.write_text(changed, encoding="utf-8")
    assert set(freshness.stale(page)) == {"notebook", "library", "data"}
    page.notebook.write_text(written, encoding="utf-8")
    assert freshness.stale(page) == []

    whole = page.output.read_text(encoding="utf-8")
    page.output.write_text(whole.replace("cmcsl 0.1.0, data", "cmcsl 0.1.0, date"), encoding="utf-8")
    assert freshness.stale(page) == ["damaged"]
    assert freshness.executed_page(page.output).parameters == {}
    page.output.write_text(whole[:-20], encoding="utf-8")
    assert freshness.stale(page) == ["damaged"]
    page.output.write_text(whole, encoding="utf-8")
    assert freshness.stale(page) == []

    executed = nbformat.read(page.output, as_version=4)
    executed.cells[1].outputs = [nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])]
    nbformat.write(executed, page.output)
    assert freshness.stale(page) == ["damaged"]
    executed.cells[1].outputs = []
    del executed.metadata[freshness.RECORD]
    nbformat.write(executed, page.output)
    assert freshness.stale(page) == ["damaged"]


def test_jupyter_book_refuses_stale_pages_with_their_list(make_page, monkeypatch):
    page = make_page()
    execution.execute(page)
    monkeypatch.setattr(site, "EXECUTED", page.output.parent)
    monkeypatch.setattr(freshness, "SOURCES", page.notebook.parent)

    class Environment:
        found_docs = frozenset(["made"])

        @staticmethod
        def doc2path(name):
            return str(page.output)

    site.refuse_stale(None, Environment, [])
    page.notebook.write_text(page.notebook.read_text(encoding="utf-8").replace("paper", "strict"), encoding="utf-8")
    with pytest.raises(ExtensionError, match="20_made: notebook"):
        site.refuse_stale(None, Environment, [])


def test_a_page_depends_on_the_modules_that_it_imports(tmp_path, monkeypatch):
    monkeypatch.setattr(freshness, "REPOSITORY", tmp_path)
    sources = {
        "__init__.py": "",
        "alone.py": "",
        "top.py": "from . import deep\nimport numpy",
        "deep/__init__.py": "from .inner import x",
        "deep/inner.py": "def f():\n    from ..late import y",
        "deep/style.css": "",
        "late.py": "import cmcsl_lib.top",
    }
    for name, source in sources.items():
        path = tmp_path / "cmcsl_lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("%matplotlib inline"),
            nbformat.v4.new_code_cell("from cmcsl_lib.top import something"),
        ]
    )
    nbformat.write(notebook, tmp_path / "notebook.ipynb")
    modules = {
        path.relative_to(tmp_path / "cmcsl_lib").as_posix() for path in freshness.library(tmp_path / "notebook.ipynb")
    }
    assert modules == set(sources) - {"alone.py"}


@pytest.mark.parametrize(
    ("module", "folders"),
    [
        ("corpora", set()),
        ("corpora.features", {"features"}),
        ("experiments.published", {"paper"}),
        ("experiments.sources", {"features", "paper", "scores"}),
    ],
)
def test_a_page_depends_on_the_data_that_its_modules_read(module, folders, make_page):
    page = make_page(f"import cmcsl_lib.{module}")
    read = freshness.data_files(freshness.library(page.notebook), "openclipart")
    shipped = [path.relative_to(REPOSITORY / "data") for path in read if path.is_relative_to(REPOSITORY / "data")]
    assert {part for path in shipped for part in path.parts} & set(freshness.READ_BY) == folders
    assert "openclipart.parquet" in {path.name for path in shipped}
    assert not {path.suffix for path in shipped} & freshness.NOT_DATA


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"n_i < m", "<msub><mi>n</mi><mi>i</mi></msub><mo>&lt;</mo><mi>m</mi>"),
        (r"a &= b \\ c &= d", "<mtable"),
        (r"\begin{align}a &= b\end{align}", "<mtable"),
    ],
)
def test_formulas_become_mathml(latex, expected):
    formula = mathematics.mathml(latex, display=True)
    assert expected in formula and formula.startswith('<math display="block"')
    assert "(1)" not in formula


def test_a_formula_that_cannot_be_shown_stops_the_book():
    with pytest.raises(SphinxError, match="no_such_command"):
        mathematics.mathml(r"\no_such_command{x}")


def test_a_notebook_without_parameters_is_told(tmp_path):
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "bare.ipynb")
    with pytest.raises(CmcslError, match="no cell tagged"):
        check_parameters(tmp_path / "bare.ipynb")


def test_pages_are_stale_when_the_authors_arrays_come(make_page, tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_PUBLISHED_SCORES", str(tmp_path))
    page = make_page("from cmcsl_lib.experiments.published import available\nprint(available())")
    assert execution.execute(page) is None and freshness.stale(page) == []
    assert "published scores as means" in nbformat.read(page.output, as_version=4).cells[-1].source
    pretend_published_scores(tmp_path / "authors", monkeypatch)
    assert freshness.stale(page) == ["data"]
    assert execution.execute(page) is None
    assert "published scores from the arrays" in nbformat.read(page.output, as_version=4).cells[-1].source


def test_a_corpus_that_is_not_on_this_machine_stops_the_book_before_any_notebook(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    monkeypatch.setattr(schedule, "pages", lambda *arguments, **further: pytest.fail("too late"))
    assert main(["book", "--corpus", "mm-imdb"]) == 2
    assert "cmcsl fetch mm-imdb" in capsys.readouterr().err


def test_tables_of_pandas_get_the_frame_of_the_books_tables():
    table = pd.DataFrame({"gain": [0.1] * 40, "<b>": "a_b"}, index=pd.RangeIndex(40, name="row_name"))
    body = f"<p>before</p><div>{table._repr_html_()}</div><p>after</p>"
    framed = site.PANDAS_TABLE.sub(site.frame_table, body)
    assert framed.count('role="group" tabindex="0"') == 1 and 'aria-label="Table: gain, &lt;b&gt;, row_name"' in framed
    assert "cmcsl-long" in framed and "<style" not in framed and '<th scope="col">' in framed
    assert ">row_<wbr>name</th>" in framed and "<td>a_b</td>" in framed
    assert framed.startswith("<p>before</p>") and framed.endswith("<p>after</p>")


@pytest.mark.slow
def test_the_book_builds_with_all_its_pages_and_a_second_build_does_nothing(built_book):
    counted, contents = [], (REPOSITORY / "_toc.yml").read_text(encoding="utf-8")
    # Figures are counted in the order of the table of contents.
    for page in sorted(pages(), key=lambda page: contents.index(f"notebooks/{page.name}\n")):
        built = built_book / page.output.relative_to(REPOSITORY).with_suffix(".html")
        text = built.read_text(encoding="utf-8")
        assert "Traceback" not in text
        assert re.search(r"<h1>.*", text)
        figures = [image for image in re.findall("<img[^>]*>", text) if "_images" in image]
        numbers = re.findall(r'download="[\w.-]+[.]csv" href="([^"]+)"', text)
        assert text.count("<figcaption") == len(numbers) == len(figures)
        assert all((built.parent / path).is_file() for path in numbers)
        counted += [int(number) for number in re.findall(r'caption-number">Figure B(\d+) <', text)]
        executed = nbformat.read(page.output, as_version=4)
        outputs = [output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]
        assert outputs and all(output.output_type != "error" for output in outputs)
        assert re.search(r"Run 20\d\d-\d\d-\d\d \d\d:\d\d UTC: .*, data [0-9a-f]{12}", text)
    assert counted == list(range(1, len(counted) + 1))
    assert (built_book / "book" / "index.html").is_file()
    again = subprocess.run([sys.executable, "-m", "cmcsl_lib.cli", "book"], capture_output=True, text=True, check=True)
    lines = again.stdout.splitlines()
    # doit's marks: two dashes before what is up to date, a point before what it does.
    assert sum(line.startswith("-- ") for line in lines) == len(pages()) + 1
    assert not [line for line in lines if line.startswith(". ")]


def test_appendices_are_folded():
    data = nodes.section("", nodes.title("", "Data"), nodes.paragraph("", "words"))
    inner = nodes.section("", nodes.title("", "Appendix: maps"), nodes.paragraph("", "more"))
    tree = new_document("page")
    tree += nodes.section("", nodes.title("", "Title"), data, inner)
    site.fold_appendices(None, tree)
    assert [type(node) for node in inner] == [nodes.title, nodes.raw, nodes.paragraph, nodes.raw]
    assert inner[1].astext() == site.FOLD and inner[3].astext() == "</details>"
    assert len(list(tree.findall(nodes.raw))) == 2


def test_previews_say_what_a_page_a_section_a_reference_and_a_function_are():
    answer = nodes.container("", nodes.block_quote("", nodes.paragraph("", "In short. It\nhelps.")))
    answer["classes"] = ["cell", "tag_answer"]
    method = nodes.section(
        "", nodes.title("", "Method"), nodes.paragraph("", "Formula ", nodes.math("", "x")), ids=["method", "id1"]
    )
    cited = nodes.citation("", nodes.label("", "N"), nodes.paragraph("", "A. Author. " + "Word " * 200), ids=["id2"])
    function = addnodes.desc(
        "",
        addnodes.desc_signature("", "f()", ids=["library.f"]),
        addnodes.desc_content("", nodes.paragraph("", "Say what.")),
    )
    tree = new_document("page")
    tree += nodes.section(
        "", nodes.title("", "Page"), nodes.paragraph("", "First."), answer, method, cited, function, ids=["page"]
    )
    seen = {name: (title, words) for name, title, words in previews.places(tree)}
    assert seen[""] == ("Page", " It\nhelps.") and previews.shortened(seen[""][1]) == "It helps."
    assert seen["page"] == ("Page", "First.")
    assert seen["method"] == seen["id1"] == ("Method", ""), "formulas are LaTeX, which nobody wants to read"
    assert seen["library.f"] == ("library.f", "Say what.")
    shortened = previews.shortened(seen["id2"][1])
    assert len(shortened) <= previews.LONGEST + 2 and shortened.endswith("Word …")


@pytest.mark.slow
def test_every_page_opens_with_its_answer(built_book):
    for page in pages():
        html = BeautifulSoup(
            (built_book / page.output.relative_to(REPOSITORY)).with_suffix(".html").read_text(), "html.parser"
        )
        (answer,) = html.select(".tag_answer blockquote")
        assert answer.get_text().strip().startswith("In short."), page.output
        assert len(answer.get_text().split()) <= 70, page.output
        assert not [heading for heading in answer.find_all_previous("h2") if heading.find_parent("article")], (
            page.output
        )


#: Pages that begin with something to play with, or that have commands to show.
WITHOUT_A_FIGURE = ("03_algorithm", "17_explorer", "18_reproduce")


@pytest.mark.slow
def test_a_figure_stands_beside_each_answer(built_book):
    for page in pages():
        if page.notebook.stem not in WITHOUT_A_FIGURE:
            html = BeautifulSoup(
                (built_book / page.output.relative_to(REPOSITORY)).with_suffix(".html").read_text(), "html.parser"
            )
            (answer,) = html.select(".tag_answer blockquote")
            assert answer.find_next(["figure", "h2"]).name == "figure", page.output
