import hashlib

import pytest

from cmcsl_lib.book import reproduction
from cmcsl_lib.experiments.published import REGISTRY
from cmcsl_lib.files.errors import Absent
from cmcsl_lib.files.paths import REPOSITORY


def test_checksums_are_those_of_the_files_and_of_the_readme():
    table = reproduction.checksums("openclipart").set_index("file")
    assert len(table) == 21
    content = (REPOSITORY / "data/openclipart/features/AF.parquet").read_bytes()
    row = table.loc["data/openclipart/features/AF.parquet"]
    assert (row.bytes, row.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    readme = (REPOSITORY / "data/openclipart/README.md").read_text(encoding="utf-8")
    assert f"SHA-256: `{table.sha256['data/openclipart/openclipart.parquet']}`" in readme


def test_a_corpus_that_is_absent(tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    with pytest.raises(Absent, match="cmcsl extract mm-imdb"):
        reproduction.checksums("mm-imdb")


def test_other_files_are_not_taken_for_the_authors_arrays(tmp_path, monkeypatch):
    monkeypatch.setenv("CMCSL_PUBLISHED_SCORES", str(tmp_path))
    (tmp_path / next(iter(REGISTRY))).write_bytes(b"another")
    assert reproduction.published_checksums().here.tolist() == ["another file", *["no"] * (len(REGISTRY) - 1)]


def test_versions_name_the_library_first():
    table = reproduction.versions()
    assert table.name.tolist()[:2] == ["cmcsl", "Python"] and (table.version.str.len() > 2).all()


def test_kept_benchmarks_are_ratios_and_counts():
    run = reproduction.measured()
    assert run["command"].startswith("python benchmarks/grid.py") and run["cores"] >= 1
    assert run["figures"]["different_scores"] == 0
    assert run["figures"]["ratio_reference"] > 1 and 0 < run["figures"]["share_of_dgemm_peak"] <= 1
