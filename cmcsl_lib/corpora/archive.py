"""Files of a tar archive or of a folder, one after the other, without trusting anything in it.

Nothing is written under a name from an archive, so no such name can leave a folder.
"""

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ..files.errors import CmcslError
from ..files.paths import readable_path
from ..files.progress import byte_progress, progress

#: Larger files are not read.
LARGEST_FILE = 10_000_000
#: MM-IMDb has about 52,000 files, and 10 GB of them.
MOST_FILES = 1_000_000
MOST_BYTES = 100_000_000_000
#: Times the size of an archive that it may unpack to, beyond this many bytes; posters are hardly compressed.
MOST_EXPANSION, SMALL = 100, 200_000_000
#: Bytes between the contents of two files; tarfile would read headers of any size into memory.
LONGEST_HEADER = 1_000_000
#: First bytes of compressed files, and the modules that read them.
COMPRESSIONS: dict[bytes, Any] = {b"\x1f\x8b": gzip, b"BZh": bz2, b"\xfd7zXZ\x00": lzma}
ZIP, HDF5 = b"PK\3\4", b"\x89HDF\r\n\x1a\n"


class DamagedArchive(CmcslError):
    """An archive can't be read to its end."""


def members(path: Path, pattern: re.Pattern[str], title: str) -> Iterator[tuple[re.Match[str], bytes | None]]:
    """Regular files of an archive or folder; links and devices are passed over.

    Parameters
    ----------
    path : Path
        A folder, a ZIP, or a tar archive: plain, or compressed by gzip, bzip2 or xz, and read as a stream.
    pattern : re.Pattern
        Files are read if it is found in their names.
    title : str
        Of the progress bar.

    Yields
    ------
    match : re.Match
        Of the pattern in the file's name.
    content : bytes or None
        None if the file is larger than `LARGEST_FILE`.

    Raises
    ------
    CmcslError
        If there is no such path, or the archive holds more than `MOST_FILES` files or `MOST_BYTES`, or unpacks to more
        than `MOST_EXPANSION` times its size.
    DamagedArchive
        If it is damaged.
    """
    if path.is_dir():
        folder = path.resolve()
        files = sorted(folder.rglob("*"))
        with progress(title, len(files), "files") as advance:
            for each in files:
                name = each.relative_to(folder).as_posix()
                # Of a link, or ".", the name of the folder counts that it leads to as well.
                match = pattern.search(f"{path.name}/{name}") or pattern.search(f"{folder.name}/{name}")
                if match and each.is_file() and not each.is_symlink():
                    yield match, each.read_bytes() if each.stat().st_size <= LARGEST_FILE else None
                advance()
    elif path.is_file():
        with path.open("rb") as file:
            beginning = file.read(8)
        if beginning == HDF5:
            raise CmcslError(
                f"{readable_path(path)} is HDF5, which holds features and shrunken posters: take mmimdb.tar.gz, "
                "a ZIP of its files, or the unpacked folder."
            )
        yield from (_zip_members if beginning.startswith(ZIP) else _tar_members)(path, pattern, title)
    else:
        raise CmcslError(f"There is no archive or folder {readable_path(path)}: name one that exists.")


def _zip_members(path: Path, pattern: re.Pattern[str], title: str) -> Iterator[tuple[re.Match[str], bytes | None]]:
    name = readable_path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > MOST_FILES:
                raise CmcslError(f"The archive {name} holds more than {MOST_FILES:,} files: take MM-IMDb's own.")
            with progress(title, len(archive.infolist()), "files") as advance:
                for member in archive.infolist():
                    mode = member.external_attr >> 16
                    if (match := pattern.search(member.filename)) and not member.is_dir() and not stat.S_ISLNK(mode):
                        # No more than its stated size is read.
                        yield match, archive.read(member) if member.file_size <= LARGEST_FILE else None
                    advance()
    except CmcslError:
        raise
    except Exception as error:  # such as those of zlib, of struct, or of a missing password
        raise DamagedArchive(f"The archive {name} is damaged ({type(error).__name__}): get it again.") from None


def _tar_members(path: Path, pattern: re.Pattern[str], title: str) -> Iterator[tuple[re.Match[str], bytes | None]]:
    from tqdm.utils import CallbackIOWrapper

    name = readable_path(path)
    try:
        with path.open("rb") as raw, byte_progress(title, path.stat().st_size) as count:
            read = CallbackIOWrapper(count, raw, "read")
            # These readers notice a wrong checksum and a missing end, tarfile's own stream does not.
            beginning = raw.read(6)
            raw.seek(0)
            reader = next((module for magic, module in COMPRESSIONS.items() if beginning.startswith(magic)), None)
            content = _BoundedStream(reader.open(read) if reader else read, path)
            with tarfile.open(fileobj=content, mode="r|") as archive:  # type: ignore[call-overload]
                for number, member in enumerate(archive):
                    if number == MOST_FILES or archive.offset > MOST_BYTES:
                        raise CmcslError(
                            f"The archive {name} holds more than {MOST_FILES:,} files or "
                            f"{MOST_BYTES // 10**9} GB: take MM-IMDb's own."
                        )
                    content.bound = archive.offset + LONGEST_HEADER
                    # The archive keeps what it passed; a million entries and their headers would fill the memory.
                    archive.members, archive.pax_headers = [], {}
                    if member.isreg() and (match := pattern.search(member.name)):
                        yield match, archive.extractfile(member).read() if member.size <= LARGEST_FILE else None
                while content.read(1 << 20):
                    pass
                # Tarfile takes a damaged header, or none, for the end of an archive: only a block of zeros is one.
                if not reader and _block(path, archive.offset) != bytes(tarfile.BLOCKSIZE):
                    raise tarfile.ReadError("no end")
    except CmcslError:
        raise
    except Exception as error:  # tarfile lets through whatever its parsing of damaged headers raises
        raise DamagedArchive(
            f"The archive {name} is damaged or is no tar archive ({type(error).__name__}): get it again."
        ) from None


class _BoundedStream:
    """A stream that ends in an error beyond a position: `bound`, which moves on, or `most`."""

    def __init__(self, content: BinaryIO, path: Path):
        self.content, self.position, self.bound, self.name = content, 0, LONGEST_HEADER, readable_path(path)
        self.most = SMALL + MOST_EXPANSION * path.stat().st_size

    def read(self, size: int) -> bytes:
        if self.position > self.bound:
            raise tarfile.ReadError("header too long")
        if self.position > self.most:
            raise CmcslError(
                f"The archive {self.name} unpacks to more than {MOST_EXPANSION} times its size: take MM-IMDb's own."
            )
        content = self.content.read(size)
        self.position += len(content)
        return content


def _block(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(tarfile.BLOCKSIZE)
