"""Full disks and read-only folders: one sentence, exit code 2, and nothing is damaged. Needs root, to mount them."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from kills import _prepared, _server, unbroken
from steps import STEPS, Step, broken


@contextmanager
def mounted(folder: Path, kibibytes: int) -> Iterator[Path]:
    """A disk of that size, in memory."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def remount(folder: Path, options: str) -> None:
    """Change a mounted disk."""
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def starved(name: str, shares: tuple[float, ...] = (0, 0.2, 0.5, 0.8)) -> list[dict[str, object]]:
    """Run a step where it can't write, and again where it can.

    Parameters
    ----------
    shares : tuple of float
        Of the room that the step needs beside its inputs, so much is there.

    Returns
    -------
    list of dict
        step, place, code (exit code), lines (the command's own on standard error), told (the last of them), half (files
        that are not whole), same (whether the next run, with room, gives what it should).
    """
    step, rows = STEPS[name], []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        server = _server(0) if step.served else None
        url = server.url if server else ""
        with server or nullcontext():
            inputs = _prepared(step, scratch / "inputs")
            repository = step.repository(scratch) if step.repository else None
            whole = shutil.copytree(inputs, scratch / "whole")
            own = shutil.copytree(repository, scratch / "own", symlinks=True) if repository else None
            wanted, _, _ = unbroken(step, whole, own or Path(__file__).resolve().parents[2], url)
            place, without, with_all = (repository, repository, own) if own else (None, inputs, whole)
            base, need = _kibibytes(without), _kibibytes(with_all) - _kibibytes(without)
            for share in (*shares, "read-only"):
                # A disk of size 0 would have no limit.
                size = 2**20 if share == "read-only" else max(base + int(share * need), 4)
                with mounted(scratch / "disk", size) as disk:
                    shutil.copytree(without, disk, dirs_exist_ok=True, symlinks=True)
                    home, tree = (inputs, disk) if place else (disk, Path(__file__).resolve().parents[2])
                    if share == "read-only":
                        remount(disk, "ro")
                    rows.append(_starved(step, home, tree, url, share, wanted, disk))
    return rows


def _starved(
    step: Step, home: Path, tree: Path, url: str, share: float | str, wanted: dict[str, str], disk: Path
) -> dict[str, object]:
    process = step.start(home, tree, url)
    printed, messages = process.communicate()
    lines = [line for line in messages.splitlines() if line.startswith("cmcsl: ")]
    row = {
        "step": step.name,
        "place": share if share == "read-only" else f"room for {share:.0%}",
        "code": process.returncode,
        "lines": len(lines),
        "told": lines[-1] if lines else "",
        "traceback": "Traceback" in printed + messages,
        "half": len(broken(home)),
    }
    remount(disk, "rw,size=1g")
    expected, _, _ = unbroken(step, home, tree, url)
    return row | {"same": expected == wanted}


def _kibibytes(folder: Path) -> int:
    """Room that the files of a folder take on a disk of 4 KiB pages."""
    return 4 * sum(1 + path.stat(follow_symlinks=False).st_size // 4096 for path in folder.rglob("*"))
