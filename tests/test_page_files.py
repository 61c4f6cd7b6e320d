from types import SimpleNamespace

import pandas as pd

from cmcsl_lib.book.page_files import take_out
from cmcsl_lib.figures import PageFigure
from cmcsl_lib.page import data_link


def test_the_svg_of_a_figure_and_its_numbers_become_files(tmp_path):
    figure = PageFigure()
    figure.text(0.5, 0.5, "words")
    figure.data = pd.DataFrame({"x": [1]})
    link = data_link(figure, "figure_4").data
    context = {"body": f"<p>before</p>{link}", "pathto": lambda name, resource: f"../{name}"}
    take_out(SimpleNamespace(outdir=tmp_path), "book/page", "page.html", context, None)
    assert 'download="figure_4.svg" href="../_downloads/book/page/figure_4.svg"' in context["body"]
    assert 'download="figure_4.csv" href="../_downloads/book/page/figure_4.csv"' in context["body"]
    assert "base64," not in context["body"]
    assert (tmp_path / "_downloads/book/page/figure_4.csv").read_text() == "x\n1\n"
    assert (tmp_path / "_downloads/book/page/figure_4.svg").read_text() == figure.svg()


def test_pages_without_a_body_are_left_alone(tmp_path):
    context = {}
    take_out(SimpleNamespace(outdir=tmp_path), "search", "search.html", context, None)
    assert not context and not list(tmp_path.iterdir())
