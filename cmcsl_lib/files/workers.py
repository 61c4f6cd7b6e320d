"""Where tasks run side by side: in processes of this machine, or on the workers of a dask.distributed cluster."""

import asyncio
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from .errors import CmcslError
from .extras import require
from .processes import end_with

#: Seconds to wait for the answer of a scheduler, and for its first worker.
ANSWER = 8
WORKERS = 5


@contextmanager
def backend(workers: int, scheduler: str | None = None, resumed: str = "give the same command again") -> Iterator[None]:
    """Where tasks run: in processes of this machine or on a dask.distributed cluster.

    Parameters
    ----------
    workers : int
        Processes on this machine.
    scheduler : str, optional
        Address of a dask.distributed scheduler, whose workers are used instead.
    resumed : str
        What to do after a worker was killed, as the message ends.

    Raises
    ------
    CmcslError
        If the cluster can't be reached or has no workers, a worker was killed, or dask is not installed.
    """
    # What is lost when a run breaks off was not told as done; joblib's lines on it would hide the reason.
    warnings.filterwarnings("ignore", "[0-9]+ tasks (have been successfully executed|which were still)", UserWarning)
    if scheduler is None:
        from joblib import parallel_config

        # Features are sent to the workers: joblib keeps those that it puts into shared memory until the run ends.
        with parallel_config(
            backend="loky", n_jobs=workers, max_nbytes=None, initializer=end_with, initargs=(os.getpid(),)
        ):
            try:
                yield
            except BrokenProcessPool:
                raise CmcslError(
                    "A worker was killed, most likely by the system for want of memory (fewer --workers need less): "
                    f"{resumed}."
                ) from None
        return
    check_scheduler(scheduler)
    from distributed import Client
    from distributed.scheduler import KilledWorker
    from joblib import parallel_config

    with Client(scheduler, timeout=ANSWER) as client:
        try:
            client.wait_for_workers(1, timeout=WORKERS)
        except TimeoutError:
            raise CmcslError(
                f"The dask scheduler at {scheduler} has no workers: start some with `dask worker {scheduler}`, or "
                "leave --scheduler out to run on this machine."
            ) from None
        try:
            with parallel_config(backend="dask"):
                yield
        except KilledWorker:
            raise CmcslError(
                f"Workers of {scheduler} were killed, most likely for want of memory: {resumed}."
            ) from None


def check_scheduler(address: str) -> None:
    """Ask a dask scheduler for an answer; a `Client` would go on trying for minutes.

    Parameters
    ----------
    address : str
        Such as ``tcp://HOST:8786``.

    Raises
    ------
    CmcslError
        If none answers, or dask is not installed.
    """
    require("dask", "A scheduler")
    from distributed.comm import connect
    from distributed.security import Security

    async def probe() -> None:
        comm = await connect(address, timeout=ANSWER, **Security().get_connection_args("client"))
        await comm.close()

    try:
        # In a thread of its own, since a notebook has a running event loop in this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: asyncio.run(asyncio.wait_for(probe(), ANSWER))).result()
    # What does not speak its protocol leads distributed to whatever error: a MemoryError for an HTTP server.
    except Exception as error:
        raise CmcslError(
            f"No dask scheduler answers at {address} ({type(error).__name__}): start one, or leave "
            "--scheduler out to run on this machine."
        ) from None
