"""The one error that the user of the library or of the command is meant to read."""

from collections.abc import Iterable


class CmcslError(ValueError):
    """Wrong input, told in one sentence: what was wrong, where, and what would be right.

    The command ``cmcsl`` prints the sentence and exits with code 2.
    """


class Absent(CmcslError):
    """Something that the repository does not ship, and that is not on this machine; the message says how to get it."""


def check_choice(value: str, valid: Iterable[str], what: str) -> str:
    """Return `value` if it is one of `valid`, else raise with the list of valid values.

    Parameters
    ----------
    value : str
        The value to check.
    valid : iterable of str
        Admissible values, in the order in which the message lists them.
    what : str
        What the value names, as it stands in the message, for example ``"corpus"``.

    Raises
    ------
    CmcslError
        If `value` is not admissible.
    """
    valid = list(valid)
    if value not in valid:
        raise CmcslError(f"Unknown {what} {value!r}: choose from {', '.join(map(str, valid))}.")
    return value


def check_positive(numbers: Iterable[int], what: str) -> None:
    """Raise a `CmcslError` unless all numbers are 1 or more.

    Parameters
    ----------
    numbers : iterable of int
        Those to check.
    what : str
        What they are, as it begins the message, for example ``"--workers"``.
    """
    if wrong := [number for number in numbers if number < 1]:
        raise CmcslError(f"{what} must be 1 or more, got {wrong[0]}.")


def check_within(number: int, lowest: int, highest: int, what: str) -> None:
    """Raise a `CmcslError` unless a number lies in lowest..highest; `what` it is begins the message."""
    if not lowest <= number <= highest:
        raise CmcslError(f"{what} must lie in {lowest}..{highest}, got {number}.")
