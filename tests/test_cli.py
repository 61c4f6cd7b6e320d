import argparse
import inspect
import os
import re
import shlex
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cmcsl_lib import cli, corpora, extraction
from cmcsl_lib.cli import data, pages
from cmcsl_lib.cli.extraction import OWN_DATA_OPTIONS, extract_arrays, extract_corpus, extract_folder
from cmcsl_lib.corpora.arrays import read_arrays
from cmcsl_lib.corpora.corpus import MIN_CLASS
from cmcsl_lib.corpora.features import read_features, write_features
from cmcsl_lib.corpora.folder import read_folder
from cmcsl_lib.corpora.items_file import items_path
from cmcsl_lib.experiments import runs
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.experiments.runs import load_scores
from cmcsl_lib.experiments.scores import BUDGETS
from cmcsl_lib.files import extras
from cmcsl_lib.files.checksums import written_sealed
from cmcsl_lib.files.paths import REPOSITORY

COMMANDS = next(action.choices for action in cli.parser()._actions if isinstance(action, argparse._SubParsersAction))


def run(capsys, *words):
    code = cli.main(list(words))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_corpora_lists_every_dataset(capsys):
    code, out, _ = run(capsys, "corpora")
    assert code == 0
    assert "openclipart" in out and "ACFOPSTT" in out and "animal, food" in out


@pytest.mark.parametrize(("number", "rows"), [("5", 22), ("6", 22)])
def test_table_as_csv_has_the_papers_columns(capsys, number, rows):
    code, out, _ = run(capsys, "table", number, "--source", "openclipart", "--csv")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("dataset,modality,FULL,EF,LF,PRE,UNI,CMCSL")
    assert len(lines) == 1 + rows


def test_run_keeps_scores_and_prints_their_means(capsys, tmp_path, monkeypatch, make_features):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    write_features(make_features(), tmp_path / "features" / "openclipart" / "AF.parquet")
    code, out, _ = run(capsys, "run", "3", "--datasets", "AF", "--protocol", "paper", "--budgets", "1", "2")
    assert code == 0
    assert "CMCSL" in out and "AF" in out
    scores = load_scores("openclipart", PROTOCOLS["paper"], datasets="AF", budgets=(1, 2), compute=False)
    assert set(scores.budget) == {0, 1, 2}


def test_study_simulation_makes_the_map(capsys, tmp_path, monkeypatch):
    from cmcsl_lib.studies import results, simulation, strengths

    monkeypatch.setattr(strengths, "CALIBRATIONS", 2)
    small = simulation.MAP._replace(
        settings=(simulation.Setting(2, rows=30, repetitions=2),),
        simulate=partial(simulation.simulate_strengths, strengths=(0.0, 0.5)),
    )
    monkeypatch.setitem(results.SIMULATIONS, "simulation", small)
    code, out, _ = run(capsys, "study", "simulation", "--to", str(tmp_path / "map.parquet"))
    assert code == 0
    assert out.strip() == str(tmp_path / "map.parquet")
    assert (tmp_path / "map.parquet").is_file()


def test_table_1_of_the_paper_is_the_printed_one(capsys):
    code, out, _ = run(capsys, "table", "1", "--source", "published", "--csv")
    assert code == 0
    assert out.splitlines()[1] == "HR,binary,Horror,2151,6804"


