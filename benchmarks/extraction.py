"""How fast posters become features, and in how much memory: against a plain loop as the paper describes it.

    python benchmarks/extraction.py [--posters 2000] [--pairs 5] [--corpus NAME] [--precision auto] [--json]

README.md beside this file says what each figure is.
"""

import argparse
import contextlib
import dataclasses
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import reference_extraction as plain
import torch
from PIL import Image, ImageFilter
from torchvision.models import resnet18

from cmcsl_lib import cli, extraction
from cmcsl_lib.corpora import Subset, items_file, load, mm_imdb
from cmcsl_lib.extraction import training
from cmcsl_lib.extraction.weights import network, read_weights
from cmcsl_lib.files.checksums import written_sealed

#: Size of a made-up poster, and its two labels in turns.
WIDTH, HEIGHT = 256, 380
CLASSES = ("Horror", "Romance")
#: About as long as a plot of MM-IMDb.
PLOT = "Somebody leaves home and meets somebody else. " * 12
#: Images of one turn, whole batches on both sides. Half of the fine-tuning sets of Table I hold more than 687 films.
TRAINED, EXTRACTED = 256, 256
#: Seconds between looks at the memory; every so many of them, shared pages are told apart, which costs much more.
WAITING, PAGES_EVERY = 0.05, 20


def poster(number: int) -> bytes:
    """A made-up JPEG file of about the size of a photograph: blurred noise."""
    noise = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2)).save(content, "JPEG", quality=90)
    return content.getvalue()


def make_corpus(count: int) -> None:
    """Write made-up posters with texts and labels where MM-IMDb lies, as MM-IMDb."""
    items = (
        {
            "id": str(number),
            "title": "",
            "text": f"{number} {PLOT}",
            "labels": [CLASSES[number % 2]],
            "image": poster(number),
        }
        for number in range(count)
    )
    with written_sealed(items_file.items_path(mm_imdb.NAME)) as temporary:
        items_file.write_items(mm_imdb.NAME, temporary, items)


def seconds(function: Callable, *arguments) -> tuple[float, float]:
    """How long a call takes, and how long processors worked for it, workers that ended included."""
    start, worked = time.perf_counter(), sum(os.times()[:4])
    function(*arguments)
    return time.perf_counter() - start, sum(os.times()[:4]) - worked


def speeds(corpus: str, weights: Path, precision: str, pairs: int) -> dict:
    """Images per second of both sides, in turns; the ratio is the median over the turns."""
    loaded = load(corpus)
    rows = np.arange(min(EXTRACTED, len(loaded.items)))
    some = rows[:TRAINED]
    y = some % 2
    settings = extraction.visual_settings(weights=weights)
    one_epoch()  # As on the other side.
    encoder = extraction.VisualEncoder(loaded, settings, extraction.place("cpu", precision))
    dataset = Subset(corpus, "HR", CLASSES, some, y, rows, rows % 2)
    started, X = read_weights(weights), plain.array([loaded.items.image.iloc[row] for row in rows])
    reference = plain.network(started, len(CLASSES))

    def finetune() -> None:
        encoder.finetune(network(encoder.settings.encoder, len(CLASSES), started, 1), dataset)
        encoder.forget(dataset)

    sides = {
        "finetuning": (len(some), lambda: plain.finetune(reference, X[:TRAINED], torch.from_numpy(y), 1), finetune),
        "extraction": (
            len(rows),
            lambda: plain.features(plain.network(started, 2), X),
            lambda: encoder.encoded(network(encoder.settings.encoder, 2, started, 1), rows),
        ),
    }
    figures = {}
    for name, (count, reference_side, own_side) in sides.items():
        seconds(reference_side), seconds(own_side)  # Decodes the posters, and lets both reserve memory.
        turns = np.array([(seconds(reference_side), seconds(own_side)) for _ in range(pairs)])
        ratio, processor = np.median(turns[:, 0] / turns[:, 1], axis=0)
        theirs, own = turns[:, :, 0].min(axis=0)
        figures |= {
            f"ratio_{name}": ratio,
            f"ratio_{name}_processor": processor,
            f"images_per_second_{name}_reference": count / theirs,
            f"images_per_second_{name}": count / own,
        }
    return figures | {"precision": encoder.place.precision, "threads": torch.get_num_threads()}


