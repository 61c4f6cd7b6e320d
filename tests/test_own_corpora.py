"""Corpora that users bring: lists of images and texts with every kind of broken row, and arrays of features."""

import csv
import re
import time
import tracemalloc
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import papermill.cli
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from own_corpora import made_up, make_features, make_folder, picture, ready_made_corpus, write_list, write_pictures

from cmcsl_lib import corpora, extraction
from cmcsl_lib.analysis import sensitivity
from cmcsl_lib.book import pages
from cmcsl_lib.cli import main
from cmcsl_lib.cli.extraction import extract_folder
from cmcsl_lib.corpora import arrays as ready_made
from cmcsl_lib.corpora import cells, folder, user_corpora
from cmcsl_lib.corpora.arrays import read_arrays
from cmcsl_lib.corpora.dataset_classes import description_path, write_description
from cmcsl_lib.corpora.features import LARGEST, examples, extracted_datasets, load_features
from cmcsl_lib.corpora.items_file import report_path
from cmcsl_lib.corpora.pseudo_labels import pseudo_labels, unlabeled_features, with_finetuning_items
from cmcsl_lib.experiments.protocol import PROTOCOLS, drawable_budgets
from cmcsl_lib.experiments.runs import load_scores
from cmcsl_lib.files.errors import CmcslError
from cmcsl_lib.files.paths import features_folder

#: What YAML 1.1 and papermill know besides numbers.
YAML_WORDS = ["true", "False", "YES", "no", "On", "off", "y", "n", "null", "None", "nan", "inf", "Infinity", "infinite"]


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def written_files(home):
    """Every file in the user's folder but empty ones of locks."""
    return sorted(
        path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file() and path.name != ".lock"
    )


def test_a_folder_becomes_a_corpus_with_one_dataset_of_all_its_classes(tmp_path, home):
    assert make_folder(tmp_path / "mine", "pets", ["cat", "dog", "", "cat", " dog "]) == {}
    assert corpora.own_corpora() == ["pets"] and corpora.known_corpora() == ["openclipart", "mm-imdb", "pets"]
    assert corpora.datasets("pets") == {"pets": ("cat", "dog")}
    items = corpora.load("pets").items
    assert items.labels.map(list).tolist() == [["cat"], ["dog"], [], ["cat"], ["dog"]]
    assert items.id.tolist() == [f"pets-{number}.png" for number in range(5)]
    assert items.image.iloc[3] == picture(3) and items.text.iloc[4] == "words 4"
    assert written_files(home) == ["corpora/pets/corpus.json", "corpora/pets/items.arrow", "corpora/pets/set-aside.csv"]


def test_broken_rows_are_set_aside_with_their_reasons(tmp_path):
    mine = tmp_path / "mine"
    write_pictures(mine, ["1.png", "2.png", "3.png"])
    (mine / "cut.png").write_bytes(picture(4, (200, 200))[:-500])
    (mine / "page.png").write_text("<html>")
    (mine / "empty.png").write_bytes(b"")
    (mine / "folder.png").mkdir()
    (tmp_path / "secret.png").write_bytes(picture(5))
    (mine / "link.png").symlink_to(tmp_path / "secret.png")
    (mine / "=cmd.png").write_text("no image")
    broken = {
        "cut.png": "broken image",
        "page.png": "not an image",
        "empty.png": "not an image",
        "folder.png": "no image",
        "gone.png": "no image",
        "../secret.png": "image outside the folder",
        "link.png": "image behind a link out of the folder",
        str(tmp_path / "secret.png"): "image outside the folder",
        "nul\0.png": "image can't be read",
        "sub/../../secret.png": "image outside the folder",
        "=cmd.png": "not an image",
    }
    rows = [
        ("1.png", "words", "a"),
        *((image, "words", "a") for image in broken),
        ("2.png", "words", "b"),
        ("3.png", "  ", "a"),
        ("", "words", "b"),
        ("2.png", "words", "a"),
    ]
    path = mine / "items.parquet"
    mine_rows = list(zip(*rows, strict=True))
    pq.write_table(pa.table(dict(zip(("image", "text", "label"), map(list, mine_rows), strict=True))), path)
    counts = folder.read_folder("mine", path)
    assert counts == {
        "broken image": 1,
        "not an image": 3,
        "no image": 3,
        "image outside the folder": 3,
        "image behind a link out of the folder": 1,
        "image can't be read": 1,
        "no text": 1,
        "id used before": 1,
    }
    # Old versions of pandas end a cell at its first zero byte.
    rows = list(csv.reader(report_path("mine").read_text(encoding="utf-8").splitlines()))[1:]
    expected = [*broken.items(), ("3.png", "no text"), ("row 15", "no image"), ("row 16", "id used before")]
    expected = [("'=cmd.png" if item == "=cmd.png" else item, reason) for item, reason in expected]
    assert [tuple(row) for row in rows] == expected
    assert corpora.load("mine").items.id.tolist() == ["1.png", "2.png"]


def test_images_too_large_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "LARGEST_IMAGE", 100)
    (tmp_path / "large.png").write_bytes(bytes(101))
    with pytest.raises(CmcslError, match="image too large"):
        folder.image_content(tmp_path.resolve(), "large.png")


