"""Results that the executed pages show, by value: means of columns of their figures' data, within a tolerance.

Each line of reference_results.csv names a page, one of its figures, a choice of rows, a column, the mean expected,
by how much another machine may differ, and why. What changes one on purpose changes its line with it.
"""

import base64
import io
import re

import nbformat
import pandas as pd
import pytest

from cmcsl_lib.files.paths import REPOSITORY

pytestmark = pytest.mark.slow

REFERENCES = pd.read_csv(REPOSITORY / "tests" / "reference_results.csv")
LINK = re.compile('download="([^"]+)[.]csv" href="data:text/csv;base64,([^"]+)"')


def figures_data(page: str) -> dict[str, pd.DataFrame]:
    """Data of a page's figures by their names, read from its links to them."""
    executed = nbformat.read(REPOSITORY / "book" / "notebooks" / f"{page}.ipynb", as_version=4)
    outputs = [output for cell in executed.cells for output in cell.get("outputs", ()) if "data" in output]
    links = [link for output in outputs for link in LINK.findall(output.data.get("text/html", ""))]
    return {name: pd.read_csv(io.StringIO(base64.b64decode(content).decode())) for name, content in links}


@pytest.mark.parametrize(
    "expected", list(REFERENCES.itertuples()), ids=lambda reference: f"{reference.page}-{reference.figure}"
)
def test_a_page_shows_its_reference_result(expected, built_book):
    rows = figures_data(expected.page)[expected.figure].query(expected.rows)
    assert len(rows) == expected.count
    assert rows[expected.column].mean() == pytest.approx(expected.mean, rel=0, abs=expected.tolerance), expected.reason


def test_each_tolerance_has_a_reason_and_tells_something():
    assert REFERENCES.reason.str.len().min() > 20
    assert (REFERENCES.tolerance <= REFERENCES["mean"].abs() / 20).all()


def test_each_page_with_numbers_has_a_reference():
    pages = {path.stem for path in (REPOSITORY / "notebooks").glob("0[1-9]_*.ipynb")}
    assert pages <= set(REFERENCES.page)
