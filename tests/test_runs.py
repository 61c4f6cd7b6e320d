import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pandas as pd
import pytest

from cmcsl_lib.corpora.features import features_path, write_features
from cmcsl_lib.experiments import runs
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.experiments.scores import COLUMNS, read_scores, scores_paths
from cmcsl_lib.files import workers
from cmcsl_lib.files.errors import Absent, CmcslError
from cmcsl_lib.files.paths import REPOSITORY

STRICT, PAPER = PROTOCOLS["strict"], PROTOCOLS["paper"]


@pytest.fixture
def kept_features(make_features, tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    write_features(make_features(), tmp_path / "features" / "openclipart" / "AF.parquet")
    return tmp_path


def load(protocol=STRICT, **options):
    return runs.load_scores("openclipart", protocol, datasets="AF", **options)


def test_scores_are_kept_and_found_again(kept_features, monkeypatch):
    first = load(budgets=(1, 2))
    monkeypatch.setattr(runs, "run_jobs", lambda *_, **__: pytest.fail("computed again"))
    again = load(budgets=(2,))
    assert set(again.budget) == {0, 2}
    expected = first[first.budget.isin([0, 2])].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, expected, check_dtype=False)


@pytest.mark.parametrize(
    ("number", "fits", "protocol", "classifiers"),
    [
        (1, 3 * 2, STRICT, None),
        (2, 5 * 2 * (1 + 3 * 20), STRICT, None),
        (3, 3 * (2 * (1 + 3 * 20) + 2), STRICT, ("GNB", "LR", "CART")),
        (1, 3 * 2, PAPER, None),
        (2, 5 * 2 * (1 + 3 * 20), PAPER, None),
        (3, 2 * (1 + 3 * 20) + 2, PAPER, ("GNB",)),
    ],
)
def test_shipped_scores_are_those_of_the_shipped_features(number, fits, protocol, classifiers, tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    scores = runs.load_scores("openclipart", protocol, number, classifiers=classifiers, compute=False)
    assert scores.dataset.nunique() == 20
    assert len(scores) == 20 * 10 * fits
    assert not scores.duplicated(list(COLUMNS[:-2])).any()


def test_missing_classifiers_are_computed_beside_kept_ones(kept_features, monkeypatch):
    load(budgets=(2,))
    asked = []
    run = runs.run_jobs
    monkeypatch.setattr(runs, "run_jobs", lambda jobs, *rest: asked.extend(jobs) or run(jobs, *rest))
    scores = load(budgets=(2,), classifiers=("GNB", "CART"))
    assert [job.classifiers for job in asked] == [("CART",)]
    assert set(scores.classifier) == {"GNB", "CART"}
    with pytest.raises(CmcslError, match="--classifier LR"):
        load(budgets=(2,), classifiers=("LR",), compute=False)


def test_neither_workers_nor_what_came_first_change_a_byte(kept_features, monkeypatch):
    monkeypatch.setattr(runs, "START", 0)
    path, _ = scores_paths("openclipart", "strict", 3, "AF")
    load(budgets=(1, 2), classifiers=("GNB", "CART"))
    once = path.read_bytes()
    path.unlink()
    load(budgets=(2,), classifiers=("CART",), workers=2)
    load(budgets=(1, 2), classifiers=("GNB",), workers=2)
    load(budgets=(1,), classifiers=("CART",))
    assert path.read_bytes() == once
    assert not path.with_suffix(".parts").exists()


@pytest.mark.parametrize(("workers", "seconds", "here"), [(2, 0, 1), (2, 1000, 10), (1, 0, 10)])
def test_processes_are_started_only_where_they_pay(kept_features, monkeypatch, workers, seconds, here):
    monkeypatch.setattr(runs, "START", seconds)
    run_task, processes = runs.run_task, []
    monkeypatch.setattr(runs, "run_task", lambda *task: processes.append(task[1]) or run_task(*task))
    load(budgets=(1,), workers=workers)
    assert len(processes) == here


def test_a_run_goes_on_where_it_stopped(kept_features, monkeypatch):
    path, _ = scores_paths("openclipart", "strict", 3, "AF")
    load(budgets=(1, 2))
    unbroken = path.read_bytes()
    path.unlink()
    run_fold = runs.run_fold
    done = []

    def stop_after_four(*arguments):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(arguments)
        return run_fold(*arguments)

    monkeypatch.setattr(runs, "run_fold", stop_after_four)
    with pytest.raises(KeyboardInterrupt):
        load(budgets=(1, 2))
    assert not path.exists()
    finished = len(list(path.with_suffix(".parts").rglob("*.parquet")))
    assert finished >= 3  # the last one may have been on its way
    done.clear()
    monkeypatch.setattr(runs, "run_fold", lambda *arguments: done.append(arguments) or run_fold(*arguments))
    load(budgets=(1, 2))
    assert len(done) == 10 - finished
    assert path.read_bytes() == unbroken


@pytest.mark.slow
def test_a_killed_run_goes_on_and_gives_the_same_bytes(kept_features):
    path, _ = scores_paths("openclipart", "strict", 3, "AF")
    words = ["run", "3", "--datasets", "AF", "--classifier", "CART", "--budgets", *map(str, range(1, 16))]
    command = [sys.executable, "-m", "cmcsl_lib.cli", *words]
    running = subprocess.Popen([*command, "--workers", "2"], cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    while running.poll() is None and not list(path.with_suffix(".parts").rglob("[0-9].parquet")):
        time.sleep(0.01)
    running.kill()
    assert running.wait() == -signal.SIGKILL  # it had not come to its end
    assert not path.exists()
    finished = {part: part.stat().st_mtime_ns for part in path.with_suffix(".parts").rglob("[0-9].parquet")}
    assert 0 < len(finished) < 10
    messages = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stderr
    assert f"{10 - len(finished)} of {10 - len(finished)} folds" in messages
    resumed = path.read_bytes()
    path.unlink()
    subprocess.run([*command, "--workers", "2"], cwd=REPOSITORY, capture_output=True, check=True)
    assert path.read_bytes() == resumed


def test_folds_of_other_work_are_not_taken(kept_features):
    job = runs.Job("openclipart", "AF", STRICT, 3, ("GNB",), (1, 2))
    others = [
        replace(job, classifiers=("LR",)),
        replace(job, budgets=(1,)),
        replace(job, number=2),
        replace(job, protocol=PAPER),
        replace(job, protocol=STRICT.changed(seeds="replacement")),
    ]
    assert len({job.parts, *(other.parts for other in others)}) == 6


def test_progress_is_told_in_lines_where_there_is_no_terminal(kept_features, capsys):
    load(budgets=(1,))
    assert capsys.readouterr().err == "Experiment 3, strict: 10 of 10 folds, last openclipart/AF\n"
    load(budgets=(1,))
    assert capsys.readouterr().err == ""


def test_the_command_that_is_told_names_the_changes(kept_features):
    changed = STRICT.changed(scaling="each half")
    with pytest.raises(CmcslError, match='--protocol strict --change "scaling=each half"` first'):
        runs.load_scores("openclipart", changed, datasets="AF", compute=False)


def test_scores_of_features_that_are_elsewhere_are_found(make_features, tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    other = STRICT.changed(features="seed 7")
    path = features_path("openclipart", "AF", "seed 7")
    write_features(make_features(rows=15), path)
    scores = load(other, budgets=(2,))
    path.unlink()
    pd.testing.assert_frame_equal(load(other, budgets=(2,), compute=False), scores)
    with pytest.raises(Absent, match="openclipart, seed 7"):
        load(other, budgets=(3,))


def test_other_budgets_join_those_that_are_kept(kept_features):
    for budgets in ((1, 2), (3,)):
        load(budgets=budgets)
    path, _ = scores_paths("openclipart", "strict", 3, "AF")
    earlier = read_scores(path)
    assert set(earlier.budget) == {0, 1, 2, 3}
    assert not earlier.duplicated(list(COLUMNS[:-2])).any()


def test_scores_of_other_features_are_not_taken(kept_features, make_features):
    load(budgets=(1,))
    write_features(make_features(seed=1), kept_features / "features" / "openclipart" / "AF.parquet")
    with pytest.raises(CmcslError, match="cmcsl run 3 --corpus openclipart --datasets AF --protocol strict"):
        load(budgets=(1,), compute=False)


def test_damaged_scores_are_told(kept_features):
    path, _ = scores_paths("openclipart", "strict", 3, "AF")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(CmcslError, match="can't be read"):
        load(budgets=(1,))


@pytest.mark.slow
def test_a_dask_cluster_of_two_workers_gives_the_same_bytes(kept_features):
    distributed = pytest.importorskip("distributed")
    path, _ = scores_paths("openclipart", "strict", 3, "AF")
    load(budgets=(1, 2))
    once = path.read_bytes()
    path.unlink()
    local = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    with distributed.LocalCluster(**local) as cluster:
        load(budgets=(1, 2), scheduler=cluster.scheduler_address)
        with distributed.Client(cluster) as client:
            # Both took part: each has imported what the tasks need.
            assert len(client.run(lambda: "cmcsl_lib.experiments.grid" in __import__("sys").modules)) == 2
    assert path.read_bytes() == once


def test_a_scheduler_that_does_not_answer_is_told(kept_features):
    pytest.importorskip("distributed")
    with pytest.raises(CmcslError, match="No dask scheduler answers at tcp://127.0.0.1:9"):
        load(budgets=(1,), scheduler="tcp://127.0.0.1:9")


@pytest.mark.parametrize("kind", ["silent", "garbage", "closing", "tls", "no address"])
def test_what_is_no_scheduler_is_told_in_time(kept_features, kind):
    pytest.importorskip("distributed")
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted = []

        def serve():
            with suppress(OSError):
                while True:
                    accepted.append(server.accept()[0])
                    if kind == "garbage":
                        accepted[-1].sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20)
                    if kind == "closing":
                        accepted[-1].close()

        threading.Thread(target=serve, daemon=True).start()
        address = f"{'tls' if kind == 'tls' else 'tcp'}://127.0.0.1:{server.getsockname()[1]}"
        begin = time.monotonic()
        with pytest.raises(CmcslError, match=r"^No dask scheduler answers at [^\n]*$"):
            load(budgets=(1,), scheduler="tcp://nothing" if kind == "no address" else address)
        assert time.monotonic() - begin < 15


def test_a_scheduler_without_workers_is_told_in_time(kept_features):
    distributed = pytest.importorskip("distributed")
    begin = time.monotonic()
    with (
        distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=None) as cluster,
        pytest.raises(CmcslError, match=r"^The dask scheduler at tcp://127.0.0.1:\d+ has no workers: [^\n]*$"),
    ):
        load(budgets=(1,), scheduler=cluster.scheduler_address)
    assert time.monotonic() - begin < 15


def test_a_killed_worker_is_told_and_finished_folds_are_kept(kept_features, monkeypatch):
    # The first fold is computed by this process, the others by workers.
    monkeypatch.setattr(runs, "START", 0)
    monkeypatch.setattr(workers, "end_with", lambda parent: os.kill(os.getpid(), signal.SIGKILL))
    path, _ = scores_paths("openclipart", "strict", 3, "AF")
    with pytest.raises(CmcslError, match="A worker was killed, .* folds are kept, and the same command goes on"):
        load(budgets=(1,), workers=2)
    monkeypatch.undo()
    monkeypatch.setenv("CMCSL_HOME", str(kept_features))
    assert len(list(path.with_suffix(".parts").rglob("*.parquet"))) == 1
    assert len(load(budgets=(1,))) == 10 * 3 * (2 * 4 + 2) / 3
    assert not path.with_suffix(".parts").exists()


@pytest.mark.parametrize("options", [{"workers": 0}, {"workers": -2}, {"budgets": (0,)}, {"budgets": (1, -1)}])
def test_numbers_below_1_are_refused_whether_scores_are_there_or_not(kept_features, options):
    wrong = "--workers must be 1 or more" if "workers" in options else "Budgets must be 1 or more"
    for _ in ("cold", "warm"):
        with pytest.raises(CmcslError, match=wrong):
            load(**{"budgets": (1,)} | options)
        load(budgets=(1,))


def test_a_missing_dask_names_the_pip_command(kept_features, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(CmcslError, match=r'pip install -e "\.\[dask\]"'):
        load(budgets=(1,), scheduler="tcp://127.0.0.1:9")
