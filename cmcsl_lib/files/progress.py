"""Progress of long work, on standard error: a bar on a terminal, else plain lines that a log can hold."""

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Seconds between two lines where there is no terminal.
LINE_EVERY = 60
MEGABYTE = 1_000_000
#: What such lines look like; pages of a book are rid of them.
LINE = re.compile(r"^.+: \d+ of \d+ .+\n?", re.MULTILINE)


def tell(message: str) -> None:
    """Print a message on standard error, above the progress bars."""
    from tqdm.auto import tqdm

    tqdm.write(message, file=sys.stderr)


@contextmanager
def progress(title: str, total: int, unit: str, done: int = 0) -> Iterator[Callable[..., None]]:
    """A bar on a terminal, else one plain line a minute and one after the last step.

    Parameters
    ----------
    title : str
    total : int
        How many steps there are.
    unit : str
        What a step is, in the plural.
    done : int
        Steps that were done before.

    Yields
    ------
    callable
        To be called after each step, with words on it if there is anything to say, or after several `steps`.
    """
    from tqdm.auto import tqdm

    terminal, line = sys.stderr.isatty(), time.monotonic() + LINE_EVERY
    with tqdm(total=total, initial=done, desc=title, unit=f" {unit}", leave=False, disable=not terminal) as bar:

        def advance(words: str = "", steps: int = 1) -> None:
            nonlocal done, line
            bar.update(steps)
            done += steps
            if not terminal and (done == total or time.monotonic() >= line):
                line = time.monotonic() + LINE_EVERY
                tell(f"{title}: {done} of {total} {unit}{words and ', ' + words}")

        yield advance


@contextmanager
def byte_progress(title: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """As `progress`, of bytes, in MB.

    Parameters
    ----------
    title : str
    total : int
        How many bytes there are.
    done : int
        Bytes that came before.

    Yields
    ------
    callable
        To be called with the number of bytes that came.
    """
    with progress(title, total // MEGABYTE, "MB", done // MEGABYTE) as advance:

        def count(came: int) -> None:
            nonlocal done
            before, done = done, done + came
            if steps := done // MEGABYTE - before // MEGABYTE:
                advance(steps=steps)

        yield count
