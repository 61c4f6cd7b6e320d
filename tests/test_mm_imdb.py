"""On made-up archives with every kind of broken item; no file of the corpus itself is needed."""

import bz2
import gzip
import io
import json
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import threading
import time
import tracemalloc
import zipfile
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from cmcsl_lib import corpora
from cmcsl_lib.cli import main
from cmcsl_lib.corpora import archive, download, mm_imdb
from cmcsl_lib.corpora.items_file import items_path, report_path
from cmcsl_lib.corpora.pictures import decoded
from cmcsl_lib.experiments.published import beside_table_1
from cmcsl_lib.files.errors import Absent, CmcslError
from cmcsl_lib.files.paths import REPOSITORY


def poster(mode="RGB", kind="JPEG", size=(12, 18), **options):
    """A picture file of one dark grey, 48 of 255."""
    if mode == "I;16":
        image = Image.fromarray(np.full(size[::-1], 48 << 8, dtype=np.uint16))
    elif mode == "P":
        image = Image.new("RGB", size, (48, 48, 48)).quantize()
    elif mode == "CMYK":
        image = Image.new("RGB", size, (48, 48, 48)).convert("CMYK")
    else:
        image = Image.new(mode, size, {"L": 48, "RGB": (48, 48, 48), "RGBA": (48, 48, 48, 255)}[mode])
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def description(genres=("Drama",), plot=("One plot.", "Another."), **further):
    return json.dumps({"title": "A film", "genres": list(genres), "plot": list(plot)} | further).encode()


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(download, "SCHEME", "http")  # servers on this machine


def tar(path, files, mode="w"):
    """Write an archive: names to contents, or to ready-made TarInfo objects."""
    with tarfile.open(path, mode) as packed:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                packed.addfile(content)
                continue
            entry = tarfile.TarInfo(f"mmimdb/dataset/{name}")
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    return path


def films(*names):
    """Whole films."""
    return {
        f"{name}.{ending}": content
        for name in names
        for ending, content in (("json", description()), ("jpeg", poster()))
    }


BROKEN = {
    "0000001": ("no poster", description(), None),
    "0000002": ("no description", None, poster()),
    "0000003": ("no plot", description(plot=()), poster()),
    "0000004": ("no plot", description(plot=("  ",)), poster()),
    "0000005": ("no genres", description(genres=()), poster()),
    "0000006": ("broken description", b'{"title": ', poster()),
    "0000007": ("broken description", b"[1, 2]", poster()),
    "0000008": ("broken image", description(), poster(size=(200, 300))[:-200]),
    "0000009": ("not an image", description(), b"<html>not found</html>"),
    "0000010": ("not an image", description(), b""),
    "0000011": ("broken description", b"[" * 100_000, poster()),
    "0000012": ("no genres", description(genres=(1, 2)), poster()),
    "0000013": ("broken description", b"\xff\xfe\xfa", poster()),
}


@pytest.fixture
def mixed(tmp_path):
    """Two good films and one item of every broken kind."""
    files = films("1000001", "1000002")
    for name, (_, written, picture) in BROKEN.items():
        files |= {f"{name}.json": written} if written is not None else {}
        files |= {f"{name}.jpeg": picture} if picture is not None else {}
    return tar(tmp_path / "mixed.tar.gz", files, "w:gz")


def test_broken_items_are_set_aside_with_their_reason(mixed):
    counts = mm_imdb.fetch(mixed)
    assert counts == Counter(reason for reason, _, _ in BROKEN.values())
    report = pd.read_csv(report_path(mm_imdb.NAME), dtype=str)
    assert dict(zip(report["item"], report.reason, strict=True)) == {name: row[0] for name, row in BROKEN.items()}
    corpus = corpora.load("mm-imdb")
    assert corpus.items.id.tolist() == ["1000001", "1000002"]
    assert corpus.items.text.tolist() == ["One plot. Another."] * 2
    assert corpus.items.image.iloc[[1]].tolist() == [poster()]