def test_csv_and_parquet_give_the_same_corpus(tmp_path):
    make_folder(tmp_path, "pets", ["cat", "dog", "", "cat"])
    expected = corpora.load("pets").items
    table = pd.read_csv(tmp_path / "pets.csv").rename(columns={"image": "file", "text": "story", "label": "kind"})
    assert table.kind.isna().sum() == 1
    table.to_parquet(tmp_path / "same.parquet")
    folder.read_folder("same", tmp_path / "same.parquet", image="file", text="story", label="kind")
    pd.testing.assert_frame_equal(corpora.load("same").items, expected)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_several_labels_are_divided_by_the_papers_rule(tmp_path, kind):
    labels = [["a"], ["a", "b"], ["b", "c"], ["c"], [], ["d"]] * 2
    names = [f"{number}.png" for number in range(len(labels))]
    write_pictures(tmp_path, names)
    texts = [f"text {number}" for number in range(len(labels))]
    classes = {"AB": ("a", "b"), "AC": ("c", "a")}
    if kind == "csv":
        path = write_list(tmp_path / "items.csv", zip(names, texts, map(" ; ".join, labels), strict=True))
        options = {"separator": ";"}
    else:
        path, options = tmp_path / "items.parquet", {}
        pq.write_table(pa.table({"image": names, "text": texts, "label": labels}), path)
    with pytest.raises(CmcslError, match="name datasets, for example --classes .* a, b, c, d"):
        folder.read_folder("mine", path, **options)
    folder.read_folder("mine", path, classes=classes, **options)
    assert corpora.datasets("mine") == classes
    dataset = corpora.subset(corpora.load("mine"), "AB")
    # Rows without any label belong to every dataset as unlabelled ones; d is no class, so row 5 is in none.
    assert dataset.rows.tolist() == [0, 2, 4, 6, 8, 10] and dataset.y.tolist() == [0, 1, -1, 0, 1, -1]
    counts = corpora.class_counts(corpora.load("mine"))
    assert dict(zip(counts.dataset + " " + counts["class"], counts.samples, strict=True)) == {
        "AB a": 2,
        "AB b": 2,
        "AC c": 4,
        "AC a": 4,
    }


def test_unlabelled_rows_are_never_for_fine_tuning_and_never_counted():
    labels = [["a"], ["b"], [], []] * 40
    items = pd.DataFrame({"id": [str(n) for n in range(160)], "labels": labels, "image": b"not looked at"})
    write_description("mine", "", {"mine": ["a", "b"]})
    corpus = corpora.Corpus("mine", items)
    without = np.array([not item for item in labels])
    for split in ("corpus", "dataset"):
        dataset = corpora.subset(corpus, "mine", split=split)
        assert len(dataset.finetuning_rows) == 16 and not without[dataset.finetuning_rows].any()
        assert (dataset.y[without[dataset.rows]] == -1).all() and without[dataset.rows].sum() == 80
        assert (dataset.y[~without[dataset.rows]] >= 0).all() and (~without[dataset.rows]).sum() == 64
        assert not set(dataset.rows) & set(dataset.finetuning_rows)
        assert (np.diff(dataset.rows) > 0).all()
    counts = corpora.class_counts(corpus)
    assert counts.samples.tolist() == [40, 40]


@pytest.mark.parametrize(
    ("labels", "spent"),
    [
        # 39 items would give 7 for fine-tuning, less than a batch of 8; 40 give 8.
        (["a"] * 20 + ["b"] * 19, 0),
        (["a"] * 20 + ["b"] * 20, 8),
    ],
)
def test_too_few_labels_are_not_spent_on_fine_tuning(tmp_path, labels, spent):
    make_folder(tmp_path, "few", [*labels, "", ""])
    for split in ("corpus", "dataset"):
        dataset = corpora.subset(corpora.load("few"), "few", split=split)
        assert len(dataset.finetuning_rows) == spent
        assert len(dataset.rows) == len(labels) + 2 - spent


def test_a_rare_class_keeps_all_of_its_labels(tmp_path):
    make_folder(tmp_path, "few", ["a"] * 40 + ["b"] * 4)
    for split, spent in (("corpus", 8), ("dataset", 0)):
        dataset = corpora.subset(corpora.load("few"), "few", split=split)
        assert (dataset.y == 1).sum() == 4 and len(dataset.finetuning_rows) == spent


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../up", "can't be that of a corpus"),
        ("", "can't be that"),
        ("a b", "can't be that"),
        ("a/b", "can't be that"),
        ("-x", "can't be that"),
        ("x" * 65, "can't be that"),
        ("OpenClipart", "is taken"),
        ("published", "is taken"),
        ("folder", "is taken"),
        ("CON", "is taken"),
        ("2024", "YAML, in which notebooks get their parameters, reads it as a number"),
        ("1e5", "corpus-1e5 would be a text"),
        ("2024-01-31", "a date or a truth value"),
        ("Yes", "a truth value"),
        ("nan", "a number"),
    ],
)
def test_names_that_are_no_safe_file_names_or_taken_are_refused(tmp_path, home, name, message):
    with pytest.raises(CmcslError, match=message):
        folder.read_folder(name, tmp_path / "items.csv")
    with pytest.raises(CmcslError, match=message):
        read_arrays(name, tmp_path / "items.npz")
    assert not home.exists()


@given(st.from_regex(r"[0-9a-fxoYNntrueEinlys][0-9a-fxo_eE.-]{0,9}", fullmatch=True) | st.sampled_from(YAML_WORDS))
def test_names_that_may_be_taken_stay_texts_as_parameters_of_notebooks(name):
    try:
        user_corpora.check_name(name)
    except CmcslError:
        return
    assert yaml.safe_load(name) == papermill.cli._resolve_type(name) == name


