"""What all figures share: colours, marks and lines of the methods."""

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: Okabe and Ito's colours, told apart by colour-blind readers; line styles and markers say the same again.
PALETTE = {"PRE": "#D55E00", "UNI": "#0072B2", "CMCSL": "#009E73", "FULL": "#000000", "EF": "#CC79A7", "LF": "#E69F00"}
MODALITY_COLOURS = {"visual": "#0072B2", "text": "#E69F00"}
CURVES = {"PRE": "^", "UNI": "s", "CMCSL": "o"}
#: Marks and colours of series that are no methods, in their order.
MARKS = "osD^v"
COLOURS = ("#000000", "#0072B2", "#009E73", "#D55E00", "#CC79A7")
LINES = {"FULL": "-", "EF": "--", "LF": ":"}


def legend_above(figure: Figure, place: Axes) -> None:
    """Put the legend of one panel above all of them.

    Parameters
    ----------
    figure : Figure
        With several panels.
    place : Axes
        The panel whose legend it is.
    """
    handles, names = place.get_legend_handles_labels()
    figure.legend(handles, names, loc="upper center", ncols=6, frameon=False, bbox_to_anchor=(0.5, 1.0))
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.3 / figure.get_figheight()))
    sns.despine(figure)
