"""Numbers of results are computed where they are told, not typed into pages."""

import re

import nbformat
import pytest

from cmcsl_lib.book.pages import source_notebooks
from cmcsl_lib.files.paths import REPOSITORY

#: Code, mathematics, addresses of links, roles and directives are not prose.
NOT_PROSE = re.compile(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)", re.DOTALL)
#: A decimal, a share, or a count of what could be counted.
TYPED = re.compile(
    r"(?<!\.)\d*\.\d+|\d+\s?%|"
    r"\b\d[\d,]* (?:datasets|items|labels|seeds|claims|features|samples|classifiers|folds)"
)


def typed(text):
    return TYPED.findall(NOT_PROSE.sub("", text))


def test_typed_numbers_are_found():
    assert typed("over 20 datasets it is .660, 20 % of 2,916 items, `0.5` and $x = 0.1$") == [
        "20 datasets",
        ".660",
        "20 %",
        "2,916 items",
    ]


@pytest.mark.parametrize("path", source_notebooks(), ids=lambda path: path.stem)
def test_notebooks_type_no_results_into_their_prose(path):
    cells = nbformat.read(path, as_version=4).cells
    assert not [number for cell in cells if cell.cell_type == "markdown" for number in typed(cell.source)]
    captions = [cell.metadata["mystnb"]["figure"]["caption"] for cell in cells if "mystnb" in cell.metadata]
    assert not [number for caption in captions for number in typed(caption)]


@pytest.mark.parametrize("path", sorted((REPOSITORY / "book").glob("*.md")), ids=lambda path: path.stem)
def test_pages_type_no_results_into_their_prose(path):
    assert not typed(path.read_text(encoding="utf-8"))
