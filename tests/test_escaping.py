import re
from html import unescape

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from matplotlib.figure import Figure
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.substitution import substitution_plugin
from own_corpora import HOSTILE

from cmcsl_lib.files.escaping import figure_safe, markdown_safe, spreadsheet_safe, spreadsheet_safe_table, terminal_safe

#: Markdown as the book reads it.
MARKDOWN = MarkdownIt().use(amsmath_plugin).use(dollarmath_plugin).use(substitution_plugin)
TEXTS = st.one_of(st.text("$\\{}`*_[]()<>&#;:=+-!|~^ \n\tab1"), st.sampled_from(HOSTILE))


@given(TEXTS)
def test_markdown_shows_a_text_as_it_stands(text):
    page = MARKDOWN.render(f"Classes: {markdown_safe(text)} 3.")
    assert re.fullmatch("<p>[^<]*</p>", page.strip())
    assert unescape(page).strip() == f"<p>Classes: {' '.join(text.split())} 3.</p>"


@given(st.text())
def test_a_terminal_obeys_no_text(text):
    shown = terminal_safe(text)
    assert shown.isprintable() and (shown == text or not text.isprintable())


def test_commands_of_a_terminal_are_written_as_in_python():
    assert terminal_safe("\x1b[2J\n") == r"\x1b[2J\n"


@given(TEXTS)
def test_figures_show_a_text_as_it_stands(text):
    drawn = Figure().text(0, 0, figure_safe(text))
    shown, mathematics = drawn._preprocess_math(drawn.get_text())
    assert not mathematics and shown.lstrip("\N{NO-BREAK SPACE}") == text.lstrip("\N{NO-BREAK SPACE}")


def test_a_class_with_a_first_underscore_stands_in_the_legend():
    axes = Figure().subplots()
    axes.plot([1, 2], label=figure_safe("_hidden"))
    assert [text.get_text().strip() for text in axes.legend().get_texts()] == ["_hidden"]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+a", "'+a"),
        ("-b", "'-b"),
        ("@c", "'@c"),
        ("\td", "'\td"),
        ("\re", "'\re"),
        ("f=g", "f=g"),
        ("", ""),
    ],
)
def test_no_spreadsheet_runs_a_cell(text, cell):
    assert spreadsheet_safe(text) == cell


def test_numbers_of_a_table_stay_numbers():
    table = pd.DataFrame({"class": pd.Categorical(["=1", "a"]), "difference": [-0.5, 1.0], "items": [-1, 2]})
    safe = spreadsheet_safe_table(table)
    assert safe["class"].tolist() == ["'=1", "a"]
    pd.testing.assert_frame_equal(safe[["difference", "items"]], table[["difference", "items"]])