def test_a_folder_and_a_zip_give_the_same_corpus_as_their_archive(mixed, tmp_path, monkeypatch):
    mm_imdb.fetch(mixed)
    expected, report = mm_imdb.load().items, report_path(mm_imdb.NAME).read_bytes()
    shutil.unpack_archive(mixed, tmp_path / "unpacked")
    mm_imdb.fetch(tmp_path / "unpacked")
    pd.testing.assert_frame_equal(mm_imdb.load().items, expected)
    assert report_path(mm_imdb.NAME).read_bytes() == report
    (folder,) = (tmp_path / "unpacked").rglob("dataset")
    (tmp_path / "link").symlink_to(folder)
    renamed = shutil.copytree(folder, tmp_path / "films")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "dataset").symlink_to(renamed)
    monkeypatch.chdir(folder)
    for source in (tmp_path / "link", tmp_path / "linked" / "dataset", Path()):
        mm_imdb.fetch(source)
        pd.testing.assert_frame_equal(mm_imdb.load().items, expected)
        assert report_path(mm_imdb.NAME).read_bytes() == report
    zipped = tmp_path / "mmimdb.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as file:
        for path in sorted((tmp_path / "unpacked").rglob("*")):
            file.write(path, path.relative_to(tmp_path / "unpacked"))
    mm_imdb.fetch(zipped)
    pd.testing.assert_frame_equal(mm_imdb.load().items, expected)
    assert report_path(mm_imdb.NAME).read_bytes() == report
    zipped.write_bytes(zipped.read_bytes()[:-100])
    with pytest.raises(CmcslError, match="mmimdb.zip is damaged"):
        mm_imdb.fetch(zipped)
    zipped.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(5000))
    with pytest.raises(CmcslError, match="mmimdb.zip is HDF5.* take mmimdb.tar.gz"):
        mm_imdb.fetch(zipped)


@pytest.mark.parametrize("order", [sorted, lambda names: sorted(names, key=lambda name: name[::-1])])
def test_the_order_of_descriptions_and_posters_does_not_matter(tmp_path, order):
    files = films("3", "1", "2")
    mm_imdb.fetch(tar(tmp_path / "made.tar", {name: files[name] for name in order(files)}))
    assert sorted(mm_imdb.load().items.id) == ["1", "2", "3"]


def test_names_that_leave_the_folder_links_and_devices_are_passed_over(tmp_path):
    link, device = tarfile.TarInfo("mmimdb/dataset/7.jpeg"), tarfile.TarInfo("mmimdb/dataset/8.jpeg")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device.type = tarfile.CHRTYPE
    hostile = {"../../../escaped.json": description(), "../../9.json.exe": b"x", "link": link, "device": device}
    hostile_archive = tar(
        tmp_path / "hostile.tar", films("5") | hostile | {"7.json": description(), "8.json": description()}
    )
    assert mm_imdb.fetch(hostile_archive) == {"no poster": 2}
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    corpus = {f"home/corpora/mm-imdb/{name}" for name in ("items.arrow", "set-aside.csv", ".lock")}
    assert written == {"hostile.tar", *corpus}


#: Where the header of a file with holes says that their list goes on in the next block.
CONTINUED = 482


def header(kind, size=0, changed=()):
    """One header of an archive, some of its bytes changed, with a valid checksum."""
    entry = tarfile.TarInfo("mmimdb/dataset/5.jpeg")
    entry.type, entry.size = kind, size
    block = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    for place, value in changed:
        block[place] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def attributes(named):
    """Extended attributes as they stand in an archive: length, name and value of each."""
    lines = [f" {name}={value}\n".encode("utf-8", "surrogateescape") for name, value in named]
    return b"".join(b"%d" % (len(line) + len(str(len(line) + 2))) + line for line in lines)


HEADERS = st.lists(
    st.tuples(
        st.sampled_from([b"0", b"x", b"g", b"L", b"K", b"S"]),
        st.binary(max_size=40)
        | st.lists(
            st.tuples(
                st.sampled_from(
                    [
                        "path",
                        "size",
                        "hdrcharset",
                        "GNU.sparse.major",
                        "GNU.sparse.minor",
                        "GNU.sparse.map",
                        "GNU.sparse.size",
                        "GNU.sparse.realsize",
                        "GNU.sparse.offset",
                        "GNU.sparse.numbytes",
                    ]
                ),
                st.sampled_from(["0", "1", "-1", "1.0", "", "1,2,3", "9" * 400, "\udc80", "BINARY"]),
            ),
            max_size=3,
        ).map(attributes),
        st.lists(st.tuples(st.integers(0, 511), st.integers(0, 255)), max_size=3),
    ),
    min_size=1,
    max_size=4,
)


