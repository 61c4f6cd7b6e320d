"""From a few labels to labels of everything, and every notebook on users' corpora."""

import base64
import csv
import dataclasses
import io
import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from own_corpora import CORPORA, HOSTILE, made_up, make_features, make_folder

from cmcsl_lib.book.pages import Page, source_notebooks
from cmcsl_lib.book.site import CARRIED
from cmcsl_lib.cli import main
from cmcsl_lib.corpora import pseudo_labels as own_labels
from cmcsl_lib.corpora.arrays import read_arrays
from cmcsl_lib.corpora.features import Features, load_features
from cmcsl_lib.experiments.protocol import PROTOCOLS, drawable_budgets
from cmcsl_lib.experiments.runs import load_scores
from cmcsl_lib.files.errors import CmcslError


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CMCSL_PUBLISHED_SCORES", raising=False)
    return tmp_path / "home"


def line():
    """Six items on a line in each modality; seeds at both ends. The last one's classes are told by the text alone."""
    visual = np.array([[0.0], [1], [9], [10], [4], [5]])
    text = np.array([[0.0], [3], [7], [10], [9], [0.5]])
    y = np.array([0, -1, -1, 1, -1, -1])
    return Features("openclipart", "AF", ("animal", "food"), np.array(list("abcdef")), y, visual, text)


def test_labels_of_hand_made_items_with_where_each_comes_from():
    labels = own_labels.pseudo_labels(line(), preprocessing="RAW", exchange="distance").set_index("id")
    assert labels.given.tolist() == ["animal", "", "", "food", "", ""]
    assert labels.label.tolist() == ["animal", "animal", "food", "food", "food", "animal"]
    assert labels.modality.tolist() == ["", "visual", "visual", "", "text", "text"]
    assert labels.seed.tolist() == ["", "a", "d", "", "d", "a"]
    # b: 1 from a in the images, and 7 from the other seed in the texts, which is nearer than 9 in the images.
    assert labels.distance["b"] == 1 and labels.margin["b"] == pytest.approx(1 - 1 / 7)
    assert labels.distance["e"] == 1 and labels.margin["e"] == pytest.approx(1 - 1 / 4)
    assert np.isnan(labels.distance["a"]) and np.isnan(labels.margin["a"])


def test_what_is_too_close_to_call_gets_no_label():
    labels = own_labels.pseudo_labels(line(), preprocessing="RAW", exchange="distance", min_margin=0.8).set_index("id")
    assert labels.label.tolist() == ["animal", "animal", "food", "food", "", "animal"]


def test_one_class_alone_can_not_label():
    features = dataclasses.replace(line(), y=np.array([0, -1, -1, 0, -1, -1]))
    with pytest.raises(CmcslError, match="in at least two classes"):
        own_labels.pseudo_labels(features)


def test_an_example_hides_labels_and_most_are_right_when_made_again():
    truth = load_features("openclipart", "AF")
    example = own_labels.hide_labels(truth, 5)
    known = example.y >= 0
    assert np.bincount(example.y[known]).tolist() == [5, 5]
    np.testing.assert_array_equal(example.y[known], truth.y[known])
    labels = own_labels.pseudo_labels(example)
    assert (labels.given != "").sum() == 10
    right = (labels.label.to_numpy() == np.array(truth.classes)[truth.y])[~known].mean()
    assert 0.6 < right < 1, "far better than chance, and not perfect"


def test_texts_that_a_spreadsheet_would_run_get_an_apostrophe(tmp_path):
    labels = pd.DataFrame(
        {
            "id": ["=1+1", "+a", "-b", "@c", "\td", "e=f"],
            "given": "",
            "label": "=cmd",
            "modality": "text",
            "distance": 0.123456789,
            "margin": 0.5,
            "seed": "-b",
            "exchange": "distance",
        }
    )
    own_labels.write_labels(labels, tmp_path / "labels.csv")
    back = pd.read_csv(tmp_path / "labels.csv", dtype=str, keep_default_na=False)
    assert list(back) == list(own_labels.COLUMNS)
    assert back.id.tolist() == ["'=1+1", "'+a", "'-b", "'@c", "'\td", "e=f"]
    assert set(back.label) == {"'=cmd"} and set(back.seed) == {"'-b"} and set(back.distance) == {"0.123457"}


