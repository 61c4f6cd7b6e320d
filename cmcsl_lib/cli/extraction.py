"""The commands `cmcsl extract` and `transform`: features of a corpus or of your own data, and pictures of texts."""

import sys
from pathlib import Path
from typing import Any

from ..files.errors import CmcslError, check_choice, check_positive
from ..files.escaping import print_safe
from ..files.extras import require
from .data import class_sizes, print_classes, print_items, print_set_aside
from .parsing import Commands, command, split_pairs

#: Options of `extract_folder` and `extract_arrays`, by the names of their parameters.
OWN_DATA_OPTIONS = {
    "items": "--items",
    "corpus": "--as",
    "image": "--image",
    "visual": "--visual",
    "text": "--text",
    "label": "--label",
    "identifier": "--id",
    "time": "--time",
    "separator": "--separator",
    "classes": "--classes",
}


def extract(source: str, datasets: list[str] | None = None, **options: Any) -> None:
    """Make the features of a corpus, or turn your own data into a corpus with features."""
    own_data = {name: options.pop(name) for name in OWN_DATA_OPTIONS if name in options}
    if source not in ("folder", "arrays"):
        if own_data:
            listed = ", ".join(OWN_DATA_OPTIONS[name] for name in own_data)
            raise CmcslError(f"{listed} go with folder and arrays: `cmcsl extract folder --items FILE`.")
        extract_corpus(source, datasets, **options)
        return
    if datasets:
        raise CmcslError(f"`cmcsl extract {source}` takes no DATASET: name datasets with --classes.")
    if source == "arrays":
        if "image" in own_data:
            raise CmcslError("--image goes with folder: name the features of the images with --visual.")
        if "time" in own_data:
            raise CmcslError("--time goes with folder: arrays have no times.")
        extract_arrays(**own_data)
    else:
        if "visual" in own_data:
            raise CmcslError("--visual goes with arrays: name the column of images with --image.")
        require("extract", "`cmcsl extract folder`")
        extract_corpus(extract_folder(**own_data), **options)


def extract_corpus(
    corpus: str,
    datasets: list[str] | None = None,
    *,
    min_class: int | None = None,
    to: Path | None = None,
    name: str = "default",
    finetune: str = "yes",
    **settings: Any,
) -> None:
    """Make the features of a corpus's datasets; `settings` are further parameters of `extraction.extract`."""
    from ..corpora import load, own_corpora, smallest_classes
    from ..corpora.corpus import MIN_CLASS
    from ..extraction import extract as extract_features
    from ..files.paths import features_folder

    if not datasets:
        least = min_class if min_class is not None else 1 if corpus in own_corpora() else MIN_CLASS
        check_positive([least], "--min-class")
        smallest = smallest_classes(load(corpus))
        small = smallest[smallest.samples < least]
        datasets = smallest.index.difference(small.index, sort=False).tolist()
        if not datasets:
            largest = smallest.samples.max()
            smaller = f": --min-class lets smaller ones through, {largest} for example {smallest.samples.idxmax()}"
            raise CmcslError(f"No dataset of {corpus} has {least} items in every class{smaller if largest else ''}.")
        if len(small):
            omission = f"Left out, since a class has fewer than {least} items (--min-class): {class_sizes(small)}."
            print_safe(omission, file=sys.stderr)
    finetuned = check_choice(finetune, ("yes", "no"), "answer to --finetune") == "yes"
    folder = to or features_folder(corpus, name)
    for path in extract_features(corpus, datasets, folder=folder, finetuned=finetuned, **settings):
        print_safe(str(path))


def transform(
    corpus: str, *, by: str, modality: str = "text", name: str | None = None, text_encoder: str = "minilm"
) -> None:
    """Make a corpus whose pictures are made from the texts of another one."""
    require("extract", "`cmcsl transform`")
    from ..extraction.transformations import transform as transform_corpus

    name = transform_corpus(corpus, by, modality=modality, name=name, text_encoder=text_encoder)
    print_items(name)
    print_safe(f"Next: cmcsl extract {name}")


def extract_folder(
    items: Path | None = None, corpus: str | None = None, classes: list[str] | None = None, **columns: str
) -> str:
    """Read a list of images and texts as a corpus, and return its name; `columns` are parameters of `read_folder`."""
    from ..corpora.folder import read_folder
    from ..corpora.items_file import report_path

    if items is None:
        raise CmcslError("Name the list of your images and texts with --items, a CSV or Parquet file.")
    corpus = corpus or items.stem
    set_aside = read_folder(corpus, items, classes=named_classes(classes), **columns)
    print_items(corpus)
    print_classes(corpus)
    print_set_aside(set_aside, report_path(corpus))
    return corpus


def extract_arrays(
    items: Path | None = None, corpus: str | None = None, classes: list[str] | None = None, **arrays: str
) -> None:
    """Turn ready-made features into a corpus; `arrays` are parameters of `read_arrays`."""
    from ..corpora.arrays import read_arrays

    corpus = corpus or (items.stem if items else None)
    if corpus is None:
        raise CmcslError("Name the corpus that your arrays make with --as.")
    paths = read_arrays(corpus, items, classes=named_classes(classes), **arrays)
    print_classes(corpus)
    for path in paths:
        print_safe(str(path))


