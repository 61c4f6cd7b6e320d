"""The whole book as one PDF, printed by a Chromium without window from the book as one page."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from doit.exceptions import TaskFailed

from .execution import BUILD

PDF = BUILD / "cmcsl.pdf"
WHOLE = BUILD / "singlehtml" / "book" / "index.html"
#: Names under which systems know it; the Debian package is the first one.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: A browser that asks nobody anything, also for the tests; root has no sandbox in containers.
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update")


def browser() -> str | None:
    """The Chromium of this machine, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def print_book() -> TaskFailed | None:
    """Print the book; doit is told where there is no Chromium, or it fails."""
    path = browser()
    if path is None:
        return TaskFailed("The PDF needs Chromium: install it (Debian: apt-get install chromium), or leave --pdf out.")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / PDF.name
        command = [path, *QUIET, f"--user-data-dir={folder}/profile", "--no-pdf-header-footer",
                   f"--print-to-pdf={made}", WHOLE.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True)
        if not made.is_file():
            return TaskFailed(f"Chromium printed nothing:\n{done.stderr[-3000:]}")
        shutil.move(made, PDF)
    return None
