"""Processes that work for the one that started them."""

import os
import signal
import threading
import time
from collections.abc import Callable
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
        result = child.submit(function, *arguments).result()
    except BaseException:
        # It may be in the middle of anything, for as long as that takes.
        child.shutdown(kill_workers=True)
        raise
    child.shutdown()
    return result