def named_classes(words: list[str] | None) -> dict[str, list[str]] | None:
    """Datasets that ``--classes`` names, with their classes."""
    if words is None:
        return None
    datasets = split_pairs(words, "--classes", "NAME=CLASS,CLASS", "HR=Horror,Romance")
    return {name: [label.strip() for label in classes.split(",")] for name, classes in datasets.items()}


def add_commands(commands: Commands) -> None:
    """Add the commands; `extract` takes the options of all its forms in any order."""
    parser = command(
        commands,
        extract,
        "cmcsl extract openclipart AF",
        "cmcsl extract openclipart --image-encoder efficientnet-lite0 --finetune no --name frozen",
        "cmcsl extract mm-imdb --start imagenet --orientation swapped --name swapped",
        "cmcsl extract folder --items items.csv --as my-corpus",
        "cmcsl extract arrays --as my-corpus --visual v.npy --text t.npy --label y.npy",
    )
    forms = "a corpus; or folder: your own images and texts; or arrays: features that you have made elsewhere"
    parser.add_argument("source", metavar="CORPUS", help=forms)
    parser.add_argument("datasets", nargs="*", metavar="DATASET", help="default: all that --min-class lets through")

    add = parser.add_argument_group("features of a corpus or folder").add_argument
    add("--min-class", type=int, metavar="N", help="fewest items of a class; default: 50, of your own data 1")
    add("--to", type=Path, metavar="FOLDER", help="default: features/CORPUS in CMCSL_HOME")
    add("--name", help="of these features, for `cmcsl run --change features=NAME`")
    encoders = (
        "resnet18; efficientnet-lite0; colour, the mean of a picture; or auto, the default: resnet18 of mm-imdb, "
    )
    encoders += "else efficientnet-lite0"
    add("--image-encoder", metavar="NAME", help=encoders)
    encoders = "minilm, the default; tf-idf, weights of terms; or a folder with a model of sentence-transformers"
    add("--text-encoder", metavar="NAME", help=encoders)
    starts = "weights of the image encoder: imagenet; of resnet18 pooled, deepcluster or xdc; or auto, the default: "
    starts += "imagenet if at hand"
    add("--start", help=starts)
    add(
        "--weights", type=Path, metavar="FILE", help="of the image encoder, instead of ImageNet's; default: of resnet18"
    )
    add("--finetune", metavar="ANSWER", help="no: the weights of the start give the visual features; default: yes")
    add("--width", type=int, metavar="N", help="of a new layer that gives the visual features, trained with the others")
    pictures = "own, the default, or made from texts: sentence-space, encoding or sonification; see `cmcsl transform`"
    add("--pictures", metavar="NAME", help=pictures)
    add("--orientation", help="swapped: images with height and width swapped, as published; default: upright")
    add("--seed", type=int, metavar="N", help="of the training of the image encoder; default: 1410")
    add("--split-seed", type=int, metavar="N", help="of the 20%% of items that it is trained on; default: 1410")
    add("--device", help="cpu, cuda, mps, or auto, the default")
    add("--precision", help="single, mixed, or auto, the default: mixed where the device gains by it")
    add(
        "--scheduler",
        metavar="ADDRESS",
        help="of a dask.distributed cluster, which shares the work; with --finetune no",
    )

    add = parser.add_argument_group("your own data, with folder or arrays").add_argument
    files = "folder: CSV or Parquet, with image paths from its folder; arrays: one .npz or Parquet file of features"
    add("--items", type=Path, metavar="FILE", help=files)
    add("--as", dest="corpus", metavar="NAME", help="of the corpus; default: name of FILE without its ending")
    add("--image", metavar="COLUMN", help="folder: paths of images; default: image")
    visual = "arrays: features of images, a key or column of FILE, or, as all of these, a .npy file; default: visual"
    add("--visual", metavar="NAME", help=visual)
    add("--text", metavar="NAME", help="texts, or their features; default: text")
    add("--label", metavar="NAME", help="labels, empty where an item has none; default: label")
    identifiers = "identifiers of items; default: paths of images, for arrays id, else row numbers"
    add("--id", dest="identifier", metavar="NAME", help=identifiers)
    add(
        "--time",
        metavar="COLUMN",
        help="folder: when an item was made, a number such as a year, for `cmcsl study stream`",
    )
    add("--separator", metavar="TEXT", help="between several labels of one item")
    datasets = "datasets, needed if items have several labels; default: all classes in one, named as the corpus"
    add("--classes", nargs="+", metavar="NAME=CLASS,CLASS", help=datasets)

    examples = ("cmcsl transform openclipart --by sentence-space", "cmcsl extract openclipart-sentence-space")
    parser = command(commands, transform, *examples)
    parser.add_argument("corpus", metavar="CORPUS", help="a corpus with texts")
    transformations = "sentence-space: a row of pixels per word; encoding: a square per feature of the text; or "
    parser.add_argument(
        "--by", required=True, metavar="NAME", help=transformations + "sonification: the spectrogram of a sound"
    )
    parser.add_argument("--modality", metavar="NAME", help="what pictures are made from: text, the default")
    parser.add_argument("--as", dest="name", metavar="NAME", help="of the new corpus; default: CORPUS-NAME")
    encoders = "minilm, the default, or a folder with a model of sentence-transformers"
    parser.add_argument("--text-encoder", metavar="NAME", help=encoders)
