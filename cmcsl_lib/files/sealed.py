"""Files that tell when they are no longer what was written.

A changed bit in a matrix or a score would be a wrong number that nothing else notices. What the library writes carries
the SHA-256 of the whole file, its own place taken as zeros; what the repository ships is listed in ``data/SHA256SUMS``,
in the form of the command ``sha256sum``. Either is checked before anything of a file is taken in.
"""

import hashlib
import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from .paths import is_shipped, shipped, written_whole

MARK = b"cmcsl-sha256:"
BLANK = MARK + b"0" * 64
#: To be added to the metadata of an Arrow schema, so that a file written with it has a place for its SHA-256.
SEAL = {b"cmcsl seal": BLANK}
#: Bytes of a mapped file that are in memory at a time.
STEP = 1 << 26


class Damaged(ValueError):
    """A file is not what was written; readers turn it into a sentence that tells how to get it again."""


@contextmanager
def written_sealed(path: Path) -> Iterator[Path]:
    """As `paths.written_whole`, for a file whose metadata hold `SEAL`: its SHA-256 is put there."""
    with written_whole(path) as temporary:
        yield temporary
        with temporary.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
            place, digest = _digest(content)
            content[place : place + len(digest)] = digest


def sealed_as(path: Path) -> str:
    """The SHA-256 that a sealed file carries, in hexadecimal digits; whether it is right is not looked at.

    Raises
    ------
    Damaged
        If it carries none.
    """
    with _mapped(path) as content:
        place = _place(content)
        return content[place : place + 64].decode("latin-1")


def check_file(path: Path) -> None:
    """As `check_seal`, for a file that may be larger than memory.

    Raises
    ------
    Damaged
    """
    with _mapped(path) as content:
        check_seal(content)


def checked(path: Path) -> bytes:
    """The content of a file that was written sealed or is shipped.

    Raises
    ------
    Damaged
        If it is not what was written.
    """
    content = path.read_bytes()
    if is_shipped(path):
        _check_listed(content, path)
    else:
        check_seal(content)
    return content


def check_seal(content: bytes | mmap.mmap) -> None:
    """Raise unless the content of a file is that with which it was sealed.

    Raises
    ------
    Damaged
        Also if it was never sealed.
    """
    place, digest = _digest(content)
    if content[place : place + len(digest)] != digest:
        raise Damaged("its SHA-256 is not the one that it was written with")


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content


def _digest(content: bytes | mmap.mmap) -> tuple[int, bytes]:
    """Where the SHA-256 of a file stands in it, and what it should be."""
    place = _place(content)
    sha256 = hashlib.sha256()
    _add(sha256, content, 0, place)
    sha256.update(b"0" * 64)
    _add(sha256, content, place + 64, len(content))
    return place, sha256.hexdigest().encode()


def _place(content: bytes | mmap.mmap) -> int:
    """Where the SHA-256 of a file stands in it. Arrow files hold the metadata twice; the first place stays blank."""
    place = content.rfind(MARK)
    if place < 0:
        raise Damaged("it holds no SHA-256 of its own")
    return place + len(MARK)


def _add(sha256: "hashlib._Hash", content: bytes | mmap.mmap, first: int, last: int) -> None:
    with memoryview(content) as view:
        for start in range(first, last, STEP):
            with view[start : min(start + STEP, last)] as part:
                sha256.update(part)
            if isinstance(content, mmap.mmap) and hasattr(content, "madvise"):
                # Gigabytes of images would otherwise count as this process's memory.
                content.madvise(mmap.MADV_DONTNEED)


def _check_listed(content: bytes, path: Path) -> None:
    if hashlib.sha256(content).hexdigest() != _listed().get(path.relative_to(shipped()).as_posix()):
        raise Damaged("its SHA-256 is not the one in data/SHA256SUMS, which `make sums` writes anew")


@cache
def _listed() -> dict[str, str]:
    """SHA-256 of every shipped file by its path in ``data/``."""
    lines = (shipped() / "SHA256SUMS").read_text(encoding="utf-8", errors="replace").splitlines()
    return {
        name: digest
        for digest, _, name in (line.partition("  ") for line in lines)
        if re.fullmatch("[0-9a-f]{64}", digest)
    }