def test_run_with_a_changed_choice(capsys, tmp_path, monkeypatch, make_features):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    write_features(make_features(rows=12), tmp_path / "features" / "openclipart" / "AF.parquet")
    words = ["run", "2", "--datasets", "AF", "--budgets", "1", "--change", "seeds=replacement", "scaling=each half"]
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "L2STD" in out and "CMCSL" in out
    changed = PROTOCOLS["strict"].changed(seeds="replacement", scaling="each half")
    scores = load_scores("openclipart", changed, 2, datasets="AF", budgets=(1,), compute=False)
    assert set(scores.protocol) == {"strict, seeds=replacement, scaling=each half"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "3", "--change", "seeds"), "--change takes FIELD=VALUE, for example seeds=replacement, got seeds."),
        (("run", "3", "--change", "seeds=some"), "Unknown seeds 'some': choose from nested, replacement."),
        (("table", "5", "--source", "imdb"), "Unknown source 'imdb': choose from openclipart, mm-imdb, published."),
        (("table", "5", "--source", "mm-imdb"), "There is no features file"),
        (("book", "--corpus", "imdb"), "Unknown corpus 'imdb': choose from openclipart, mm-imdb."),
        (("run", "3", "--corpus", "nowhere"), "Unknown corpus 'nowhere': choose from openclipart"),
        (("run", "3", "--datasets", "AF", "XX"), "Unknown dataset of corpus openclipart 'XX': choose from AF, PT"),
        (("run", "7"), "Unknown experiment '7': choose from"),
        (("run", "3", "--protocol", "loose"), "Unknown protocol 'loose': choose from strict, paper"),
        (("run", "3", "--datasets", "HP", "--budgets", "400"), "Budgets of openclipart/HP must lie in 1.."),
        (("run", "3", "--datasets", "AF", "--classifier", "SVM", "--budgets", "1"), "Unknown classifier 'SVM'"),
        (
            ("run", "3", "--methods", "CMCSL", "MAGIC"),
            "Unknown method 'MAGIC': choose from FULL, EF, LF, PRE, UNI, CMCSL",
        ),
        (("table", "99"), "Unknown table '99': choose from"),
        (("study", "luck"), "Unknown study 'luck': choose from"),
        (("extract", "openclipart", "XX"), "Unknown dataset of corpus openclipart 'XX'"),
        (("extract", "openclipart", "--start", "hope"), "Unknown start 'hope': choose from auto, imagenet, pooled"),
    ],
)
def test_bad_input_gives_one_sentence_and_code_2(capsys, words, message):
    code, _, err = run(capsys, *words)
    assert code == 2
    assert err.startswith(f"cmcsl: {message}")
    assert err.count("\n") == 1


def damage(path: Path, column: str) -> None:
    """Rewrite a features file with a column that can't be right."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    wrong = np.full((table.num_rows, 384 if column == "text" else 5), np.nan, dtype=np.float32)
    values = pa.FixedSizeListArray.from_arrays(pa.array(wrong.ravel()), wrong.shape[1])
    with written_sealed(path) as temporary:
        pq.write_table(table.set_column(table.column_names.index(column), column, values), temporary)


@pytest.mark.parametrize(("column", "message"), [("text", "must be finite"), ("visual", "must be finite")])
def test_bad_features_give_one_sentence_and_code_2(capsys, tmp_path, monkeypatch, make_features, column, message):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    path = tmp_path / "features" / "openclipart" / "AF.parquet"
    write_features(make_features(), path)
    read_features(path)
    damage(path, column)
    code, _, err = run(capsys, "run", "3", "--datasets", "AF")
    assert code == 2
    assert message in err and str(path) in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("extract", ("extract", "openclipart", "AF")),
        ("extract", ("extract", "folder", "--items", "items.csv")),
        ("extract", ("fetch", "imagenet-weights")),
        ("extract", ("fetch", "mm-imdb", "--from", "mmimdb.tar.gz")),
        ("book", ("book",)),
        ("book", ("notebooks", "06", "--to", "folder")),
        ("dask", ("run", "1", "--datasets", "AF", "--classifier", "LR", "--scheduler", "tcp://127.0.0.1:1")),
    ],
)
@pytest.mark.parametrize(
    ("checkout", "command"), [(True, 'pip install -e ".[{}]"'), (False, 'pip install "cmcsl[{}]"')]
)
def test_a_missing_extra_names_the_pip_command(capsys, monkeypatch, tmp_path, extra, words, checkout, command):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    for name in extras.MODULES[extra]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(extras, "in_checkout", lambda: checkout)
    monkeypatch.setattr(runs, "find_scores", lambda job: {})
    code, _, err = run(capsys, *words)
    assert code == 2
    assert f" needs {', '.join(extras.MODULES[extra][:1])}" in err
    assert err.endswith(f": {command.format(extra)}.\n") and err.count("\n") == 1


@pytest.mark.parametrize("words", [("book",), ("notebooks", "06", "--to", "folder")])
def test_outside_a_checkout_there_are_no_pages(capsys, monkeypatch, words):
    monkeypatch.setattr(pages, "in_checkout", lambda: False)
    code, _, err = run(capsys, *words)
    assert code == 2
    assert err.startswith(f"cmcsl: `cmcsl {words[0]}` needs the notebooks") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RuntimeError("something\x1b[31m odd\nand more"), "failed for a reason that nobody foresaw (RuntimeError: "),
        (
            np._core._exceptions._ArrayMemoryError((1 << 60,), np.dtype(float)),
            "Memory was too short for `cmcsl corpora`",
        ),
        (KeyError("猫"), "`cmcsl corpora` failed for a reason that nobody foresaw (KeyError: '猫'): please report it."),
    ],
)
@pytest.mark.parametrize("writable", [True, False])
def test_what_nobody_foresaw_ends_in_a_sentence_and_a_log(capsys, monkeypatch, tmp_path, error, sentence, writable):
    def fail():
        raise error

    home = tmp_path / "home" if writable else Path("/proc/none")
    monkeypatch.setenv("CMCSL_HOME", str(home))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(corpora, "known_corpora", fail)
    code, out, err = run(capsys, "corpora")
    assert (code, out) == (2, "")
    assert err.startswith("cmcsl: ") and sentence in err and err.count("\n") == 1 and "\x1b" not in err
    log = Path(err.split("The traceback is in ")[1].removesuffix(".\n"))
    assert log.parent == (home / "logs" if writable else tmp_path)
    assert "`cmcsl corpora`" in log.read_text("utf-8") and "in fail\n" in log.read_text("utf-8")


def shell(line, **environment):
    """A shell's exit code and what it printed, where `cmcsl` is the command."""
    command = f'cmcsl() {{ {shlex.quote(sys.executable)} -m cmcsl_lib.cli "$@"; }}; set -o pipefail; {line}'
    return subprocess.run(
        ["bash", "-c", command], check=False, capture_output=True, cwd=REPOSITORY, env=os.environ | environment
    )


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("cmcsl corpora | true", 141, b""),
        ("cmcsl --help | true", 0, b""),
        ("cmcsl corpora >&-", 0, b""),
        ("cmcsl corpora 2>&- >&-", 0, b""),
        ("cmcsl table X 2>&-", 2, b""),
        ("cmcsl corpora > /dev/full", 2, b"cmcsl: The output, or a file, can't be used (No space left"),
        (
            "CMCSL_HOME=\\~nosuchuser/x cmcsl corpora",
            2,
            b"cmcsl: CMCSL_HOME is '~nosuchuser/x', and this machine has no ",
        ),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_where_nothing_can_be_printed_there_is_no_traceback(line, code, message, unbuffered):
    done = shell(line, PYTHONUNBUFFERED=unbuffered)
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr
    assert done.returncode == code
    assert done.stderr.startswith(message) and (message or not done.stderr)


