"""Exercises: their folded solutions run where a reader would run them, below the cells of their notebook."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

from cmcsl_lib.book.execution import own_environment
from cmcsl_lib.book.pages import source_notebooks

EXERCISES = ("03_algorithm", "06_experiment_3", "12_your_own_data")
PATHS = {path.stem: path for path in source_notebooks()}
FOLDED = re.compile(r"<details>\s*<summary>(?:A|The) solution</summary>\n(.*?)</details>", re.DOTALL)
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
#: An exercise begins with its number.
NUMBERED = re.compile(r"^\*\*(\d+)\.\*\*", re.MULTILINE)


def words(name):
    cells = nbformat.read(PATHS[name], as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("name", EXERCISES)
def test_each_exercise_has_a_folded_solution_with_code(name):
    text = words(name)
    assert [int(each) for each in NUMBERED.findall(text)] == [1, 2, 3]
    solutions = FOLDED.findall(text)
    assert len(solutions) == 3 and all(len(BLOCK.findall(solution)) == 1 for solution in solutions)
    # A blank line on either side, without which Markdown takes the code for HTML.
    assert all("\n\n```python" in f"\n{solution}" and "```\n" in solution for solution in solutions)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXERCISES)
def test_solutions_run_and_show_something(name, tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    notebook = nbformat.read(PATHS[name], as_version=4)
    solutions = [nbformat.v4.new_code_cell(code) for code in BLOCK.findall("".join(FOLDED.findall(words(name))))]
    notebook.cells += solutions
    client = NotebookClient(notebook, timeout=None, resources={"metadata": {"path": PATHS[name].parent}})
    client.execute(env=own_environment())
    for solution in solutions:
        outputs = [output.output_type for output in solution.outputs]
        assert outputs == ["execute_result"], f"a table, and no warning: {solution.source}"
