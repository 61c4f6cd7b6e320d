"""Where the numbers of a study are kept: one Parquet file each, with a key that says what they were made from."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa

from ..files.checksums import read_checked
from ..files.errors import Absent
from ..files.paths import home, shipped
from ..files.tables import read_table, reading, write_table


def study_paths(name: str) -> tuple[Path, Path]:
    """Where a file, such as ``simulation/map``, may lie: in the user's folder, and as shipped."""
    return tuple((folder / name).with_suffix(".parquet") for folder in (home(), shipped()))


def keep(table: pd.DataFrame, path: Path, key: Mapping[str, object]) -> Path:
    """Write a table whole, with its key of JSON values; returns the path."""
    write_table(pa.Table.from_pandas(table, preserve_index=False), path, key)
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
        with reading(path, "file", f"make it again with `{command}`"):
            table, written = read_table(read_checked(path))
        if written == wanted:
            return table.to_pandas()
    raise Absent(f"The numbers of {name} with these settings are not here: make them with `{command}`.")
