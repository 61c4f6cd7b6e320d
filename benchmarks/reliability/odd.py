"""Well-formed but odd values, as people bring them: read as a second reading says, or refused in one sentence."""

import contextlib
import csv
import datetime as dt
import decimal
import io
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import made_up
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from damage import Wrong, drawn_with, in_time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from cmcsl_lib import corpora
from cmcsl_lib.cli import main
from cmcsl_lib.corpora import mm_imdb
from cmcsl_lib.corpora.arrays import read_arrays
from cmcsl_lib.corpora.cells import MISSING
from cmcsl_lib.corpora.features import load_features
from cmcsl_lib.corpora.folder import read_folder
from cmcsl_lib.corpora.items_file import report_path
from cmcsl_lib.corpora.pictures import decoded
from cmcsl_lib.files.errors import CmcslError

#: What stands in people's lists and surprises programs.
WORDS = [
    *("", " ", "NA", "N/A", "nan", "NULL", "None", "-1", "-1.0", "1", "1.0", "1.50", "0", "007", "+3", "true", "1e5"),
    *("=1+1", "a,b", "a;b", '"q"', "two\nlines", "a\ttab", "  padded  ", "猫", "caf\u00e9", "cafe\u0301", "\u202eback"),
    *("\ufeffmark", "\x1b[2J", "$x$", "<b>&amp;</b>", "{{x}}", "2024-01-01", "yes", "~", "*", "a/b", "..", "%s", "\\"),
]


def mostly(usual: st.SearchStrategy, odd: st.SearchStrategy) -> st.SearchStrategy:
    """Usual values, and now and then odd ones; hypothesis itself would give each kind of both the same share."""
    return st.sampled_from([usual] * 4 + [odd]).flatmap(lambda strategy: strategy)


CELL = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LABEL = mostly(st.sampled_from(["cat", "dog", "1", "2"]), CELL)
#: Names of pictures in the folder, and of what is none.
PICTURES = {f"{number}.png": made_up.picture(number, "PNG", (8, 8)) for number in range(8)}
NAMES = st.sampled_from([*PICTURES, "none.png", "cut.png", "", "../0.png"])
WHOLE = re.compile(r"([+-]?\d+)\.0+")


class Kind(NamedTuple):
    """Input of one kind.

    Attributes
    ----------
    values : hypothesis strategy
        What is put into the input.
    read : callable
        Writes the values, reads them by the library and once more; raises `Wrong` where the readings differ and
        `CmcslError` where the library refuses them.
    """

    values: st.SearchStrategy
    read: Callable[[Any], None]