@pytest.mark.parametrize("name", ["2024", "0x1F", "1_000", "1e5", "2024-01-31", "off", "null", "inf"])
def test_names_that_are_refused_are_no_texts(name):
    assert yaml.safe_load(name) != name or papermill.cli._resolve_type(name) != name


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="file systems of other systems take these names for equal")
def test_images_that_are_called_otherwise_are_told_by_what_differs(tmp_path):
    mine, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    write_pictures(mine / "sub", ["fox.PNG", unicodedata.normalize("NFD", "é.png")])
    write_pictures(elsewhere, ["owl.png"])
    (mine / "images").symlink_to(elsewhere)
    (mine / "link").symlink_to(mine / "sub")
    (mine / "loop.png").symlink_to("loop.png")
    (mine / "left.png").symlink_to("gone.png")
    for name, reason in {
        "sub/fox.png": "no image: a file of this name has other capital and small letters",
        "Sub/fox.PNG": "no image: a file of this name has other capital and small letters",
        "sub/é.png": "no image: a file of this name has its accents encoded otherwise (Unicode NFC or NFD)",
        "sub\\fox.PNG": "no image: its path has back-slashes, where slashes are needed",
        "images/owl.png": "image behind a link out of the folder",
        "loop.png": "no image: a link leads nowhere, or round in a loop",
        "loop.png/fox.PNG": "no image: a link leads nowhere, or round in a loop",
        "left.png": "no image: a link leads nowhere, or round in a loop",
        "sub/owl.png": "no image",
        "gone/owl.png": "no image",
    }.items():
        with pytest.raises(CmcslError) as error:
            folder.image_content(mine.resolve(), unicodedata.normalize("NFC", name))
        assert str(error.value) == reason
    assert folder.image_content(mine.resolve(), "link/fox.PNG") == picture(0)


def test_a_blank_in_a_heading_is_shown(tmp_path):
    path = write_list(tmp_path / "items.csv", [("1.png", "words", "a")], ("image", " text", "label"))
    with pytest.raises(CmcslError, match="has no column 'text', but ' text', with a blank"):
        folder.read_folder("mine", path)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"AB": ("a",)}, "at least two classes"),
        ({"AB": ("a", "a")}, "each named once"),
        ({"AX": ("a", "x")}, "Unknown class of dataset AX 'x': choose from a, b"),
        ({"../A": ("a", "b")}, "can't be that of a dataset"),
    ],
)
def test_datasets_that_can_not_be_made_are_refused_and_nothing_is_kept(tmp_path, home, classes, message):
    with pytest.raises(CmcslError, match=message):
        make_folder(tmp_path, "mine", ["a", "b"], classes=classes)
    assert not home.exists() or written_files(home) == []


def test_labels_of_fewer_than_two_classes_are_refused(tmp_path):
    with pytest.raises(CmcslError, match="at least two classes, each named once, got a"):
        make_folder(tmp_path, "mine", ["a", "a", ""])
    with pytest.raises(CmcslError, match="no item has a label"):
        make_folder(tmp_path, "mine", ["", ""])


def test_a_failure_leaves_the_corpus_that_was_there(tmp_path):
    make_folder(tmp_path / "first", "mine", ["a", "b"])
    path = write_list(tmp_path / "second" / "mine.csv", [("gone.png", "words", "a"), ("gone too.png", "words", "b")])
    with pytest.raises(CmcslError, match="No item can be used: no image 2"):
        folder.read_folder("mine", path)
    assert corpora.load("mine").items.image.iloc[0] == picture(0)


def test_lists_that_can_not_be_read_are_told(tmp_path):
    make_folder(tmp_path, "mine", ["a", "b"])
    good = tmp_path / "mine.csv"
    for name, content, message in (
        ("latin.csv", "image,text,label\nü,x,a\n".encode("latin-1"), "UnicodeDecodeError"),
        ("empty.csv", b"", "EmptyDataError"),
        ("broken.csv", b'a,"b\n', "ParserError"),
        ("no.parquet", b"PAR1", "ArrowInvalid"),
        ("list.txt", b"", "must end in"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CmcslError, match=message):
            folder.read_folder("other", tmp_path / name)
    with pytest.raises(CmcslError, match="no column 'picture': its columns are image, text, label"):
        folder.read_folder("other", good, image="picture")
    with pytest.raises(CmcslError, match="There is no file"):
        folder.read_folder("other", tmp_path / "gone.csv")
    twice = write_list(tmp_path / "twice.csv", [("1", "1", "a", "b")], header=("image", "text", "label", "id"))
    pq.write_table(
        pa.Table.from_arrays([pa.array(["x"])] * 4, names=["image", "text", "label", "label"]),
        twice.with_suffix(".parquet"),
    )
    with pytest.raises(CmcslError, match="more than one column 'label'"):
        folder.read_folder("other", twice.with_suffix(".parquet"))


@pytest.mark.parametrize(
    ("column", "error"),
    [
        (pa.array([2**62] * 4, pa.timestamp("us")), "OverflowError"),
        (pa.Array.from_buffers(pa.string(), 4, pa.array([b"\xff"] * 4).buffers()), "UnicodeDecodeError"),
        (pa.array([0] * 4, pa.timestamp("us", tz="Nowhere/None")), "ArrowInvalid|ZoneInfoNotFoundError"),
    ],
    ids=["time", "text", "zone"],
)
def test_columns_of_parquet_that_python_can_not_read_are_told_only_where_they_are_needed(tmp_path, column, error):
    write_pictures(tmp_path, [f"{number}.png" for number in range(4)])
    numbers = pa.array([[1.0], [2.0], [3.0], [4.0]])
    table = pa.table(
        {
            "image": [f"{number}.png" for number in range(4)],
            "text": ["words"] * 4,
            "label": list("abab"),
            "more": column,
            "numbers": numbers,
        }
    )
    pq.write_table(table, tmp_path / "items.parquet")
    folder.read_folder("mine", tmp_path / "items.parquet")
    read_arrays("ready", tmp_path / "items.parquet", visual="numbers", text="numbers")
    message = rf"The column 'more' of type {re.escape(str(column.type))} can't be read \(({error})\)"
    with pytest.raises(CmcslError, match=message):
        folder.read_folder("mine", tmp_path / "items.parquet", label="more")
    with pytest.raises(CmcslError, match=message):
        read_arrays("ready", tmp_path / "items.parquet", visual="numbers", text="numbers", label="more")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,text,label\n0.png,words,a,\n1.png,words,b,\n", "has 4 cells in line 2 .* but 3 column names"),
        ("image,text,label\n0.png,words,a\n1.png,words, and more,b\n", "has 4 cells in line 3 .* but 3 column names"),
        ('image,text,label\n0.png,"two\nlines",a\n1.png,x,b,c\n', "has 4 cells in line 3 .* but 3 column names"),
        ("image,text,label,label\n0.png,words,a,c\n1.png,words,b,d\n", "more than one column 'label'"),
    ],
)
def test_a_list_whose_columns_are_not_sure_is_refused(tmp_path, content, message):
    write_pictures(tmp_path, ["0.png", "1.png"])
    (tmp_path / "mine.csv").write_text(content)
    with pytest.raises(CmcslError, match=message):
        folder.read_folder("mine", tmp_path / "mine.csv")