@given(HEADERS, st.integers(0, 4000))
@example([(b"x", attributes([("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0")]), ())], 4000)
@example([(b"S", b"", [(CONTINUED, 1)])], 512)
@example([(b"x", b"", ())] * 900, 900 * 512)
@example([(b"x", attributes([("size", "9" * 200)]), ()), (b"0", b"", ())], 1536)
def test_any_header_is_read_or_told(tmp_path_factory, headers, length):
    content = b"".join(
        header(kind, len(body), changed) + body + bytes(-len(body) % 512) for kind, body, changed in headers
    )
    path = tmp_path_factory.mktemp("made") / "made.tar.gz"
    path.write_bytes(gzip.compress((content + bytes(1024))[:length], 1))
    try:
        members = list(archive.members(path, re.compile(""), ""))
    except CmcslError as error:
        assert re.search("damaged or is no tar archive|holds more than .* 100 GB", str(error))
    else:
        assert len(members) <= len(headers)


@contextmanager
def at_most(size):
    """A block of code in which less memory is taken than so many bytes."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


def test_files_too_large_are_never_read_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_FILE", 100_000)
    large = bytes(60_000_000)
    files = films("5") | {"6.json": large, "7.json": description(), "7.jpeg": large}
    bomb = tar(tmp_path / "bomb.tar.bz2", files, "w:bz2")
    assert bomb.stat().st_size < len(large) / 10_000
    with at_most(len(large) / 10):
        counts = mm_imdb.fetch(bomb)
    assert counts == {"description too large": 1, "poster too large": 1}


@pytest.mark.parametrize(
    "kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, "sparse"]
)
def test_headers_too_large_are_never_read_into_memory(tmp_path, kind):
    size = 60_000_000
    with bz2.open(tmp_path / "bomb.tar.bz2", "wb") as file:
        if kind == "sparse":  # a list of holes that never ends
            file.write(header(tarfile.GNUTYPE_SPARSE, changed=[(CONTINUED, 1)]))
            file.write((b"00000000001\0" * 42 + b"\1" + bytes(7)) * (size // tarfile.BLOCKSIZE))
        else:
            file.write(header(kind, size))
            file.write(bytes(size + 2 * tarfile.BLOCKSIZE))
    with at_most(size / 2), pytest.raises(CmcslError, match="damaged or is no tar archive"):
        mm_imdb.fetch(tmp_path / "bomb.tar.bz2")


def test_images_of_too_many_pixels_are_not_decoded(tmp_path):
    files = films("5")
    for name, side in (("6", 8_000), ("7", 20_000), ("8", 50_000)):
        claimed = bytearray(poster(kind="PNG"))
        claimed[16:24] = struct.pack(">II", side, side)
        claimed[29:33] = struct.pack(">I", zlib.crc32(claimed[12:29]))
        files |= {f"{name}.json": description(), f"{name}.jpeg": bytes(claimed)}
    assert mm_imdb.fetch(tar(tmp_path / "wide.tar", files)) == {"image of too many pixels": 3}


@pytest.mark.parametrize(("size", "fine"), [((1, 100), True), ((8000, 1), False), ((1, 60_000), False)])
def test_images_that_resizing_would_blow_up_are_set_aside(size, fine):
    """The shorter side becomes 256 pixels: a line of 8,000 pixels, a file of 104 bytes, took 2.9 GB."""
    if fine:
        assert decoded(poster(kind="PNG", size=size)).size == size
    else:
        with pytest.raises(CmcslError, match="^image too long and narrow$"):
            decoded(poster(kind="PNG", size=size))


def with_scans(content, number):
    """A progressive JPEG whose last scan is repeated, and which shows a preview and a film beside it."""
    last = content[content.rindex(b"\xff\xda") : -2]
    preview = b"\xff\xe5" + struct.pack(">H", 2 + 4 * 9000) + b"\xff\xda\0\2" * 9000
    return content[:2] + preview + content[2:-2] + number * last + content[-2:] + b"\xff\xda" * 100_000


def test_images_of_too_many_scans_are_set_aside():
    """Each scan of a progressive JPEG goes over all pixels: a file of 696 KB took 80 seconds."""
    content = poster(size=(3000, 2000), progressive=True)
    whole = decoded(content)
    np.testing.assert_array_equal(decoded(with_scans(content, 10)), whole)
    started = time.monotonic()
    with pytest.raises(CmcslError, match="^image of too many scans$"):
        decoded(with_scans(content, 8000))
    assert time.monotonic() - started < 5
    # The same scans of few pixels take little time.
    decoded(with_scans(poster(progressive=True), 8000))


def test_archives_of_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_FILES", 5)
    with pytest.raises(CmcslError, match="more than 5 files"):
        mm_imdb.fetch(tar(tmp_path / "many.tar", films("1", "2", "3")))


def test_an_archive_may_not_be_of_any_size(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 3_000_000_000)
    entry = tarfile.TarInfo("mmimdb/dataset/1.jpeg")
    entry.size = 10**15  # refused before its content is passed over
    (tmp_path / "large.tar").write_bytes(entry.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(CmcslError, match="or 3 GB"):
        mm_imdb.fetch(tmp_path / "large.tar")


def test_an_archive_that_unpacks_to_far_more_than_its_size_is_refused_at_once(tmp_path, monkeypatch):
    """One of 2,893 bytes held 4 GB, and took 42 seconds."""
    monkeypatch.setattr(archive, "SMALL", 2_000_000)
    packed = tar(tmp_path / "bomb.tar.bz2", films("5") | {"notes.txt": bytes(50_000_000)}, "w:bz2").stat().st_size
    read = []
    bounded = archive._BoundedStream.read
    monkeypatch.setattr(archive._BoundedStream, "read", lambda self, size: read.append(bounded(self, size)) or read[-1])
    with pytest.raises(CmcslError, match="bomb.tar.bz2 unpacks to more than 100 times its size"):
        mm_imdb.fetch(tmp_path / "bomb.tar.bz2")
    assert sum(map(len, read)) < 4_000_000 + 2 * 100 * packed


def test_a_damaged_archive_leaves_what_was_there(tmp_path):
    mm_imdb.fetch(tar(tmp_path / "good.tar", films("5")))
    before = items_path(mm_imdb.NAME).read_bytes()
    generator = np.random.default_rng(0)
    noise = {f"{name}.jpeg": generator.bytes(5000) for name in range(20)}
    whole = tar(tmp_path / "whole.tar.gz", films("6") | noise, "w:gz").read_bytes()
    broken = tmp_path / "broken.tar.gz"
    plain = tar(tmp_path / "whole.tar", films("6") | noise).read_bytes()
    cut_short = plain[: 21 * 512]
    header = plain.index(b"mmimdb/dataset/9.jpeg")
    bad_header = plain[:header] + bytes(100) + plain[header + 100 :]
    for content in (
        whole[: len(whole) // 2],
        b"no archive",
        b"",
        whole[:2000] + bytes(3000) + whole[5000:],
        whole[:-9],
        cut_short,
        bad_header,
    ):
        broken.write_bytes(content)
        with pytest.raises(CmcslError, match="damaged or is no tar archive"):
            mm_imdb.fetch(broken)
        assert items_path(mm_imdb.NAME).read_bytes() == before
    names = {path.name for path in items_path(mm_imdb.NAME).parent.iterdir()}
    assert names - {".lock"} == {"items.arrow", "set-aside.csv"}


def test_two_fetches_at_once_never_mix_films_with_the_report_of_others(tmp_path, monkeypatch):
    archives = []
    for name in ("1", "2"):
        files = {f"{name}.jpeg": poster(), f"{name}.json": description(), f"{name}0.json": description()}
        archives.append(tar(tmp_path / f"{name}.tar", files))
    write_report, second = mm_imdb.write_report, []

    def while_another_comes(name, set_aside):
        if not second:
            second.append(pool.submit(mm_imdb.fetch, archives[1]))
            with pytest.raises(TimeoutError):
                second[0].result(timeout=0.5)
            assert mm_imdb.load().items.id.tolist() == ["1"]
        write_report(name, set_aside)

    monkeypatch.setattr(mm_imdb, "write_report", while_another_comes)
    with ThreadPoolExecutor() as pool:
        mm_imdb.fetch(archives[0])
        second[0].result()
    assert mm_imdb.load().items.id.tolist() == ["2"]
    assert report_path(mm_imdb.NAME).read_text(encoding="utf-8").splitlines()[1:] == ["20,no poster"]


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="Linux tells how much memory a process used")
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16"])
def test_an_image_of_fifty_million_pixels_takes_little_more_memory_than_its_pixels(tmp_path, mode):
    """Pillow keeps four bytes of a pixel; one of 50 million took up to 930 MB."""
    side = 7000
    path, small = tmp_path / "large.png", tmp_path / "small.png"
    Image.new(mode, (side, side), 3000 if mode == "I;16" else (5, 200, 3, 99)[: len(mode)]).save(path)
    small.write_bytes(poster(kind="PNG"))
    script = (
        "import pathlib, re, sys\n"
        "from cmcsl_lib.corpora.pictures import decoded\n"
        "status = pathlib.Path('/proc/self/status')\n"
        "def most(): return 1024 * int(re.search('VmHWM:\\s*([0-9]+)', status.read_text())[1])\n"
        "small, large = (pathlib.Path(name).read_bytes() for name in sys.argv[1:])\n"
        "decoded(small)\n"
        "before = most()\n"
        "decoded(large)\n"
        "print(most() - before)\n"
    )
    words = [sys.executable, "-c", script, str(small), str(path)]
    used = int(subprocess.run(words, check=True, capture_output=True, text=True, cwd=REPOSITORY).stdout)
    # The file's pixels and the result's, and a tenth for what is converted at a time.
    assert 4 * side**2 < used < 2.2 * 4 * side**2


def test_a_source_without_films_is_refused(tmp_path):
    with pytest.raises(CmcslError, match="No film with poster, plot and genres"):
        mm_imdb.fetch(tar(tmp_path / "empty.tar", {"notes.txt": b"nothing"}))
    with pytest.raises(CmcslError, match="no archive or folder"):
        mm_imdb.fetch(tmp_path / "nowhere")
    assert not items_path(mm_imdb.NAME).exists()


def test_a_missing_or_damaged_store_is_told(tmp_path):
    with pytest.raises(Absent, match="cmcsl fetch mm-imdb"):
        corpora.load("mm-imdb")
    mm_imdb.fetch(tar(tmp_path / "good.tar", films("5")))
    content = items_path(mm_imdb.NAME).read_bytes()
    other = io.BytesIO()
    with pa.ipc.new_file(other, pa.schema([("id", pa.string())])):
        pass
    for damaged in (b"", content[:-50], content[: len(content) // 2], other.getvalue()):
        items_path(mm_imdb.NAME).write_bytes(damaged)
        with pytest.raises(CmcslError, match="can't be read"):
            corpora.load("mm-imdb")


def twice(path, films, *further):
    """An archive with further files of names that it holds already."""
    tar(path, films)
    for files in further:
        tar(path, files, "a")
    return path


def test_a_film_that_stands_twice_is_used_or_set_aside_but_never_both(tmp_path):
    files = films("1", "2", "3", "4", "5", "6") | {"6.json": b"{"}
    path = twice(
        tmp_path / "made.tar",
        files,
        {"1.json": description(), "1.jpeg": poster()},
        {"2.json": description(plot=("Another film.",))},
        {"3.jpeg": poster(size=(9, 9))},
        {"4.jpeg": b"broken"},
        {"6.json": description()},
    )
    assert mm_imdb.fetch(path) == {"twice in the archive, not alike": 4}
    report = pd.read_csv(report_path(mm_imdb.NAME), dtype=str)
    assert report["item"].tolist() == ["2", "3", "4", "6"]
    assert mm_imdb.load().items.id.tolist() == ["1", "5"]


def test_words_that_say_that_there_is_none_are_no_plot_and_no_genre():
    got = mm_imdb.film(description(genres=("N/A", "War"), plot=("N/A", "a", "NULL")))
    assert got["labels"] == ["War"] and got["text"] == "a"
    for words, reason in (({"genres": ("N/A",)}, "no genres"), ({"plot": ("N/A", " NaN ")}, "no plot")):
        with pytest.raises(CmcslError, match=reason):
            mm_imdb.film(description(**words))
    assert mm_imdb.film(description(genres=("\ud800",)))["labels"] == ["?"]


def test_plots_are_joined_and_genres_sorted_without_repeats():
    got = mm_imdb.film(description(genres=("War", "Drama", "War"), plot=("a", "b"), title=None))
    assert got == {"title": "", "text": "a b", "labels": ["Drama", "War"], "time": None}
    assert mm_imdb.film(b'{"genres": ["War"], "plot": ["\\ud800 x"]}')["text"] == "? x"


@pytest.mark.parametrize(
    ("year", "time"),
    [
        (1999, 1999),
        ("1999-", 1999),
        ("1999-2003", 1999),
        ([2001, 2004], 2001),
        ("c. 1940", 1940),
        (None, None),
        ("", None),
        ([], None),
        (99, None),
        ("12345", None),
        ({"from": 1999}, None),
    ],
)
def test_the_time_of_a_film_is_its_first_year(year, time):
    description = {"plot": ["a"], "genres": ["War"], "year": year}
    assert mm_imdb.film(json.dumps(description).encode())["time"] == time


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["genres", "plot", "title"]), inner, max_size=3)
        ),
    ).map(lambda fields: json.dumps(fields).encode())
)
def test_any_description_is_a_film_or_a_reason(content):
    try:
        film = mm_imdb.film(content)
    except CmcslError as reason:
        assert str(reason) in {"broken description", "no plot", "no genres"}
    else:
        assert film["text"].strip() and film["labels"] and isinstance(film["title"], str)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("RGB", "JPEG"),
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
        ("P", "PNG"),
        ("L", "PNG"),
        ("I;16", "PNG"),
        ("RGBA", "PNG"),
        ("RGB", "WEBP"),
        ("P", "GIF"),
        ("RGB", "BMP"),
        ("CMYK", "TIFF"),
    ],
)
def test_every_kind_of_picture_becomes_the_same_rgb_image(mode, kind):
    image = decoded(poster(mode, kind))
    assert (image.mode, image.size) == ("RGB", (12, 18))
    # JPEG rounds its coefficients and CMYK passes through ink and back; each may move a value by one or two.
    assert np.abs(np.asarray(image).astype(int) - 48).max() <= 2


RAMP = np.linspace(0, 1, 256).reshape(16, 16)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("TIFF", RAMP.astype(np.float32)),
        ("TIFF", (RAMP * 255).astype(np.float32)),
        ("TIFF", (RAMP * 255).round().astype(np.int32)),
        ("PNG", (RAMP * 255).round().astype(np.uint16)),
        ("PNG", (RAMP * 1023).round().astype(np.uint16)),
        ("PNG", (RAMP * 4095).round().astype(np.uint16)),
        ("TIFF", (RAMP * 4095).round().astype(np.uint16)),
        ("TIFF", (RAMP * 65535).round().astype(np.int32)),
        ("PNG", (RAMP * 65535).round().astype(np.uint16)),
    ],
)
def test_grey_values_of_any_scale_become_0_to_255(kind, values):
    content = io.BytesIO()
    Image.fromarray(values).save(content, kind)
    pixels = np.asarray(decoded(content.getvalue())).astype(int)
    # Shifting rounds down, so values may be one lower than the nearest.
    assert np.abs(pixels - RAMP[..., None] * 255).max() <= 1 and pixels.min() == 0 and pixels.max() == 255


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.float32([[0, 256]]), "image of floats beyond 0 to 255"),
        (np.float32([[-0.5, 0.5]]), "image of floats beyond 0 to 255"),
        (np.float32([[np.nan, 0.5]]), "image of floats beyond 0 to 255"),
        (np.int32([[0, 65536]]), "image of integers beyond 16 bits"),
        (np.int32([[-1, 255]]), "image of integers beyond 16 bits"),
    ],
)
def test_values_of_no_known_scale_are_set_aside(values, reason):
    content = io.BytesIO()
    Image.fromarray(values).save(content, "TIFF")
    with pytest.raises(CmcslError, match=f"^{reason}$"):
        decoded(content.getvalue())


def png(values):
    """An RGB picture of 16 bits as a PNG file; Pillow writes none."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


