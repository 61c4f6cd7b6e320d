"""Files that keep what takes long to compute; one that is damaged, or of another content, is computed anew."""

import hashlib
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..files.checksums import BLANK, Damaged, read_checked, written_sealed
from .extra import torch

#: Where `save` puts a file's name.
NAME = "file"


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
