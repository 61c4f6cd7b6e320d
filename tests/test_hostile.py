"""Nothing that comes from outside is run, shown as markup, or fetched without encryption."""

import re
from types import SimpleNamespace

import pandas as pd
import pytest
import requests

from cmcsl_lib.book.display import show_table
from cmcsl_lib.corpora.download import only_https
from cmcsl_lib.files.paths import REPOSITORY

LIBRARY = sorted((REPOSITORY / "cmcsl_lib").rglob("*.py"))


@pytest.mark.parametrize(
    ("url", "location", "fine"),
    [
        ("https://here/file", "", True),
        ("https://here/file", "/elsewhere", True),
        ("https://here/file", "//there/", True),
        ("http://here/file", "", False),
        ("https://here/file", "http://there/", False),
        ("https://here/file", "ftp://there/", False),
        ("file:///etc/passwd", "", False),
    ],
)
def test_downloads_come_by_https_alone(url, location, fine):
    answer = SimpleNamespace(url=url, headers={"Location": location} if location else {})
    if fine:
        only_https(answer)
    else:
        with pytest.raises(requests.RequestException, match="HTTPS"):
            only_https(answer)


def test_no_pickle_is_ever_loaded():
    sources = {path.name: path.read_text(encoding="utf-8") for path in LIBRARY}
    for name, text in sources.items():
        unsafe = r"pickle\.loads?\(|read_pickle|joblib\.load|allow_pickle=True|weights_only=False"
        assert not re.search(unsafe, text), name
        for call, safe in ((r"np\.load\(", "allow_pickle=False"), (r"torch\.load\(", "weights_only=True")):
            for match in re.finditer(call, text):
                assert safe in text[match.start() : match.start() + 120], f"{name}: {call}"


def test_cells_of_tables_are_text_on_pages():
    hostile = pd.DataFrame({"<b>name</b>": ["<script>alert(1)</script>", "a & `<i>b</i>`"]})
    text = show_table(hostile).data
    assert "<script>" not in text and "<i>" not in text and "<b>name" not in text
    assert "&lt;script&gt;" in text