def examine(name: str, kind: Kind, rounds: int, seed: int | None = None) -> dict[str, object]:
    """Read so many inputs of a kind, others with another seed.

    Returns
    -------
    dict
        kind, inputs, and how many of them were right and how many told.
    """
    counts = Counter()

    @drawn_with(seed)
    @settings(
        max_examples=rounds, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(kind.values)
    def check(values: Any) -> None:
        with in_time():
            try:
                kind.read(values)
            except CmcslError as error:
                if not str(error).strip():
                    raise Wrong("a refusal without words") from None
                counts["told"] += 1
            else:
                counts["right"] += 1

    check()
    return {"kind": name, "inputs": counts.total(), "right": counts["right"], "told": counts["told"]}


def equal(what: str, got: object, expected: object) -> None:
    """Raise unless two readings agree."""
    if got != expected:
        raise Wrong(f"{what}: read as {got!r}, by another reading {expected!r}")


def label_of(value: object) -> list[str]:
    """The label that one value stands for, by what the documentation says."""
    if isinstance(value, list):
        return sorted({label for each in value for label in label_of(each)})
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    # Half of a surrogate pair, which no file can hold, becomes a question mark.
    text = "" if value is None else str(value).strip().encode("utf-8", "replace").decode()
    text = "" if text in MISSING else text
    whole = WHOLE.fullmatch(text)
    return [label for label in [whole[1] if whole else text] if label not in ("", "-1")]


def check_items(name: str, rows: list[dict[str, object]]) -> None:
    """Compare a corpus with the rows of its list: each is an item as it stands there, or set aside with a reason."""
    items = corpora.load(name).items
    with report_path(name).open(newline="", encoding="utf-8") as file:
        reasons = list(csv.reader(file))[1:]
    equal("rows", len(items) + len(reasons), len(rows))
    if not all(reason for _, reason in reasons):
        raise Wrong("an item is set aside without a reason")
    usable: dict[str, dict[str, object]] = {}
    for row in rows:
        text = row["text"].decode() if isinstance(row["text"], bytes) else row["text"]
        text, image = str(text or "").strip(), str(row["image"]).strip()
        if image in PICTURES and text and text not in MISSING:
            usable.setdefault(image, {"text": text, "labels": label_of(row["label"])})
    equal("ids", items.id.tolist(), list(usable))
    for item in items.itertuples():
        equal("text", item.text, usable[item.id]["text"])
        equal("labels", list(item.labels), usable[item.id]["labels"])


def csv_lists(scratch: Path) -> Kind:
    """Lists of items in CSV, with any cells, dialects, and orders of columns."""
    rows = st.lists(st.fixed_dictionaries({"image": NAMES, "text": CELL, "label": LABEL, "more": CELL}), min_size=4)
    dialect = st.fixed_dictionaries(
        {
            "quoting": st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
            "lineterminator": st.sampled_from(["\n", "\r\n"]),
        }
    )

    def read(values: tuple) -> None:
        table, form, columns, encoding = values
        # Python's writer leaves a lone carriage return without quotes, where other readers end the row.
        if any("\r" in cell for row in table for cell in row.values()):
            form = form | {"quoting": csv.QUOTE_ALL}
        path = scratch / "items.csv"
        with path.open("w", newline="", encoding=encoding) as file:
            writer = csv.writer(file, **form)
            writer.writerows([columns, *([row[column] for column in columns] for row in table)])
        read_folder("odd", path)
        with path.open(newline="", encoding="utf-8-sig") as file:
            check_items("odd", list(csv.DictReader(file)))

    encodings = st.sampled_from(["utf-8", "utf-8-sig"])
    return Kind(st.tuples(rows, dialect, st.permutations(["image", "text", "label", "more"]), encodings), read)


def parquet_lists(scratch: Path) -> Kind:
    """Lists of items in Parquet, with columns of any type."""
    moment = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))
    columns = {
        pa.string(): LABEL,
        pa.large_string(): LABEL,
        pa.binary(): LABEL.map(str.encode),
        pa.dictionary(pa.int32(), pa.string()): LABEL,
        pa.int64(): st.integers(-2, 3),
        pa.uint8(): st.integers(0, 3),
        pa.float64(): st.sampled_from([0.0, 1.0, -1.0, 1.5, 1e300, float("nan"), float("inf")]),
        pa.bool_(): st.booleans(),
        pa.decimal128(6, 2): st.sampled_from([decimal.Decimal(text) for text in ("1.00", "-1.00", "2.50")]),
        pa.timestamp("us"): moment,
        pa.date32(): moment.map(dt.datetime.date),
        pa.list_(pa.string()): st.lists(LABEL, max_size=2),
    }
    tables = st.sampled_from(list(columns)).flatmap(
        lambda kind: st.tuples(
            st.just(kind),
            st.sampled_from([pa.string(), pa.large_string(), pa.binary()]),
            st.lists(st.tuples(NAMES, CELL, st.none() | columns[kind]), min_size=4, max_size=12),
        )
    )

    def read(values: tuple) -> None:
        label_type, text_type, rows = values
        texts = [text.encode() if text_type == pa.binary() else text for _, text, _ in rows]
        table = pa.table(
            {
                "image": pa.array([image for image, _, _ in rows]),
                "text": pa.array(texts, text_type),
                "label": pa.array([label for *_, label in rows], label_type),
            }
        )
        path = scratch / "items.parquet"
        pq.write_table(table, path)
        classes = None
        if label_type == pa.list_(pa.string()):
            classes = {"odd": ["cat", "dog"]}
        read_folder("odd", path, classes=classes)
        check_items("odd", pq.read_table(path).to_pylist())

    return Kind(tables, read)


