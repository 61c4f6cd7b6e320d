"""Sphinx extension: files that a page carries inside its links become files beside it.

An executed notebook holds each of its figures as SVG, and its numbers as CSV, in the addresses of links, so that it
works alone. In the book such an address would load with the page; as a file it loads only for who asks for it.
"""

import base64
import re
from pathlib import Path

from sphinx.application import Sphinx

FOLDER = "_downloads"
CARRIED = re.compile(r'download="([\w.-]+)" href="data:(?:image/svg\+xml|text/csv);base64,([A-Za-z0-9+/=]+)"')


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("html-page-context", take_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def take_out(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    """Write each SVG and CSV that a page carries into ``_downloads/PAGE/`` of the book, and lead its link there.

    Parameters
    ----------
    page : str
        Name of the page, with its folders.
    context : dict
        What the page is made from; its ``body`` is changed.
    """

    def beside(found: re.Match) -> str:
        name, content = found.groups()
        below = f"{FOLDER}/{page}/{name}"
        path = Path(app.outdir, below)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(content))
        return f'download="{name}" href="{context["pathto"](below, resource=True)}"'

    if "body" in context:
        context["body"] = CARRIED.sub(beside, context["body"])