def test_a_comma_at_the_end_of_every_line_moves_no_column(tmp_path):
    write_pictures(tmp_path, ["0.png", "1.png"])
    (tmp_path / "mine.csv").write_text("\ufeffimage,text,label,\n0.png,words,a,\n\n1.png,words,b,\n", encoding="utf-8")
    folder.read_folder("mine", tmp_path / "mine.csv")
    items = corpora.load("mine").items
    assert (items.id + items.text).tolist() == ["0.pngwords", "1.pngwords"]
    assert corpora.datasets("mine") == {"mine": ("a", "b")}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("  ", []),
        (None, []),
        (float("nan"), []),
        (-1, []),
        (-1.0, []),
        ("-1", []),
        ("-1.0", []),
        ("NA", []),
        ("N/A", []),
        ("NULL", []),
        ("nan", []),
        ("None", []),
        ("none", ["none"]),
        ("na", ["na"]),
        ("1.0", ["1"]),
        ("1.00", ["1"]),
        ("1.5", ["1.5"]),
        ("01", ["01"]),
        ("-2", ["-2"]),
        (Decimal("2.0"), ["2"]),
        (b"cat", ["cat"]),
        (b"", []),
        ("\ud800", ["?"]),
        ([1.0, "1", b"1"], ["1"]),
        (["a", "N/A", None, -1], ["a"]),
        (3, ["3"]),
        (3.0, ["3"]),
        (2.5, ["2.5"]),
        (True, ["True"]),
        (["b", "a", "b", ""], ["a", "b"]),
        ([], []),
        (np.int64(7), ["7"]),
        ("a;b", ["a;b"]),
    ],
)
def test_what_counts_as_a_label(value, expected):
    assert cells.label_set(value) == expected


def test_a_missing_label_is_missing_with_any_separator():
    assert cells.label_set("N/A", "/") == []
    assert cells.label_set("a/NA/2.0", "/") == ["2", "a"]


@pytest.mark.parametrize("value", [{"bytes": b"x", "path": "y"}, [["a"]], b"\xff\xd8", [b"\x89PNG"]])
def test_what_is_no_label_is_refused(value):
    with pytest.raises(CmcslError, match="^Row 2 of 'kind' holds (several values|bytes that are no text)"):
        cells.read_column(["a", value], "kind", cells.label_set)


#: What people write for a missing label, and for one class.
WRITTEN = ["", "NA", "N/A", "NULL", "nan", "-1", "-1.0", "1", "1.0", "1", "2", "2.00"]
MEANT = [[], [], [], [], [], [], [], ["1"], ["1"], ["1"], ["2"], ["2"]]


@pytest.mark.parametrize("encoded", [str, str.encode])
def test_csv_parquet_and_arrays_read_labels_alike(tmp_path, encoded):
    names, texts = [f"{number}.png" for number in range(len(WRITTEN))], ["words"] * len(WRITTEN)
    write_pictures(tmp_path, names)
    path = write_list(tmp_path / "items.csv", zip(names, texts, WRITTEN, strict=True))
    written = [encoded(label) for label in WRITTEN]
    pq.write_table(pa.table({"image": names, "text": texts, "label": written}), tmp_path / "items.parquet")
    features = {"visual": np.zeros((len(written), 2)), "text": np.zeros((len(written), 3))}
    np.savez(tmp_path / "ready.npz", label=np.array(written), **features)
    folder.read_folder("csv", path)
    folder.read_folder("parquet", path.with_suffix(".parquet"))
    read_arrays("ready", tmp_path / "ready.npz")
    for name in ("csv", "parquet", "ready"):
        assert corpora.load(name).items.labels.map(list).tolist() == MEANT
        assert corpora.datasets(name) == {name: ("1", "2")}