def test_colors_of_12_bits_in_16_do_not_become_black():
    color = np.repeat(RAMP[..., None], 3, axis=2)
    whole = np.asarray(decoded(png((color * 65535).round()))).astype(int)
    assert np.abs(whole - color * 255).max() <= 1
    with pytest.raises(CmcslError, match="image of 12 bits or fewer in 16"):
        decoded(png((color * 4095).round()))


def test_long_profiles_and_texts_of_a_png_are_no_damage():
    text = PngImagePlugin.PngInfo()
    text.add_text("workflow", "x" * 3_000_000, zip=True)
    content = io.BytesIO()
    profile = np.random.default_rng(0).bytes(1_500_000)
    Image.new("RGB", (4, 4), (1, 2, 3)).save(content, "PNG", pnginfo=text, icc_profile=profile)
    assert np.unique(np.asarray(decoded(content.getvalue()))).tolist() == [1, 2, 3]


def test_transparent_pixels_are_white_and_pictures_are_upright():
    content = io.BytesIO()
    Image.new("RGBA", (4, 6), (0, 0, 0, 0)).save(content, "PNG")
    assert np.asarray(decoded(content.getvalue())).min() == 255
    turned = Image.Exif()
    turned[0x0112] = 6
    assert decoded(poster(exif=turned)).size == (18, 12)


