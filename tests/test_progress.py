"""What long work says of itself where there is no terminal."""

from cmcsl_lib.files import progress


def test_a_line_a_minute_and_the_last_one(monkeypatch, capsys):
    """A log said nothing for 14 minutes."""
    clock = [0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with progress.progress("Features", 12, "batches", 2) as advance:
        for _ in range(10):
            clock[0] += 25
            advance()
    assert capsys.readouterr().err == "".join(f"Features: {done} of 12 batches\n" for done in (5, 8, 11, 12))


def test_bytes_are_told_in_megabytes(monkeypatch, capsys):
    clock = [0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with progress.byte_progress("mmimdb.tar.gz", 5_300_000, 1_200_000) as count:
        for came in (700_000, 200_000, 2_800_000, 400_000):
            clock[0] += 70
            count(came)
    assert capsys.readouterr().err == "mmimdb.tar.gz: 2 of 5 MB\nmmimdb.tar.gz: 4 of 5 MB\nmmimdb.tar.gz: 5 of 5 MB\n"


def test_words_on_a_step_stand_after_it(capsys):
    with progress.progress("Experiment 3", 1, "folds") as advance:
        advance("last AF")
    assert capsys.readouterr().err == "Experiment 3: 1 of 1 folds, last AF\n"