def test_names_of_classes_do_not_command_the_terminal(tmp_path, capsys):
    make_folder(tmp_path, "pets", ["cat\x1b[2J", "dog", ""] * 7)
    make_features("pets")
    assert main(["label", "pets", "--to", str(tmp_path / "labels.csv")]) == 0
    items = str(tmp_path / "pets.csv")
    assert main(["extract", "folder", "--items", items, "--as", "others", "--classes", "A=cow,dog"]) == 2
    output = capsys.readouterr()
    assert r"cat\x1b[2J " in output.out and r"cat\x1b[2J," in output.err and "\x1b" not in output.out + output.err


def test_the_command_says_how_many_are_labelled_by_which_modality_and_how_many_are_not(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(own_labels, "unlabeled_features", lambda corpus, dataset: line())
    words = ["label", "openclipart", "AF", "--to", str(tmp_path / "labels.csv"), "--preprocessing", "RAW"]
    assert main(words) == 0
    labels = pd.read_csv(tmp_path / "labels.csv", keep_default_na=False)
    counts = labels[labels.given == ""].modality.value_counts()
    assert capsys.readouterr().out.splitlines()[0] == (
        "4 items labelled from 2 by the calibrated exchange: animal 2, food 2. "
        f"The surer one was the visual modality {counts['visual']} and the text modality {counts['text']}."
    )
    assert set(labels.exchange) == {"calibrated", ""} and set(labels.visual_label) == {"animal", "food", ""}
    assert {"probability", "visual_probability", "text_label", "text_probability"} < set(labels)
    words += ["--exchange", "distance"]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == (
        "4 items labelled from 2 by the smaller distance, as in the paper: animal 2, food 2. "
        "Decided by the visual modality 2 and the text modality 2."
    )
    assert printed.err == ""
    assert list(pd.read_csv(tmp_path / "labels.csv")) == list(own_labels.COLUMNS)
    assert main([*words, "--min-margin", "0.8"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == (
        "3 items labelled from 2 by the smaller distance, as in the paper: animal 2, food 1. "
        "Decided by the visual modality 2 and the text modality 1. 1 items were too close to call."
    )
    assert main([*words[:-1], "rank"]) == 2
    assert "exchange 'rank': choose from calibrated, distance" in capsys.readouterr().err


@pytest.mark.parametrize("exchange", ["calibrated", "distance"])
def test_the_command_warns_of_a_modality_that_tells_nothing_or_decides_everything(
    exchange, tmp_path, monkeypatch, capsys
):
    random, true = np.random.default_rng(0), np.arange(400) % 2
    # Noise that is far nearer to its seeds than what tells the classes.
    noise, telling = random.normal(size=(400, 2)), true[:, None] * 5 + random.normal(size=(400, 20))
    y = np.where(np.arange(400) < 40, true, -1)
    ids, classes = np.arange(400).astype(str), ("animal", "food")
    features = Features("openclipart", "AF", classes, ids, y, noise, telling)
    monkeypatch.setattr(own_labels, "unlabeled_features", lambda corpus, dataset: features)
    words = ["label", "openclipart", "AF", "--to", str(tmp_path / "labels.csv"), "--preprocessing", "RAW"]
    assert main([*words, "--exchange", exchange]) == 0
    warned = capsys.readouterr().err
    right, judged = own_labels.pseudo_labels(features, preprocessing="RAW").attrs["seeds_right"]["visual"]
    assert judged == 40 and right <= 20, "else the sentence would be wrong here"
    assert f"the visual modality tells the classes apart no better than chance: only {right} of 40 are" in warned
    decided = pd.read_csv(tmp_path / "labels.csv").modality.value_counts()
    everything = "text" if exchange == "calibrated" else "visual"
    assert f"The {everything} modality decided for {decided[everything]} of 360 items" in warned
    assert ("--exchange calibrated" in warned) == (exchange == "distance")


def test_the_command_writes_a_label_for_every_item_also_those_spent_on_fine_tuning(tmp_path, home, capsys):
    make_folder(tmp_path, "pets", ["cat", "dog"] * 25 + [""] * 6)
    make_features("pets")
    assert main(["label", "pets", "--to", str(tmp_path / "labels.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("6 items labelled from 40 by the calibrated exchange: ")
    assert lines[1].endswith("labels.csv")
    labels = pd.read_csv(tmp_path / "labels.csv", keep_default_na=False).set_index("id")
    assert len(labels) == 56 and set(labels.label) == {"cat", "dog"}
    assert (labels.given == "").sum() == 6 and (
        labels.label[labels.given != ""] == labels.given[labels.given != ""]
    ).all()
    assert main(["label", "pets"]) == 0
    assert (home / "labels" / "pets" / "pets.csv").read_text() == (tmp_path / "labels.csv").read_text()


def test_from_a_folder_to_scores_a_table_and_labels(tmp_path, monkeypatch, capsys):
    extraction = pytest.importorskip("cmcsl_lib.extraction.training")
    for name in ("torch", "torchvision", "sentence_transformers"):
        pytest.importorskip(name, reason='needs the extra: pip install -e ".[extract]"')
    for name in ("POOLED", "AFTER_POOLED"):
        monkeypatch.setattr(extraction, name, dataclasses.replace(getattr(extraction, name), epochs=1, pixels=32))
    make_folder(tmp_path, "source", ["cat", "dog"] * 20 + [""] * 3)
    (tmp_path / "source-1.png").write_bytes(b"broken")
    words = ["extract", "folder", "--items", str(tmp_path / "source.csv"), "--as", "pets", "--start", "pooled"]
    assert main([*words, "--device", "cpu"]) == 0
    output = capsys.readouterr()
    assert "42 items: " in output.out and "set aside, not an image: 1" in output.out
    assert "Too few labelled items to fine-tune ResNet-18 for pets" in output.err, "39 labels give 7, less than a batch"
    features = load_features("pets", "pets", unlabeled=True)
    assert features.metadata["visual"]["start"] == "untrained"
    assert features.visual.shape == (42, 512) and features.text.shape == (42, 384)
    assert (features.y < 0).sum() == 3
    assert main(["run", "3", "--corpus", "pets", "--budgets", "1", "2"]) == 0
    assert main(["table", "5", "--source", "pets", "--budgets", "1", "2", "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[-3].startswith("pets,text,")
    assert main(["table", "5", "--source", "pets", "--budgets", "1", "3"]) == 2
    assert (
        "run `cmcsl run 3 --corpus pets --datasets pets --protocol strict --budgets 1 3` first"
        in capsys.readouterr().err
    )
    assert main(["label", "pets"]) == 0
    assert capsys.readouterr().out.startswith("3 items labelled from 39 by the calibrated exchange: ")


def assert_names_are_escaped(outputs):
    """No output of a page has a hostile name as markup or mathematics, and no CSV file has it as a formula."""
    for data in outputs:
        assert "<img src=x" not in data.get("text/html", "") and "<!--" not in data.get("text/html", "")
        assert not any(name in data.get("text/markdown", "") for name in HOSTILE)
        for name, content in CARRIED.findall(data.get("text/html", "")):
            if name.endswith(".csv"):
                for row in csv.reader(io.StringIO(base64.b64decode(content).decode())):
                    assert not any(cell.startswith("=") for cell in row)


#: Words on the corpus that comes with the library, which are wrong on the pages of others.
OF_THE_FIRST_CORPUS = re.compile(
    r"openclipart|clip ?art|\bdrawings\b|embedded corpus|shipped|never saw|"
    r"datasets are the paper's|\bAFP?\b",
    re.IGNORECASE,
)


#: Pictures in the addresses of HTML, and numbers and pictures in the explorer's data, whose letters mean nothing.
PICTURE = re.compile(r"[A-Za-z0-9+/=]{200,}|(?<=\")eN[A-Za-z0-9+/=]+(?=\")")


def assert_no_words_of_another_corpus(cells):
    """Neither prose nor parameters, outputs, text alternatives or data of figures name the first corpus."""
    for cell in cells:
        texts = [cell.source] if cell.cell_type == "markdown" or "parameters" in cell.metadata.get("tags", ()) else []
        for output in cell.get("outputs", ()):
            html = output.get("data", {}).get("text/html", "")
            carried = [base64.b64decode(content).decode() for _, content in CARRIED.findall(html)]
            texts += [CARRIED.sub("", html), *carried, output.get("data", {}).get("text/markdown", "")]
            texts += [output.get("data", {}).get("text/plain", ""), output.get("text", "")]
        for text in texts:
            assert not (word := OF_THE_FIRST_CORPUS.search(PICTURE.sub("", text))), (cell.id, word)


#: Experiments with the classifiers of their scores; None: the experiment's own.
CLASSIFIERS_OF_EXPERIMENTS = {1: None, 2: None, 3: ("GNB", "LR", "CART")}
#: Notebooks that take another way for corpora without pictures, or without one of the two groups of datasets.
DIFFERENT = ("01_data", "03_algorithm", "06_experiment_3", "12_your_own_data")
#: Shows the published scores alone, whatever the corpus.
WITHOUT_CORPUS = "10_published_numbers"


def test_a_notebook_without_a_corpus_takes_none():
    (path,) = (path for path in source_notebooks() if path.stem == WITHOUT_CORPUS)
    code = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert not [source for source in code[1:] if re.search(r"\bcorpus\b", source)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", CORPORA)
def test_notebooks_run_on_users_corpora(kind, execute_pages, tmp_path, monkeypatch):
    monkeypatch.delenv("CMCSL_PUBLISHED_SCORES", raising=False)
    corpus = CORPORA[kind](tmp_path / "made")
    for number, classifiers in CLASSIFIERS_OF_EXPERIMENTS.items():
        load_scores(corpus, PROTOCOLS["strict"], number, classifiers=classifiers, budgets=drawable_budgets(corpus))
    # The names of this corpus are hostile, so that every notebook meets them.
    names = {path.stem for path in source_notebooks()} - {WITHOUT_CORPUS} if corpus == "many" else DIFFERENT
    paths = [path for path in source_notebooks() if path.stem in names]
    pages = [Page(path, tmp_path / path.name, {"corpus": corpus}) for path in paths]
    execute_pages(pages)
    for page in pages:
        name, cells = page.notebook.stem, nbformat.read(page.output, as_version=4).cells
        outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
        shown = " ".join(str(output.get("data", output.get("text", ""))) for output in outputs)
        assert_no_words_of_another_corpus(cells)
        assert not [output for output in outputs if output.get("name") == "stderr"], name
        assert outputs and "nan to" not in shown, name
        assert_names_are_escaped([output.get("data", {}) for output in outputs])
        if name.startswith("06"):
            groups = {"many": ["multiclass"]}.get(corpus, ["binary"])
            assert [group for group in ("binary", "multiclass") if f"**{group} datasets**" in shown] == groups
        if name.startswith("08"):
            assert "too few datasets" in shown


def test_arrays_of_any_width_are_labelled(tmp_path):
    y = np.array([0, 1] * 10 + [-1] * 10)
    hidden = np.array([0, 1] * 15)
    np.savez(tmp_path / "wide.npz", visual=made_up(hidden, 700), text=made_up(hidden, 2, 1), label=y)
    read_arrays("wide", tmp_path / "wide.npz")
    labels = own_labels.pseudo_labels(own_labels.unlabeled_features("wide"))
    assert (labels.label == hidden.astype(str)).mean() > 0.9, "centres lie ten deviations apart"
