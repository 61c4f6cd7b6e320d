"""Files that keep what takes long, and what is said about them."""

import hashlib
import json
import pickle
import sys
import zipfile
import zlib
from pathlib import Path

from tqdm.auto import tqdm

from ..files.errors import CmcslError
from ..files.paths import readable_path, written_whole
from .extra import torch

#: What torch raises when a file is none of its own, or holds more than tensors and plain values.
UNREADABLE = (
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    KeyError,
    AttributeError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    TypeError,
    IndexError,
)
#: Where `save` writes a file's name.
NAME = "file"


def tell(message: str) -> None:
    """Say something on standard error, above the progress bars."""
    tqdm.write(message, file=sys.stderr)


def fingerprint(**settings) -> str:
    """A name for all that a training depends on: settings as JSON can write them, arrays by their bytes."""

    def plain(value):
        return [str(value.dtype), value.shape, hashlib.sha256(value.tobytes()).hexdigest()]

    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=plain).encode()).hexdigest()[:16]


def save(values: dict, path: Path) -> None:
    """Write tensors and plain values to a file, whole or not at all; its name is written into it as well.

    Raises
    ------
    CmcslError
        If the disk is full.
    """
    try:
        with written_whole(path) as temporary:
            torch.save(values | {NAME: path.name}, temporary)
    except (OSError, RuntimeError) as error:
        raise CmcslError(
            f"{readable_path(path)} can't be written ({error}): free some space, or set CMCSL_HOME."
        ) from None


def saved(path: Path) -> dict | None:
    """What `save` wrote; None if the file is missing, damaged, or another one under this name."""
    try:
        check_zip(path)
        values = torch.load(path, weights_only=True, map_location="cpu")
        return values if values.pop(NAME) == path.name else None
    except UNREADABLE:
        return None


def check_zip(path: Path) -> None:
    """Raise a `zipfile.BadZipFile` unless the checksums in a file of torch's hold, which torch itself passes over."""
    with zipfile.ZipFile(path) as archive:
        if (wrong := archive.testzip()) is not None:
            raise zipfile.BadZipFile(f"wrong checksum of {wrong}")
