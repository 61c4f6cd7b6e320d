"""Execute the notebooks and build the HTML book; only what changed is done again.

Rooms, from top to bottom: `pages`, `freshness`, `execution`, `pdf`, `schedule`; `mathematics`, `page_files` and `site`
are Sphinx extensions that ``_config.yml`` names, and run inside `jupyter-book build`.
"""

from .pages import pages, source_notebooks
from .schedule import build

__all__ = ["build", "pages", "source_notebooks"]
