import base64
import io
import re
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from cmcsl_lib.book.display import FIGURE, listed, show_figure, show_table
from cmcsl_lib.book.site import complete_page, take_out


@pytest.fixture
def figure():
    """A figure of two numbers with hostile titles, as a notebook shows it."""
    data = pd.DataFrame({"title": ["a, b", "=1+1"], "x": [1 / 3, 2.0]})
    plt.figure().text(0.5, 0.5, "words")
    return show_figure("numbers", data, "Two numbers & a <caption>.", alt='The word "words".')


def test_the_links_hold_the_numbers_and_the_drawing(figure):
    csv, svg = (base64.b64decode(content).decode() for content in re.findall(r"base64,([^\"]+)", figure.links()))
    assert 'download="numbers.csv"' in figure.links() and 'download="numbers.svg"' in figure.links()
    assert svg.startswith("<?xml") and "words" in svg
    read = pd.read_csv(io.StringIO(csv))
    assert read.title.tolist() == ["a, b", "'=1+1"], "a text that spreadsheets would run has an apostrophe before it"
    assert read.x.tolist() == pytest.approx([1 / 3, 2.0], rel=1e-5)


def test_the_notebook_shows_image_caption_and_links_and_not_the_figure_again(figure):
    bundle = figure._repr_mimebundle_()
    html = bundle["text/html"]
    assert 'alt="The word &quot;words&quot;."' in html and "Two numbers &amp; a &lt;caption&gt;." in html
    assert html.startswith(FIGURE) and figure.links() in html
    assert base64.b64decode(re.search('src="data:image/png;base64,([^"]+)"', html)[1]).startswith(b"\x89PNG")
    assert not plt.get_fignums()


@pytest.mark.parametrize("width", [4, 9, 14])
def test_letters_are_legible_where_a_page_scales_a_figure_to_its_column(width):
    figure, axes = plt.subplots(1, 2, figsize=(width, 3))
    for panel in axes:
        panel.plot([0, 1], [0, 1], label="a line")
        panel.tick_params(labelsize=6)
        panel.text(0.5, 0.5, "small", fontsize=5)
    axes[0].legend(fontsize=7)
    figure.suptitle("Large", fontsize=30)
    svg = show_figure("letters", pd.DataFrame({"x": [1]}), "Letters of all sizes.", alt="Two lines and some words.").svg
    drawn = float(re.search(r'<svg [^>]*width="([\d.]+)pt"', svg)[1])
    heights = [float(height) for height in re.findall(r"font-size: ([\d.]+)px", svg)]
    # The column is 690 pixels wide; a narrower figure keeps its size, 100 pixels to 72 points.
    scale = min(690 / drawn, 100 / 72)
    assert min(heights) * scale >= 9.9
    assert max(heights) == 30


def test_equal_figures_give_equal_files():
    drawn = []
    for _ in range(2):
        plt.figure().gca().plot([1, 2], [3, 4])
        drawn.append(show_figure("line", pd.DataFrame({"x": [1, 2]}), "A line.", alt="A line that rises."))
    assert drawn[0].svg == drawn[1].svg and drawn[0].png == drawn[1].png


def test_the_files_of_a_figure_lie_beside_its_page_in_the_book(figure, tmp_path):
    class App:
        outdir = tmp_path

    context = {"body": f"<p>before</p>{figure.links()}", "pathto": lambda name, resource: f"../{name}"}
    take_out(App, "book/page", context)
    assert 'download="numbers.svg" href="../_downloads/book/page/numbers.svg"' in context["body"]
    assert "base64," not in context["body"]
    assert (tmp_path / "_downloads/book/page/numbers.csv").read_text() == figure.csv
    assert (tmp_path / "_downloads/book/page/numbers.svg").read_text() == figure.svg


def test_a_figure_opens_its_drawing(figure, tmp_path):
    class App:
        outdir = tmp_path

    shown = (
        '<figure class="align-default" id="f">\n<img alt="A line." src="x.png" />\n<figcaption>B1</figcaption></figure>'
    )
    other = '<figure id="g"><img alt="By hand." src="y.png" /></figure>'
    links = f'<p class="cmcsl-files">{figure.links()}</p>'
    context = {"body": f"{other}{shown}{links}", "pathto": lambda name, resource: f"../{name}"}
    take_out(App, "book/page", context)
    assert (
        '<a class="cmcsl-whole" title="Open the whole figure" href="../_downloads/book/page/numbers.svg">'
        '<img alt="A line." src="x.png" /></a>'
    ) in context["body"]
    assert other in context["body"], "a figure without a drawing opens nothing"


