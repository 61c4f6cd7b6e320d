"""How a command is added, and how words of the form NAME=VALUE are read."""

import argparse
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeAlias

from ..files.errors import CmcslError
from ..files.escaping import terminal_safe

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  it has no public name


class Parser(argparse.ArgumentParser):
    """A parser whose error messages, which repeat what was typed, are safe to print on a terminal."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, and exit with code 2."""
        super().error(terminal_safe(message))


def command(commands: Commands, function: Callable[..., None], *examples: str) -> argparse.ArgumentParser:
    """Add the command that a function's name, docstring and parameters describe; examples stand below its help.

    An option that is not on the command line is not passed on: the function's own default holds.
    """
    added = commands.add_parser(
        function.__name__,
        help=function.__doc__,
        description=function.__doc__,
        epilog="\n  ".join(["examples:", *examples]) if examples else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    added.set_defaults(function=function)
    return added


def split_pairs(words: Sequence[str], option: str, form: str, example: str) -> dict[str, str]:
    """Words such as ``seeds=replacement`` as a dictionary; the option, its form and an example are for the message."""
    pairs = [word.partition("=") for word in words]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise CmcslError(f"{option} takes {form}, for example {example}, got {wrong[0]}.")
    return {name: value for name, _, value in pairs}
