"""Checksums: a changed bit in a matrix or a score would be a wrong number that nothing else notices.

What the library writes carries the SHA-256 of the whole file, computed with zeros in its place: a rename then puts the
file and its checksum there at once, which a second file beside it could not. What the repository ships is listed in
``data/SHA256SUMS``, in the form of the command ``sha256sum``. Either is checked before anything of a file is used.
"""

import hashlib
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO

from .paths import is_shipped, shipped, written_whole

MARK = b"cmcsl-sha256:"
DIGITS = 64
#: To be put into a file, so that there is a place for its SHA-256: into metadata, or at the end.
BLANK = MARK + b"0" * DIGITS
#: `BLANK` as an item of the metadata of an Arrow schema.
SEAL = {b"cmcsl seal": BLANK}
#: Bytes that are read at a time; the mark stands among the last ones.
STEP = 1 << 20


class Damaged(ValueError):
    """A file is not what was written; readers turn it into a sentence that says how to get it again."""


@contextmanager
def written_sealed(path: Path) -> Iterator[Path]:
    """As `paths.written_whole`, for a file that holds `BLANK`: its SHA-256 is put there.

    Parameters
    ----------
    path : Path
        The file to write, at the temporary path that the block is given.
    """
    with written_whole(path) as temporary:
        yield temporary
        with temporary.open("r+b") as file:
            position, digest = _digest(file)
            file.seek(position)
            file.write(digest)


def sealed(content: bytes) -> bytes:
    """Bytes that hold `BLANK`, with their SHA-256 there."""
    position, digest = _digest(io.BytesIO(content))
    return content[:position] + digest + content[position + DIGITS :]


def check_seal(content: bytes) -> None:
    """Raise `Damaged` unless bytes are those that were sealed."""
    _check(io.BytesIO(content))


def check_file(path: Path) -> None:
    """As `check_seal`, of a file that may be larger than memory."""
    with path.open("rb") as file:
        _check(file)


def read_checked(path: Path) -> bytes:
    """Read a file that was written sealed or is shipped.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bytes
        Its content.

    Raises
    ------
    Damaged
        If it is not what was written.
    """
    content = path.read_bytes()
    if not is_shipped(path):
        check_seal(content)
    else:
        _check_listed(path, hashlib.sha256(content).hexdigest())
    return content


@contextmanager
def opened_checked(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    """As `read_checked`, of a file that need not fit into memory.

    Parameters
    ----------
    path : Path

    Returns
    -------
    file : binary file
        Open, at its beginning.
    sha256 : str
        Of all that it holds, in hexadecimal digits.

    Raises
    ------
    Damaged
        If it is not what was written.
    """
    with path.open("rb") as file:
        if not is_shipped(path):
            _check(file)
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if is_shipped(path):
            _check_listed(path, sha256)
        file.seek(0)
        yield file, sha256


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(file: BinaryIO) -> None:
    position, digest = _digest(file)
    file.seek(position)
    if file.read(DIGITS) != digest:
        raise Damaged("its SHA-256 is not the one that it was written with")


def _check_listed(path: Path, sha256: str) -> None:
    """Raise `Damaged` unless the repository ships a file with this SHA-256 at this path."""
    if sha256 != _listed().get(path.relative_to(shipped()).as_posix()):
        raise Damaged("its SHA-256 is not the one in data/SHA256SUMS, which `make sums` writes anew")


def _digest(file: BinaryIO) -> tuple[int, bytes]:
    """Where the SHA-256 of a file stands in it, and what it should be."""
    size = file.seek(0, os.SEEK_END)
    tail = file.seek(max(0, size - STEP))
    # Arrow files hold the metadata twice; the first place stays blank.
    position = file.read().rfind(MARK)
    if position < 0:
        raise Damaged("it holds no SHA-256 of its own")
    position += tail + len(MARK)
    sha256 = hashlib.sha256()
    for start, end, after in ((0, position, b"0" * DIGITS), (position + DIGITS, size, b"")):
        file.seek(start)
        while piece := file.read(max(0, min(STEP, end - file.tell()))):
            sha256.update(piece)
        sha256.update(after)
    return position, sha256.hexdigest().encode()


@cache
def _listed() -> dict[str, str]:
    """SHA-256 of every shipped file by its path in ``data/``."""
    lines = (shipped() / "SHA256SUMS").read_text(encoding="utf-8", errors="replace")
    return {name: digest for digest, name in re.findall("^([0-9a-f]{64})  (.+)$", lines, re.MULTILINE)}
