"""The library as it is installed from a wheel, outside a checkout, with nothing but the packages that it depends on."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from contextlib import chdir
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from cmcsl_lib import __version__
from cmcsl_lib.cli import main
from cmcsl_lib.files.paths import REPOSITORY, shipped

hatchling = pytest.importorskip("hatchling.build", reason='needs the extra: pip install -e ".[test]"')

#: What the paper's readers are asked to install, and how large a wheel and the data may be.
MOST_PACKAGES, MOST_BYTES = 32, 45_000_000


def call(*words: object, cwd: Path, code: int = 0, **variables: str) -> tuple[str, str]:
    """What a program prints on standard output and on standard error; nothing of the checkout is in its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CMCSL", "PYTHON", "XDG"))}
    done = subprocess.run(
        list(map(str, words)), cwd=cwd, env=environment | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def requirements(lines: list[str]) -> set[str]:
    """Packages that must be installed for these requirements, without extras, by all that they require themselves."""
    names: set[str] = set()
    waiting = [Requirement(line) for line in lines]
    while waiting:
        requirement = waiting.pop()
        name = re.sub("[-_.]+", "-", requirement.name).lower()
        if name not in names and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            names.add(name)
            waiting += [Requirement(line) for line in distribution(name).requires or ()]
    return names


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path]:
    """The sdist, and the wheel that it gives."""
    folder = tmp_path_factory.mktemp("built")
    with chdir(REPOSITORY):
        sdist = folder / hatchling.build_sdist(str(folder))
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    with chdir(folder / sdist.name.removesuffix(".tar.gz")):
        return sdist, folder / hatchling.build_wheel(str(folder))


@pytest.fixture(scope="module")
def bare(built, tmp_path_factory) -> Path:
    """A folder of programs: of an environment that holds the wheel and what it requires, taken from the tests' own."""
    folder = tmp_path_factory.mktemp("bare")
    call(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    python = folder / "bin" / "python"
    packages = Path(call(python, "-c", "import site; print(site.getsitepackages()[0])", cwd=folder)[0].strip())
    install = ("-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps", "--no-compile")
    call(sys.executable, *install, built[1], cwd=folder)
    with zipfile.ZipFile(built[1]) as wheel:
        metadata = wheel.read(f"cmcsl-{__version__}.dist-info/METADATA").decode()
    for name in requirements(re.findall("^Requires-Dist: (.+)$", metadata, re.MULTILINE)):
        for top in {file.parts[0] for file in distribution(name).files or ()} - {"..", "__pycache__"}:
            (packages / top).symlink_to(distribution(name).locate_file(top))
    return folder / "bin"


@pytest.mark.slow
def test_the_wheel_holds_the_library_and_the_data_and_is_small(built):
    sdist, wheel = built
    assert max(path.stat().st_size for path in built) < MOST_BYTES
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert sum(file.file_size for file in archive.infolist() if "/_data/" in file.filename) < MOST_BYTES
    library = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "cmcsl_lib").rglob("*.*")}
    data = {path.relative_to(shipped()).as_posix() for path in shipped().rglob("*") if path.is_file()}
    held_data = {name for name in names if name.startswith("cmcsl_lib/_data/")}
    assert names - held_data == {name for name in library if "__pycache__" not in name}
    assert {name.removeprefix("cmcsl_lib/_data/") for name in held_data} == {
        name for name in data if not name.startswith("cache/") and "__pycache__" not in name
    }
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "Makefile", "_toc.yml", "book/index.md", "notebooks/08_rq2.ipynb"} <= held
    assert not any(name.startswith((".venv", "_build", "data/cache")) for name in held)


def test_few_packages_are_needed():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert len(requirements(project["dependencies"])) < MOST_PACKAGES


@pytest.mark.slow
def test_a_strangers_way_from_arrays_to_a_table(bare, tmp_path, capsys):
    site = next(bare.parent.glob("lib/python*/site-packages"))
    before = {path: path.stat().st_mtime_ns for path in site.rglob("*")}
    work = tmp_path / "work"
    work.mkdir()
    variables = {"XDG_DATA_HOME": str(tmp_path / "user"), "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}

    def cmcsl(*words: object, code: int = 0) -> tuple[str, str]:
        return call(bare / "cmcsl", *words, cwd=work, code=code, **variables)

    assert cmcsl("--version")[0] == f"{__version__}\n"
    listed, _ = cmcsl("corpora")
    assert "openclipart: " in listed and "ACFOPSTT" in listed
    assert main(["table", "5", "--csv"]) == 0
    assert cmcsl("table", "5", "--csv")[0] == capsys.readouterr().out
    example = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.DOTALL)[0]
    (work / "example.txt").write_text(example, encoding="utf-8")
    call(bare / "python", "-m", "doctest", "example.txt", cwd=work, **variables)

    random = np.random.default_rng(0)
    y = np.repeat([0, 1], 30)
    np.save(work / "v.npy", random.normal(size=(60, 4)) + y[:, None])
    np.save(work / "t.npy", random.normal(size=(60, 3)) + y[:, None])
    np.save(work / "y.npy", np.where(np.arange(60) % 5, y, -1))
    cmcsl("extract", "arrays", "--as", "mine", "--visual", "v.npy", "--text", "t.npy", "--label", "y.npy")
    cmcsl("label", "mine", "--to", "labels.csv")
    assert (work / "labels.csv").read_text(encoding="utf-8").count("\n") == 61
    scores, _ = cmcsl("run", "3", "--corpus", "mine", "--budgets", 1, 2, "--workers", 2)
    table, _ = cmcsl("table", "5", "--source", "mine", "--budgets", 1, 2)
    assert "CMCSL" in scores and "mine" in table and "average_rank" in table

    assert cmcsl("study", "peers", "--corpus", "mine", "--budgets", 1)[0]

    for words, message in [
        (("book",), "cmcsl: `cmcsl book` needs the notebooks"),
        (
            ("study", "related", "--corpus", "mine", "--budgets", 1),
            "cmcsl: The study of related methods on mine/mine needs torch",
        ),
        (("transform", "openclipart", "--by", "encoding"), "cmcsl: `cmcsl transform` needs PIL"),
        (("notebooks", "--to", "copies"), "cmcsl: `cmcsl notebooks` needs the notebooks"),
        (("extract", "folder", "--items", "items.csv"), "cmcsl: `cmcsl extract folder` needs PIL"),
        (("extract", "openclipart", "AF"), "cmcsl: Extraction needs PIL"),
        (("run", "3", "--corpus", "mm-imdb"), "cmcsl: There is no features file"),
    ]:
        _, error = cmcsl(*words, code=2)
        assert error.startswith(message) and error.count("\n") == 1

    assert {path.name for path in tmp_path.iterdir()} == {"work", "user"}
    assert {path.name for path in (tmp_path / "user" / "cmcsl").iterdir()} == {"corpora", "features", "scores"}
    assert {path: path.stat().st_mtime_ns for path in site.rglob("*")} == before
