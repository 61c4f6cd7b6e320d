"""The embedded corpus: public-domain drawings with titles, descriptions and keywords (data/openclipart/)."""

import io

import pandas as pd

from ..files.checksums import read_checked
from ..files.paths import shipped
from ..files.tables import reading
from .corpus import Corpus

COLUMNS = ("source", "title", "creator", "text", "labels", "image")


def load() -> Corpus:
    """Read the corpus; an item's id is its source, the path in the Open Clip Art Library.

    Raises
    ------
    CmcslError
        If the file is missing or damaged.
    """
    path = shipped() / "openclipart" / "openclipart.parquet"
    with reading(path, "corpus file", "take it from the repository again"):
        items = pd.read_parquet(io.BytesIO(read_checked(path)), columns=list(COLUMNS))
    return Corpus("openclipart", items.rename(columns={"source": "id"}))