def test_pages_without_a_body_are_left_alone(tmp_path):
    app = SimpleNamespace(outdir=tmp_path, config=SimpleNamespace(root_doc="index"))
    context = {}
    complete_page(app, "search", "search.html", context, None)
    assert not context.get("body") and not list(tmp_path.iterdir())


def test_dollars_in_tables_are_no_formulas():
    table = pd.DataFrame({"price": ["$5 or $6"]})
    for text in (table._repr_html_(), show_table(table).data):
        assert 'class="dataframe tex2jax_ignore' in text and "$5 or $6" in text


def test_tables_are_shown_with_all_of_their_rows():
    text = show_table(pd.DataFrame({"gain": np.arange(100) / 7, "name": "<b>"})).data
    assert text.count("<tr>") == 100
    assert "14.143" in text and "&lt;b&gt;" in text and "..." not in text


def test_sentences_stand_in_full_and_numbers_have_three_decimals():
    long = "a sentence that is much longer than the fifty characters that pandas would show, with `code`"
    text = show_table(
        pd.DataFrame({"answer": [long], "share_x": [0.123], "p_value": [0.0001], "value": [0.5], "none": [np.nan]})
    ).data
    for shown in (long.replace("`code`", "<code>code</code>"), ">12.3%<", ">&lt; 0.001<", ">0.500<", "></td>"):
        assert shown in text
    assert "<thead>" in text and text.count('<th scope="col">') == 5


def test_a_difference_has_a_sign_a_mark_and_a_class():
    text = show_table(pd.DataFrame({"difference": [0.0126, -0.02, 0.0004, np.nan]})).data
    assert re.findall(r'class="cmcsl-(\w+)"><span aria-hidden="true">(.)</span> ([^<]+)<', text) == [
        ("up", "▲", "+0.013"),
        ("down", "▼", "-0.020"),
        ("same", "=", "0.000"),
    ]


def test_tables_can_be_scrolled_by_keys_and_have_a_name():
    indexed = pd.DataFrame({"n": [1]}, index=pd.MultiIndex.from_tuples([("AF", "<b>")], names=["dataset", "<i>"]))
    text = show_table(indexed).data
    assert 'tabindex="0"' in text and 'aria-label="Table: dataset, &lt;i&gt;, n"' in text
    assert "<td>AF</td>" in text and "<i>" not in text


def test_names_of_columns_are_words_and_the_name_over_them_is_no_column():
    spread = pd.DataFrame({"budget": [1], "share_right": [0.5], "gain": [0.1]})
    spread = spread.pivot_table(index="gain", columns="budget")
    heads = re.findall("<th scope[^>]*>([^<]*)<", show_table(spread.rename_axis(columns=[None, "budget"])).data)
    assert heads == ["gain", "share right, 1"]
    named = pd.DataFrame({1: [0.5]}, index=pd.Index(["a"], name="choice")).rename_axis(columns="budget")
    assert re.findall("<th scope[^>]*>([^<]*)<", show_table(named).data) == ["choice", "1"]


def test_long_names_may_go_on_in_the_next_line():
    shown = show_table(
        pd.DataFrame(
            {"id": ["animals/fish/blue_dolphin_01"], "seed": ["food/bread_1"], "sha256": ["0123456789abcdef" * 4]}
        )
    ).data
    assert "<td>animals/<wbr>fish/<wbr>blue_<wbr>dolphin_<wbr>01</td>" in shown and "<td>food/bread_1</td>" in shown
    assert shown.count("0123456789abcdef<wbr>") == 4


def test_tables_of_sentences_have_wider_columns():
    assert "cmcsl-wordy" in show_table(pd.DataFrame({"answer": ["word " * 20]})).data
    assert "cmcsl-wordy" not in show_table(pd.DataFrame({"answer": ["word"]})).data


def test_names_are_listed_as_in_a_sentence():
    assert listed([1, 2, 20], "or") == "1, 2 or 20"
    assert listed(name for name in ["RAW", "L2"]) == "RAW and L2"
    assert (listed(["RAW"]), listed([])) == ("RAW", "")


@pytest.mark.parametrize(("pixels", "pictures"), [(np.zeros((2, 2, 3)), True), (np.zeros((2, 2)), False)])
def test_figures_that_show_pictures_say_so(pixels, pictures):
    plt.figure()
    plt.imshow(pixels)
    html = show_figure("some", pd.DataFrame({"x": [1]}), "A caption.", alt="Some pixels.")._repr_mimebundle_()
    assert ("cmcsl-pictures" in html["text/html"]) == pictures
