"""A second modality made from the texts: pictures of them, for corpora that have no other (Section V, future work).

A picture shows nothing but what the text says already; whether an exchange of labels gains by it is what one may ask.
"""

import io
from collections.abc import Callable, Iterator

import numpy as np

from ..corpora import Corpus, datasets, load, user_corpora
from ..files.errors import CmcslError, check_choice
from ..files.processes import in_own_process
from ..files.progress import progress
from .extra import check_extra
from .texts import MINILM, encode_texts, sentence_model

#: Width and height of a picture, in pixels, as image encoders take it.
SIDE = 224
#: Standard deviations from the mean at which a feature is black or white.
EXTREME = 3.0
#: Of the sound: samples per second, seconds of each group of features, and the partials, in Hz, that are loud or soft.
SAMPLING_RATE, DURATION, PARTIALS = 8000, 0.125, np.geomspace(200, 3200, 16)
#: What is weaker than the loudest by as many decibels is black in a spectrogram.
DECIBELS = 60.0


def word_vectors(texts: list[str], encoder: str = MINILM) -> tuple[list[np.ndarray], np.ndarray]:
    """What a text encoder knows of words before it reads a text.

    Parameters
    ----------
    texts : list of str
        As many as n; each is cut where the encoder cuts it.
    encoder : str
        As in `texts.text_weights`.

    Returns
    -------
    words : list of n ndarrays of shape (w,), dtype int64
        Numbers of the words and parts of words of each text; w is at least 1.
    vectors : ndarray of shape (v, d), dtype float32
        One for each word that the encoder knows.
    """
    model = sentence_model(encoder)
    try:
        tokenizer, layer = model.tokenizer, model[0].auto_model.get_input_embeddings()
        unknown = tokenizer.unk_token_id or 0
    except (AttributeError, NotImplementedError):
        raise CmcslError(
            f"The text encoder {encoder} has no vectors of words: take another one, or another transformation."
        ) from None
    read = tokenizer(texts, add_special_tokens=False, truncation=True, max_length=model.max_seq_length)
    # A text of nothing but blanks has no word: it is shown as an unknown one.
    words = [np.array(each or [unknown], dtype=np.int64) for each in read["input_ids"]]
    return words, layer.weight.detach().cpu().numpy()


def sentence_space(vectors: np.ndarray, low: float, high: float) -> np.ndarray:
    """A text as a picture: one row per word, one column per feature of the words' vectors [1]_.

    Parameters
    ----------
    vectors : ndarray of shape (w, d)
        Of the words, in their order.
    low, high : float
        Values that are black and white.

    Returns
    -------
    ndarray of shape (SIDE, SIDE), dtype uint8

    References
    ----------
    .. [1] M. M. Lopez and J. Kalita, "Deep learning applied to NLP", arXiv:1703.03091, 2017; the paper's [40].
    """
    return _square(_grey((vectors - low) / (high - low)), smooth=False)