def ready_arrays(scratch: Path) -> Kind:
    """Ready-made features of any type of numbers, order and size, with labels of any type."""
    numbers = st.sampled_from(["f2", "f4", ">f4", "f8", ">f8", "i1", "i8", "u1", "u8", "?", "c8", "g"])
    matrices = st.tuples(
        numbers, st.integers(1, 3), st.sampled_from([0, 1e5, 1e-320, 1e300]), st.booleans(), st.integers(0, 9)
    )
    labels = hnp.arrays(
        st.sampled_from(["i8", "i1", "f8", "?", "U3", "S3"]).map(np.dtype),
        8,
    ) | st.lists(st.sampled_from([0, 1, -1]), min_size=8, max_size=8).map(np.array)

    def matrix(kind: str, width: int, offset: float, fortran: bool, seed: int) -> np.ndarray:
        values = np.random.default_rng(seed).normal(size=(8, width)) * (offset if 0 < offset < 1 else 1)
        with np.errstate(all="ignore"):
            values = (values + (offset if offset > 1 else 0)).astype(kind)
        return np.asfortranarray(values) if fortran else values

    def read(values: tuple) -> None:
        visual, text, label = matrix(*values[0]), matrix(*values[1]), values[2]
        path = scratch / "arrays.npz"
        np.savez(path, visual=visual, text=text, label=label)
        read_arrays("odd", path)
        features = load_features("odd", "odd", unlabeled=True)
        rows = features.ids.astype(int) - 1
        for name, X in (("visual", visual), ("text", text)):
            if not np.array_equal(getattr(features, name), X[rows].astype(np.float64)):
                raise Wrong(f"{name} features are others than those of the file")
        expected = [label_of(value) for value in label.tolist()]
        equal("labels", [[features.classes[y]] if y >= 0 else [] for y in features.y], [expected[row] for row in rows])
        equal("rows", sorted(rows.tolist()), list(range(8)))

    return Kind(st.tuples(matrices, matrices, labels), read)


#: Turns of an array of pixels by the values of EXIF's orientation.
TURNS = {
    1: lambda X: X,
    2: lambda X: X[:, ::-1],
    3: lambda X: X[::-1, ::-1],
    4: lambda X: X[::-1],
    5: lambda X: X.swapaxes(0, 1),
    6: lambda X: X.swapaxes(0, 1)[:, ::-1],
    7: lambda X: X[::-1, ::-1].swapaxes(0, 1),
    8: lambda X: X.swapaxes(0, 1)[::-1],
}


def pictures(scratch: Path) -> Kind:
    """Pictures of any mode, depth, size and turn, compared with the pixels that they were written from."""
    forms = st.sampled_from(
        [
            *(("L", kind) for kind in ("PNG", "TIFF", "BMP", "GIF")),
            *(("RGB", kind) for kind in ("PNG", "TIFF", "BMP", "WEBP")),
            *(("RGBA", kind) for kind in ("PNG", "TIFF", "WEBP")),
            *(("LA", "PNG"), ("1", "PNG"), ("1", "TIFF"), ("CMYK", "TIFF"), ("P", "PNG"), ("P", "GIF")),
            *(("I;16", "PNG"), ("I;16", "TIFF"), ("I", "TIFF"), ("F", "TIFF"), ("F 255", "TIFF"), ("RGB", "JPEG")),
        ]
    )
    values = st.tuples(forms, st.integers(1, 30), st.integers(1, 30), st.integers(0, 10**6), st.sampled_from([*TURNS]))

    def read(values: tuple) -> None:
        (mode, form), width, height, seed, turn = values
        random = np.random.default_rng(seed)
        image, expected = drawn(mode, random, (height, width))
        content = io.BytesIO()
        options = {"lossless": True, "exact": True} if form == "WEBP" else {}
        if form in ("PNG", "TIFF", "JPEG", "WEBP"):
            exif = Image.Exif()
            exif[0x0112] = turn
            options["exif"] = exif
            expected = TURNS[turn](expected)
        image.save(content, form, **options)
        got = np.asarray(decoded(content.getvalue())).astype(int)
        equal("size", got.shape, expected.shape)
        # JPEG loses details; a composite with white is rounded.
        allowed = 255 if form == "JPEG" else 1
        if np.abs(got - expected).max() > allowed or abs(got.mean() - expected.mean()) > 20:
            raise Wrong(f"{mode} in {form} has other pixels")

    return Kind(values, read)