def test_texts_that_say_that_there_is_none_are_no_texts(tmp_path):
    names, texts = [f"{number}.png" for number in range(6)], [b"two words", b"N/A", b"nan", b" NULL ", b"3.0", None]
    write_pictures(tmp_path, names)
    pq.write_table(pa.table({"image": names, "text": texts, "label": list("ababba")}), tmp_path / "items.parquet")
    assert folder.read_folder("mine", tmp_path / "items.parquet") == {"no text": 4}
    assert corpora.load("mine").items.text.tolist() == ["two words", "3.0"]


def test_pictures_inside_of_a_list_are_refused(tmp_path):
    inside = {"dict": [{"bytes": picture(0), "path": "0.png"}] * 2, "bytes": [picture(0)] * 2}
    for name, pictures in inside.items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({"image": pictures, "text": ["words"] * 2, "label": list("ab")}), path)
        with pytest.raises(CmcslError, match="Row 1 of 'image' holds"):
            folder.read_folder(name, path)


def test_classes_that_are_numbers_come_in_their_order(tmp_path):
    make_folder(tmp_path, "mine", ["10", "9", "2"])
    assert corpora.datasets("mine")["mine"] == ("2", "9", "10")


@pytest.mark.parametrize("content", ["", "{}", '{"datasets": {}}', '{"datasets": {"a": [1]}}', '{"datasets": 3}', "[]"])
def test_a_damaged_description_is_told(tmp_path, content, capsys):
    make_folder(tmp_path, "mine", ["a", "b"])
    description_path("mine").write_text(content)
    with pytest.raises(CmcslError, match="description .* can't be read"):
        corpora.datasets("mine")
    assert main(["corpora"]) == 2
    printed = capsys.readouterr()
    assert "openclipart: " in printed.out and "can't be read" in printed.err


def test_features_of_items_that_were_replaced_do_not_stay(tmp_path):
    make_folder(tmp_path, "mine", ["a", "b", "a", "b"])
    make_features("mine")
    features = features_folder("mine") / "mine.parquet"
    another = features_folder("mine", "another") / "mine.parquet"
    beside = features_folder("mine-too") / "mine-too.parquet"
    for path in (another, beside):
        path.parent.mkdir()
        path.write_bytes(features.read_bytes())
    make_folder(tmp_path, "mine", ["a", "b", "a", "b"])
    assert features.is_file() and another.is_file(), "the items are the same"
    make_folder(tmp_path, "mine", ["a", "b", "b", "a"])
    assert not features.parent.exists() and not another.parent.exists() and beside.is_file()


def test_a_corpus_that_was_read_in_halfway_is_refused(tmp_path):
    make_folder(tmp_path, "mine", ["a", "b"])
    before = description_path("mine").read_bytes()
    make_folder(tmp_path, "mine", ["b", "a"])
    description_path("mine").write_bytes(before)
    with pytest.raises(CmcslError, match="read in only halfway: make it again"):
        corpora.load("mine")


ARRAYS = {
    "visual": np.arange(12.0).reshape(6, 2),
    "text": np.arange(18).reshape(6, 3),
    "label": np.array(["a", "b", "", "a", "b", "b"]),
}


def save(folder, kind, arrays):
    """Arrays as `read_arrays` takes them, one way or another."""
    if kind == "npy":
        for name, values in arrays.items():
            np.save(folder / f"{name}.npy", values)
        return {"items": None} | {name.replace("id", "identifier"): str(folder / f"{name}.npy") for name in arrays}
    if kind == "npz":
        np.savez(folder / "made.npz", **arrays)
    else:
        pq.write_table(pa.table({name: values.tolist() for name, values in arrays.items()}), folder / "made.parquet")
    return {"items": folder / f"made.{kind}"}


@pytest.mark.parametrize("kind", ["npy", "npz", "parquet"])
def test_ready_made_features_come_back(tmp_path, kind):
    (path,) = read_arrays("mine", **save(tmp_path, kind, ARRAYS))
    features = load_features("mine", "mine", unlabeled=True)
    assert path.name == "mine.parquet" and features.classes == ("a", "b")
    assert features.ids.tolist() == list("123456") and features.y.tolist() == [0, 1, -1, 0, 1, 1]
    np.testing.assert_array_equal(features.visual, ARRAYS["visual"])
    np.testing.assert_array_equal(features.text, ARRAYS["text"])
    assert not corpora.load("mine").has_images
    assert corpora.class_counts(corpora.load("mine")).samples.tolist() == [2, 3]


def test_arrays_that_nobody_asked_for_are_not_read(tmp_path):
    """A file of 2.9 MB held one of 3 GB."""
    np.savez_compressed(tmp_path / "made.npz", **ARRAYS, other=np.zeros(20_000_000))
    tracemalloc.start()
    try:
        read_arrays("mine", tmp_path / "made.npz")
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(load_features("mine", "mine", unlabeled=True).visual, ARRAYS["visual"])


def test_ids_and_numeric_labels_of_arrays(tmp_path):
    arrays = ARRAYS | {"label": np.array([2, 10, -1, 2, 10, 10]), "id": np.array(list("fedcba"))}
    read_arrays("mine", **save(tmp_path, "npz", arrays))
    features = load_features("mine", "mine", unlabeled=True)
    assert features.ids.tolist() == list("fedcba") and features.classes == ("2", "10")


