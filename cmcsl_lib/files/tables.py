"""Tables in sealed Parquet files, with metadata that say what they were made from."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .checksums import SEAL, read_checked, written_sealed
from .errors import CmcslError
from .paths import readable_path

METADATA_KEY = b"cmcsl"


def write_table(table: pa.Table, path: Path, metadata: Mapping[str, object], **options: Any) -> None:
    """Write a table whole, with its metadata and its checksum.

    Parameters
    ----------
    table : pyarrow.Table
        Metadata of its schema are left out.
    path : Path
    metadata : mapping
        Values that JSON can hold.
    **options
        Of `pyarrow.parquet.write_table`.
    """
    described = {METADATA_KEY: json.dumps(metadata, sort_keys=True).encode()} | SEAL
    with written_sealed(path) as temporary:
        pq.write_table(table.replace_schema_metadata(described), temporary, **{"compression": "zstd"} | options)


def written_metadata(schema: pa.Schema) -> dict:
    """The metadata that `write_table` wrote, from the schema of its file."""
    return json.loads(schema.metadata[METADATA_KEY])


def read_table(content: bytes) -> tuple[pa.Table, dict]:
    """The table and the metadata that `write_table` wrote, from the checked content of its file."""
    table = pq.ParquetFile(pa.BufferReader(content)).read()
    return table.replace_schema_metadata(), written_metadata(table.schema)


def read_keyed(
    path: Path, key: Mapping[str, object], kind: str, remedy: str, columns: Sequence[str] = ()
) -> pd.DataFrame | None:
    """The table of a file, or None where there is no file or its metadata do not agree with the key.

    Parameters
    ----------
    path : Path
    key : mapping of str to JSON values
        Metadata that the file must have been written with, among others.
    kind, remedy : str
        As in `reading`.
    columns : sequence of str
        Columns that the table must have; they are put first.

    Returns
    -------
    DataFrame or None

    Raises
    ------
    CmcslError
        If the file is damaged.
    """
    if not path.is_file():
        return None
    with reading(path, kind, remedy):
        table, written = read_table(read_checked(path))
        # As the key comes back from a file, where tuples are lists.
        agrees = json.loads(json.dumps(key)).items() <= written.items()
        table = table.select(list(dict.fromkeys([*columns, *table.column_names])))
        return table.to_pandas() if agrees else None


@contextmanager
def reading(path: Path, kind: str, remedy: str) -> Iterator[None]:
    """Turn whatever a damaged file raises into one sentence.

    Parameters
    ----------
    path : Path
    kind : str
        What the file is, for example ``"scores file"``.
    remedy : str
        What the reader should do, as it ends the sentence.

    Raises
    ------
    CmcslError
    """
    try:
        yield
    except CmcslError as error:
        raise CmcslError(f"{error} The file is {readable_path(path)}.") from None
    except (pa.ArrowException, AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise CmcslError(
            f"The {kind} {readable_path(path)} can't be read ({type(error).__name__}: {error}): {remedy}."
        ) from None
