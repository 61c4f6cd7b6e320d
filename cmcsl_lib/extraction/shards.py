"""Parts of a long computation, each kept as it ends; a dask.distributed cluster computes many at a time."""

import platform
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ..files.errors import CmcslError
from ..files.workers import backend
from .checkpoints import remove_others, save, saved
from .extra import check_extra, torch, versions


def all_parts(
    paths: list[Path], compute: "Callable[[list[int]], Iterator[tuple[int, torch.Tensor]]]"
) -> "torch.Tensor":
    """Values of all parts: those that are kept, and the others as they are computed.

    Parameters
    ----------
    paths : list of Path
        Where each part is kept.
    compute : callable
        Takes the numbers of the missing parts, at least one; yields number and values, of shape (rows, d), in any
        order.

    Returns
    -------
    Tensor of shape (rows of all parts, d)
    """
    finished = {number: values["features"] for number, path in enumerate(paths) if (values := saved(path))}
    if missing := [number for number in range(len(paths)) if number not in finished]:
        for number, features in compute(missing):
            finished[number] = features
            save({"features": features}, paths[number])
            remove_others(paths[number])
    return torch.cat([finished[number] for number in range(len(paths))])


def from_cluster(
    scheduler: str,
    function: "Callable[..., torch.Tensor]",
    tasks: Iterable[tuple[int, tuple[Any, ...]]],
    packages: tuple[str, ...] = (),
) -> "Iterator[tuple[int, torch.Tensor]]":
    """What a function gives for several arguments, computed by the workers of a dask.distributed cluster.

    Parameters
    ----------
    scheduler : str
        Its address.
    function : callable
        Can be imported by its name.
    tasks : iterable of (int, tuple)
        Number and arguments of each; they are made as workers become free.
    packages : tuple of str
        Distributions that the values depend on, beside those of all features.

    Yields
    ------
    number, values
        As they are finished.

    Raises
    ------
    CmcslError
        If a worker has other versions of the packages, or as `files.workers.backend`.
    """
    from joblib import Parallel, delayed

    here, threads = versions(*packages), torch.get_num_threads()
    with backend(1, scheduler, "finished parts are kept, and the same command goes on from there"):
        yield from Parallel(return_as="generator_unordered")(
            delayed(_computed)(here, threads, function, number, *arguments) for number, arguments in tasks
        )


def _computed(
    expected: dict[str, str], threads: int, function: "Callable[..., torch.Tensor]", number: int, *arguments: Any
) -> "tuple[int, torch.Tensor]":
    """One part, by a worker that must give the same bits as the machine that asks."""
    check_extra()
    own = versions(*expected.keys() - versions().keys())
    if own != expected:
        names = sorted(name for name in expected if own[name] != expected[name])
        differing = ", ".join(f"{name} {own[name]} instead of {expected[name]}" for name in names)
        raise CmcslError(
            f"The worker on {platform.node()} has {differing}, with which features would differ: install the same "
            "versions on all machines of the cluster."
        )
    # Sums are ordered by the number of threads.
    torch.set_num_threads(threads)
    return number, function(*arguments)
