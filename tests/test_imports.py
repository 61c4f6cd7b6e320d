"""What is imported, and so how long it takes, before anything is done."""

import subprocess
import sys

import pytest


def loaded(code: str) -> set[str]:
    """Packages that are loaded once some code was run, by the names under which they are imported."""
    code = f"import sys\n{code}\nprint('\\n', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()} - sys.stdlib_module_names


def test_the_estimators_load_what_scikit_learn_and_pandas_load():
    needed = "pandas, scipy.optimize, scipy.spatial, scipy.special, sklearn.naive_bayes"
    others = loaded("import cmcsl_lib.estimators") - loaded(f"import {needed}")
    assert others == {"cmcsl_lib"}


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["extract", "--help"], ["table", "--help"]])
def test_help_is_told_before_anything_else_is_imported(words):
    """By the interpreter's own record of imports, which leaves none out."""
    command = [sys.executable, "-X", "importtime", "-m", "cmcsl_lib.cli", *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "cmcsl_lib.cli" in imported
    others = {"numpy", "pandas", "scipy", "scipy.stats", "sklearn", "pyarrow", "filelock", "platformdirs", "tqdm"}
    assert not imported & (others | {"cmcsl_lib.corpora"})


# In Table V some scores are tied, so that its tests are those of scipy.
@pytest.mark.parametrize("words", [["corpora"], ["table", "1"], ["table", "2"], ["table", "9", "--csv"]])
def test_tables_of_shipped_scores_need_pandas_alone(words):
    packages = loaded(f"from cmcsl_lib.cli import main\nassert main({words}) == 0")
    assert "pandas" in packages
    assert not packages & {"scipy", "sklearn", "joblib", "requests", "PIL", "matplotlib", "tqdm", "networkx"}
