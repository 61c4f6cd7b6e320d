"""Where files lie: what the repository ships, and the user's folder for everything else; how they are written."""

import glob
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import CmcslError

#: The folder that holds the library: in a checkout the repository, else site-packages.
REPOSITORY = Path(__file__).resolve().parents[2]
#: Where the wheel puts the repository's ``data/``.
INSTALLED_DATA = Path(__file__).resolve().parents[1] / "_data"
#: Names of extractions, which become names of folders.
EXTRACTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
#: Temporary files that nobody has written to for so many seconds are those of a process that was killed.
STALE = 3600


def in_checkout() -> bool:
    """Whether the library runs from a checkout of the repository, with notebooks and book, not from a wheel."""
    return not INSTALLED_DATA.is_dir()


def shipped() -> Path:
    """Folder of the data that come with the library, ``data/`` of a checkout; `cmcsl extract --to` may write there."""
    return REPOSITORY / "data" if in_checkout() else INSTALLED_DATA


def is_shipped(path: Path) -> bool:
    """Whether a file belongs to what comes with the library; ``data/cache`` is the user's."""
    return path.is_relative_to(shipped()) and not path.is_relative_to(shipped() / "cache")


def folder_from_environment(variable: str, default: Path) -> Path:
    """The folder that an environment variable names.

    A relative one is counted from where this process stands when it first asks; from then on the variable holds it as
    absolute, so that it is the same folder for kernels and workers, which may stand elsewhere.
    """
    try:
        folder = Path(os.environ.get(variable) or default).expanduser()
    except RuntimeError:
        raise CmcslError(
            f"{variable} is {os.environ[variable]!r}, and this machine has no such user: name a folder."
        ) from None
    if not folder.is_absolute():
        folder = folder.absolute()
        os.environ[variable] = str(folder)
    return folder


def home() -> Path:
    """Folder for downloads, features and scores that do not come with the library.

    The environment variable CMCSL_HOME names it; the default is ``data/cache`` of a checkout, which git ignores,
    else the platform's folder for a user's data.
    """
    if in_checkout():
        default = shipped() / "cache"
    else:
        from platformdirs import user_data_path

        default = user_data_path("cmcsl", appauthor=False)
    return folder_from_environment("CMCSL_HOME", default)


def features_folder(corpus: str, name: str = "default") -> Path:
    """The user's folder for features of a corpus.

    Parameters
    ----------
    name : str
        Tells several extractions apart; ``default`` is the one that is taken unless a protocol says otherwise. Up to 64
        letters, digits, blanks, points, hyphens and underscores, a letter or digit first.

    Raises
    ------
    CmcslError
        If the name has other characters, or too many.
    """
    if not EXTRACTION.fullmatch(name):
        raise CmcslError(
            f"Features can't be named {name!r}: a name has 1 to 64 letters (A to Z, a to z), digits, blanks, points, "
            "hyphens and underscores, a letter or digit first."
        )
    return home() / "features" / (corpus if name == "default" else f"{corpus}, {name}")


def features_folders(corpus: str) -> list[Path]:
    """Folders of all extractions of a corpus."""
    folders = (home() / "features").glob(f"{glob.escape(corpus)}*")
    return sorted(folder for folder in folders if folder.name == corpus or folder.name.startswith(f"{corpus}, "))


def readable_path(path: Path) -> str:
    """A path for messages: inside the repository from there, so that pages do not show the machine's folders."""
    return str(path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path)


def target(path: Path) -> Path:
    """The file that a path stands for, with links followed.

    Parameters
    ----------
    path : Path
        A file to be written; it need not exist.

    Returns
    -------
    Path

    Raises
    ------
    CmcslError
        If a device, a pipe, a folder or anything else that is no regular file stands there: a rename would destroy it.
        Or if something that is no folder stands where the file's folder should be.
    """
    followed = Path(os.path.realpath(path))
    with explain_write_errors(path):
        # A link that is still there leads round in a loop.
        if (path.exists() and not path.is_file()) or followed.is_symlink():
            raise CmcslError(f"{readable_path(path)} is no regular file, and is left as it is: name another file.")
        if others := [folder for folder in followed.parents if folder.exists() and not folder.is_dir()]:
            raise CmcslError(f"{readable_path(others[0])} is no folder that {path.name} could be in: name another one.")
    return followed


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path beside a file, and rename it to the file only if the block succeeds.

    A reader therefore sees the old file or the new one, never half of one: a rename within one
    folder is atomic on POSIX systems and on Windows. A new file gets the permissions that the umask leaves, an existing
    one keeps its own.

    Parameters
    ----------
    path : Path
        The file to write, or a link to it. Its folder is made if it is missing.

    Raises
    ------
    CmcslError
        If it can't be written, because the disk is full or the folder is read-only, or is no regular file.
    """
    with explain_write_errors(path):
        file = target(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(file.parent, f".{glob.escape(file.name)}.*.part")
        mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else None
        temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
        # What only its owner may read is not for others to read while it is written either.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666 if mode is None else 0o600))
        try:
            yield temporary
            # A disk may write a rename before what was renamed: without this, a power cut could leave an empty file.
            with temporary.open("r+b") as written:
                os.fsync(written.fileno())
            if mode is not None:
                temporary.chmod(mode)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def explain_write_errors(path: Path) -> Iterator[None]:
    """Turn the system's error about a full disk or a read-only folder into a `CmcslError` of one sentence."""
    try:
        yield
    except OSError as error:
        raise CmcslError(
            f"{readable_path(path)} can't be written ({error.strerror or error}): make room there and let "
            "it be written to, or name another folder with CMCSL_HOME."
        ) from None


def remove_stale(folder: Path, pattern: str) -> None:
    """Remove temporary files that killed processes left behind more than `STALE` seconds ago."""
    for path in folder.glob(pattern):
        # Another process may have been first, or hold the file.
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE:
                path.unlink()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time into a block of code that reads and then changes files of a folder; the others wait.

    The system takes the lock from a process that ends, however it ends; the empty file stays.

    Raises
    ------
    CmcslError
        If the folder can't be written to.
    """
    from filelock import FileLock

    lock = FileLock(folder / ".lock")
    with explain_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