def drawn(mode: str, random: np.random.Generator, size: tuple[int, int]) -> tuple[Image.Image, np.ndarray]:
    """A picture of random values, and the red, green and blue, from 0 to 255, that one should see."""
    grey = random.integers(0, 256, size)
    if mode in ("L", "1"):
        grey = grey if mode == "L" else (grey > 127) * 255
        image = Image.fromarray(grey.astype(np.uint8))
        return image if mode == "L" else image.convert("1", dither=Image.Dither.NONE), np.stack([grey] * 3, -1)
    if mode in ("I;16", "I"):
        # One pixel shows that all 16 bits are used.
        wide = random.integers(0, 65536, size)
        wide.flat[0] = 65535
        kind = np.uint16 if mode == "I;16" else np.int32
        return Image.fromarray(wide.astype(kind)), np.stack([wide >> 8] * 3, -1)
    if mode in ("F", "F 255"):
        part = random.random(size).astype(np.float32)
        part.flat[0] = 1
        scale = 1 if mode == "F" else 255
        return Image.fromarray(part * np.float32(scale)), np.stack([np.rint(part * 255)] * 3, -1)
    colours = random.integers(0, 256, (*size, 3))
    image = Image.fromarray(colours.astype(np.uint8))
    if mode == "P":
        image = image.quantize(16)
        return image, np.asarray(image.convert("RGB")).astype(int)
    if mode == "CMYK":
        return image.convert("CMYK"), colours
    if mode in ("RGBA", "LA"):
        alpha = random.integers(0, 256, size)
        shown = colours if mode == "RGBA" else np.stack([grey] * 3, -1)
        channels = [*(shown[..., place] for place in range(3 if mode == "RGBA" else 1)), alpha]
        image = Image.merge(mode, [Image.fromarray(channel.astype(np.uint8)) for channel in channels])
        share = alpha[..., None] / 255
        return image, shown * share + 255 * (1 - share)
    return image, colours


def films(scratch: Path) -> Kind:
    """Descriptions of films: valid JSON of any shape."""
    words = CELL | st.none() | st.integers() | st.floats() | st.booleans() | st.lists(CELL, max_size=3)
    lists = mostly(st.lists(CELL, min_size=1, max_size=3), words)
    fields = st.fixed_dictionaries({"genres": lists, "plot": lists}, optional={"title": words, "year": words})

    def read(values: object) -> None:
        film = mm_imdb.film(json.dumps(values).encode())

        def spoken(name: str) -> list[str]:
            return [text for text in values[name] if text.strip() not in MISSING]

        equal("genres", film["labels"], sorted({genre.strip() for genre in spoken("genres")}))
        equal("plot", film["text"], " ".join(spoken("plot")).strip())
        equal("title", film["title"], str(values.get("title") or ""))

    return Kind(mostly(fields, words), read)


