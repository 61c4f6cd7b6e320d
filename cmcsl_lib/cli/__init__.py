"""The command `cmcsl`: one function per command, whose parameters are the command's arguments.

What takes long to import (pandas, SciPy, most of the library) is imported by the command that needs it, so that
``cmcsl --help`` answers at once. Values are checked by the library, whose messages are therefore the same everywhere.
"""

import io
import os
import shlex
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path

from .. import __version__
from ..files.errors import CmcslError
from ..files.escaping import terminal_safe
from ..files.paths import home
from . import data, extraction, pages, scores
from .parsing import Parser


def parser() -> Parser:
    """The command's arguments."""
    top = Parser(
        prog="cmcsl",
        description="Cross-modality clustering-based self-labeling, and the replication of its paper.",
        epilog="`cmcsl COMMAND --help` explains a command. Downloads, features and scores go to the folder that the "
        "environment variable CMCSL_HOME names, by default data/cache of a checkout, else the system's for user data.",
    )
    top.add_argument("--version", action="version", version=__version__, help="print the version and exit")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for group in (data, extraction, scores, pages):
        group.add_commands(commands)
    return top


def main(words: list[str] | None = None) -> int:
    """Run the command; what goes wrong gives one sentence on standard error and exit code 2, Ctrl-C one and code 130.

    The traceback of what nobody foresaw is kept in a file, which the sentence names. A reader who has seen enough, such
    as ``head``, ends the command with code 141 and no word, as the system does with others.
    """
    words = sys.argv[1:] if words is None else words
    prepare_streams()
    try:
        arguments = vars(parser().parse_args(words))
        function = arguments.pop("function")
        function(**arguments)
        sys.stdout.flush()
    except SystemExit:
        finish_output()
        raise
    except CmcslError as error:
        message = str(error)
    except OSError as error:
        # From a file that is read, for example: errors of writing are reported as a CmcslError.
        message = f"{error.filename or 'The output, or a file,'} can't be used ({error.strerror or error})."
        if isinstance(error, BrokenPipeError):
            finish_output()
            return 141
    except KeyboardInterrupt:
        print("\ncmcsl: Stopped; what was finished is kept, and the same command goes on from there.", file=sys.stderr)
        return 130
    except MemoryError:
        message = (
            f"Memory was too short for {quoted(words)}: what was finished is kept, and the same command goes on from "
            f"there; fewer workers need less. {kept_traceback(words)}"
        )
    except Exception as error:
        lines = str(error).splitlines() or [""]
        message = (
            f"{quoted(words)} failed for a reason that nobody foresaw ({type(error).__name__}: {lines[0][:300]}): "
            f"please report it. {kept_traceback(words)}"
        )
    else:
        return 0
    finish_output()
    with suppress(OSError):
        print(f"cmcsl: {terminal_safe(message)}", file=sys.stderr)
    return 2


def prepare_streams() -> None:
    """Let standard output and error take every text: letters that their encoding lacks are written as in Python.

    Where one is closed, what is printed goes nowhere.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  open to the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def finish_output() -> None:
    """Write what is left of the output; where that fails it goes nowhere, so that Python's end raises nothing more."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def quoted(words: list[str]) -> str:
    """The command as it was given."""
    return f"`{shlex.join(['cmcsl', *words])}`"


def kept_traceback(words: list[str]) -> str:
    """Keep the traceback of the exception that is being handled; a sentence that says where."""
    content = f"{quoted(words)}, cmcsl {__version__}, Python {sys.version}, {sys.platform}\n\n{traceback.format_exc()}"
    for folder in (lambda: home() / "logs", lambda: Path(tempfile.gettempdir())):
        # Whatever keeps a folder from being used, the other one is tried.
        with suppress(OSError, CmcslError):
            folder().mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(".log", f"cmcsl-{time.strftime('%Y%m%d-%H%M%S')}-", folder())
            with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123
                file.write(content)
            return f"The traceback is in {name}."
    return "The traceback could not be kept."
