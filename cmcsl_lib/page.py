"""What the notebooks need around tables and figures: a page stays whole where its source is absent."""

import base64
import re
from collections.abc import Callable, Sequence
from html import escape

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown, display

from .errors import Absent
from .escaping import spreadsheet_safe_table
from .figures import PageFigure
from .protocol import drawable_budgets
from .published import AVERAGE_RANK
from .scores import COLUMNS
from .sources import PUBLISHED
from .summaries import listed, told_p_value

#: Marks for the direction of a difference; mark, sign and colour (book/_static/tables.css) each tell it alone.
MARKS = {"up": "▲", "down": "▼", "same": "="}
#: Tables with more rows scroll in their frame.
LONG = 30
#: Tables with a text of more characters are read as prose: their columns do not become too narrow for it.
WORDY = 60
#: Cells that are one word of so many characters.
LONG_NAME = re.compile(r"(?<=<td>)[^<\s]{20,}(?=</td>)")
#: More budgets than this are told by the first and the last one.
FEW = 4


def scores_or_note(load: Callable[..., pd.DataFrame], *arguments, **options) -> pd.DataFrame:
    """Scores, or a table without rows and one sentence on the page where they are not on this machine.

    Parameters
    ----------
    load : callable
        Called with the further arguments; gives the tidy scores table.
    """
    try:
        return load(*arguments, **options)
    except Absent as absence:
        display(Markdown(f"**Not here.** {absence}"))
        return pd.DataFrame(columns=list(COLUMNS))


def drawable(corpus: str, datasets: list[str] | str | None, budgets: Sequence[int]) -> tuple[int, ...]:
    """Budgets that the datasets' classes are large enough for, and a sentence on the page if others were asked for."""
    kept = tuple(budgets) if corpus == PUBLISHED else drawable_budgets(corpus, datasets, budgets)
    if kept != tuple(budgets):
        display(Markdown(f"**Budgets.** The smallest class of the corpus {corpus} is too small for all that were asked "
                         f"for: {', '.join(map(str, kept))} are shown."))
    return kept


def shown(scores: pd.DataFrame, make: Callable[..., object], *arguments, **options) -> object | None:
    """What `make` gives for its arguments, a table with all of its rows, or None where there are no scores.

    A sentence that `make` gives instead of a table becomes one of the page, an empty one nothing.
    """
    if scores.empty:
        return None
    made = make(*arguments, **options)
    if isinstance(made, str):
        return prose(made)
    return page_table(made) if isinstance(made, pd.DataFrame) else made


def prose(text: str | Markdown | None) -> Markdown | None:
    """Computed sentences as part of the page; nothing where there are none."""
    return Markdown(text) if isinstance(text, str) and text else text or None


def page_table(table: pd.DataFrame | None) -> HTML | None:
    """A table for a page: all rows, sentences in full, three decimals, signs before differences; None without rows.

    Underscores in the names of columns become spaces.

    Parameters
    ----------
    table : DataFrame or None
        Columns that begin with gain or difference hold differences, which get a mark for their direction; those that
        begin with share are told in percent.
    """
    if table is None or table.empty:
        return None
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
    text = LONG_NAME.sub(lambda found: re.sub("[/_]|[^/_]{16}", r"\g<0><wbr>", found[0]), text)
    for direction, mark in MARKS.items():
        marked = rf'<td><span class="cmcsl-{direction}"><span aria-hidden="true">{mark}</span> \1</span></td>'
        text = re.sub(f"<td>{mark} ([^<]*)</td>", marked, text)
    return framed(text, ", ".join(table.columns[:3]), long=len(table) > LONG, wordy=wordy)


def framed(table: str, label: str, *, long: bool = False, wordy: bool = False) -> HTML:
    """A table in a frame that scrolls where the screen is too small for it, by keys too.

    Parameters
    ----------
    table : str
        HTML.
    label : str
        What a screen reader calls it.
    long : bool
        Whether the frame is lower than the table.
    wordy : bool
        Whether its cells hold sentences.
    """
    kind = "cmcsl-table" + " cmcsl-long" * long + " cmcsl-wordy" * wordy
    return HTML(f'<div class="{kind}" role="group" tabindex="0" aria-label="Table: {escape(label)}">{table}</div>')


def _format(name: str) -> Callable[[float], str]:
    if name == "p_value":
        return lambda p: told_p_value(p).removeprefix("p ").removeprefix("= ")
    if name.startswith(("gain", "difference")):
        return _marked
    written = "{:.1%}" if name.startswith("share") else "{:.3f}"
    return lambda value: "" if np.isnan(value) else written.format(value)


def _marked(difference: float) -> str:
    """A difference with its sign, after the mark for its direction at the shown precision."""
    if np.isnan(difference):
        return ""
    rounded = round(difference, 3)
    direction = "up" if rounded > 0 else "down" if rounded < 0 else "same"
    return f"{MARKS[direction]} " + (f"{rounded:+.3f}" if rounded else "0.000")


def about(scores: pd.DataFrame) -> Markdown | None:
    """One sentence on where a page's scores come from."""
    if scores.empty:
        return None
    corpora, protocols = scores.corpus.unique(), scores.protocol.unique()
    told = "the authors' published scores" if "published" in protocols else f"the {protocols[0]} protocol"
    classifiers = ", ".join(scores.classifier.unique())
    count, seeded = scores.dataset.nunique(), scores.budget[scores.budget > 0]
    there = sorted(seeded.unique())
    between = f"{there[0]} to {there[-1]}" if len(there) > FEW else listed(map(str, there))
    budgets = f"budgets of {between} seeds per class, " if there else ""
    return Markdown(f"**Source.** Corpus {corpora[0]}, {told}: {count} dataset{'s' if count > 1 else ''}, "
                    f"{classifiers}, {budgets}{len(scores):,} fitted classifiers.")


def data_link(figure: PageFigure | None, name: str) -> HTML | None:
    """Links to a figure as SVG and to the numbers that it shows as CSV, inside the page: they work without a server.

    Parameters
    ----------
    figure : PageFigure or None
        None, where there is no figure, gives none.
    name : str
        Name of the files that the links save, without ending.
    """
    if figure is None:
        return None
    data = spreadsheet_safe_table(figure.data)
    text = data.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    links = [f'<a download="{name}.{ending}" href="data:{kind};base64,{base64.b64encode(content.encode()).decode()}">'
             f"{told}</a>"
             for ending, kind, content, told in (
                 ("csv", "text/csv", text, f"Data of this figure as CSV ({len(figure.data)} rows)"),
                 ("svg", "image/svg+xml", figure.svg(), "Figure as SVG"))]
    return HTML(f"<p>{' · '.join(links)}</p>")