def test_formats_that_start_other_programs_are_not_read():
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, "EPS")
    with pytest.raises(CmcslError, match="not an image"):
        decoded(content.getvalue())


@given(st.binary(max_size=64), st.integers(0, 600))
def test_damaged_pictures_are_decoded_or_refused(noise, place):
    content = poster(size=(20, 20))
    damaged = content[:place] + noise + content[place + len(noise) :]
    try:
        assert decoded(damaged).mode == "RGB"
    except CmcslError as reason:
        bounds = {"image of too many pixels", "image too long and narrow", "image of too many scans"}
        assert str(reason) in {"not an image", "broken image", *bounds}


def test_division_is_compared_class_by_class(tmp_path, monkeypatch, capsys):
    files = {}
    for number in range(30):
        files |= {
            f"{number}.jpeg": poster(),
            f"{number}.json": description(genres=("Horror",) if number < 20 else ("Romance", "War")),
        }
    assert main(["fetch", "mm-imdb", "--from", str(tar(tmp_path / "made.tar", files))]) == 0
    assert "30 films" in capsys.readouterr().out
    assert main(["divide", "mm-imdb", "--csv", "--min-class", "10"]) == 0
    printed = capsys.readouterr()
    table = pd.read_csv(io.StringIO(printed.out))
    assert table.columns.tolist() == ["dataset", "class", "samples", "expected"]
    assert table[table.dataset == "HR"].samples.tolist() == [20, 10]
    assert table[table.dataset == "HR"].expected.tolist() == [2151, 4653]
    assert (len(table), table.expected.isna().sum()) == (71, 0)
    assert printed.err.strip().endswith("in every class: HR.")
    assert main(["divide", "mm-imdb", "--check"]) == 2
    assert "71 of 71 classes differ" in capsys.readouterr().err
    assert main(["extract", "mm-imdb"]) == 2
    assert "has 50 items in every class: --min-class lets smaller ones through, 10 for example HR." in (
        capsys.readouterr().err
    )
    for command in ("divide", "extract"):
        assert main([command, "mm-imdb", "--min-class", "0"]) == 2
        assert capsys.readouterr().err == "cmcsl: --min-class must be 1 or more, got 0.\n"
    pytest.importorskip("torch", reason='needs the extra: pip install -e ".[extract]"')
    monkeypatch.setattr("cmcsl_lib.extraction.extract", lambda corpus, names, **settings: names)
    assert main(["extract", "mm-imdb", "--min-class", "10"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["HR"]
    assert printed.err.startswith("Left out, since a class has fewer than 10 items (--min-class): DS (")


def test_equal_class_sizes_are_the_archives_proof():
    printed = beside_table_1(
        pd.DataFrame({"dataset": ["HR", "HR"], "class": ["Horror", "Romance"], "samples": [2151, 4653]})
    )
    assert (printed.samples == printed.expected).all()


def test_a_dataset_split_by_itself_is_stratified(tmp_path):
    files = {}
    for number in range(60):
        files |= {
            f"{number}.jpeg": poster(),
            f"{number}.json": description(genres=("Horror",) if number % 3 else ("Romance",)),
        }
    mm_imdb.fetch(tar(tmp_path / "made.tar", files))
    divided = corpora.subset(mm_imdb.load(), "HR", split="dataset")
    assert np.bincount(divided.finetuning_y).tolist() == [8, 4]
    assert np.bincount(divided.y).tolist() == [32, 16]
    assert not set(divided.rows) & set(divided.finetuning_rows)
    with pytest.raises(CmcslError, match="choose from corpus, dataset"):
        corpora.subset(mm_imdb.load(), "HR", split="half")


class Server(HTTPServer):
    """Serves one file, and breaks the first `breaks` answers off in their middle."""

    def __init__(self, content, breaks=0, ranges=True):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.breaks, self.ranges, self.asked = content, breaks, ranges, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/file"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, begin = self.server, 0
        server.asked.append(self.headers.get("Range"))
        tag = f'"{hash(server.content)}"'
        if server.ranges and self.headers.get("Range") and self.headers.get("If-Range") == tag:
            begin = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        rest = server.content[begin:]
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(rest)))
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(server.content) - 1}/{len(server.content)}")
        self.send_header("ETag", tag)
        self.end_headers()
        if server.breaks:
            server.breaks -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, *arguments):
        pass


