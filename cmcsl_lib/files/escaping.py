"""Names and texts of others, written so that nothing takes them for formulas, markup, mathematics or commands."""

import re
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import pandas as pd

FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")
#: What Markdown lets a backslash stand before; letters, digits and blanks need none.
PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


def spreadsheet_safe(text: str) -> str:
    """A text as a cell of a CSV file that no spreadsheet takes for a formula: with an apostrophe before it if need be.

    Spreadsheets run what begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return, also from CSV files.
    """
    return f"'{text}" if text.startswith(FORMULA_BEGINNINGS) else text


def spreadsheet_safe_table(table: "pd.DataFrame") -> "pd.DataFrame":
    """A table whose texts are `spreadsheet_safe`; other values, names of columns and the index stay as they are."""
    return table.map(lambda value: spreadsheet_safe(value) if isinstance(value, str) else value)


def terminal_safe(text: str) -> str:
    """A text in one line, without characters that a terminal would obey; those are written as in Python."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def print_safe(text: str, end: str = "\n", file: TextIO | None = None) -> None:
    """Print a text of one or more lines, each of them `terminal_safe`, on standard output unless a file is named."""
    print("\n".join(map(terminal_safe, text.split("\n"))), end=end, file=file)


def markdown_safe(text: str) -> str:
    """A text that Markdown, its mathematics and its HTML show as it stands, in one line."""
    return PUNCTUATION.sub(r"\\\g<0>", " ".join(text.split()))


def figure_safe(text: str) -> str:
    r"""A text that Matplotlib shows as it stands: ``$`` begins mathematics, and a first ``_`` hides it from legends."""
    return ("\N{NO-BREAK SPACE}" if text.startswith("_") else "") + text.replace("$", r"\$")
