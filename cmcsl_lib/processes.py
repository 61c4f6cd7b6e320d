"""Processes that end with the one that started them."""

import os
import threading
import time


def end_with(parent: int) -> None:
    """Let this process end as soon as the one that started it is gone; else it would stay when that one is killed.

    Parameters
    ----------
    parent : int
        Number of the process that started this one.
    """
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
