"""Files that keep what takes long to compute; one that is damaged, or of another content, is computed anew."""

import hashlib
import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from ..files.checksums import BLANK, Damaged, read_checked, written_sealed
from .extra import torch

#: Where `save` puts a file's name.
NAME = "file"
#: Seconds between two lines of progress where there is no terminal.
LINE_EVERY = 60


def tell(message: str) -> None:
    """Print a message on standard error, above the progress bars."""
    tqdm.write(message, file=sys.stderr)


@contextmanager
def progress(title: str, total: int, unit: str, done: int = 0) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, else one plain line a minute; on standard error.

    Parameters
    ----------
    title : str
    total : int
        How many steps there are.
    unit : str
        What a step is, in the plural.
    done : int
        Steps that were done before.

    Yields
    ------
    callable
        To be called after each step.
    """
    terminal, line = sys.stderr.isatty(), time.monotonic() + LINE_EVERY
    with tqdm(total=total, initial=done, desc=title, unit=f" {unit}", leave=False, disable=not terminal) as bar:

        def advance() -> None:
            nonlocal done, line
            bar.update()
            done += 1
            if not terminal and time.monotonic() >= line:
                line = time.monotonic() + LINE_EVERY
                tell(f"{title}: {done} of {total} {unit}")

        yield advance


def fingerprint(**settings: Any) -> str:
    """Sixteen hexadecimal digits that stand for all settings: values that JSON can hold, and arrays."""

    def plain(array: np.ndarray) -> list:
        return [str(array.dtype), array.shape, hashlib.sha256(array.tobytes()).hexdigest()]

    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=plain).encode()).hexdigest()[:16]


def save(values: dict[str, Any], path: Path) -> None:
    """Write tensors and plain values to a sealed file, with its name among them; `CmcslError` if the disk is full."""
    content = io.BytesIO()
    torch.save(values | {NAME: path.name}, content)
    # torch passes over what follows its archive.
    content.write(BLANK)
    with written_sealed(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def saved(path: Path) -> dict[str, Any] | None:
    """Return what `save` wrote; None if the file is missing, damaged, or another one under this name."""
    try:
        content = read_checked(path)
    except (Damaged, OSError):
        return None
    values = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    return values if values.pop(NAME) == path.name else None


def remove_others(path: Path) -> None:
    """Delete the files beside `path` whose names differ from its own only in the fingerprint, after the last blank."""
    for other in path.parent.glob(f"*{path.suffix}"):
        if other != path and other.name.rpartition(" ")[0] == path.name.rpartition(" ")[0]:
            # Windows keeps a file that another process has open; the next extraction deletes it.
            with suppress(PermissionError):
                other.unlink(missing_ok=True)
