"""Where the numbers of a study are kept: one Parquet file each, with a key that says what they were made from."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..experiments.scores import METADATA_KEY
from ..files.errors import Absent, CmcslError
from ..files.paths import home, readable_path, shipped
from ..files.sealed import SEAL, checked, written_sealed


def study_paths(name: str) -> tuple[Path, Path]:
    """Where a file, such as ``simulation/map``, may lie: in the user's folder, and as shipped."""
    return tuple((folder / name).with_suffix(".parquet") for folder in (home(), shipped()))


def keep(table: pd.DataFrame, path: Path, key: Mapping[str, object]) -> Path:
    """Write a table whole, with its key of JSON values; returns the path."""
    written = pa.Table.from_pandas(table, preserve_index=False)
    written = written.replace_schema_metadata({METADATA_KEY: json.dumps(key, sort_keys=True).encode()} | SEAL)
    with written_sealed(path) as temporary:
        pq.write_table(written, temporary, compression="zstd")
    return path


def load(name: str, key: Mapping[str, object], command: str) -> pd.DataFrame:
    """The table of this name and key: the user's, else the shipped one.

    Parameters
    ----------
    command : str
        What makes it, for the messages.

    Raises
    ------
    Absent
        If there is none with this key.
    CmcslError
        If a file is damaged.
    """
    # As it comes back from a file, where tuples are lists.
    wanted = json.loads(json.dumps(key))
    for path in study_paths(name):
        if not path.is_file():
            continue
        try:
            table = pq.read_table(pa.BufferReader(checked(path)))
            written = json.loads(table.schema.metadata[METADATA_KEY])
        except (pa.ArrowException, KeyError, TypeError, ValueError, OSError) as error:
            raise CmcslError(
                f"The file {readable_path(path)} can't be read ({type(error).__name__}: {error}): make "
                f"it again with `{command}`."
            ) from None
        if written == wanted:
            return table.replace_schema_metadata().to_pandas()
    raise Absent(f"The numbers of {name} with these settings are not here: make them with `{command}`.")
