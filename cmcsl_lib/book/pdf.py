"""The whole book as one PDF, printed by a Chromium without window from the book as one page."""

import posixpath
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from bs4 import BeautifulSoup
from doit.exceptions import TaskFailed

from .execution import BUILD

PDF = BUILD / "cmcsl.pdf"
WHOLE = BUILD / "singlehtml" / "book" / "index.html"
#: The whole book again, made ready to print; its addresses of pictures hold from this folder only.
PRINTED = BUILD / "singlehtml" / "whole.html"
#: What Sphinx puts before each page, with the page's name behind it.
PAGE_ID = "document-"
#: Names under which systems know it; the Debian package is the first one.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: A browser that asks nobody anything, also for the tests; root has no sandbox in containers.
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
)


def browser() -> str | None:
    """The Chromium of this machine, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def print_book() -> TaskFailed | None:
    """Print the book; a failure is in the form that doit reports."""
    path = browser()
    if path is None:
        return TaskFailed("The PDF needs Chromium: install it (Debian: apt-get install chromium), or leave --pdf out.")
    PRINTED.write_text(links_within(WHOLE.read_text(encoding="utf-8")), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        printed = Path(folder) / PDF.name
        options = (*QUIET, f"--user-data-dir={folder}/profile", "--no-pdf-header-footer", f"--print-to-pdf={printed}")
        done = subprocess.run([path, *options, PRINTED.as_uri()], check=False, capture_output=True, text=True)
        if not printed.is_file():
            return TaskFailed(f"Chromium printed nothing:\n{done.stderr[-3000:]}")
        shutil.move(printed, PDF)
    return None


def links_within(html: str) -> str:
    """The book as one page whose links to other pages lead to their place in it.

    Sphinx does so for its own links, not for those in the outputs of notebooks. Links to files stay as text: in a PDF
    they would be paths of this machine.
    """
    soup = BeautifulSoup(html, "html.parser")
    pages = {str(tag["id"]).removeprefix(PAGE_ID) for tag in soup.find_all(id=re.compile(f"^{PAGE_ID}"))}
    for link in soup.find_all("a", href=re.compile(r"^(?!#|https?:|mailto:)")):
        path, _, anchor = str(link["href"]).partition("#")
        here = link.find_previous(id=re.compile(f"^{PAGE_ID}"))
        folder = posixpath.dirname(str(here["id"]).removeprefix(PAGE_ID)) if here else ""
        name = posixpath.normpath(posixpath.join(folder, path)).removesuffix(".html")
        if name in pages:
            link["href"] = f"#{anchor or PAGE_ID + name}"
        else:
            del link["href"]
    return str(soup)