SCORES = {
    "--datasets": ["tiny", "none"],
    "--protocol": ["strict", "paper"],
    "--change": ["seeds=replacement", "features=default", "="],
    "--budgets": ["1", "2", "0"],
}
#: Commands with their options, and values that these take; an option without values stands alone.
COMMANDS = {
    ("corpora",): {},
    ("table", "1"): {"--source": ["tiny", "openclipart"], "--csv": []},
    ("table", "5"): SCORES | {"--source": ["openclipart"], "--statistics": ["published", "corrected"], "--csv": []},
    ("divide", "tiny"): {"--min-class": ["1", "8"], "--check": [], "--csv": []},
    ("label", "tiny"): {
        "--to": ["out.csv", "/dev/null", "folder/out.csv", "."],
        "--preprocessing": ["RAW", "L2STD"],
        "--min-margin": ["0", "0.5", "2"],
    },
    ("run", "3", "--corpus", "tiny", "--budgets", "1"): SCORES
    | {"--classifier": ["GNB", "LR"], "--workers": ["1", "0"]},
    ("extract", "arrays", "--items", "tiny.npz"): {
        "--as": ["again", "2024"],
        "--visual": ["visual", "text"],
        "--label": ["label", "text"],
        "--id": ["label"],
        "--classes": ["again=0,1", "again=0", "0"],
        "--separator": [","],
    },
}


def command_lines(scratch: Path) -> Kind:
    """Command lines of known commands and options with any values: done, or refused in one sentence."""
    read_arrays("tiny", _tiny(scratch))
    value = st.sampled_from([*WORDS, "1e9", "~nosuchuser/x", "9" * 30, "a" * 300])
    commands = []
    for begin, options in COMMANDS.items():
        usual = [
            st.tuples(st.just(name), *([st.sampled_from(values)] if values else [])) for name, values in options.items()
        ]
        odd = [st.tuples(st.just(name), value) for name in options]
        words = st.lists(mostly(st.one_of(usual), st.one_of(odd)), max_size=3) if options else st.just([])
        commands.append(st.tuples(st.just(begin), words, mostly(st.just([]), st.tuples(value))))

    def read(values: tuple) -> None:
        begin, options, more = values
        words = [*begin, *(word for option in options for word in option), *more]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main(words)
            except SystemExit as ended:
                code = ended.code or 0
        if code not in (0, 2):
            raise Wrong(f"{words} ended with {code}")
        message = err.getvalue()
        if "nobody foresaw" in message or "Traceback" in message or "\x1b" in message + out.getvalue():
            raise Wrong(f"{words}: {message}")
        if code == 2:
            *usage, sentence = message.splitlines()
            if not sentence.startswith("cmcsl") or (usage and not usage[0].startswith("usage: ")):
                raise Wrong(f"{words}: more than one sentence: {message}")
            raise CmcslError(sentence)

    return Kind(st.one_of(commands), read)


def _tiny(scratch: Path) -> Path:
    """Features of two classes, and of items without a label."""
    y = np.arange(40) % 2
    X = np.random.default_rng(0).normal(size=(40, 4)) + y[:, None]
    np.savez(scratch / "tiny.npz", visual=X, text=X[:, ::-1], label=np.where(np.arange(40) < 34, y, -1))
    return scratch / "tiny.npz"


KINDS = {
    "list in CSV": csv_lists,
    "list in Parquet": parquet_lists,
    "arrays": ready_arrays,
    "picture": pictures,
    "film": films,
    "command line": command_lines,
}
#: Inputs of each kind: 10,000 in all.
INPUTS = {
    "list in CSV": 2000,
    "list in Parquet": 1500,
    "arrays": 2000,
    "picture": 2500,
    "film": 1000,
    "command line": 1000,
}


@contextmanager
def kinds(scratch: Path) -> Iterator[dict[str, Kind]]:
    """Every kind in a scratch folder, which the working folder and CMCSL_HOME are in as well."""
    for name, content in PICTURES.items():
        (scratch / name).write_bytes(content)
    (scratch / "cut.png").write_bytes(PICTURES["0.png"][:100])
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, CMCSL_HOME=str(scratch / "home")))
        stack.enter_context(contextlib.chdir(scratch))
        yield {name: kind(scratch) for name, kind in KINDS.items()}
