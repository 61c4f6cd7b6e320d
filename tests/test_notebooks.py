"""Source notebooks: how each is built, and that each runs with other parameters."""

import ast
import itertools
import re

import nbformat
import papermill
import pytest

from cmcsl_lib.book.pages import check_parameters, source_notebooks

NOTEBOOKS = {path.stem: path for path in source_notebooks()}
PARAMETERS = {"corpus", "protocol", "datasets", "budgets"}
#: Roles and directives of MyST, which JupyterLab shows as they stand.
MYST = re.compile(r"\{[a-z:]+\}`|^`{3,}\{|^:::|\]\(\)", re.MULTILINE)


def cells_of(name):
    return nbformat.read(NOTEBOOKS[name], as_version=4).cells


def code_of(name):
    return [cell for cell in cells_of(name) if cell.cell_type == "code"]


def is_folded(cell):
    return "hide-input" in cell.metadata.get("tags", [])


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_source_notebooks_carry_no_outputs_and_have_stable_ids(name):
    cells = cells_of(name)
    assert all(not cell.outputs and cell.execution_count is None for cell in code_of(name))
    assert len({cell.id for cell in cells}) == len(cells)
    assert all(cell.id.startswith(name[:2]) for cell in cells)
    assert all(len(line) <= 120 for cell in cells for line in cell.source.splitlines())


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_imports_and_parameters_share_the_first_code_cell(name):
    check_parameters(NOTEBOOKS[name])
    title, first, *rest = cells_of(name)
    assert title.cell_type == "markdown" and title.source.startswith("# ")
    assert first.metadata.tags == ["parameters", "hide-input"]
    statements = ast.parse(first.source).body
    kinds = [isinstance(statement, ast.Import | ast.ImportFrom) for statement in statements]
    assert kinds == sorted(kinds, reverse=True), "imports stand first: papermill reads what follows as parameters"
    assert set(papermill.inspect_notebook(str(NOTEBOOKS[name]))) >= PARAMETERS
    later = [
        node
        for cell in rest
        if cell.cell_type == "code" and "remove-cell" not in cell.metadata.get("tags", [])
        for node in ast.walk(ast.parse(cell.source))
    ]
    assert not [node for node in later if isinstance(node, ast.Import | ast.ImportFrom)]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_code_that_teaches_can_be_seen(name):
    cells = cells_of(name)
    code = code_of(name)[1:]
    assert sum(not cell.metadata.get("tags") for cell in code) >= len(code) / 2
    for cell, following in itertools.pairwise(cells):
        assert not (is_folded(cell) and is_folded(following)), f"two toggles in a row: {cell.id}, {following.id}"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_words_stand_on_the_page_in_plain_markdown(name):
    cells = cells_of(name)
    assert not [cell.id for cell in cells if cell.cell_type == "markdown" and MYST.search(cell.source)]
    assert not [cell.id for cell in cells if "mystnb" in cell.metadata]


def figure_calls(name):
    """Cells that show a figure, with the call."""
    for cell in code_of(name):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "show_figure":
                yield cell, node


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_figure_has_a_caption_a_text_alternative_and_its_data(name):
    shown = {cell.id for cell, _ in figure_calls(name)}
    for cell in code_of(name)[1:]:
        if re.search(r"\bsns\.(?!set|color|light|diverging)|\bplt\.", cell.source):
            assert cell.id in shown, f"{cell.id} draws a figure without a caption"
    for cell, call in figure_calls(name):
        alt = {keyword.arg: keyword.value for keyword in call.keywords}["alt"]
        assert len(call.args) == 3, cell.id
        for words, least in ((call.args[2], 10), (alt, 20)):
            if isinstance(words, ast.Constant):
                assert len(words.value) > least, cell.id
            else:
                assert isinstance(words, ast.JoinedStr | ast.Name), cell.id


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_page_ends_with_three_sentences_to_take_home_and_where_to_go_next(name):
    cells = [cell for cell in cells_of(name) if "remove-cell" not in cell.metadata.get("tags", [])]
    heading, bullets, links = cells[-3:]
    assert heading.source == "## To take home"
    assert bullets.metadata.tags == ["hide-input"]
    lists = [
        call.args[0].elts
        for call in ast.walk(ast.parse(bullets.source))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func).endswith(".join")
        and isinstance(call.args[0], ast.List)
    ]
    assert [len(bullets) for bullets in lists] == [3]
    assert all("- " in ast.unparse(bullet) for bullet in lists[0])
    assert links.source.startswith("**Where to go next.** ")
    pages = re.findall(r"\]\((\w+)\.ipynb\)", links.source)
    assert pages and set(pages) <= set(NOTEBOOKS) - {name}


def test_names_of_figures_are_unique():
    names = [ast.unparse(call.args[0]) for name in NOTEBOOKS for _, call in figure_calls(name)]
    assert len(names) == len(set(names)) > 20


#: Notebooks that between them load scores of one and of several sources, items, and a study.
OTHER_PARAMETERS = ("03_algorithm", "06_experiment_3", "08_rq2", "13_peers")


@pytest.mark.parametrize("name", OTHER_PARAMETERS)
def test_a_notebook_runs_alone_with_other_parameters(name, tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    other = {"corpus": "openclipart", "datasets": "PT AFP", "protocol": "paper", "budgets": [1, 3]}
    if name == "13_peers":  # whose scores are computed for these parameters
        other["datasets"] = "PT"
    papermill.execute_notebook(NOTEBOOKS[name], tmp_path / "out.ipynb", other, progress_bar=False, cwd=tmp_path)
