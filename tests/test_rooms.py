"""Imports go in one direction, from the top of the list in `cmcsl_lib/__init__.py` to its bottom."""

import ast
import re

import pytest

import cmcsl_lib
from cmcsl_lib.paths import REPOSITORY

LIBRARY = REPOSITORY / "cmcsl_lib"
ROOMS = re.findall(r"`(\w+)`", cmcsl_lib.__doc__)


def imported(source, folders):
    """Dotted names that a module in `cmcsl_lib`, or a folder of it, imports anywhere."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = ["cmcsl_lib", *folders][:2 + len(folders) - node.level] if node.level else []
            stem = [*above, *filter(None, [node.module])]
            found += [".".join([*stem, alias.name]) for alias in node.names]
    return found


def modules_of(room):
    """Files of a room with the folders that each lies in."""
    path = LIBRARY / room
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    return {file: file.relative_to(LIBRARY).parts[:-1] for file in files}


def test_imports_are_found_wherever_they_stand():
    source = "import torch.nn\ndef f():\n    from ..paths import home\n    from . import kept\n    from .. import facts"
    assert imported(source, ["extraction"]) == [
        "torch.nn", "cmcsl_lib.paths.home", "cmcsl_lib.extraction.kept", "cmcsl_lib.facts"]
    assert imported("from .paths import home", []) == ["cmcsl_lib.paths.home"]


def test_every_room_is_named_once():
    there = {path.stem for path in LIBRARY.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert sorted(ROOMS) == sorted(there - {"__init__"})


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_imports_what_stands_below_it(room):
    below = set(ROOMS[ROOMS.index(room) + 1:])
    for file, folders in modules_of(room).items():
        for name in imported(file.read_text(encoding="utf-8"), folders):
            first, *rest = name.split(".")
            assert not (first == "cmcsl_lib" and rest and rest[0] in below), f"{file.name} imports {name}"
