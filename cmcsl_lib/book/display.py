"""How notebooks show figures and tables: a figure with its caption and its data, a table in full."""

import base64
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from ..experiments.published import AVERAGE_RANK
from ..files.escaping import spreadsheet_safe_table

# In the texts of a corpus, two prices would make a formula of what stands between them.
pd.options.display.html.use_mathjax = False

#: How the HTML of a figure begins; `book.figure_output` makes a numbered figure of the book of it.
FIGURE = '<figure class="cmcsl-figure" style="margin: 0">'
#: Class of figures that show pictures of items.
PICTURES = "cmcsl-pictures"
#: Pixels of a drawing to an inch, those of a page's column, and the least height of letters there.
DPI, COLUMN, LEAST = 100, 690, 10
#: Marks for the direction of a difference; mark, sign and colour (book/_static/tables.css) each show it alone.
MARKS = {"up": "▲", "down": "▼", "same": "="}
#: Tables with more rows scroll in their frame.
LONG = 30
#: Tables with a text of more characters are read as prose: their columns do not become too narrow for it.
WORDY = 60
#: Cells that are one word of so many characters.
LONG_NAME = re.compile(r"(?<=<td>)[^<\s]{20,}(?=</td>)")


@dataclass(frozen=True)
class CaptionedFigure:
    """What a notebook shows of a figure: the image, below it the caption and links to its data and drawing."""

    name: str
    caption: str
    alt: str
    png: bytes
    csv: str
    svg: str
    pictures: bool = False

    def links(self) -> str:
        """Links, as HTML, that carry the files in their addresses and so work without a server."""
        csv, svg = _base64(self.csv.encode()), _base64(self.svg.encode())
        return (
            f'<a download="{self.name}.csv" href="data:text/csv;base64,{csv}">Data as CSV</a> · '
            f'<a download="{self.name}.svg" href="data:image/svg+xml;base64,{svg}">Figure as SVG</a>'
        )

    def _repr_mimebundle_(self, **_options: object) -> dict[str, object]:
        # In dark mode the book swaps light and dark in drawings, but leaves pictures of items as they are.
        kind = f'class="{PICTURES}" ' if self.pictures else ""
        html = (
            f'{FIGURE}<img {kind}alt="{escape(self.alt)}" src="data:image/png;base64,{_base64(self.png)}">'
            f"<figcaption>{escape(self.caption)}<br><span>{self.links()}</span></figcaption></figure>"
        )
        return {"text/html": html, "text/plain": self.caption}


