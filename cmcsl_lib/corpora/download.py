"""Large downloads that go on where they broke off, and that are checked ever after by the SHA-256 they first had."""

from pathlib import Path

from tqdm.auto import tqdm

from ..errors import CmcslError
from ..paths import readable_path, written_whole

ATTEMPTS = 5
TIMEOUT_SECONDS = 60
PIECE = 1 << 16


def fetched(url: str, path: Path) -> Path:
    """Download a file, unless it is there already; either way check its SHA-256 against the recorded one.

    Parameters
    ----------
    url : str
    path : Path
        Where it goes; the hash is recorded beside it, with ``.sha256`` added to the name, the first time.

    Raises
    ------
    CmcslError
        If it can't be downloaded, or is not the file that the record tells.
    """
    import pooch

    record = path.with_name(f"{path.name}.sha256")
    known = record.read_text(encoding="ascii").strip() if record.is_file() else None
    if not path.is_file():
        _download(url, path)
    got = pooch.file_hash(str(path), alg="sha256")
    if known is None:
        with written_whole(record) as temporary:
            temporary.write_text(f"{got}\n", encoding="ascii")
    elif got != known:
        raise CmcslError(f"{readable_path(path)} has SHA-256 {got}, but {readable_path(record)} records {known}: "
                         "delete the file and fetch again, or delete the record if the new file is right.")
    return path


def _download(url: str, path: Path) -> None:
    import requests

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _go_on(url, part, path.name)
        except (requests.RequestException, OSError) as error:
            if attempt == ATTEMPTS:
                raise CmcslError(f"{url} can't be fetched ({type(error).__name__}): try again, what has come is kept, "
                                 "or name a local copy with --from.") from None
        else:
            part.replace(path)
            return


def _go_on(url: str, part: Path, title: str) -> None:
    """Ask for what is missing; the server's ETag tells whether it still is the same file."""
    import requests

    tag = part.with_name(f"{part.name}.etag")
    there = part.stat().st_size if part.is_file() and tag.is_file() else 0
    headers = {"Range": f"bytes={there}-", "If-Range": tag.read_text(encoding="latin-1")} if there else {}
    with requests.get(url, headers=headers | {"Accept-Encoding": "identity"}, stream=True,
                      timeout=TIMEOUT_SECONDS) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink()
            raise OSError("the part is longer than the file")
        answer.raise_for_status()
        begin = there if answer.status_code == requests.codes.partial_content else 0
        length = begin + int(answer.headers.get("Content-Length", 0))
        # A weak tag does not promise the same bytes, so that such a download begins anew.
        strong = answer.headers.get("ETag", "")
        tag.write_text(strong, encoding="latin-1") if strong.startswith('"') else tag.unlink(missing_ok=True)
        with (open(part, "ab" if begin else "wb") as file,
              tqdm(total=length or None, initial=begin, unit="B", unit_scale=True, desc=title, disable=None) as bar):
            for piece in answer.iter_content(PIECE):
                file.write(piece)
                bar.update(len(piece))
    if length and part.stat().st_size != length:
        raise OSError("the connection ended early")
    tag.unlink(missing_ok=True)
