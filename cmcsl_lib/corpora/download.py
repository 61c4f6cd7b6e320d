"""Large downloads that go on where they broke off, and that are checked ever after by the SHA-256 they first had."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from ..files.checksums import file_sha256
from ..files.errors import CmcslError
from ..files.paths import explain_write_errors, locked, readable_path, written_whole
from ..files.progress import byte_progress
from .archive import DamagedArchive

ATTEMPTS = 5
TIMEOUT_SECONDS = 60
PIECE = 1 << 16
SCHEME = "https://"
#: An ETag that promises the same bytes; with a weak one, or none, a download begins anew.
STRONG = re.compile(r'"[!#-~]*"')


def only_https(answer: requests.Response, **_: Any) -> None:
    """Raise a `requests.RequestException` unless an answer came by HTTPS and redirects to nothing else.

    A hook for requests.
    """
    redirection = urljoin(answer.url, answer.headers.get("Location", ""))
    for url in (answer.url, redirection):
        if not url.startswith(SCHEME):
            raise requests.exceptions.InvalidSchema(f"{url} is not safe from changes on the way: only HTTPS is")


@contextmanager
def fetched(url: str, path: Path) -> Iterator[Path]:
    """Download a file, unless it is there already, for a block of code that reads it.

    Its SHA-256 is checked against the recorded one. Without a record, the block decides: if it can read the archive to
    its end, the hash is recorded; if not, the download is removed, so that it can be tried again.

    Parameters
    ----------
    url : str
    path : Path
        Where it goes; the hash is recorded beside it, with ``.sha256`` added to the name.

    Raises
    ------
    CmcslError
        If it can't be downloaded, or is not the recorded file.
    """
    record = path.with_name(f"{path.name}.sha256")
    with locked(path.parent):
        known = record.read_text(encoding="ascii", errors="replace").strip() if record.is_file() else None
        if not path.is_file():
            _download(url, path)
        got = file_sha256(path)
        if got != (known or got):
            raise CmcslError(
                f"{readable_path(path)} has SHA-256 {got}, but {readable_path(record)} records {known!r}: "
                "delete the file and fetch again, or delete the record if the new file is right."
            )
        try:
            yield path
        except DamagedArchive:
            if not known:
                path.unlink()
            raise
        if not known:
            with written_whole(record) as temporary:
                temporary.write_text(f"{got}\n", encoding="ascii")


def _download(url: str, path: Path) -> None:
    part = path.with_name(f"{path.name}.part")
    with explain_write_errors(path):
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _continue(url, part, path.name)
                break
            except (requests.RequestException, ConnectionError, TimeoutError) as error:
                if attempt == ATTEMPTS:
                    # On one line, and without the addresses that libraries' objects have.
                    reason = re.sub(r"\s+", " ", re.sub(r"<[^>]* object at 0x\w+>:? ?", "", str(error)))
                    raise CmcslError(
                        f"{url} can't be fetched ({type(error).__name__}: {reason}): try again, "
                        "what has come is kept, or name a local copy with --from."
                    ) from None
        part.replace(path)


def _continue(url: str, part: Path, title: str) -> None:
    """Ask for what is missing; the server's ETag tells whether it still is the same file."""
    tag = part.with_name(f"{part.name}.etag")
    known = tag.read_text(encoding="latin-1") if tag.is_file() else ""
    size = part.stat().st_size if part.is_file() and STRONG.fullmatch(known) else 0
    headers = {"Range": f"bytes={size}-", "If-Range": known} if size else {}
    with requests.get(
        url,
        headers=headers | {"Accept-Encoding": "identity"},
        stream=True,
        timeout=TIMEOUT_SECONDS,
        hooks={"response": only_https},
    ) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink()
            raise ConnectionError("the part is longer than the file")
        answer.raise_for_status()
        begin, length = _extent(answer, size)
        if not begin:
            # First the old part, then its tag: killed between the two, it must not go on with another file's bytes.
            part.unlink(missing_ok=True)
            tag.write_text(answer.headers.get("ETag", ""), encoding="latin-1")
        with part.open("ab" if begin else "wb") as file, byte_progress(title, length, begin) as count:
            for piece in answer.iter_content(PIECE):
                file.write(piece)
                count(len(piece))
            os.fsync(file.fileno())
    if part.stat().st_size != length:
        raise ConnectionError("the connection ended early")
    tag.unlink(missing_ok=True)


def _extent(answer: requests.Response, size: int) -> tuple[int, int]:
    """Where the content of an answer begins in the file, and how long the file is."""
    content_range = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    if answer.status_code == requests.codes.partial_content:
        if content_range is None or int(content_range[1]) != size:
            raise ConnectionError("the server sent another part of the file than it was asked for")
        return size, int(content_range[2])
    length = answer.headers.get("Content-Length", "")
    if not length.isdecimal():
        raise ConnectionError("the server does not tell how long the file is")
    return 0, int(length)
