"""Where files lie: what the repository ships, and the user's folder for everything else."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def shipped() -> Path:
    """Folder of the data that the repository ships, ``data/``; only `cmcsl extract --to` writes there."""
    return REPOSITORY / "data"


def home() -> Path:
    """Folder for downloads, features and scores that are not shipped.

    The environment variable CMCSL_HOME names it; the default is ``data/cache``, which git ignores.
    """
    return Path(os.environ.get("CMCSL_HOME") or shipped() / "cache").expanduser()


def readable_path(path: Path) -> str:
    """A path for messages: inside the repository from there, so that pages do not show the machine's folders."""
    return str(path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and rename it to `path` only if the block succeeds.

    A reader therefore sees the old file or the new one, never half of one: a rename within one
    folder is atomic on POSIX systems and on Windows.

    Parameters
    ----------
    path : Path
        The file to write. Its folder is made if it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
