"""MM-IMDb, the paper's corpus: films with poster, plot and genres (Section IV-A).

The archive is read twice, first for its descriptions and to see which films stand twice, then for its posters, and
unpacked once: into one Arrow file, from which posters are read as they are needed.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from ..files.checksums import written_sealed
from ..files.errors import CmcslError
from ..files.extras import require
from ..files.paths import home, locked
from .archive import members
from .cells import cell_text, text_or_missing
from .corpus import Corpus
from .items_file import items_path, read_items, write_items, write_report
from .pictures import decoded

NAME = "mm-imdb"
#: The university's host that the paper names is dead (johnarevalo/gmu-mmimdb, issues 3, 4 and 7).
ARCHIVE_URL = "https://archive.org/download/mmimdb/mmimdb.tar.gz"
FILE = re.compile(r"(?:^|/)dataset/(\d{1,12})\.(json|jpeg)$")
POSTER = re.compile(r"(?:^|/)dataset/(\d{1,12})\.jpeg$")
YEAR = re.compile(r"(?<![0-9])[12][0-9]{3}(?![0-9])")


def load() -> Corpus:
    """Read the corpus, as `read_items`; the time of a film is its year."""
    return read_items(NAME, "cmcsl fetch mm-imdb")


def fetch(source: Path | None = None) -> Counter[str]:
    """Read an archive or an unpacked folder into the corpus file and the report beside it.

    Parameters
    ----------
    source : Path, optional
        mmimdb.tar.gz, or a folder that holds ``dataset/ID.json`` and ``dataset/ID.jpeg``; by default the archive is
        downloaded, several GB.

    Returns
    -------
    Counter
        How many items were set aside, by reason.

    Raises
    ------
    CmcslError
        If it can't be downloaded or read, or holds no film that can be used; the earlier corpus is then kept.
    """
    require("extract", f"The corpus {NAME}", "PIL")
    if source is None:
        from .download import fetched

        with fetched(ARCHIVE_URL, home() / "downloads" / "mmimdb.tar.gz") as archive:
            return fetch(archive)
    set_aside: dict[str, str] = {}
    with ExitStack() as lock:
        with written_sealed(items_path(NAME)) as temporary:
            if not write_items(NAME, temporary, _films(source, set_aside)):
                raise CmcslError(
                    f"No film with poster, plot and genres is in {source}: take mmimdb.tar.gz of archive.org."
                )
            # Of two calls at once, the report is that of the films.
            lock.enter_context(locked(items_path(NAME).parent))
        write_report(NAME, sorted(set_aside.items()))
    return Counter(set_aside.values())


def _descriptions(source: Path, set_aside: dict[str, str]) -> dict[str, dict]:
    """Films by name; those that can't be used, or have two descriptions or posters, are noted in `set_aside`."""
    films: dict[str, dict] = {}
    checksums: dict[tuple[str, ...], bytes] = {}
    ambiguous = set()
    for match, content in members(source, FILE, "Reading descriptions"):
        name, checksum = match[1], hashlib.sha256(content or b"").digest()
        if checksums.setdefault(match.groups(), checksum) != checksum:
            ambiguous.add(name)
        if match[2] == "json":
            try:
                films[name] = film(content)
            except CmcslError as reason:
                set_aside[name] = str(reason)
    # Which of the two is meant nobody can say; a copy of the same bytes does no harm.
    set_aside |= dict.fromkeys(ambiguous, "twice in the archive, not alike")
    return films


def _films(source: Path, set_aside: dict[str, str]) -> Iterator[dict]:
    """Films that can be used, in the order of their posters; the others are noted in `set_aside`."""
    films, posters = _descriptions(source, set_aside), set()
    for match, content in members(source, POSTER, "Reading posters"):
        name = match[1]
        if name in posters:
            continue
        posters.add(name)
        if name in set_aside:
            continue
        try:
            if name not in films:
                raise CmcslError("no description")
            if content is None:
                raise CmcslError("poster too large")
            decoded(content)
        except CmcslError as reason:
            set_aside[name] = str(reason)
        else:
            yield {"id": name, "image": content} | films[name]
    set_aside.update(dict.fromkeys(films.keys() - posters - set_aside.keys(), "no poster"))


def film(content: bytes | None) -> dict:
    """Check one description; plots are joined by one blank, as in the published code.

    Parameters
    ----------
    content : bytes or None
        A JSON file, or None if it was too large to be read.

    Returns
    -------
    dict
        title and text, str; labels, sorted list of str; time, the year as a float or None.

    Raises
    ------
    CmcslError
        With the reason why it can't be used.
    """
    if content is None:
        raise CmcslError("description too large")
    try:
        description = json.loads(content)
    except (ValueError, RecursionError):
        raise CmcslError("broken description") from None
    if not isinstance(description, dict):
        raise CmcslError("broken description")
    genres, plots = _strings(description.get("genres")), _strings(description.get("plot"))
    text = " ".join(plots).strip()
    if not genres:
        raise CmcslError("no genres")
    if not text:
        raise CmcslError("no plot")
    # Half of a surrogate pair is valid in JSON, and can be stored in no encoding.
    title, text = (words.encode("utf-8", "replace").decode() for words in (str(description.get("title") or ""), text))
    labels = sorted({cell_text(genre) for genre in genres})
    return {"title": title, "text": text, "labels": labels, "time": _year(description.get("year"))}


def _year(value: object) -> float | None:
    """The first year in a number or text such as 1999 or "1999-2003", or in the first one of a list."""
    if isinstance(value, list) and value:
        value = value[0]
    year = YEAR.search(str(value)) if isinstance(value, int | float | str) else None
    return float(year[0]) if year else None


def _strings(value: object) -> list[str]:
    """The texts of a list of strings but those that say that there is none; of anything else, none."""
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        return []
    return [part for part in value if text_or_missing(part)]