@pytest.fixture
def odd_classes(tmp_path, monkeypatch):
    """A corpus with a letter that ASCII lacks, a sequence that a terminal obeys, and a line break in its classes."""
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    names = np.array(["猫", "\x1b[31mred", "two\x1b]0;title\x07"])
    random = np.random.default_rng(0)
    arrays = {"visual": random.normal(size=(30, 4)), "text": random.normal(size=(30, 4)), "label": np.tile(names, 10)}
    np.savez(tmp_path / "odd.npz", **arrays)
    read_arrays("odd", tmp_path / "odd.npz")
    return "odd"


@pytest.mark.parametrize("words", [("corpora",), ("table", "1", "--source", "odd")])
def test_classes_are_printed_on_any_terminal_and_command_none(capsys, odd_classes, words):
    code, out, err = run(capsys, *words)
    assert (code, err) == (0, "")
    assert "猫" in out and "\\x1b[31mred" in out and "\x1b" not in out and "\x07" not in out
    done = shell(f"cmcsl {shlex.join(words)}", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"") and b"\\u732b" in done.stdout
    done = shell("cmcsl run 3 --corpus 猫", PYTHONIOENCODING="ascii")
    assert done.returncode == 2 and done.stderr.startswith(b"cmcsl: Unknown corpus '\\u732b'")


@pytest.mark.parametrize(
    "words",
    [
        ("run", "3", "--budgets", "0"),
        ("run", "3", "--workers", "0"),
        ("run", "1", "--workers", "-1"),
        ("study", "seeds", "--budgets", "1", "0"),
        ("study", "simulation", "--workers", "0"),
        ("table", "5", "--budgets", "0"),
        ("table", "5", "--source", "published", "--budgets", "0"),
        ("book", "--workers", "0"),
        ("book", "--budgets", "0"),
        ("notebooks", "06", "--to", "folder", "--workers", "0"),
        ("notebooks", "06", "--to", "folder", "--budgets", "-5"),
    ],
)
def test_numbers_below_1_are_refused_at_once(capsys, monkeypatch, words):
    monkeypatch.setattr(pages, "check_environment", lambda: None)
    monkeypatch.setattr(runs, "find_scores", lambda job: pytest.fail("scores were looked for"))
    code, out, err = run(capsys, *words)
    what = "--workers" if "--workers" in words else "Budgets"
    assert (code, out, err) == (2, "", f"cmcsl: {what} must be 1 or more, got {words[-1]}.\n")


