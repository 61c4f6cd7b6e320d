"""The command `cmcsl`: one function per command, whose parameters are the command's arguments.

What takes long to import (pandas, SciPy, most of the library) is imported by the command that needs it, so that
``cmcsl --help`` answers at once. Values are checked by the library, whose messages are therefore the same everywhere.
"""

import argparse
import sys

from .. import __version__
from ..files.errors import CmcslError
from ..files.escaping import terminal_safe
from . import data, extraction, pages, scores


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    top = argparse.ArgumentParser(
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
    """Run the command; wrong input gives one sentence on standard error and exit code 2, Ctrl-C one and code 130."""
    arguments = vars(parser().parse_args(words))
    function = arguments.pop("function")
    try:
        function(**arguments)
        sys.stdout.flush()
    except CmcslError as error:
        message = str(error)
    except OSError as error:
        # From a file that is read, for example: errors of writing are reported as a CmcslError.
        message = f"{error.filename or 'A file'} can't be used ({error.strerror or error})."
    except KeyboardInterrupt:
        print("\ncmcsl: Stopped; what was finished is kept, and the same command goes on from there.", file=sys.stderr)
        return 130
    else:
        return 0
    print(f"cmcsl: {terminal_safe(message)}", file=sys.stderr)
    return 2
