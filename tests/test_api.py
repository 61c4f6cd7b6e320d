"""Docstrings of what the book's page of the library shows are whole, by numpydoc's rules; one version everywhere."""

import re
import tomllib

import pytest
import yaml
from numpydoc.validate import Validator, validate

from cmcsl_lib import __version__
from cmcsl_lib.files.paths import REPOSITORY

SHOWN = re.findall(
    r"^\.\. auto\w+:: (\S+)$", (REPOSITORY / "book" / "api.md").read_text(encoding="utf-8"), re.MULTILINE
)


@pytest.mark.parametrize("name", SHOWN)
def test_public_docstrings_are_whole(name):
    options = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["numpydoc_validation"]
    ignored = set(options["checks"]) - {"all"}
    if hasattr(Validator._load_obj(name), "_fields"):
        ignored.add("PR01")  # a named tuple's parameters stand under Attributes
    assert [error for error in validate(name)["errors"] if error[0] not in ignored] == []


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    released = re.findall(r"^## (\d\S*)$", (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert __version__ == citation["version"] == released[0]
