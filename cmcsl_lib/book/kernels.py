"""Notebooks executed by papermill, in processes that have imported what most notebooks share.

An interpreter for papermill, another one for the kernel, and all that a notebook imports take seconds, mostly more than
its calculations. On Linux one process imports all this, and a notebook is executed by two copies of it. Elsewhere
processes can't be copied safely, and both are started anew.
"""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

from ..files.processes import interrupts_held

COPIES = sys.platform == "linux"
#: Figures stand in the notebook. Kernels set this too, but too late where matplotlib is imported.
INLINE = "module://matplotlib_inline.backend_inline"
PROVISIONER = "cmcsl-copy"

_starting = threading.Lock()
#: In a process that executes a notebook: its kernel, until it is used.
_waiting: list["WaitingKernel"] = []


def kernel_description() -> dict[str, object]:
    """The content of ``kernel.json``: a kernel with this interpreter."""
    description: dict[str, object] = {"display_name": "Python 3", "language": "python"}
    description["argv"] = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    if COPIES:
        description["metadata"] = {"kernel_provisioner": {"provisioner_name": PROVISIONER}}
    return description


def execute_notebook(environment: Mapping[str, str], log: Path, *arguments: Any, **options: Any) -> str:
    """Call `papermill.execute_notebook` in a process of its own.

    Parameters
    ----------
    environment : mapping of str to str
        All variables that it sees.
    log : Path
        File for what the process and the kernel print.
    *arguments, **options : object
        What papermill takes.

    Returns
    -------
    str
        Why the notebook was not executed to its end: what was printed, and the traceback. Empty if it was.
    """
    log.touch()
    with ProcessPoolExecutor(1, _context(environment), initializer=_begin, initargs=(environment, log)) as process:
        try:
            reason = process.submit(_papermill, arguments, options).result()
        except Exception as error:
            # The process has ended: killed, perhaps.
            reason = repr(error)
    return reason and log.read_text(encoding="utf-8", errors="replace") + reason


def _context(environment: Mapping[str, str]) -> BaseContext:
    """How a process for papermill is started; the first call starts the one that is copied."""
    if not COPIES:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cmcsl_lib.book.preloaded"])
    names = ("PYTHONPATH", "OMP_NUM_THREADS")
    variables = {name: environment[name] for name in names if name in environment}
    # A module in the folder where the build was started must not be taken for one of ours.
    with _starting, _variables(variables | {"PYTHONSAFEPATH": "1", "MPLBACKEND": INLINE}), interrupts_held():
        forkserver.ensure_running()
    return context


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """Variables of the environment, for what is started meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin(environment: Mapping[str, str], log: Path) -> None:
    """Make this process ready for papermill. The kernel is copied before there are threads, which a copy would lack."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if COPIES:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.environ.clear()
    os.environ.update(environment)
    with log.open("wb") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    if COPIES:
        # As an entry point of this package would, but for checkouts that were installed before there was one.
        KernelProvisionerFactory.provisioners[PROVISIONER] = EntryPoint(
            PROVISIONER, f"{__name__}:{CopyProvisioner.__name__}", KernelProvisionerFactory.GROUP_NAME
        )
        _waiting.append(WaitingKernel())
    threading.Thread(target=_end_with_build, daemon=True).start()


def _end_with_build() -> None:
    """Let this process end with the one that builds the book; the pool's would wait for orders for good."""
    build = multiprocessing.parent_process()
    if build is not None:
        build.join()
        os._exit(1)


def _papermill(arguments: tuple, options: dict) -> str:
    import papermill

    try:
        papermill.execute_notebook(*arguments, **options)
    except Exception:
        return traceback.format_exc()
    finally:
        while _waiting:
            _waiting.pop().dismiss()
    return ""


class WaitingKernel:
    """A copy of this process that becomes a kernel when it is told to; `LocalProvisioner` takes it for a `Popen`."""

    stdin = stdout = stderr = None

    def __init__(self) -> None:
        context = multiprocessing.get_context("fork")
        theirs, self._ours = context.Pipe(duplex=False)
        self._process = context.Process(target=_become_kernel, args=(theirs, self._ours))
        self._process.start()
        theirs.close()
        self.pid = self._process.pid
        self.kill, self.terminate = self._process.kill, self._process.terminate

    def start(self, command: list[str], environment: Mapping[str, str], folder: str | None) -> None:
        """Let it become the kernel that a command would start, with these variables and in this folder."""
        self._ours.send((command, environment, folder))

    def dismiss(self) -> None:
        """Let it end without having been a kernel."""
        self._ours.close()
        self._process.join()

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._process.exitcode

    def wait(self) -> int | None:
        """Its exit code, when it has ended."""
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        if self.pid:
            os.kill(self.pid, number)


def _become_kernel(orders: Connection, other_end: Connection) -> None:
    # The pipe is to end with the process that started this one.
    other_end.close()
    # As Jupyter starts kernels: signals for them reach what they have started.
    os.setsid()
    try:
        command, environment, folder = orders.recv()
    except EOFError:
        return
    from ipykernel.kernelapp import IPKernelApp

    os.environ.update(environment)
    os.chdir(folder or ".")
    # It ends with its parent, whose number it would have read in the environment when it was imported.
    IPKernelApp.launch_instance(argv=[*command[command.index("-f") :], f"--IPKernelApp.parent_handle={os.getppid()}"])


class CopyProvisioner(LocalProvisioner):
    """Starts kernels as copies of the process that executes the notebook."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start a kernel; one more than waits is started anew."""
        if not _waiting:
            return await super().launch_kernel(cmd, **kwargs)
        kernel = _waiting.pop()
        kernel.start(cmd, kwargs["env"], kwargs.get("cwd"))
        self.process = kernel  # type: ignore[assignment]
        self.pid = self.pgid = kernel.pid
        return self.connection_info
