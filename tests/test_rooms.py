"""Imports go in one direction, from the top of the list in `cmcsl_lib/__init__.py` to its bottom."""

import re

import pytest

import cmcsl_lib
from cmcsl_lib.book.freshness import imports
from cmcsl_lib.paths import REPOSITORY

LIBRARY = REPOSITORY / "cmcsl_lib"
ROOMS = re.findall(r"`(\w+)`", cmcsl_lib.__doc__)


def modules_of(room):
    """Files of a room, and the package that each belongs to."""
    path = LIBRARY / room
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    return {file: ".".join(file.relative_to(REPOSITORY).parts[:-1]) for file in files}


def test_every_room_is_named_once():
    there = {path.stem for path in LIBRARY.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert sorted(ROOMS) == sorted(there - {"__init__"})


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_imports_what_stands_below_it(room):
    below = set(ROOMS[ROOMS.index(room) + 1:])
    for file, package in modules_of(room).items():
        rooms = {name.split(".")[1] for name in imports(file.read_text(encoding="utf-8"), package) if "." in name}
        assert not rooms & below, file.name
