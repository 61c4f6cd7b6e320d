import hashlib
import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cmcsl_lib.corpora import load, subset
from cmcsl_lib.corpora.dataset_classes import datasets
from cmcsl_lib.corpora.features import (
    TEXTS,
    Features,
    FinetuningItems,
    features_path,
    load_features,
    read_features,
    write_features,
    write_texts,
)
from cmcsl_lib.experiments.grid import run_dataset
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.files.checksums import file_sha256, written_sealed
from cmcsl_lib.files.errors import CmcslError
from cmcsl_lib.files.paths import shipped

#: Of made-up features.
WIDTHS = {"visual": 512, "text": 384}
SHIPPED = shipped() / "openclipart" / "features"
ALL = list(datasets("openclipart"))


def make(n=6, **changed):
    generator = np.random.default_rng(0)
    values = {
        "corpus": "openclipart",
        "dataset": "AF",
        "classes": ("animal", "food"),
        "ids": np.array([f"item/{row}" for row in range(n)]),
        "y": np.arange(n) % 2,
        "visual": generator.random((n, WIDTHS["visual"])),
        "text": generator.normal(size=(n, WIDTHS["text"])),
        "metadata": {"visual": {"start": "pooled", "finetuning_loss": [0.7, 0.25]}},
    }
    return Features(**values | changed)


def test_features_come_back_as_they_were_written_but_for_rounding(tmp_path):
    features = make()
    path = tmp_path / "new folder" / "AF.parquet"
    write_features(features, path)
    back = read_features(path)
    assert (back.corpus, back.dataset, back.classes) == (features.corpus, features.dataset, features.classes)
    assert back.metadata == features.metadata
    np.testing.assert_array_equal(back.ids, features.ids)
    np.testing.assert_array_equal(back.y, features.y)
    for got, expected in zip(back.modalities, features.modalities, strict=True):
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, expected, rtol=2**-12, atol=0)
    assert back.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [file.name for file in path.parent.iterdir()] == ["AF.parquet"]


def test_items_that_the_network_was_fine_tuned_on_come_back_and_are_no_rows_of_the_features(tmp_path):
    features = make()
    text = np.random.default_rng(1).normal(size=(3, WIDTHS["text"]))
    items = FinetuningItems(np.array(["tuned/0", "tuned/1", "tuned/2"]), np.array([1, 0, 1]), text)
    write_features(features, tmp_path / "without")
    write_features(replace(features, finetuning=items), tmp_path / "with")
    without, back = read_features(tmp_path / "without"), read_features(tmp_path / "with")
    assert without.finetuning is None
    for got, expected in zip(back.modalities, without.modalities, strict=True):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(back.ids, features.ids)
    np.testing.assert_array_equal(back.finetuning.ids, items.ids)
    np.testing.assert_array_equal(back.finetuning.y, items.y)
    np.testing.assert_allclose(back.finetuning.text, text, rtol=2**-12, atol=0)


def test_texts_that_datasets_share_come_back_and_must_be_those_that_were_shared(tmp_path):
    features = make()
    items = FinetuningItems(np.array(["tuned"]), np.array([1]), np.ones((1, WIDTHS["text"])))
    path, shared = tmp_path / "AF.parquet", tmp_path / TEXTS
    write_features(replace(features, finetuning=items), path)
    alone = read_features(path)
    ids, text = np.append(features.ids[::-1], "tuned"), np.vstack([features.text[::-1], items.text])
    write_texts(ids, text, shared)
    write_features(replace(features, finetuning=items), path, texts=file_sha256(shared))
    back = read_features(path)
    for name in ("ids", "y", "visual", "text"):
        np.testing.assert_array_equal(getattr(back, name), getattr(alone, name))
    np.testing.assert_array_equal(back.finetuning.text, alone.finetuning.text)
    write_texts(ids, text + 1, shared)
    with pytest.raises(CmcslError, match="belong to another texts.parquet"):
        read_features(path)
    shared.unlink()
    with pytest.raises(CmcslError, match="texts.parquet"):
        read_features(path)