CONTENT = np.random.default_rng(1).bytes(3_000_000)


def fetched(url, path):
    with download.fetched(url, path) as downloaded:
        return downloaded


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on(tmp_path, ranges):
    server = Server(CONTENT, breaks=2, ranges=ranges)
    path = fetched(server.url, tmp_path / "file")
    server.shutdown()
    assert path.read_bytes() == CONTENT
    assert server.asked[0] is None and all(server.asked[1:]) and len(server.asked) == 3
    assert {each.name for each in tmp_path.iterdir()} == {"file", "file.sha256", ".lock"}


def test_what_has_come_is_kept_for_the_next_try_and_another_file_begins_anew(tmp_path):
    server = Server(CONTENT, breaks=download.ATTEMPTS)
    with pytest.raises(CmcslError, match="what has come is kept"):
        fetched(server.url, tmp_path / "file")
    assert not (tmp_path / "file").exists() and (tmp_path / "file.part").stat().st_size > len(CONTENT) / 2
    server.content = CONTENT[::-1]
    assert fetched(server.url, tmp_path / "file").read_bytes() == CONTENT[::-1]
    server.shutdown()


def test_the_first_hash_is_checked_ever_after(tmp_path):
    server = Server(CONTENT)
    path = fetched(server.url, tmp_path / "file")
    assert fetched(server.url, path) == path and len(server.asked) == 1
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(CmcslError, match="records"):
        fetched(server.url, path)
    server.shutdown()


def test_fetch_downloads_the_archive_where_none_is_named(tmp_path, monkeypatch):
    server = Server(tar(tmp_path / "made.tar.gz", films("5"), "w:gz").read_bytes(), breaks=1)
    monkeypatch.setattr(mm_imdb, "ARCHIVE_URL", server.url)
    assert mm_imdb.fetch() == {}
    server.shutdown()
    assert corpora.load("mm-imdb").items.id.tolist() == ["5"]
