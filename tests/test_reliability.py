"""Small versions of the experiments in benchmarks/RELIABILITY.md, and what must hold for all of them."""

import importlib
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from cmcsl_lib.cli import main
from cmcsl_lib.corpora.features import write_features
from cmcsl_lib.experiments.scores import read_scores, scores_paths, write_scores
from cmcsl_lib.files.checksums import Damaged, check_seal, read_checked
from cmcsl_lib.files.errors import CmcslError
from cmcsl_lib.files.paths import REPOSITORY, STALE, locked, shipped, target, written_whole

#: Kinds of input with odd values.
ODD = ["list in CSV", "list in Parquet", "arrays", "picture", "film", "command line"]


@pytest.fixture(scope="module")
def harness():
    """The modules of benchmarks/reliability."""
    folder = str(REPOSITORY / "benchmarks" / "reliability")
    sys.path.insert(0, folder)
    names = ("damage", "kills", "long", "machines", "odd", "together")
    yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    sys.path.remove(folder)


@pytest.fixture(scope="module")
def kinds(harness, tmp_path_factory):
    """A file of each kind that is read."""
    with harness.damage.kinds(tmp_path_factory.mktemp("damage")) as every_kind:
        yield every_kind


@pytest.fixture
def scores():
    """Two rows of scores."""
    row = {
        "corpus": "openclipart",
        "protocol": "strict",
        "dataset": "AF",
        "modality": "text",
        "method": "FULL",
        "preprocessing": "RAW",
        "classifier": "GNB",
        "budget": 0,
        "repetition": 0,
        "balanced_accuracy": 0.75,
        "pseudo_label_accuracy": float("nan"),
    }
    return pd.DataFrame([row | {"fold": fold} for fold in (0, 1)])


