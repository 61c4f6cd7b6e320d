import importlib
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cmcsl_lib.estimators import CMCSLClassifier
from cmcsl_lib.experiments.grid import run_fold
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.experiments.scores import COLUMNS
from cmcsl_lib.files.paths import REPOSITORY

NAMED = [column for column in COLUMNS if not column.endswith("accuracy")]


@pytest.fixture
def reference(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    return pytest.importorskip("reference")


@pytest.mark.parametrize(
    "protocol",
    [*PROTOCOLS.values(), PROTOCOLS["strict"].changed(distances="scaled by width")],
    ids=lambda protocol: protocol.name,
)
@pytest.mark.parametrize(("number", "again"), [(1, False), (2, False), (3, False), (3, True)])
def test_the_grid_gives_what_plain_scikit_learn_gives(reference, make_features, protocol, number, again):
    features = make_features(classes=("animal", "food", "plant"), rows=20)
    for fold in protocol.divide(features)[:2]:
        expected = reference.fold_scores(features, protocol, number, (1, 4, 9), fold, again)
        scores = run_fold(features, protocol, number, ("GNB",), (1, 4, 9), fold)
        pd.testing.assert_frame_equal(
            scores.sort_values(NAMED, ignore_index=True),
            expected.sort_values(NAMED, ignore_index=True),
            check_exact=True,
        )


def test_the_plain_form_predicts_what_the_estimator_predicts(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    plain = importlib.import_module("estimators")
    X, codes = plain.made_up(500)
    expected = CMCSLClassifier(modalities=plain.COLUMNS, fusion="mean").fit(X, codes).predict(X)
    assert (plain.plain(X, codes) == expected).all()


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="Linux tells how much memory a process has")
def test_the_benchmark_of_estimators_tells_memory_and_commands(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    benchmark = importlib.import_module("estimators")
    block = []
    assert benchmark.memory_beside(lambda: (block.append(np.ones(2**22)), time.sleep(0.1))) >= 2**25
    figures = benchmark.commands(200)
    assert set(figures) == {
        f"{kind}_{name}_200_rows" for kind in ("seconds", "memory_mb") for name in ("extract", "label")
    }


def test_the_plain_loop_gives_the_features_that_the_library_gives(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch", reason='needs the extra: pip install -e ".[extract]"')
    pytest.importorskip("torchvision")
    from torchvision.models import resnet18

    from cmcsl_lib import extraction
    from cmcsl_lib.corpora import Corpus
    from cmcsl_lib.extraction.weights import network

    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    plain = pytest.importorskip("reference_extraction")
    torch.manual_seed(0)
    weights, random = resnet18().state_dict(), np.random.default_rng(0)
    torch.save(weights, tmp_path / "weights.pth")
    posters = []
    for _ in range(10):
        content = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(content, "JPEG")
        posters.append(content.getvalue())
    items = pd.DataFrame({"id": [str(row) for row in range(10)], "text": "", "labels": [["a"]] * 10, "image": posters})
    settings = extraction.visual_settings(weights=tmp_path / "weights.pth")
    encoder = extraction.VisualEncoder(Corpus("made-up", items), settings, extraction.place("cpu", "single"))
    expected = plain.features(plain.network(weights, 2), plain.array(posters))
    features = encoder.encoded(network(settings.encoder, 2, weights, 1), np.arange(10))
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.weekly
def test_the_benchmark_of_extraction_tells_all_its_figures(tmp_path):
    pytest.importorskip("torchvision", reason='needs the extra: pip install -e ".[extract]"')
    command = [
        sys.executable,
        str(REPOSITORY / "benchmarks" / "extraction.py"),
        "--posters",
        "40",
        "--pairs",
        "1",
        "--json",
    ]
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(tmp_path)},
    )
    figures = json.loads(done.stdout)
    assert figures["posters"] == 40 and not list(tmp_path.iterdir())
    assert figures["peak_memory_mb_whole_extract"] > 100 and figures["peak_memory_together_mb_whole_extract"] > 100
    assert all(
        figures[f"{kind}_{step}"] > 0
        for kind in ("ratio", "images_per_second")
        for step in ("finetuning", "extraction")
    )