def one_epoch() -> None:
    """Let fine-tuning in this process end after one epoch."""
    training.PUBLISHED = dataclasses.replace(training.PUBLISHED, epochs=1)


def whole_extract(corpus: str, weights: Path, precision: str) -> None:
    """`cmcsl extract` of one dataset, with one epoch, since a second one needs no other memory."""
    one_epoch()
    words = ["extract", corpus, "HR", "--weights", str(weights), "--precision", precision, "--to", str(weights.parent)]
    sys.exit(cli.main(words))


def whole_reference(corpus: str, weights: Path, precision: str) -> None:
    """The same by the plain loop, with a few batches."""
    images = load(corpus).items.image
    X = plain.array([images.iloc[row] for row in range(len(images))])
    network = plain.network(read_weights(weights), 2)
    plain.finetune(network, X[:TRAINED], torch.arange(TRAINED) % 2, 1)
    plain.features(network, X[:TRAINED])


def _memory(processes: list[psutil.Process], shared: bool) -> Iterator[NamedTuple]:
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            yield each.memory_full_info() if shared else each.memory_info()


def memory(name: str, *arguments: str) -> dict:
    """Most memory in MB of a function of this file in a process of its own, and of the processes that it starts.

    The largest process is told by its resident pages. Together they are told by proportional pages, where a page that
    several of them share counts once.
    """
    process = psutil.Popen([sys.executable, __file__, "--only", name, *arguments], stdout=subprocess.DEVNULL)
    largest, together = 0, 0
    for turn in itertools.count():
        if process.poll() is not None:
            break
        for usage in (used := list(_memory([process, *process.children(recursive=True)], turn % PAGES_EVERY == 0))):
            largest = max(largest, usage.rss)
        together = max(together, sum(getattr(usage, "pss", 0) for usage in used))
        time.sleep(WAITING)
    if process.returncode:
        raise SystemExit(f"{name} failed with exit code {process.returncode}.")
    return {f"peak_memory_mb_{name}": largest / 2**20, f"peak_memory_together_mb_{name}": together / 2**20}


def figures(arguments: argparse.Namespace, weights: Path) -> dict:
    """All that is measured, in a folder of its own unless a corpus is named."""
    torch.manual_seed(0)
    torch.save(resnet18().state_dict(), weights)
    if arguments.corpus is None:
        make_corpus(arguments.posters)
    corpus = arguments.corpus or mm_imdb.NAME
    measured = {"posters": len(load(corpus).items)}
    for name in ("whole_extract", "whole_reference"):
        measured |= memory(name, corpus, str(weights), arguments.precision)
    return measured | speeds(corpus, weights, arguments.precision, arguments.pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posters", type=int, default=2000, help="made-up posters")
    parser.add_argument("--pairs", type=int, default=5, help="turns of each comparison")
    parser.add_argument("--corpus", help="take this one instead of made-up posters; it needs a dataset HR")
    parser.add_argument("--precision", default="auto", help="of the library's side: auto, single or mixed")
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--only", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        name, corpus, weights, precision = arguments.only
        globals()[name](corpus, Path(weights), precision)
        return
    with tempfile.TemporaryDirectory() as folder:
        if arguments.corpus is None:
            os.environ["CMCSL_HOME"] = folder
        measured = figures(arguments, Path(folder) / "random.pth")
    measured = {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in measured.items()}
    print(
        json.dumps(measured) if arguments.json else "\n".join(f"{name:42} {value}" for name, value in measured.items())
    )


if __name__ == "__main__":
    main()