def test_lists_of_labels_in_parquet_are_divided(tmp_path):
    table = pa.table(
        {
            "visual": ARRAYS["visual"].tolist(),
            "text": ARRAYS["text"].tolist(),
            "label": [["a"], ["a", "b"], ["b"], [], ["c"], ["b", "c"]],
        }
    )
    pq.write_table(table, tmp_path / "made.parquet")
    with pytest.raises(CmcslError, match="--classes"):
        read_arrays("mine", tmp_path / "made.parquet")
    read_arrays("mine", tmp_path / "made.parquet", classes={"AB": ("a", "b")})
    features = load_features("mine", "AB", unlabeled=True)
    assert features.ids.tolist() == list("1346") and features.y.tolist() == [0, 1, -1, 1]


def _with(name, values):
    return ARRAYS | {name: np.asarray(values)}


@pytest.mark.parametrize("kind", ["npy", "npz"])
@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (_with("visual", np.where(ARRAYS["visual"] == 4, np.nan, ARRAYS["visual"])), "must be finite, but row 3"),
        (_with("text", np.full((6, 3), np.inf)), "must be finite, but row 1"),
        (_with("text", np.full((6, 3), -1e200)), r"must be finite, but row 1 .* beyond 1e\+150"),
        (_with("text", np.zeros((5, 3))), "equally many rows.*text 5"),
        (_with("visual", np.zeros(6)), r"must be a matrix .* got shape \(6,\)"),
        (_with("visual", np.zeros((6, 0))), "must be a matrix"),
        (_with("visual", np.full((6, 2), "x")), "must be numbers, got values of type <U1"),
        (_with("visual", np.full((6, 2), 1j)), "must be numbers"),
        (_with("label", np.array([{"a": 1}] * 6)), "can't be read .*no Python objects"),
        (_with("label", np.full((6, 2), "a")), r"one column .* got shape \(6, 2\)"),
        (_with("label", ["a"] * 5), "equally many rows"),
        (_with("label", ["a"] * 6), "at least two classes"),
        (_with("id", ["1", "1", "2", "3", "4", "5"]), "'1' is empty or stands twice"),
        (_with("id", "abcdef"), r"ids must be one column, got shape \(\)"),
    ],
)
def test_arrays_that_are_no_features_are_told_in_one_sentence(tmp_path, home, kind, arrays, message):
    with pytest.raises(CmcslError, match=message) as error:
        read_arrays("mine", **save(tmp_path, kind, arrays))
    assert "\n" not in str(error.value)
    assert not home.exists() or written_files(home) == []


