import hashlib
import importlib.util
import io
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cmcsl_lib import corpora
from cmcsl_lib.files.errors import CmcslError
from cmcsl_lib.files.paths import shipped

FOLDER = shipped() / "openclipart"
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def build_script():
    specification = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def corpus():
    return corpora.load("openclipart")


def test_readme_tells_the_file(corpus):
    digest = hashlib.sha256((FOLDER / "openclipart.parquet").read_bytes()).hexdigest()
    assert re.search(r"SHA-256: `(\w+)`", README)[1] == digest
    assert int(re.search(r"- Items: (\d+)", README)[1]) == len(corpus.items)
    counted = Counter(label for labels in corpus.items.labels for label in labels)
    documented = dict(re.findall(r"^\| (\w+) \| (\d+) \|$", README, re.MULTILINE))
    assert {label: int(count) for label, count in documented.items()} == counted
    assert int(re.search(r"- Labels: (\d+)", README)[1]) == len(counted) == 28


def test_readme_tells_the_datasets(corpus):
    documented = re.findall(r"^\| ([A-Z]+) \| ([\w, ]+) \| ([\d /]+) \| ([\d /]+) \|$", README, re.MULTILINE)
    assert [row[0] for row in documented] == list(corpora.datasets("openclipart"))
    for dataset, classes, _, extracted in documented:
        divided = corpora.subset(corpus, dataset, split="dataset")
        assert tuple(classes.split(", ")) == divided.classes
        assert [int(count) for count in extracted.split(" / ")] == np.bincount(divided.y).tolist()


def test_the_file_is_small_and_its_items_are_unique(corpus):
    assert (FOLDER / "openclipart.parquet").stat().st_size <= 5e6
    assert corpus.items.id.is_unique
    assert corpus.items.text.value_counts().max() <= 3


def test_no_text_names_a_label(corpus):
    words = build_script().LABEL_WORDS
    assert [text for text in corpus.items.text if words.search(text)] == []


def test_nothing_told_is_an_address(corpus):
    address = build_script().ADDRESS
    texts = [*corpus.items.title, *corpus.items.creator, *corpus.items.text]
    assert [words for words in texts if address.search(words)] == []


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Ann (ann@example.org)", "Ann"),
        ("Ann - ann@example.org", "Ann"),
        ("ann@example.org", "ann"),
        ("http://www.example.org", "example.org"),
        ("Phone (email: ann@example.org)", "Phone"),
        ("J&ouml;rg", "Jörg"),
        ("", ""),
    ],
)
def test_names_are_kept_without_addresses(written, expected):
    assert build_script().without_addresses(written) == expected


def test_images_are_small_squares(corpus):
    for content in corpus.items.image.iloc[::50]:
        with Image.open(io.BytesIO(content)) as image:
            assert (image.size, image.format, image.mode) == ((96, 96), "WEBP", "RGB")


@pytest.mark.parametrize("dataset", corpora.datasets("openclipart"))
def test_datasets_leave_room_for_20_seeds_and_their_80_percent_stays_unseen(corpus, dataset):
    pool = corpora.finetuning_split(corpus)
    divided = corpora.subset(corpus, dataset)
    assert np.bincount(divided.y).min() >= 40
    assert not pool[divided.rows].any()
    assert pool[divided.finetuning_rows].all()
    for rows, y in ((divided.rows, divided.y), (divided.finetuning_rows, divided.finetuning_y)):
        for row, label in zip(rows, y, strict=True):
            assert set(corpus.items.labels.iloc[row]) & set(divided.classes) == {divided.classes[label]}


def test_the_split_is_20_to_80(corpus):
    assert corpora.finetuning_split(corpus).mean() == pytest.approx(0.2, abs=1 / len(corpus.items))


def test_division_on_hand_made_labels():
    rows, y = corpora.divide([["a"], ["b", "c"], ["a", "b"], ["c"], [], ["b"]], ["b", "a"])
    assert rows.tolist() == [0, 1, 5]
    assert y.tolist() == [1, 0, 0]


@given(st.lists(st.sets(st.sampled_from("abcd")), max_size=30))
def test_division_keeps_exactly_the_items_with_one_class(labels):
    labels = [*labels, {"a"}, {"b"}]
    rows, y = corpora.divide([sorted(item) for item in labels], ["a", "b"])
    assert rows.tolist() == [row for row, item in enumerate(labels) if len(item & {"a", "b"}) == 1]
    assert all("ab"[index] in labels[row] for row, index in zip(rows, y, strict=True))


def test_a_class_without_items_is_told():
    with pytest.raises(CmcslError, match="'c'"):
        corpora.divide([["a"], ["b"]], ["a", "c"])


def test_unknown_names_are_told(corpus):
    with pytest.raises(CmcslError, match="choose from openclipart"):
        corpora.load("nowhere")
    with pytest.raises(CmcslError, match="choose from AF, PT"):
        corpora.subset(corpus, "ZZ")


SVG = """<svg><metadata><rdf:RDF><cc:Work><dc:title>{title}</dc:title><dc:creator><cc:Agent><dc:title>Ann Example
</dc:title></cc:Agent></dc:creator><dc:subject><rdf:Bag><rdf:li>{keyword}</rdf:li><rdf:li>stripes</rdf:li></rdf:Bag>
</dc:subject><cc:license rdf:resource="http://web.resource.org/cc/{licence}"/></cc:Work></rdf:RDF></metadata></svg>"""


def add_item(root, source, shade, title="A cat at night", keyword="animal", licence="PublicDomain", svg=SVG):
    for kind in ("svg", "png"):
        (root / kind / source).parent.mkdir(parents=True, exist_ok=True)
    (root / "svg" / f"{source}.svg").write_text(svg.format(title=title, keyword=keyword, licence=licence))
    picture = np.full((40, 60, 3), 255, dtype=np.uint8)
    picture[shade : shade + 10, shade : 2 * shade] = shade
    Image.fromarray(picture).save(root / "png" / f"{source}.png")


def test_build_script_on_a_made_up_library(tmp_path):
    root = tmp_path / "usr" / "share" / "openclipart"
    add_item(root, "pets/one", 20)
    add_item(root, "food/copy_of_one", 20, keyword="fruit", title="Cat")
    add_item(root, "pets/foreign", 15, licence="GPL")
    add_item(root, "pets/unlabelled", 12, keyword="night")
    add_item(root, "pets/broken", 18, svg="<svg><cc:Work><dc:title>{title}{keyword}{licence}</cc:Work>")
    items = build_script().build(tmp_path, tmp_path / "made.parquet")
    assert items.source.tolist() == ["pets/one"]
    # Both copies' labels stay; no label word is in the text; the creator's name is.
    assert items.labels[0] == ["animal", "food"]
    assert items.text[0] == "at night. one. stripes"
    assert items.creator[0] == "Ann Example"
    assert pd.read_parquet(tmp_path / "made.parquet").equals(items.assign(labels=items.labels.map(np.array)))


def test_build_script_on_an_empty_folder(tmp_path):
    with pytest.raises(CmcslError, match="No usable item"):
        build_script().build(tmp_path, tmp_path / "made.parquet")


def test_another_seed_splits_otherwise_in_the_same_shares():
    corpus = corpora.load("openclipart")
    first, other = corpora.finetuning_split(corpus), corpora.finetuning_split(corpus, 1411)
    assert first.sum() == other.sum()
    assert (first & other).sum() < 0.5 * first.sum()
    assert set(corpora.subset(corpus, "AF", 1411).rows) != set(corpora.subset(corpus, "AF").rows)
