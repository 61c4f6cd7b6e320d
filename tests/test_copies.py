"""Copies and moves of a checkout, other kernels that Jupyter knows, and a relative CMCSL_HOME."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from cmcsl_lib.book import execution, freshness
from cmcsl_lib.book.pages import Page
from cmcsl_lib.cli import main
from cmcsl_lib.experiments.published import published_folder
from cmcsl_lib.files.paths import REPOSITORY, home

#: Stands for Python: `-m venv` makes scripts that name their folder, everything else does nothing.
PYTHON = """#!/bin/sh
echo "$@" >> {log}
[ "$2" = venv ] || exit 0
for folder; do :; done
mkdir -p "$folder/bin"
[ "$3" = --clear ] && rm -f "$folder"/bin/* "$folder"/installed*
cp "$0" "$folder/bin/python"
for name in pip cmcsl; do
    printf '#!/bin/sh\\n# %s/bin/python\\necho built in %s\\n' "$PWD/$folder" "$PWD" > "$folder/bin/$name"
    chmod +x "$folder/bin/$name"
done
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a Makefile, and environments that only look like ones."""
    folder = tmp_path / "a checkout"
    (folder / "requirements").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "requirements/book.txt", "requirements/test.txt"):
        shutil.copy(REPOSITORY / name, folder / name)
    python = tmp_path / "python"
    python.write_text(PYTHON.format(log=tmp_path / "log"), encoding="utf-8")
    python.chmod(0o755)
    return folder


def make(folder: Path, target: str = "book") -> tuple[str, list[str]]:
    """What `make` printed last, and the environments that it made."""
    log = folder.parent / "log"
    log.write_text("")
    command = ["make", target, f"PYTHON={folder.parent / 'python'}"]
    # Within `make test` this is not a part of that make.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, env=environment)
    printed = done.stdout
    return printed.splitlines()[-1], [line for line in log.read_text().splitlines() if line.startswith("-m venv")]


def test_a_copied_or_moved_checkout_makes_its_environment_anew_and_builds_itself(checkout):
    anew = ["-m venv --clear .venv"]
    assert make(checkout) == (f"built in {checkout}", anew)
    assert make(checkout) == (f"built in {checkout}", [])
    make(checkout, "test")
    copy = checkout.with_name("copy")
    shutil.copytree(checkout, copy)
    assert make(copy) == (f"built in {copy}", anew)
    assert make(copy) == (f"built in {copy}", [])
    assert make(checkout) == (f"built in {checkout}", [])
    moved = copy.rename(checkout.with_name("moved"))
    assert make(moved, "test")[1] == anew, "also where the tests come first"
    assert make(moved) == (f"built in {moved}", [])
    # As a container sees it that has the folder under a shorter path.
    pip = moved / ".venv" / "bin" / "pip"
    pip.write_text(pip.read_text().replace(str(moved), f"/longer{moved}"))
    assert make(moved) == (f"built in {moved}", anew)


@pytest.mark.parametrize("words", [["book"], ["notebooks", "01", "--to", "pages"]])
def test_the_command_of_a_copied_environment_does_not_build_the_original(tmp_path, monkeypatch, capsys, words):
    script = tmp_path / ".venv" / "bin" / "cmcsl"
    script.parent.mkdir(parents=True)
    (tmp_path / ".venv" / "pyvenv.cfg").touch()
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert main(words) == 2
    assert f"The environment {tmp_path / '.venv'} is a copy" in capsys.readouterr().err


def test_a_relative_home_is_one_folder_wherever_a_process_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CMCSL_HOME", "cache")
    monkeypatch.setenv("CMCSL_PUBLISHED_SCORES", "scores")
    assert home() == tmp_path / "cache" and published_folder() == tmp_path / "scores"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert home() == tmp_path / "cache" and published_folder() == tmp_path / "scores"
    code = "from cmcsl_lib.files.paths import home; print(home())"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    assert printed.strip() == str(tmp_path / "cache")


def test_a_page_is_executed_by_this_interpreter_and_library_whatever_kernels_jupyter_knows(tmp_path, monkeypatch):
    kernel = tmp_path / "other" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps({"argv": ["false"], "display_name": "other", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "other"))
    monkeypatch.setenv("CMCSL_HOME", "cache")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "other"))
    monkeypatch.chdir(tmp_path)
    for name in ("RUNNING", "FAILED"):
        monkeypatch.setattr(execution, name, tmp_path / name.lower())
    source = """
import sys, cmcsl_lib
from cmcsl_lib.files.paths import home
print(sys.executable, sys.prefix, cmcsl_lib.__file__, home(), sep="\\n")
print(corpus, budgets)
"""
    parameters = nbformat.v4.new_code_cell("corpus = 'mm-imdb'", id="20-00", metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[parameters, nbformat.v4.new_code_cell(source, id="20-01")])
    notebook.metadata["kernelspec"] = {"name": "cluster", "display_name": "Cluster", "language": "python"}
    (tmp_path / "notebooks").mkdir()
    nbformat.write(notebook, tmp_path / "notebooks" / "20_kernel.ipynb")
    corpus = '5, "ä" 🎨'
    page = Page(
        tmp_path / "notebooks" / "20_kernel.ipynb", tmp_path / "20_kernel.ipynb", {"corpus": corpus, "budgets": [1, 2]}
    )
    assert execution.execute(page) is None
    executed = nbformat.read(page.output, as_version=4)
    (output,) = (output for cell in executed.cells for output in cell.get("outputs", ()))
    library = REPOSITORY / "cmcsl_lib" / "__init__.py"
    assert output.text.splitlines() == [
        sys.executable,
        sys.prefix,
        str(library),
        str(tmp_path / "cache"),
        f"{corpus} [1, 2]",
    ]
    version = executed.metadata.language_info.version
    assert executed.metadata[freshness.RECORD]["executed_by"].startswith(f"Python {version}, ")
    assert f"Python {version}, cmcsl" in executed.cells[-1].source
    assert freshness.stale(page) == []