def feature_order(vectors: np.ndarray) -> np.ndarray:
    """Features in an order that puts beside each other those that rise and fall together.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)

    Returns
    -------
    ndarray of shape (d,), dtype int64
        Leaves of a clustering of features by their correlation, with average linkage and optimal order.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    with np.errstate(invalid="ignore", divide="ignore"):
        # A feature that never changes goes with no other.
        correlation = np.nan_to_num(np.corrcoef(vectors, rowvar=False))
    distances = 1 - correlation
    np.fill_diagonal(distances, 0)
    return leaves_list(linkage(squareform(distances, checks=False), "average", optimal_ordering=True)).astype(np.int64)


def encoding(values: np.ndarray) -> np.ndarray:
    """A feature vector as a picture: one square per feature, row by row, every second row from right to left.

    Parameters
    ----------
    values : ndarray of shape (d,)
        Standardised features, in the order of `feature_order`: neighbours in the picture belong together.

    Returns
    -------
    ndarray of shape (SIDE, SIDE), dtype uint8
        Grey where there are more squares than features.
    """
    side = int(np.ceil(np.sqrt(len(values))))
    cells = np.zeros(side * side)
    cells[: len(values)] = values
    grid = cells.reshape(side, side)
    grid[1::2] = grid[1::2, ::-1]
    return _square(_grey((grid / EXTREME + 1) / 2), smooth=False)


def sonification(values: np.ndarray) -> np.ndarray:
    """A feature vector as a sound: parameter mapping in the sense of Hermann [1]_.

    Features set the loudness of partials, as many at a time as there are; in between it changes evenly.

    Parameters
    ----------
    values : ndarray of shape (d,)
        Standardised features.

    Returns
    -------
    ndarray of shape (SAMPLING_RATE * DURATION * ceil(d / 16),), dtype float64
        Samples from -1 to 1.

    References
    ----------
    .. [1] T. Hermann, "Taxonomy and definitions for sonification and auditory display", International Community for
       Auditory Display, 2008; the paper's [39].
    """
    groups = -(-len(values) // len(PARTIALS))
    loudness = np.zeros(groups * len(PARTIALS))
    loudness[: len(values)] = (np.clip(values / EXTREME, -1, 1) + 1) / 2
    times = np.arange(round(SAMPLING_RATE * DURATION * groups)) / SAMPLING_RATE
    middles = (np.arange(groups) + 0.5) * DURATION
    return sum(
        np.interp(times, middles, each) * np.sin(2 * np.pi * partial * times)
        for partial, each in zip(PARTIALS, loudness.reshape(groups, -1).T, strict=True)
    ) / len(PARTIALS)


def spectrogram(signal: np.ndarray) -> np.ndarray:
    """A sound as a picture: time from left to right, high notes above, loud ones white.

    Parameters
    ----------
    signal : ndarray of shape (t,)
        From `sonification`.

    Returns
    -------
    ndarray of shape (SIDE, SIDE), dtype uint8
    """
    from scipy.signal import spectrogram as power_spectrum

    power = power_spectrum(signal, SAMPLING_RATE, nperseg=256, noverlap=128)[2]
    decibels = 10 * np.log10(np.maximum(power / max(power.max(), np.finfo(float).tiny), 1e-30))
    return _square(_grey(1 + decibels[::-1] / DECIBELS), smooth=True)


def _grey(shares: np.ndarray) -> np.ndarray:
    """Numbers from 0, black, to 1, white; what lies outside is cut off."""
    return np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)


def _square(picture: np.ndarray, smooth: bool) -> np.ndarray:
    """A grey picture of `SIDE` by `SIDE` pixels."""
    from PIL import Image

    # A box shows each value as a block; where there are more values than pixels it takes their mean.
    how = Image.Resampling.BILINEAR if smooth else Image.Resampling.BOX
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), how))


def _word_pictures(corpus: Corpus, encoder: str) -> Iterator[np.ndarray]:
    words, vectors = in_own_process(word_vectors, corpus.items.text.astype(str).tolist(), encoder)
    low, high = np.quantile(vectors, [0.01, 0.99])
    return (sentence_space(vectors[each], low, high) for each in words)


def standardised(vectors: np.ndarray) -> np.ndarray:
    """Feature vectors as `encoding` and `sonification` take them.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)

    Returns
    -------
    ndarray of shape (n, d), dtype float64
        Of mean 0 and deviation 1 over the distinct rows, in the order of `feature_order`. No label enters.
    """
    vectors = vectors.astype(np.float64)
    distinct = np.unique(vectors, axis=0)
    deviations = distinct.std(axis=0)
    scaled = (vectors - distinct.mean(axis=0)) / np.where(deviations > 0, deviations, 1)
    return scaled[:, feature_order(distinct)]


def _vector_pictures(corpus: Corpus, encoder: str) -> Iterator[np.ndarray]:
    return map(encoding, standardised(encode_texts(corpus, encoder=encoder)))


def _sound_pictures(corpus: Corpus, encoder: str) -> Iterator[np.ndarray]:
    return (spectrogram(sonification(values)) for values in standardised(encode_texts(corpus, encoder=encoder)))


#: By name, what makes a picture of each text of a corpus.
TRANSFORMATIONS: dict[str, Callable[[Corpus, str], Iterator[np.ndarray]]] = {
    "sentence-space": _word_pictures,
    "encoding": _vector_pictures,
    "sonification": _sound_pictures,
}
#: Modalities that pictures can be made from.
MODALITIES = ("text",)


def pictures(corpus: Corpus, by: str, text_encoder: str = MINILM) -> Iterator[bytes]:
    """Pictures made from the texts of a corpus.

    Parameters
    ----------
    corpus : Corpus
        With texts.
    by : {"sentence-space", "encoding", "sonification"}
        `sentence_space`, `encoding`, or the `spectrogram` of `sonification`.
    text_encoder : str
        As in `texts.text_weights`.

    Yields
    ------
    bytes
        A PNG file for each item.

    Raises
    ------
    CmcslError
        If the transformation is unknown, or the corpus has no texts.
    """
    from PIL import Image

    make = TRANSFORMATIONS[check_choice(by, TRANSFORMATIONS, "transformation")]
    if not corpus.has_images:
        raise CmcslError(
            f"The corpus {corpus.name} has no texts, only features that were made elsewhere: no picture can be made of "
            "them."
        )
    with progress(f"Pictures by {by}", len(corpus.items), "items") as advance:
        for picture in make(corpus, text_encoder):
            content = io.BytesIO()
            Image.fromarray(picture).save(content, "PNG")
            yield content.getvalue()
            advance()


def transform(
    corpus: str, by: str, *, modality: str = "text", name: str | None = None, text_encoder: str = MINILM
) -> str:
    """Make a corpus whose pictures are made from the texts of another one.

    Parameters
    ----------
    corpus : str
        One of `corpora.known_corpora`, with texts.
    by : {"sentence-space", "encoding", "sonification"}
        `sentence_space`, `encoding`, or the `spectrogram` of `sonification`.
    modality : {"text"}
        What pictures are made from. A corpus has one picture per item, so that a second one can't be made of the first.
    name : str, optional
        Of the new corpus; default: those of the corpus and the transformation, with a hyphen.
    text_encoder : str
        "minilm", which is all-MiniLM-L6-v2, or the path of a folder with a model of sentence-transformers.

    Returns
    -------
    str
        Name of the new corpus: the same items, texts, labels and datasets, with other pictures.

    Raises
    ------
    CmcslError
        If a name is unknown or can't be taken, or the corpus has no texts.
    """
    check_extra()
    check_choice(modality, MODALITIES, "modality to transform")
    check_choice(by, TRANSFORMATIONS, "transformation")
    name = name or f"{corpus}-{by}"
    user_corpora.check_name(name)
    if name == corpus:
        raise CmcslError(f"The pictures of {corpus} itself would be lost: name another corpus with --as.")
    source = load(corpus)
    rows = source.items.filter(["id", "text", "labels", "time"]).to_dict("records")
    items = (
        row | {"labels": list(row["labels"]), "image": image}
        for row, image in zip(rows, pictures(source, by, text_encoder), strict=True)
    )
    user_corpora.write(name, items, [], datasets(corpus), several=True)
    return name
