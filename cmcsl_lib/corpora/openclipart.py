"""The embedded corpus: public-domain drawings with titles, descriptions and keywords (data/openclipart/)."""

import pyarrow as pa
import pyarrow.parquet as pq

from ..files.errors import CmcslError
from ..files.paths import shipped
from ..files.sealed import checked
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
    try:
        items = pq.read_table(pa.BufferReader(checked(path)), columns=list(COLUMNS)).to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise CmcslError(
            f"The corpus file {path} can't be read ({type(error).__name__}: {error}): take it from the repository "
            "again."
        ) from None
    return Corpus("openclipart", items.rename(columns={"source": "id"}))
