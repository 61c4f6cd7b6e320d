"""Processes that work for the one that started them."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def end_with(parent: int) -> None:
    """Let this process end with the one that started it, and not before.

    It would stay for good if that one were killed. Ctrl-C reaches both: the one that started it answers, and ends it.

    Parameters
    ----------
    parent : int
        Number of the process that started this one.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while processes are started.

    They inherit this, and never see it. Otherwise it could reach one before `end_with` is called there, and end it with
    a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as loky_tracker

    # Whoever starts one of these two lets Ctrl-C through again: both are started before it is held back.
    resource_tracker.ensure_running()
    loky_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def in_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a process of its own, whose memory is free again afterwards.

    Parameters
    ----------
    function : callable
        Can be imported by its name.
    *arguments : object
        What it takes; they are copied to the process.

    Returns
    -------
    object
        What the function returns, copied; what it raises is raised here.
    """
    from joblib.externals.loky import ProcessPoolExecutor

    child = ProcessPoolExecutor(max_workers=1, initializer=end_with, initargs=(os.getpid(),))
    try:
        with interrupts_held():
            future = child.submit(function, *arguments)
        result = future.result()
    except BaseException:
        # It may be in the middle of anything, for as long as that takes.
        child.shutdown(kill_workers=True)
        raise
    child.shutdown()
    return result
