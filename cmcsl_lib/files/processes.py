"""Processes that work for the one that started them."""

import os
import signal
import threading
import time


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