def test_files_that_hold_no_arrays_are_told(tmp_path):
    for name, content in (("bad.npz", b"PK\3\4 nothing"), ("bad.parquet", b"PAR1"), ("bad.npz", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CmcslError, match="can't be read"):
            read_arrays("mine", tmp_path / name)
    with pytest.raises(CmcslError, match="must end in .npz or .parquet"):
        read_arrays("mine", tmp_path / "made.csv")
    with pytest.raises(CmcslError, match="comes from a .npy file, but --visual is 'visual'"):
        read_arrays("mine")
    np.savez(tmp_path / "other.npz", images=ARRAYS["visual"])
    several = (tmp_path / "other.npz").rename(tmp_path / "other.npy")
    with pytest.raises(CmcslError, match="can't be read"):
        read_arrays("mine", visual=str(several), text=str(several), label=str(several))
    several.rename(tmp_path / "other.npz")
    with pytest.raises(CmcslError, match="holds no 'visual', only images: name what it holds with --visual"):
        read_arrays("mine", tmp_path / "other.npz")
    ragged = pa.table({"visual": [[1.0], [1.0, 2.0]], "text": [[1.0], [2.0]], "label": ["a", "b"]})
    pq.write_table(ragged, tmp_path / "ragged.parquet")
    with pytest.raises(CmcslError, match="unequal lengths"):
        read_arrays("mine", tmp_path / "ragged.parquet")
    columns = [pa.array([[1.0], [2.0]])] * 2 + [pa.array(["a", "b"]), pa.array(["b", "a"])]
    twice = pa.Table.from_arrays(columns, names=["visual", "text", "label", "label"])
    pq.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(CmcslError, match="more than one column 'label'"):
        read_arrays("mine", tmp_path / "twice.parquet")


def test_classes_are_shown_with_their_sizes(tmp_path, capsys):
    labels = ["cat", "dog", "cat", "\x1b[31mdgo", "", "N/A"]
    names = [f"{number}.png" for number in range(len(labels))]
    write_pictures(tmp_path, names)
    path = write_list(
        tmp_path / "pets.csv", [(name, "words", label) for name, label in zip(names, labels, strict=True)]
    )
    extract_folder(path)
    assert capsys.readouterr().out.splitlines()[1:3] == ["pets: \\x1b[31mdgo 1, cat 2, dog 1", "without a label: 2"]
    extract_folder(path, "named", ["CD=dog,cat", "DD=dog,\x1b[31mdgo"])
    assert capsys.readouterr().out.splitlines()[1:3] == ["CD: dog 1, cat 2", "DD: dog 1, \\x1b[31mdgo 1"]
    np.savez(tmp_path / "ready.npz", **ARRAYS)
    assert main(["extract", "arrays", "--items", str(tmp_path / "ready.npz"), "--as", "made"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["made: a 2, b 3", "without a label: 1"]


def test_own_corpora_are_taken_by_the_command(tmp_path, capsys):
    ready_made_corpus(tmp_path)
    assert main(["corpora"]) == 0
    assert "ready: 22 items, 4 of them without a label" in capsys.readouterr().out
    assert main(["run", "3", "--corpus", "ready"]) == 0
    output = capsys.readouterr()
    assert "CMCSL" in output.out and "Budgets 1 to 4, as many as the smallest class of ready allows." in output.err
    assert main(["table", "5", "--source", "ready", "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("ready,visual,")
    assert main(["table", "6", "--source", "ready"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "cmcsl: The corpus ready has no multiclass dataset."
    assert main(["extract", "ready"]) == 2
    assert "ready has no images and texts" in capsys.readouterr().err
    assert main(["table", "5", "--source", "nowhere"]) == 2
    assert "choose from openclipart, mm-imdb, ready, published." in capsys.readouterr().err


def test_by_default_those_datasets_are_taken_that_have_features(tmp_path, capsys):
    classes = {"AB": ("a", "b"), "AC": ("a", "c"), "BC": ("b", "c")}
    make_folder(tmp_path, "part", [*"ab" * 8, *"c" * 2], classes=classes)
    make_features("part")
    assert list(extracted_datasets("part")) == list(classes)
    (features_folder("part") / "AC.parquet").unlink()
    (features_folder("part") / "BC.parquet").rename(tmp_path / "BC.parquet")
    assert list(extracted_datasets("part")) == examples("part") == ["AB"]
    assert list(extracted_datasets("part", "AC BC")) == ["AC", "BC"], "those that are named are not changed"
    assert list(sensitivity.shared_items(corpora.load("part"))) == ["AB"]
    left_out = (
        "Left out of part, since `cmcsl extract` made no features of them; their smallest classes: AC (c 2), "
        "BC (c 2).\n"
        "Budgets 1 to 4, as many as the smallest class of part allows.\n"
    )
    capsys.readouterr()
    for words in (["run", "3", "--corpus", "part"], ["table", "5", "--source", "part"]):
        assert main(words) == 0
        output = capsys.readouterr()
        assert output.err.startswith(left_out) and "AB" in output.out and "BC" not in output.out
    pages.check_corpus("part")
    with pytest.raises(CmcslError, match="make it with `cmcsl extract part BC`"):
        pages.check_corpus("part", ["BC"])
    (features_folder("part") / "AB.parquet").unlink()
    assert list(extracted_datasets("part")) == list(classes), "their scores may be there"
    # Features by another name, where there are none by the usual one.
    features_folder("part", "other").mkdir()
    (tmp_path / "BC.parquet").rename(features_folder("part", "other") / "BC.parquet")
    assert list(extracted_datasets("part", extraction="other")) == ["BC"]
    assert main(["run", "3", "--corpus", "part"]) == 2
    assert "make it with `cmcsl extract part AB`" in capsys.readouterr().err


def test_experiments_never_see_unlabelled_rows(tmp_path):
    ready_made_corpus(tmp_path)
    assert drawable_budgets("ready") == (1, 2, 3, 4)
    scores = load_scores("ready", PROTOCOLS["strict"], datasets="ready", budgets=(1,))
    whole = np.load(tmp_path / "ready.npz")
    labelled = whole["label"] >= 0
    np.savez(tmp_path / "labelled.npz", **{name: values[labelled] for name, values in whole.items()})
    read_arrays("labelled", tmp_path / "labelled.npz")
    expected = load_scores("labelled", PROTOCOLS["strict"], datasets="labelled", budgets=(1,))
    np.testing.assert_array_equal(scores.balanced_accuracy, expected.balanced_accuracy)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["extract", "openclipart", "AF", "--items", "x.csv"], "--items go with folder and arrays"),
        (["extract", "folder"], "Name the list of your images and texts with --items"),
        (["extract", "folder", "AF", "--items", "x.csv"], "name datasets with --classes"),
        (["extract", "folder", "--items", "x.csv", "--visual", "v"], "--visual goes with arrays"),
        (["extract", "folder", "--items", "x.csv", "--classes", "AB"], "--classes takes NAME=CLASS,CLASS"),
        (["extract", "folder", "--items", "no file.csv"], "The name 'no file' can't be that of a corpus"),
        (["extract", "arrays"], "Name the corpus that your arrays make with --as"),
        (["extract", "arrays", "--as", "mine", "--image", "i"], "--image goes with folder"),
        (["label", "openclipart"], "The corpus openclipart has several datasets: name one of AF, PT"),
        (["label", "openclipart", "AF"], "Every item of openclipart/AF has a label"),
        (["label", "nowhere"], "Unknown corpus 'nowhere'"),
    ],
)
def test_wrong_words_give_one_sentence_and_code_2(capsys, words, message):
    assert main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("cmcsl: ") and message in err and err.count("\n") == 1


def test_features_of_the_extraction_keep_unlabelled_rows_apart(tmp_path):
    make_folder(tmp_path, "pets", ["cat", "dog", ""] * 3)
    make_features("pets")
    assert len(load_features("pets", "pets").y) == 6
    assert len(load_features("pets", "pets", unlabeled=True).y) == 9
    assert made_up(np.array([0, 1]), 3).shape == (2, 3)


def test_features_of_another_list_are_refused(tmp_path):
    make_folder(tmp_path, "pets", ["cat", "dog", ""] * 3)
    make_features("pets")
    path = features_folder("pets") / "pets.parquet"
    content, features = path.read_bytes(), load_features("pets", "pets", unlabeled=True)
    labels = pseudo_labels(features)
    make_folder(tmp_path, "pets", ["dog", "cat", ""] * 3)
    message = "features of pets/pets belong to other items .* `cmcsl extract pets`"
    # An extraction that began with the earlier list ends.
    with pytest.raises(CmcslError, match=message):
        extraction._write(features, path)
    assert not path.exists()
    with pytest.raises(CmcslError, match=message):
        with_finetuning_items(labels, features)
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(CmcslError, match=message):
        load_features("pets", "pets")


def test_features_of_other_classes_are_refused(tmp_path):
    make_folder(tmp_path, "pets", ["cat", "dog", "owl"] * 3, classes={"two": ("cat", "dog")})
    make_features("pets")
    make_folder(tmp_path, "pets", ["cat", "dog", "owl"] * 3, classes={"two": ("cat", "owl")})
    with pytest.raises(CmcslError, match="those of the classes cat, dog, but the dataset now has cat, owl"):
        load_features("pets", "two")


def test_two_at_once_never_mix_items_with_features(tmp_path, monkeypatch):
    other = ARRAYS | {"visual": ARRAYS["visual"] + 1, "label": np.array(list("babbaa"))}
    paths = []
    for name, arrays in (("one", ARRAYS), ("two", other)):
        paths.append(tmp_path / f"{name}.npz")
        np.savez(paths[-1], **arrays)
    write, second = ready_made.write_features, []

    def while_another_comes(features, path, exact):
        if not second:
            second.append(pool.submit(read_arrays, "mine", paths[1]))
            with pytest.raises(TimeoutError):
                second[0].result(timeout=0.5)
            assert user_corpora.load("mine").items.labels.str[0].tolist()[:2] == ["a", "b"]
        write(features, path, exact=exact)

    monkeypatch.setattr(ready_made, "write_features", while_another_comes)
    with ThreadPoolExecutor() as pool:
        read_arrays("mine", paths[0])
        second[0].result()
    features = load_features("mine", "mine")
    np.testing.assert_array_equal(features.visual, other["visual"])
    assert [features.classes[index] for index in features.y] == list("babbaa")


@pytest.mark.parametrize("kind", ["npy", "npz", "parquet"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ready_made_features_keep_every_digit(tmp_path, kind, dtype):
    values = np.random.default_rng(0).normal(size=(6, 2)).astype(dtype)
    shifted = values + dtype(100_000)
    shifted[0] = [1e-320 if dtype == np.float64 else 1e-45, -min(np.finfo(dtype).max, LARGEST)]
    (path,) = read_arrays("mine", **save(tmp_path, kind, ARRAYS | {"visual": values, "text": shifted}))
    features = load_features("mine", "mine", unlabeled=True)
    np.testing.assert_array_equal(features.visual, values)
    np.testing.assert_array_equal(features.text, shifted)
    stored = pq.read_schema(path).field("visual").type.value_type
    assert stored == (pa.float32() if dtype == np.float32 else pa.float64())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_features_are_mapped_and_labelled_alike(tmp_path, home, monkeypatch, dtype):
    y = np.array([0, 1] * 30)
    matrices = {"visual": made_up(y, 5).astype(dtype), "text": made_up(y, 3, 1).astype(dtype)}
    np.savez(tmp_path / "mine.npz", label=np.where(np.arange(60) < 6, y, -1), **matrices)
    read_arrays("mine", tmp_path / "mine.npz")
    in_memory = unlabeled_features("mine")
    files = sorted(home.rglob("*"))
    monkeypatch.setattr(corpora.features, "IN_MEMORY", 0)
    mapped = unlabeled_features("mine")
    for name, matrix in matrices.items():
        np.testing.assert_array_equal(getattr(mapped, name), matrix)
        assert getattr(mapped, name).dtype == dtype
        # What is mapped can't be changed.
        assert getattr(in_memory, name).flags.writeable and not getattr(mapped, name).flags.writeable
    assert sorted(home.rglob("*")) == files
    pd.testing.assert_frame_equal(pseudo_labels(mapped), pseudo_labels(in_memory))


def test_a_constant_added_to_ready_made_features_changes_no_label(tmp_path):
    labels = []
    y = np.array([0, 1] * 30)
    seeds = np.where(np.arange(60) < 6, y, -1)
    for name, constant in (("plain", 0), ("shifted", 100_000)):
        matrices = {"visual": made_up(y, 5) + constant, "text": made_up(y, 3, 1) + constant}
        np.savez(tmp_path / f"{name}.npz", label=seeds, **matrices)
        read_arrays(name, tmp_path / f"{name}.npz")
        labels.append(pseudo_labels(load_features(name, name, unlabeled=True), preprocessing="STD").label)
    assert labels[0].tolist() == labels[1].tolist()


def test_a_list_of_hundreds_of_thousands_of_columns_is_refused_at_once(tmp_path):
    """It took a minute and 1.7 GB."""
    path = write_list(tmp_path / "wide.csv", [["1"] * 200_000] * 20, [f"c{number}" for number in range(200_000)])
    begin = time.perf_counter()
    with pytest.raises(CmcslError, match="has 200,000 columns, more than 10,000"):
        folder.read_folder("mine", path)
    assert time.perf_counter() - begin < 5, "a machine that is busy takes one"


def test_reading_items_is_told_in_a_log(tmp_path, capsys):
    make_folder(tmp_path, "pets", ["cat", "dog", ""])
    assert capsys.readouterr().err == "Reading items: 3 of 3 items\n"
