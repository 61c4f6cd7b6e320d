import base64
import io
import re

import numpy as np
import pandas as pd
import pytest

from cmcsl_lib import page
from cmcsl_lib.errors import Absent, CmcslError
from cmcsl_lib.figures import PageFigure
from cmcsl_lib.sources import source_scores


def refuse(error):
    raise error


def test_an_absent_source_leaves_one_sentence_and_an_empty_table(capsys):
    scores = page.scores_or_note(refuse, Absent("Nothing lies there."))
    assert scores.empty
    assert page.shown(scores, refuse, AssertionError) is None
    assert page.about(scores) is None
    assert capsys.readouterr().out.count("\n") == 1  # outside a notebook, display prints the object


def test_other_errors_are_not_swallowed():
    with pytest.raises(CmcslError, match="damaged"):
        page.scores_or_note(refuse, CmcslError("damaged"))


def test_a_page_tells_its_source():
    scores = page.scores_or_note(source_scores, "openclipart", 1, datasets="AF PT", compute=False)
    assert "openclipart, the strict protocol: 2 datasets, GNB, LR, CART, 120 fitted" in page.about(scores).data
    assert page.shown(scores, len, scores) == 120


def test_tables_are_shown_with_all_of_their_rows():
    scores = pd.DataFrame({"gain": np.arange(100) / 7, "name": "<b>"})
    text = page.shown(scores, scores.copy).data
    assert text.count("<tr>") == 100
    assert "14.143" in text and "&lt;b&gt;" in text and "..." not in text


def test_page_table():
    long = "a sentence that is much longer than the fifty characters that pandas would show, with `code`"
    text = page.page_table(pd.DataFrame({"answer": [long], "share_x": [0.123], "p_value": [0.0001], "value": [0.5],
                                         "none": [np.nan]})).data
    for told in (long.replace("`code`", "<code>code</code>"), ">12.3%<", ">&lt; 0.001<", ">0.500<", "></td>"):
        assert told in text
    assert "<thead>" in text and text.count('<th scope="col">') == 5


def test_a_difference_has_a_sign_a_mark_and_a_class():
    text = page.page_table(pd.DataFrame({"difference": [0.0126, -0.02, 0.0004, np.nan]})).data
    assert re.findall(r'class="cmcsl-(\w+)"><span aria-hidden="true">(.)</span> ([^<]+)<', text) == [
        ("up", "▲", "+0.013"), ("down", "▼", "-0.020"), ("same", "=", "0.000")]


def test_tables_can_be_scrolled_by_keys_and_have_a_name():
    indexed = pd.DataFrame({"n": [1]}, index=pd.MultiIndex.from_tuples([("AF", "<b>")], names=["dataset", "<i>"]))
    text = page.page_table(indexed).data
    assert 'tabindex="0"' in text and 'aria-label="Table: dataset, &lt;i&gt;, n"' in text
    assert "<td>AF</td>" in text and "<i>" not in text


def test_prose_is_nothing_where_there_is_none():
    assert page.prose("") is None and page.prose(None) is None
    assert page.prose("A sentence.").data == "A sentence."


def test_the_link_holds_the_numbers_of_the_figure():
    figure = PageFigure()
    figure.data = pd.DataFrame({"title": ["a, b", "<c>"], "x": [1 / 3, 2.0]})
    link = page.data_link(figure, "numbers").data
    text, svg = (base64.b64decode(content).decode() for content in re.findall(r"base64,([^\"]+)", link))
    assert 'download="numbers.csv"' in link and 'download="numbers.svg"' in link
    assert svg.startswith("<?xml") and "<svg" in svg
    read = pd.read_csv(io.StringIO(text))
    assert read.title.tolist() == ["a, b", "<c>"]
    assert read.x.tolist() == pytest.approx([1 / 3, 2.0], rel=1e-5)
    assert page.data_link(None, "numbers") is None


def test_few_budgets_are_listed_and_many_told_by_their_ends():
    scores = source_scores("openclipart", 3, datasets="AF", compute=False)
    assert "budgets of 1 to 20 seeds per class" in page.about(scores).data
    assert "budgets of 1, 5 and 20 seeds per class" in page.about(scores[scores.budget.isin([0, 1, 5, 20])]).data


def test_names_of_columns_are_words_and_the_name_over_them_is_no_column():
    spread = pd.DataFrame({"budget": [1], "share_right": [0.5], "gain": [0.1]})
    spread = spread.pivot_table(index="gain", columns="budget")
    heads = re.findall("<th scope[^>]*>([^<]*)<", page.page_table(spread.rename_axis(columns=[None, "budget"])).data)
    assert heads == ["gain", "share right, 1"]
    named = pd.DataFrame({1: [0.5]}, index=pd.Index(["a"], name="choice")).rename_axis(columns="budget")
    assert re.findall("<th scope[^>]*>([^<]*)<", page.page_table(named).data) == ["choice", "1"]


def test_an_empty_sentence_leaves_nothing_on_the_page():
    scores = pd.DataFrame({"gain": [1.0]})
    assert page.shown(scores, lambda: "") is None and page.prose(page.shown(scores, lambda: "")) is None


def test_long_names_may_go_on_in_the_next_line():
    shown = page.page_table(pd.DataFrame({"id": ["animals/fish/blue_dolphin_01"], "seed": ["food/bread_1"],
                                         "sha256": ["0123456789abcdef" * 4]})).data
    assert "<td>animals/<wbr>fish/<wbr>blue_<wbr>dolphin_<wbr>01</td>" in shown and "<td>food/bread_1</td>" in shown
    assert shown.count("0123456789abcdef<wbr>") == 4


def test_tables_of_sentences_have_wider_columns():
    assert "cmcsl-wordy" in page.page_table(pd.DataFrame({"answer": ["word " * 20]})).data
    assert "cmcsl-wordy" not in page.page_table(pd.DataFrame({"answer": ["word"]})).data