def test_same_features_give_the_same_file(tmp_path):
    for name in ("a", "b"):
        write_features(make(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("modality", ["visual", "text"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -1e200])
def test_a_value_that_nothing_can_be_calculated_from_is_refused_with_its_row(modality, value):
    matrix = getattr(make(), modality).copy()
    matrix[4, 7] = value
    with pytest.raises(CmcslError, match=f"{modality} matrix must be finite, but row 4"):
        make(**{modality: matrix})


@pytest.mark.parametrize("modality", ["visual", "text"])
@pytest.mark.parametrize("wrong", [np.zeros(6), np.zeros((6, 0)), np.zeros((6, 2, 2))])
def test_what_is_no_matrix_is_refused(modality, wrong):
    shape = re.escape(str(wrong.shape))
    with pytest.raises(CmcslError, match=rf"{modality} matrix must have a row per item .* shape {shape}"):
        make(**{modality: wrong})


def test_features_of_any_width_come_back(tmp_path):
    write_features(make(visual=np.ones((6, 3)), text=np.full((6, 1), 2.0)), tmp_path / "AF.parquet")
    back = read_features(tmp_path / "AF.parquet")
    assert (back.visual.shape, back.text.shape) == ((6, 3), (6, 1))
    np.testing.assert_array_equal(back.text, 2)


def test_rows_without_a_class_are_kept_and_left_out_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    features = make(y=np.array([0, -1, 1, -1, 0, 1]))
    write_features(features, tmp_path / "features" / "openclipart" / "AF.parquet")
    whole = load_features("openclipart", "AF", unlabeled=True)
    np.testing.assert_array_equal(whole.y, features.y)
    known = load_features("openclipart", "AF")
    np.testing.assert_array_equal(known.y, [0, 1, 0, 1])
    assert known.ids.tolist() == ["item/0", "item/2", "item/4", "item/5"]
    np.testing.assert_array_equal(known.visual, whole.visual[[0, 2, 4, 5]])
    assert known.sha256 == whole.sha256


@pytest.mark.parametrize("column", ["ids", "y", "visual", "text"])
def test_unequal_lengths_are_refused(column):
    with pytest.raises(CmcslError, match=f"equally many rows.*{column} 5"):
        make(**{column: getattr(make(), column)[:5]})


@pytest.mark.parametrize("wrong", [-2, 2])
def test_a_class_index_that_no_class_has_is_refused(wrong):
    with pytest.raises(CmcslError, match=r"y must lie in 0\.\.1"):
        make(y=np.array([0, 1, 0, 1, 0, wrong]))


def test_tiny_features_keep_their_digits(tmp_path):
    tiny = make().text * 1e-33
    write_features(make(text=tiny), tmp_path / "tiny")
    np.testing.assert_allclose(read_features(tmp_path / "tiny").text, tiny, rtol=2**-12, atol=0)


def test_a_value_beyond_single_precision_is_refused_and_leaves_no_file(tmp_path):
    large = make().visual.copy()
    large[2, 3] = 1e39
    with pytest.raises(CmcslError, match="single precision.*visual matrix must be finite, but row 2"):
        write_features(make(visual=large), tmp_path / "overflows")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_told_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(CmcslError, match=r"no features file .*AF\.parquet: make it with `cmcsl extract"):
        read_features(tmp_path / "AF.parquet")


def _cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def _other_content(path):
    path.write_text("id,label\n1,animal\n")


def _empty(path):
    path.write_bytes(b"")


def _without_metadata(path):
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)


def _one_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _without_text(path):
    pq.write_table(pq.read_table(path).drop_columns(["text"]), path)


def _with_unknown_label(path):
    table = pq.read_table(path)
    labels = pa.array(["mineral"] * len(table))
    pq.write_table(table.set_column(1, "label", labels), path)


@pytest.mark.parametrize(
    "damage", [_cut, _one_bit, _other_content, _empty, _without_metadata, _without_text, _with_unknown_label]
)
def test_a_damaged_file_is_told_by_its_path(tmp_path, damage):
    path = tmp_path / "AF.parquet"
    write_features(make(), path)
    damage(path)
    with pytest.raises(CmcslError, match=r"AF\.parquet.*can't be read"):
        read_features(path)


def test_a_file_with_nan_or_empty_rows_is_refused(tmp_path):
    path = tmp_path / "AF.parquet"
    write_features(make(), path)
    table = pq.read_table(path)
    values = make().text.astype(np.float32)
    values[1, 0] = np.nan
    with_nan = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), WIDTHS["text"])
    with_none = pa.array([None, *values[1:].tolist()], type=pa.list_(pa.float32(), WIDTHS["text"]))
    for column, message in ((with_nan, "row 1 holds NaN"), (with_none, "1 empty rows|index 1 had size=0")):
        with written_sealed(path) as temporary:
            pq.write_table(table.set_column(table.schema.get_field_index("text"), "text", column), temporary)
        with pytest.raises(CmcslError, match=rf"(?s)(?=.*({message}))(?=.*AF\.parquet)"):
            read_features(path)


