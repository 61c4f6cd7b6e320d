"""Files of a tar archive or of a folder, one after the other, without trusting anything in it.

Nothing is written under a name that an archive holds, so no such name can leave a folder.
"""

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tqdm.auto import tqdm

from ..files.errors import CmcslError
from ..files.paths import readable_path

#: Larger files are told as too large and are not read.
LARGEST_FILE = 10_000_000
#: MM-IMDb has about 52,000 files, and 10 GB of them.
MOST_FILES = 1_000_000
MOST_BYTES = 100_000_000_000
#: Bytes between the contents of two files; tarfile would read headers of any size into memory.
LONGEST_HEADER = 1_000_000
#: First bytes of compressed files, and what reads them.
COMPRESSIONS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}


class DamagedArchive(CmcslError):
    """An archive can't be read to its end."""


class Member(NamedTuple):
    """One file of an archive.

    Attributes
    ----------
    name : str
        As the archive tells it.
    content : bytes or None
        None if the file is larger than `LARGEST_FILE`.
    """

    name: str
    content: bytes | None


def members(path: Path, wanted: Callable[[str], bool], title: str) -> Iterator[Member]:
    """Regular files of an archive or folder; links and devices are passed over.

    Parameters
    ----------
    path : Path
        A folder, or a tar archive: plain, or compressed by gzip, bzip2 or xz. An archive is read as a stream.
    wanted : callable
        Tells by its name whether a file is read.
    title : str
        Of the progress bar.

    Raises
    ------
    CmcslError
        If there is no such path, or the archive holds more than `MOST_FILES` files or `MOST_BYTES`.
    DamagedArchive
        If it is damaged.
    """
    if path.is_dir():
        yield from _of_folder(path, wanted, title)
    elif path.is_file():
        yield from _of_tar(path, wanted, title)
    else:
        raise CmcslError(f"There is no archive or folder {readable_path(path)}: name one that exists.")


def _of_folder(folder: Path, wanted: Callable[[str], bool], title: str) -> Iterator[Member]:
    paths = sorted(
        path
        for path in folder.rglob("*")
        if wanted(path.relative_to(folder.parent).as_posix()) and path.is_file() and not path.is_symlink()
    )
    for path in tqdm(paths, desc=title, unit="file", disable=None):
        name = path.relative_to(folder.parent).as_posix()
        yield Member(name, path.read_bytes() if path.stat().st_size <= LARGEST_FILE else None)


def _of_tar(path: Path, wanted: Callable[[str], bool], title: str) -> Iterator[Member]:
    told = readable_path(path)
    try:
        with (
            path.open("rb") as raw,
            tqdm.wrapattr(raw, "read", total=path.stat().st_size, desc=title, disable=None) as read,
            tarfile.open(fileobj=(content := _Bounded(_decompressed(read))), mode="r|") as archive,
        ):
            for number, member in enumerate(archive):
                if number == MOST_FILES or archive.offset > MOST_BYTES:
                    raise CmcslError(
                        f"The archive {told} holds more than {MOST_FILES:,} files or "
                        f"{MOST_BYTES // 10**9} GB: take MM-IMDb's own."
                    )
                content.bound = archive.offset + LONGEST_HEADER
                # The archive keeps what it passed; a million entries and their headers would fill the memory.
                archive.members, archive.pax_headers = [], {}
                if member.isreg() and wanted(member.name):
                    small = member.size <= LARGEST_FILE
                    yield Member(member.name, archive.extractfile(member).read() if small else None)
            _check_end(path, content, archive.offset)
    except CmcslError:
        raise
    except Exception as error:  # tarfile lets through whatever its parsing of damaged headers raises
        raise DamagedArchive(
            f"The archive {told} is damaged or is no tar archive ({type(error).__name__}): get it again."
        ) from None


class _Bounded:
    """A stream that ends in an error after so many bytes."""

    def __init__(self, content: BinaryIO):
        self.content, self.position, self.bound = content, 0, LONGEST_HEADER

    def read(self, size: int) -> bytes:
        if self.position > self.bound:
            raise tarfile.ReadError("header too long")
        made = self.content.read(size)
        self.position += len(made)
        return made


def _decompressed(raw: BinaryIO) -> BinaryIO:
    """The tar inside; these readers notice a wrong checksum and a missing end, tarfile's own stream does not."""
    beginning = raw.read(6)
    raw.seek(0)
    return next((opened(raw) for magic, opened in COMPRESSIONS.items() if beginning.startswith(magic)), raw)


def _check_end(path: Path, content: _Bounded, offset: int) -> None:
    """Tarfile takes a damaged header, or none, for the end of an archive: only a block of zeros is one."""
    while content.read(1 << 20):
        pass
    with path.open("rb") as file:
        if file.read(6).startswith(tuple(COMPRESSIONS)):
            return
        file.seek(offset)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("no end")
