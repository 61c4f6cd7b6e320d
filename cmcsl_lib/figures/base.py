"""The figure that pages show, and what all figures share: colours, marks and lines of the methods."""

import io

import pandas as pd
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: Okabe and Ito's colours, told apart by colour-blind readers; line styles and markers say the same again.
PALETTE = {"PRE": "#D55E00", "UNI": "#0072B2", "CMCSL": "#009E73", "FULL": "#000000", "EF": "#CC79A7", "LF": "#E69F00"}
MODALITY_COLOURS = {"visual": "#0072B2", "text": "#E69F00"}
CURVES = {"PRE": "^", "UNI": "s", "CMCSL": "o"}
LINES = {"FULL": "-", "EF": "--", "LF": ":"}


class PageFigure(Figure):
    """A figure that a notebook shows by itself, whatever Matplotlib's backend.

    pyplot stays out: a figure that it knows is shown twice in a notebook, and stays in memory.

    Attributes
    ----------
    data : DataFrame
        What is drawn, one row per mark.
    """

    data: pd.DataFrame

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.savefig(content, format="png", bbox_inches="tight")
        return content.getvalue()

    def svg(self) -> str:
        """The figure as SVG, its words as text; equal figures give equal files."""
        content = io.StringIO()
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": "cmcsl"}):
            self.savefig(content, format="svg", bbox_inches="tight", metadata={"Date": None})
        return content.getvalue()


def subplots(lines: int = 1, columns: int = 1, *, figsize: tuple[float, float], **options) -> tuple[Figure, Axes]:
    """A `PageFigure` and its panels."""
    figure = PageFigure(figsize=figsize, dpi=100)
    return figure, figure.subplots(lines, columns, **options)


def legend_above(figure: Figure, place: Axes) -> None:
    """Put the legend of one panel above all of them."""
    handles, names = place.get_legend_handles_labels()
    figure.legend(handles, names, loc="upper center", ncols=6, frameon=False, bbox_to_anchor=(0.5, 1.0))
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.3 / figure.get_figheight()))
    sns.despine(figure)