def show_figure(name: str, data: pd.DataFrame, caption: str, *, alt: str) -> CaptionedFigure:
    """The current Matplotlib figure with a caption, a text alternative, and links to its data and drawing.

    The figure is closed, so that a notebook does not show it a second time.

    Parameters
    ----------
    name : str
        Name of the files that the links save, without ending; unique among the pages of the book.
    data : DataFrame
        The numbers that are drawn.
    caption : str
        Stands below the image.
    alt : str
        What the image shows, for readers who cannot see it.

    Returns
    -------
    CaptionedFigure
        The last value of a cell; the book makes a numbered figure of it.
    """
    figure = plt.gcf()
    _make_legible(figure)
    png, svg = io.BytesIO(), io.StringIO()
    figure.savefig(png, format="png", dpi=DPI, bbox_inches="tight")
    # A palette of 256 colours is a third as large, and hard to tell from all of them.
    small = io.BytesIO()
    Image.open(png).convert("RGB").quantize(256).save(small, "PNG", optimize=True)
    # Words stay text, and equal figures give equal files.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "cmcsl"}):
        figure.savefig(svg, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    csv = spreadsheet_safe_table(data).to_csv(index=False, float_format="%.6g", lineterminator="\n")
    pictures = any(np.asarray(image.get_array()).ndim == 3 for axes in figure.axes for image in axes.images)
    return CaptionedFigure(name, caption, alt, small.getvalue(), csv, svg.getvalue(), pictures)


def _make_legible(figure: Figure) -> None:
    """Enlarge letters that would be too small where the page scales the figure to its column."""
    for _ in range(2):  # larger letters may widen the figure
        tight = figure.get_tightbbox(figure.canvas.get_renderer())  # type: ignore[attr-defined]
        width = (tight.width + 2 * rcParams["savefig.pad_inches"]) * DPI
        least = LEAST * max(1, width / COLUMN) * 72 / DPI
        for axes in figure.axes:
            for axis in (axes.xaxis, axes.yaxis):
                if any(float(label.get_fontsize()) < least for label in axis.get_ticklabels()):
                    axis.set_tick_params(labelsize=least)
        for artist in figure.findobj():
            if isinstance(artist, Text) and float(artist.get_fontsize()) < least:
                artist.set_fontsize(least)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def show_table(table: pd.DataFrame) -> HTML:
    """A table with all of its rows, sentences in full, three decimals, and signs before differences.

    Underscores in the names of columns become spaces.

    Parameters
    ----------
    table : DataFrame
        Columns that begin with gain or difference hold differences, which get a mark for their direction; those that
        begin with share are shown in percent.

    Returns
    -------
    IPython.display.HTML
        The table in a frame that scrolls where the screen is too small for it.
    """
    if table.columns.nlevels > 1:
        table = table.set_axis([", ".join(map(str, names)) for names in table.columns], axis=1)
    if not isinstance(table.index, pd.RangeIndex):
        table = table.reset_index(names=[name or "" for name in table.index.names])
    # to_html gives the name of the columns a column of its own.
    table = table.rename_axis(columns=None)
    heads = {name: str(name).replace("_", " ") for name in table}
    formats = {heads[name]: _format(str(name)) for name in table.select_dtypes("float")}
    wordy = bool(table.map(lambda value: len(str(value)) > WORDY).to_numpy().any())
    table = table.rename(columns=heads).replace(AVERAGE_RANK, "average rank")
    with pd.option_context("display.max_colwidth", None):
        text = table.to_html(index=False, border=0, formatters=formats, na_rep="", justify="left")
    text = re.sub("`(.+?)`", r"<code>\1</code>", text.replace("<th>", '<th scope="col">'))
    # Names of files and checksums may go on in the next line.
    text = LONG_NAME.sub(lambda match: re.sub("[/_]|[^/_]{16}", r"\g<0><wbr>", match[0]), text)
    for direction, mark in MARKS.items():
        marked = rf'<td><span class="cmcsl-{direction}"><span aria-hidden="true">{mark}</span> \1</span></td>'
        text = re.sub(f"<td>{mark} ([^<]*)</td>", marked, text)
    return HTML(framed(text, ", ".join(table.columns[:3]), long=len(table) > LONG, wordy=wordy))


def listed(parts: Iterable[object], word: str = "and") -> str:
    """Names in a row, as a sentence has them.

    Parameters
    ----------
    parts : iterable of object
        What is written, in this order; may be empty.
    word : str
        Stands before the last one.

    Returns
    -------
    str
        For example ``RAW, L2 and STD``; empty where there are no parts.
    """
    *first, last = [str(part) for part in parts] or [""]
    return f"{', '.join(first)} {word} {last}" if first else last


def framed(table: str, label: str, *, long: bool = False, wordy: bool = False) -> str:
    """The HTML of a table in a frame that scrolls, by keys too, and has a label for screen readers.

    The frame of a long table is lower than the table; the columns of a wordy one are wide enough for sentences.
    """
    kind = "cmcsl-table" + " cmcsl-long" * long + " cmcsl-wordy" * wordy
    return f'<div class="{kind}" role="group" tabindex="0" aria-label="Table: {escape(label)}">{table}</div>'


def _format(name: str) -> Callable[[float], str]:
    if name == "p_value":
        return lambda p: "< 0.001" if p < 0.001 else f"{p:.3f}"
    if name.startswith(("gain", "difference")):
        return _marked
    form = "{:.1%}" if name.startswith("share") else "{:.3f}"
    return lambda value: "" if np.isnan(value) else form.format(value)


def _marked(difference: float) -> str:
    """A difference with its sign, after the mark for its direction at the shown precision."""
    if np.isnan(difference):
        return ""
    rounded = round(difference, 3)
    direction = "up" if rounded > 0 else "down" if rounded < 0 else "same"
    return f"{MARKS[direction]} " + (f"{rounded:+.3f}" if rounded else "0.000")
