"""The Arrow file of a corpus's items in CMCSL_HOME, and beside it the report of items that can't be used."""

import csv
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow as pa

from ..files.checksums import SEAL, check_file
from ..files.errors import Absent
from ..files.escaping import spreadsheet_safe
from ..files.paths import home, written_whole
from ..files.tables import reading
from .corpus import Corpus

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("title", pa.string()),
        ("text", pa.string()),
        ("labels", pa.list_(pa.string())),
        ("image", pa.large_binary()),
        ("time", pa.float64()),
    ]
)
#: Of files that were written when items had no time.
EARLIER_SCHEMA = SCHEMA.remove(SCHEMA.get_field_index("time"))
#: Items written together; so many images are in memory at a time.
BATCH = 64
#: Metadata of the file that name the corpus.
NAME = b"cmcsl corpus"


def items_path(name: str) -> Path:
    """The Arrow file of a corpus."""
    return home() / "corpora" / name / "items.arrow"


def report_path(name: str) -> Path:
    """The list of items set aside, with columns item and reason."""
    return items_path(name).with_name("set-aside.csv")


def read_items(name: str, command: str) -> Corpus:
    """Read a corpus; images stay in the file until they are asked for.

    Parameters
    ----------
    name : str
    command : str
        What makes the corpus, for messages.

    Returns
    -------
    Corpus
        Its items have a time, NaN where it is not known.

    Raises
    ------
    CmcslError
        If there is no such corpus, or its file is damaged.
    """
    path = items_path(name)
    if not path.is_file():
        raise Absent(f"There is no corpus {name} on this machine: get it with `{command}`.")
    with reading(path, "corpus file", f"make it again with `{command}`"):
        check_file(path)
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        if table.schema == EARLIER_SCHEMA:
            table = table.append_column("time", pa.nulls(len(table), pa.float64()))
        if table.schema != SCHEMA:
            raise ValueError("other columns")
        if table.schema.metadata[NAME] != name.encode():
            raise ValueError("it is that of another corpus")
        image = pd.Series(pd.arrays.ArrowExtensionArray(table["image"]))
        items = table.drop_columns("image").to_pandas().assign(image=image)
    return Corpus(name, items)


def items_seal(name: str) -> str:
    """The checksum that the file of a corpus carries, which tells its items from others."""
    with pa.memory_map(str(items_path(name))) as file:
        (seal,) = (pa.ipc.open_file(file).schema.metadata[key] for key in SEAL)
    return seal.decode()


def write_items(name: str, path: Path, rows: Iterable[dict]) -> list[list[str]]:
    """Write the items of a corpus.

    Parameters
    ----------
    name : str
        Of the corpus.
    path : Path
    rows : iterable of dict
        By the names of `SCHEMA`; what is left out is null.

    Returns
    -------
    list of list of str
        Labels of each item.
    """
    labels: list[list[str]] = []
    remaining = iter(rows)
    schema = SCHEMA.with_metadata({NAME: name.encode()} | SEAL)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        batch_size = BATCH
        while batch_size == BATCH:
            batch = list(islice(remaining, BATCH))
            batch_size = len(batch)
            labels += [row["labels"] for row in batch]
            writer.write_batch(pa.RecordBatch.from_pylist(batch, SCHEMA))
    return labels


def write_report(name: str, set_aside: Iterable[tuple[str, str]]) -> None:
    """Write the report: items, as `spreadsheet_safe` cells, and reasons."""
    rows = [(spreadsheet_safe(item), reason) for item, reason in set_aside]
    with written_whole(report_path(name)) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("item", "reason"), *rows])