def test_labels_go_to_no_device(capsys, monkeypatch, tmp_path, odd_classes):
    os.mkfifo(tmp_path / "pipe")
    code, _, err = run(capsys, "label", odd_classes, "--to", str(tmp_path / "pipe"))
    assert code == 2 and "is no regular file, and is left as it is" in err and (tmp_path / "pipe").is_fifo()


def test_corpora_fails_where_one_is_damaged(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    assert run(capsys, "corpora")[0] == 0
    items_path("mm-imdb").parent.mkdir(parents=True)
    items_path("mm-imdb").write_bytes(b"ARROW1 nothing")
    code, out, err = run(capsys, "corpora")
    assert code == 2
    assert "openclipart: " in out and "mm-imdb" in err


def test_reading_and_running_need_no_torch():
    modules = (
        "cmcsl_lib.cli, cmcsl_lib.experiments.runs, cmcsl_lib.analysis.tables, cmcsl_lib.book.schedule, cmcsl_lib.plots"
    )
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "cmcsl_lib.cli", "table", "X"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("cmcsl: Unknown table 'X'")


def options(parser):
    """What a command passes to its function, by the names of parameters."""
    return {action.dest: action for action in parser._actions if action.dest != "help"}


@pytest.mark.parametrize("name", COMMANDS)
def test_arguments_are_the_parameters_of_the_function_and_have_help(name):
    parser = COMMANDS[name]
    parameters = set(inspect.signature(parser.get_default("function")).parameters)
    if name == "extract":
        functions = (extract_corpus, extraction.extract, extract_folder, read_folder, extract_arrays, read_arrays)
        parameters = {"source"}.union(*(inspect.signature(function).parameters for function in functions))
        # Those that are passed on, or go by another name.
        parameters -= {"settings", "columns", "arrays", "names", "folder", "finetuned", "path"}
        assert set(OWN_DATA_OPTIONS) <= parameters
    assert set(options(parser)) == parameters
    assert all(action.help for action in options(parser).values())
    assert all(action.default is argparse.SUPPRESS for action in options(parser).values())


def test_defaults_in_the_help_are_those_of_the_library():
    extract, run = options(COMMANDS["extract"]), options(COMMANDS["run"])
    assert f"default: {MIN_CLASS}," in extract["min_class"].help
    assert inspect.signature(data.divide).parameters["min_class"].default == MIN_CLASS
    seeds = inspect.signature(extraction.extract).parameters
    for name in ("seed", "split_seed"):
        assert extract[name].help.endswith(f"default: {seeds[name].default}")
        assert seeds[name].default == corpora.RANDOM_STATE
    assert f"{BUDGETS[0]} to {BUDGETS[-1]}" in run["budgets"].help
    assert run["protocol"].help.startswith(" or ".join(PROTOCOLS))


def examples():
    """Command lines of the README and of the commands' help."""
    texts = [(REPOSITORY / "README.md").read_text(encoding="utf-8"), *(each.epilog or "" for each in COMMANDS.values())]
    return [line.strip() for text in texts for line in re.findall(r"^ *cmcsl .*", text, re.MULTILINE)]


@pytest.mark.parametrize("line", dict.fromkeys(examples()))
def test_examples_parse(line):
    cli.parser().parse_args(shlex.split(line, comments=True)[1:])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("openclipart", "--items", "a.csv", "--as", "b"), "--items, --as go with folder and arrays"),
        (("folder", "AF"), "`cmcsl extract folder` takes no DATASET: name datasets with --classes."),
        (("folder", "--visual", "v"), "--visual goes with arrays"),
        (("arrays", "--image", "i"), "--image goes with folder"),
        (("folder",), "Name the list of your images and texts with --items"),
        (("arrays",), "Name the corpus that your arrays make with --as."),
    ],
)
def test_options_of_another_form_of_extract_are_refused(capsys, words, message):
    code, _, err = run(capsys, "extract", *words)
    assert code == 2 and err.startswith(f"cmcsl: {message}") and err.count("\n") == 1


def test_extract_passes_on_what_is_on_the_command_line(capsys, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    monkeypatch.setattr(extraction, "extract", lambda *names, **settings: calls.append((names, settings)) or [])
    assert run(capsys, "extract", "--seed", "3", "openclipart", "AF", "--name", "other", "--finetune", "no")[0] == 0
    folder = tmp_path / "features" / "openclipart, other"
    assert calls == [(("openclipart", ["AF"]), {"folder": folder, "finetuned": False, "seed": 3})]