def test_the_users_own_features_come_before_those_shipped(tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    assert features_path("openclipart", "AF") == SHIPPED / "AF.parquet"
    own = tmp_path / "features" / "openclipart" / "AF.parquet"
    write_features(make(), own)
    assert features_path("openclipart", "AF") == own
    assert len(load_features("openclipart", "AF").y) == 6


def test_names_of_extractions_are_safe_names_of_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    path = tmp_path / "features" / "pets, split seed 1411" / "pets.parquet"
    assert features_path("pets", "pets", "split seed 1411") == path
    for name in (
        "",
        ".",
        "..",
        "../other",
        "a/b",
        "a\\b",
        "a,b",
        "\x1b[2J",
        " a",
        "a" * 65,
        "\N{LATIN SMALL LETTER E WITH ACUTE}",
    ):
        with pytest.raises(CmcslError, match="Features can't be named"):
            features_path("pets", "pets", name)


@pytest.mark.parametrize(("corpus", "dataset"), [("nowhere", "AF"), ("openclipart", "XX")])
def test_unknown_names_are_refused_with_the_valid_ones(corpus, dataset):
    with pytest.raises(CmcslError, match="choose from"):
        load_features(corpus, dataset)


def test_the_readme_tells_the_sha256_of_every_shipped_file():
    lines = (SHIPPED / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [line.split("|")[1:3] for line in lines if ".parquet |" in line]
    documented = {name.strip(): value.strip().strip("`") for name, value in rows}
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in SHIPPED.glob("*.parquet")}
    assert sorted(files) == sorted([TEXTS, *(f"{name}.parquet" for name in ALL)])
    assert documented == files


@pytest.fixture(scope="module")
def corpus():
    return load("openclipart")


@pytest.mark.parametrize("dataset", ALL)
def test_shipped_rows_are_the_80_percent_of_the_dataset(corpus, dataset):
    features = read_features(SHIPPED / f"{dataset}.parquet")
    expected = subset(corpus, dataset, split="dataset")
    assert (features.corpus, features.dataset, features.classes) == ("openclipart", dataset, expected.classes)
    np.testing.assert_array_equal(features.ids, corpus.items.id.to_numpy(dtype=str)[expected.rows])
    np.testing.assert_array_equal(features.y, expected.y)
    np.testing.assert_array_equal(
        features.finetuning.ids, corpus.items.id.to_numpy(dtype=str)[expected.finetuning_rows]
    )
    np.testing.assert_array_equal(features.finetuning.y, expected.finetuning_y)
    assert not set(features.ids) & set(features.finetuning.ids)


@pytest.mark.parametrize("dataset", ALL)
def test_shipped_text_features_are_unit_vectors_and_visual_ones_differ_from_row_to_row(dataset):
    features = read_features(SHIPPED / f"{dataset}.parquet")
    # 384 values, each rounded by at most 2**-11 of itself.
    for text in (features.text, features.finetuning.text):
        np.testing.assert_allclose(np.linalg.norm(text, axis=1), 1, atol=2**-11)
    assert features.visual.min() >= 0
    assert (features.visual.std(axis=0) > 0).mean() > 0.9


def test_scores_do_not_notice_the_cut_to_12_bits():
    features, random = load_features("openclipart", "HP"), np.random.default_rng(0)
    # Values that the cut could have changed into these.
    uncut = {name: getattr(features, name) for name in ("visual", "text")}
    uncut = {name: X * (1 + random.uniform(-1, 1, X.shape) * 2.0**-12) for name, X in uncut.items()}
    before, after = (
        run_dataset(each, PROTOCOLS["strict"], 3, classifiers=("GNB",), budgets=(1, 5)).balanced_accuracy
        for each in (replace(features, **uncut), features)
    )
    np.testing.assert_allclose(after, before, atol=0.01)
    assert abs(after.mean() - before.mean()) < 0.001
