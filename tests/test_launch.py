"""Launch buttons, the PDF and the workflow files: what leads out of the built book, and what brings it out."""

import io
import re
import tomllib

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from IPython.core.inputtransformer2 import TransformerManager
from jupyter_book.config import yaml_to_sphinx
from packaging.requirements import Requirement
from sphinx.application import Sphinx

from cmcsl_lib.book import pdf, site
from cmcsl_lib.files.paths import REPOSITORY

CONFIG = yaml.safe_load((REPOSITORY / "_config.yml").read_text(encoding="utf-8"))
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
ADDRESS = "https://github.com/someone/something"


@pytest.fixture
def small_book(tmp_path, monkeypatch):
    """Build a book of a front page and one executed notebook with the repository's settings and an address."""

    def make(address: str, printed: bool = False) -> dict[str, BeautifulSoup]:
        source = tmp_path / "source"
        monkeypatch.setattr(site, "EXECUTED", source / "pages")
        monkeypatch.setattr(site, "LAUNCH", tmp_path / "launch")
        monkeypatch.setattr(site, "PDF", tmp_path / "cmcsl.pdf")
        monkeypatch.setattr(site, "stale", lambda page: [])
        (source / "pages").mkdir(parents=True)
        (source / "index.md").write_text("# Front\n\n```{toctree}\npages/20_made\n```\n", encoding="utf-8")
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Made")])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, source / "pages" / "20_made.ipynb")
        if printed:
            site.PDF.write_bytes(b"printed")
        options = yaml_to_sphinx(CONFIG | {"repository": CONFIG["repository"] | {"url": address}})[0]
        settings = {
            "extensions": ["myst_nb", "sphinx_book_theme", "cmcsl_lib.book.site"],
            "html_theme": "sphinx_book_theme",
            "html_theme_options": options["html_theme_options"],
            "nb_execution_mode": "off",
            "root_doc": "index",
        }
        Sphinx(
            source,
            None,
            tmp_path / "html",
            tmp_path / "trees",
            "html",
            settings,
            status=io.StringIO(),
            warning=io.StringIO(),
            keep_going=True,
        ).build()
        return {
            name: BeautifulSoup((tmp_path / "html" / f"{name}.html").read_bytes(), "html.parser")
            for name in ("index", "pages/20_made")
        }

    return make


def links(page: BeautifulSoup) -> list[str]:
    return [tag["href"] for tag in page.find_all("a", href=True)]


def test_without_an_address_no_page_has_a_launch_button(small_book, tmp_path):
    for page in small_book("").values():
        assert not [link for link in links(page) if link.startswith("http") and ("colab" in link or "binder" in link)]
        assert not page.find(class_="dropdown-launch-buttons") and not page.find(class_="cmcsl-launch")
    assert not (tmp_path / "launch").exists()


def test_with_an_address_each_notebook_and_the_front_page_can_be_launched(small_book, tmp_path):
    opened = [
        "https://mybinder.org/v2/gh/someone/something/launch?urlpath=lab/tree/pages/20_made.ipynb",
        "https://colab.research.google.com/github/someone/something/blob/launch/pages/20_made.ipynb",
    ]
    for page in small_book(ADDRESS).values():
        assert [link for link in links(page) if link in opened] == opened
        assert all(not image["src"].startswith("http") for image in page.find_all("img"))
    copy = nbformat.read(tmp_path / "launch" / "pages" / "20_made.ipynb", as_version=4)
    assert f"git clone --quiet --depth 1 {ADDRESS} " in copy.cells[0].source
    compile(TransformerManager().transform_cell(copy.cells[0].source), "first cell", "exec")
    assert copy.cells[1].source == "# Made"


def test_the_first_cell_does_nothing_outside_colab():
    exec(TransformerManager().transform_cell(site.GET_LIBRARY.format(url="nowhere")), {})


def test_the_address_stands_in_one_place():
    assert set(CONFIG["repository"]) == {"url", "branch"}
    address = CONFIG["repository"]["url"].removeprefix("https://")
    files = [*WORKFLOWS, REPOSITORY / "_config.yml", *(REPOSITORY / "cmcsl_lib" / "book").glob("*.py")]
    holding = [path.name for path in files if address and address in path.read_text(encoding="utf-8")]
    assert holding == ["_config.yml"] * bool(address)


def test_the_front_page_links_the_pdf_only_if_there_is_one(small_book, tmp_path):
    assert "cmcsl.pdf" in links(small_book("", printed=True)["index"])
    assert (tmp_path / "html" / "cmcsl.pdf").read_bytes() == b"printed"


def test_without_pdf_the_front_page_has_no_dead_link(small_book):
    assert "cmcsl.pdf" not in links(small_book("")["index"])


def test_links_of_the_printed_book_lead_within_it():
    html = """<span id="document-book/index"></span><a href="#document-book/b/c">own</a>
        <span id="document-book/a"></span><a href="b/c.html">page</a><a href="b/c.html#place">place</a>
        <span id="document-book/b/c"></span><a href="../a.html">back</a><a href="../data.csv">file</a>
        <a href="https://example.org/">out</a>"""
    targets = {tag.text: tag.get("href") for tag in BeautifulSoup(pdf.links_within(html), "html.parser").find_all("a")}
    assert targets == {
        "own": "#document-book/b/c",
        "page": "#document-book/b/c",
        "place": "#place",
        "back": "#document-book/a",
        "file": None,
        "out": "https://example.org/",
    }


def test_there_is_a_workflow_that_publishes_and_a_scheduled_one():
    # YAML 1.1 reads the key `on` as true.
    triggers = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))[True] for path in WORKFLOWS}
    assert "push" in triggers["publish"] and "schedule" in triggers["newest"]
    assert "pull_request" in triggers["tests"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_what_there_is(path):
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] in ({}, {"contents": "read"}) and "secrets." not in text
    # An action is what it was when it was read: its commit, not a tag that moves.
    actions = re.findall(r"uses: (.*)", text)
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v[\d.]+", action) for action in actions)
    targets = set(re.findall(r"^([\w./-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    called = set()
    for job in workflow["jobs"].values():
        assert "runs-on" in job and job.get("needs", "build") in workflow["jobs"] | {"build": None}
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            called |= set(re.findall(r"\bmake ([\w-]+)", step.get("run", "")))
    assert called and called <= targets
    publishing = [job for job in workflow["jobs"].values() if "id-token" in job.get("permissions", {})]
    assert all(set(job["permissions"]) <= {"id-token", "pages"} for job in publishing)


def test_binder_installs_what_the_book_needs():
    folder = REPOSITORY / ".binder"
    assert (folder / (folder / "requirements.txt").read_text(encoding="utf-8").split()[1]).resolve().is_file()
    python = (folder / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert f">={python}" in (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert (folder / "postBuild").stat().st_mode & 0o100


def test_the_oldest_versions_are_those_of_the_bounds():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = sum(project["optional-dependencies"].values(), project["dependencies"])
    lines = (REPOSITORY / "requirements" / "oldest.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    for bound in map(Requirement, bounds):
        lowest = [each.version for each in bound.specifier if each.operator in (">=", "==")]
        assert bound.specifier.contains(pinned[bound.name]), bound
        assert all(pinned[bound.name].startswith(f"{version}.") or pinned[bound.name] == version for version in lowest)
