"""MM-IMDb, the paper's corpus: films with poster, plot and genres (Section IV-A).

The archive is read twice, first its descriptions and then its posters, and unpacked once: into one Arrow file, from
which posters are read as they are needed.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..files.checksums import written_sealed
from ..files.errors import CmcslError
from ..files.paths import home
from . import store
from .archive import members
from .base import Corpus
from .download import fetched
from .pictures import decoded

NAME = "mm-imdb"
#: The university's host that the paper names is dead (johnarevalo/gmu-mmimdb, issues 3, 4 and 7).
ARCHIVE_URL = "https://archive.org/download/mmimdb/mmimdb.tar.gz"
ITEM = re.compile(r"(?:^|/)dataset/(\d{1,12})\.(json|jpeg)$")


class Film(NamedTuple):
    """What the description of a film tells."""

    title: str
    text: str
    labels: list[str]


def store_path() -> Path:
    """The Arrow file that `fetch` makes."""
    return store.items_path(NAME)


def report_path() -> Path:
    """The list of items set aside, with columns item and reason."""
    return store.report_path(NAME)


def load() -> Corpus:
    """Read the corpus; images stay in the file until they are asked for.

    Raises
    ------
    CmcslError
        If it has not been fetched, or its file is damaged.
    """
    return store.read_items(NAME, "cmcsl fetch mm-imdb")


def fetch(source: Path | None = None) -> Counter:
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
        If it can't be downloaded or read, or holds no film that can be used; what was there before is kept.
    """
    if source is None:
        with fetched(ARCHIVE_URL, home() / "downloads" / "mmimdb.tar.gz") as archive:
            return fetch(archive)
    set_aside = {}
    films = _descriptions(source, set_aside)
    with written_sealed(store_path()) as temporary:
        if not store.write_items(NAME, temporary, _usable(source, films, set_aside)):
            raise CmcslError(f"No film with poster, plot and genres is in {source}: take mmimdb.tar.gz of archive.org.")
    store.write_report(NAME, sorted(set_aside.items()))
    return Counter(set_aside.values())


def _descriptions(source: Path, set_aside: dict[str, str]) -> dict[str, Film]:
    films = {}
    for member in members(source, _is("json"), "Reading descriptions"):
        name = ITEM.search(member.name)[1]
        try:
            films[name] = film(member.content)
        except CmcslError as reason:
            set_aside[name] = str(reason)
    return films


def _usable(source: Path, films: dict[str, Film], set_aside: dict[str, str]) -> Iterator[dict]:
    waiting = dict(films)
    for member in members(source, _is("jpeg"), "Reading posters"):
        name = ITEM.search(member.name)[1]
        if name not in waiting:
            # A second poster of the same film, or one whose description was set aside, has its reason already.
            set_aside.setdefault(name, "twice in the archive" if name in films else "no description")
            continue
        its = waiting.pop(name)
        try:
            if member.content is None:
                raise CmcslError("poster too large")
            decoded(member.content)
        except CmcslError as reason:
            set_aside[name] = str(reason)
        else:
            yield {"id": name, "image": member.content} | its._asdict()
    set_aside.update(dict.fromkeys(waiting, "no poster"))


def _is(ending: str):
    return lambda name: (found := ITEM.search(name)) is not None and found[2] == ending


def film(content: bytes | None) -> Film:
    """Check one description; plots are joined by one blank, as in the published code.

    Raises
    ------
    CmcslError
        With the reason why it can't be used.
    """
    if content is None:
        raise CmcslError("description too large")
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        raise CmcslError("broken description") from None
    if not isinstance(told, dict):
        raise CmcslError("broken description")
    genres, plot = told.get("genres"), told.get("plot")
    if not _texts(genres):
        raise CmcslError("no genres")
    if not _texts(plot) or not (text := " ".join(plot).strip()):
        raise CmcslError("no plot")
    title = told.get("title")
    # Half of a surrogate pair is valid in JSON, and in no encoding that it could be stored in.
    clean = [words.encode("utf-8", "replace").decode() for words in (str(title or ""), text)]
    return Film(*clean, sorted(set(genres)))


def _texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(part, str) for part in value)
