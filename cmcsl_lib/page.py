"""What the notebooks need around tables and figures: a page stays whole where its source is absent."""

import base64
import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown, display

from .errors import Absent
from .figures import PageFigure
from .protocol import drawable_budgets
from .scores import COLUMNS
from .sources import PUBLISHED
from .summaries import told_p_value


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

    A sentence that `make` gives instead of a table becomes one of the page.
    """
    if scores.empty:
        return None
    made = make(*arguments, **options)
    if isinstance(made, str):
        return Markdown(made)
    if not isinstance(made, pd.DataFrame):
        return made
    indexed = not isinstance(made.index, pd.RangeIndex)
    return HTML(made.to_html(index=indexed, float_format="{:.3f}".format, border=0, justify="left"))


def prose(text: str | Markdown | None) -> Markdown | None:
    """Computed sentences as part of the page; nothing where there are none."""
    return Markdown(text) if isinstance(text, str) and text else text or None


def page_table(table: pd.DataFrame) -> HTML | None:
    """A table for a page: sentences in full, three decimals, signs before gains; None if it has no rows.

    Parameters
    ----------
    table : DataFrame
        Columns that begin with gain hold differences, those that begin with share are told in percent.
    """
    if table.empty:
        return None
    formats = {name: _format(name) for name in table.select_dtypes("float")}
    with pd.option_context("display.max_colwidth", None):
        text = table.to_html(index=False, border=0, formatters=formats, na_rep="")
    text = re.sub("`(.+?)`", r"<code>\1</code>", text)
    return HTML(re.sub(r"<(td|th)\b", r'<\1 style="text-align: left; vertical-align: top"', text))


def _format(name: str) -> Callable[[float], str]:
    if name == "p_value":
        return lambda p: told_p_value(p).removeprefix("p ").removeprefix("= ")
    written = "{:+.3f}" if name.startswith("gain") else "{:.1%}" if name.startswith("share") else "{:.3f}"
    return lambda value: "" if np.isnan(value) else written.format(value)


def about(scores: pd.DataFrame) -> Markdown | None:
    """One sentence on where a page's scores come from."""
    if scores.empty:
        return None
    corpora, protocols = scores.corpus.unique(), scores.protocol.unique()
    told = "the authors' published scores" if "published" in protocols else f"the {protocols[0]} protocol"
    classifiers = ", ".join(scores.classifier.unique())
    count = scores.dataset.nunique()
    return Markdown(f"**Source.** Corpus {corpora[0]}, {told}: {count} dataset{'s' if count > 1 else ''}, "
                    f"{classifiers}, {len(scores):,} fitted classifiers.")


def data_link(figure: PageFigure | None, name: str) -> HTML | None:
    """A link to the numbers that a figure shows, as CSV inside the page, so that it works without a server.

    Parameters
    ----------
    figure : PageFigure or None
        None, where there is no figure, gives none.
    name : str
        Name of the file that the link saves, without its ending.
    """
    if figure is None:
        return None
    text = figure.data.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    content = base64.b64encode(text.encode()).decode()
    return HTML(f'<p><a download="{name}.csv" href="data:text/csv;base64,{content}">'
                f"Data of this figure as CSV ({len(figure.data)} rows)</a></p>")