@pytest.mark.parametrize(
    "name",
    [
        "features",
        "scores",
        "finished fold",
        "corpus store",
        "tar",
        "tar.gz",
        "tar.bz2",
        "tar.xz",
        "image cache",
        "checkpoint",
        "text embeddings",
        "weights to start from",
        "list of items, CSV",
        "list of items, Parquet",
        "features, npz",
        "features, Parquet",
        "features, npy",
        "description of a corpus",
        "description of a film",
        "poster",
        "JPEG picture",
        "PNG picture",
        "WEBP picture",
        "GIF picture",
        "BMP picture",
        "TIFF picture",
        "settings of the book",
        "table of contents",
        "notebook",
        "executed notebook",
        "download",
        "record of a download",
        "tag of a begun download",
        "published array",
        "shipped corpus",
        "shipped features",
        "shipped texts",
        "shipped scores",
        "printed table",
        "printed verdicts",
        "list of checksums",
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_is_told_or_read_right(harness, kinds, name):
    assert harness.damage.examine(name, kinds[name], 10)["inputs"] >= 5


def test_every_kind_of_file_is_damaged_above(kinds):
    marks = test_a_damaged_file_is_told_or_read_right.pytestmark
    assert set(next(mark.args[1] for mark in marks if mark.name == "parametrize")) == set(kinds)


@pytest.mark.parametrize("name", ODD)
@pytest.mark.filterwarnings("ignore")
def test_odd_values_are_read_right_or_refused(harness, tmp_path, name):
    with harness.odd.kinds(tmp_path) as kinds:
        row = harness.odd.examine(name, kinds[name], 25)
    assert row["inputs"] == 25 and row["right"]


def test_every_kind_of_odd_values_is_tried_above(harness):
    assert set(ODD) == set(harness.odd.KINDS)


def test_every_bit_of_a_sealed_file_counts(scores, tmp_path):
    path = tmp_path / "scores.parquet"
    write_scores(scores, path, {})
    content = path.read_bytes()
    check_seal(content)
    for place in range(0, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        with pytest.raises(Damaged):
            check_seal(bytes(changed))


def test_every_bit_of_a_checkpoint_counts(tmp_path):
    torch = pytest.importorskip("torch", reason='needs the extra: pip install -e ".[extract]"')
    from cmcsl_lib.extraction import checkpoints

    path = tmp_path / "one.pt"
    checkpoints.save({"layer": torch.arange(20), "losses": [0.5]}, path)
    content = path.read_bytes()
    assert checkpoints.saved(path)["losses"] == [0.5]
    for place in range(0, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        assert checkpoints.saved(path) is None


def test_every_shipped_file_is_listed():
    for path in [*shipped().glob("openclipart/**/*.parquet"), *shipped().glob("paper/*.csv")]:
        read_checked(path)


def test_a_full_disk_is_told_and_leaves_what_was_there(scores, tmp_path, make_features, capsys, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    write_features(make_features(rows=15), tmp_path / "features" / "openclipart" / "AF.parquet")
    path, _ = scores_paths("openclipart", "strict", 1, "AF")
    write_scores(scores, path, {})
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        code = main(["run", "1", "--datasets", "AF", "--classifier", "GNB"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    message = capsys.readouterr().err
    assert code == 2
    assert message.count("\n") == 1 and "can't be written" in message and "CMCSL_HOME" in message
    assert path.read_bytes() == before
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.skipif(sys.platform != "linux", reason="takes /proc for a folder that can't be written to")
def test_a_folder_that_cant_be_written_to_is_told():
    with pytest.raises(CmcslError, match="/proc/none/file can't be written"), written_whole(Path("/proc/none/file")):
        pass


def test_what_is_written_goes_through_links(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("old")
    for name, leads in (("out", "middle"), ("middle", "folder/file"), ("dangling", "folder/new")):
        (tmp_path / name).symlink_to(leads)
    for name in ("out", "dangling"):
        with written_whole(tmp_path / name) as temporary:
            temporary.write_text(name)
        assert (tmp_path / name).is_symlink() and (tmp_path / name).read_text() == name
    assert {path.name: path.read_text() for path in (tmp_path / "folder").iterdir()} == {
        "file": "out",
        "new": "dangling",
    }


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to a pipe", "loop"])
def test_what_is_no_regular_file_is_refused_and_left(tmp_path, kind):
    path = tmp_path / "out"
    if kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to("out")
    else:
        os.mkfifo(tmp_path / "pipe")
        path = tmp_path / "pipe" if kind == "pipe" else path
        if kind != "pipe":
            path.symlink_to("pipe")
    before = {each.name: each.lstat().st_mode for each in tmp_path.iterdir()}
    with pytest.raises(CmcslError, match="is no regular file, and is left as it is"), written_whole(path):
        pytest.fail("it was written")
    assert {each.name: each.lstat().st_mode for each in tmp_path.iterdir()} == before


def test_a_file_in_what_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("content")
    with pytest.raises(CmcslError, match=r"/file is no folder that new\.csv could be in"):
        target(tmp_path / "file" / "deeper" / "new.csv")
    assert target(tmp_path / "none" / "new.csv") == tmp_path / "none" / "new.csv"


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_new_files_get_what_the_umask_leaves_and_others_keep_their_mode(tmp_path, umask, mode):
    existing = tmp_path / "kept"
    existing.touch()
    existing.chmod(0o640)
    before = os.umask(umask)
    try:
        for name in ("new", "kept"):
            with written_whole(tmp_path / name) as temporary:
                assert name == "new" or temporary.stat().st_mode & 0o777 == 0o600
                temporary.write_text("content")
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == mode
    assert existing.stat().st_mode & 0o777 == 0o640 and existing.read_text() == "content"


def test_temporary_files_of_killed_processes_do_not_stay(tmp_path):
    old, new = tmp_path / ".file.a.part", tmp_path / ".file.b.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - STALE - 60,) * 2)
    with written_whole(tmp_path / "file") as temporary:
        temporary.write_bytes(b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {"file", new.name}


def test_one_process_at_a_time_is_in_a_locked_folder(tmp_path):
    code = (
        "import sys, pathlib; from cmcsl_lib.files.paths import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): print('inside', flush=True)"
    )
    with locked(tmp_path):
        other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(3)
    assert other.communicate(timeout=30)[0] == b"inside\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run", "fetch mm-imdb"])
def test_kills_leave_nothing_half_and_lose_nothing(harness, name):
    row = harness.kills.killed(name, 2)
    assert (row["kills"], row["half"], row["lost"], row["different"], row["orphans"]) == (2, 0, 0, 0, 0)


@pytest.mark.slow
def test_runs_at_the_same_time_do_not_lose_each_others_scores(harness):
    row = harness.together.together("runs with other classifiers")
    assert row == {"pair": row["pair"], "codes": [0, 0], "half": 0, "same": True, "left": 0}


@pytest.mark.slow
def test_ctrl_c_ends_a_run_in_time_with_a_line_on_how_to_go_on(harness):
    row = harness.long.interrupted(2)
    assert row["code"] == 130 and row["lost"] == 0 and row["kept"] > 0
    assert row["told"] == "cmcsl: Stopped; what was finished is kept, and the same command goes on from there."


@pytest.mark.slow
def test_features_do_not_pile_up_in_shared_memory(harness):
    row = harness.long.memory(tasks=50, rows=200)
    assert row["tasks"] == 50 and row["shared"] == 0


@pytest.mark.slow
def test_kernels_of_another_processor_and_threads_give_the_same_scores(harness):
    assert {row["different"] for row in harness.machines.kernels(("Prescott",))} == {0}
    assert all(row["same_bytes"] for row in harness.machines.workers_and_threads((2,)))


def test_damaged_scores_give_no_numbers(scores, tmp_path):
    path = tmp_path / "scores.parquet"
    write_scores(scores, path, {})
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 16
    path.write_bytes(content)
    with pytest.raises(CmcslError, match="can't be read .*SHA-256"):
        read_scores(path)


@pytest.mark.parametrize("call", ["os.getpid", "int, 'no number'"])
def test_a_process_of_its_own_leaves_nothing_behind(call):
    code = f"import os; from cmcsl_lib.files.processes import in_own_process; print(in_own_process({call}))"
    run = subprocess.run([sys.executable, "-c", code], check=False, cwd=REPOSITORY, capture_output=True, text=True)
    if call.startswith("int"):
        assert run.returncode == 1 and run.stderr.splitlines()[-1].startswith("ValueError: invalid literal")
    else:
        assert int(run.stdout) > 0 and run.stderr == ""


def test_processes_end_with_the_one_that_started_them():
    """What extraction encodes texts in would stay for good, waiting for work; Ctrl-C is answered by the other one."""
    code = (
        "import os, sys; from joblib.externals.loky import ProcessPoolExecutor\n"
        "from cmcsl_lib.files.processes import end_with\n"
        "child = ProcessPoolExecutor(max_workers=1, initializer=end_with, initargs=(os.getpid(),))\n"
        "while True: print(child.submit(os.getpid).result(), flush=True); input()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    child = int(parent.stdout.readline())
    assert child != parent.pid
    os.kill(child, signal.SIGINT)
    parent.stdin.write("\n")
    parent.stdin.flush()
    assert int(parent.stdout.readline()) == child
    parent.kill()
    # The pipe is at its end when the last process that could write into it is gone.
    assert parent.communicate(timeout=30)[0] == ""
