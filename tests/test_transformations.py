"""Pictures made from texts."""

import numpy as np
import pytest
from own_corpora import make_folder
from PIL import Image

from cmcsl_lib.cli import main
from cmcsl_lib.corpora import datasets, load
from cmcsl_lib.corpora.pictures import decoded
from cmcsl_lib.extraction import transformations
from cmcsl_lib.extraction.transformations import (
    PARTIALS,
    SAMPLING_RATE,
    SIDE,
    encoding,
    feature_order,
    sentence_space,
    sonification,
    spectrogram,
    standardised,
    transform,
)
from cmcsl_lib.files.errors import CmcslError


@pytest.fixture(scope="module")
def home_of_pets(tmp_path_factory):
    """A CMCSL_HOME with the corpus `pets`, whose texts are encoded once for all tests."""
    folder = tmp_path_factory.mktemp("pets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CMCSL_HOME", str(folder / "home"))
        make_folder(folder, "pets", ["cat", "dog"] * 4)
    return folder / "home"


@pytest.fixture
def corpus(home_of_pets, monkeypatch, in_this_process):
    monkeypatch.setenv("CMCSL_HOME", str(home_of_pets))
    return "pets"


def test_a_row_of_a_sentence_is_a_word_and_a_column_a_feature():
    picture = sentence_space(np.array([[0.0, 1.0], [0.5, -3.0]]), 0.0, 1.0)
    half = SIDE // 2
    assert picture.shape == (SIDE, SIDE)
    corners = [picture[:half, :half], picture[:half, half:], picture[half:, :half], picture[half:, half:]]
    assert [np.unique(corner).tolist() for corner in corners] == [[0], [255], [128], [0]]


def test_a_square_of_an_encoding_is_a_feature_and_the_way_through_them_turns_at_the_end_of_a_row():
    values = np.array([-3.0, 3.0, 0.0, 9.0])
    picture = encoding(values)
    half = SIDE // 2
    # In the second row the third feature stands on the right.
    assert picture[0, 0] == 0
    assert picture[0, -1] == picture[-1, 0] == 255
    assert picture[-1, -1] == 128
    assert all(np.unique(part).size == 1 for part in (picture[:half, :half], picture[half:, half:]))


def test_squares_without_a_feature_are_grey():
    assert encoding(np.full(3, 3.0))[-1, 0] == 128


def test_features_that_rise_and_fall_together_stand_side_by_side():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, 200))
    noise = generator.normal(scale=0.1, size=(200, 4))
    # 0 and 2 belong together, 1 and 3 too; the last feature never changes.
    X = np.column_stack([np.column_stack([first, second, first, second]) + noise, np.ones(200)])
    place = np.argsort(feature_order(X))
    assert sorted(place) == list(range(5))
    assert abs(place[0] - place[2]) == abs(place[1] - place[3]) == 1


@pytest.mark.parametrize("loud", [0, 7, 15])
def test_a_feature_sets_the_loudness_of_its_partial(loud):
    values = np.full(len(PARTIALS), -3.0)
    values[loud] = 3.0
    signal = sonification(values)
    strength = np.abs(np.fft.rfft(signal))
    heard = np.fft.rfftfreq(len(signal), 1 / SAMPLING_RATE)[strength.argmax()]
    # A sound of an eighth of a second tells frequencies apart that differ by 8 Hz.
    assert abs(heard - PARTIALS[loud]) <= 8
    assert np.abs(signal).max() <= 1


def test_later_features_sound_later_and_high_notes_stand_above():
    values = np.full(4 * len(PARTIALS), -3.0)
    values[-1] = 3.0
    picture = spectrogram(sonification(values))
    row, column = np.unravel_index(picture.argmax(), picture.shape)
    assert picture.shape == (SIDE, SIDE)
    assert row < SIDE / 2 < column


def test_silence_is_black():
    assert not spectrogram(sonification(np.full(16, -3.0))).any()


@pytest.mark.parametrize("by", transformations.TRANSFORMATIONS)
def test_a_transformed_corpus_has_the_same_items_and_other_pictures(corpus, by):
    name = transform(corpus, by)
    source, items = load(corpus).items, load(name).items
    assert name == f"pets-{by}"
    assert datasets(name) == {"pets": ("cat", "dog")}
    for column in ("id", "text"):
        assert items[column].tolist() == source[column].tolist()
    assert [list(labels) for labels in items.labels] == [list(labels) for labels in source.labels]
    pictures = [np.asarray(decoded(image)) for image in items.image]
    assert all(picture.shape == (SIDE, SIDE, 3) for picture in pictures)
    # Texts differ, and so do pictures; the same text gives the same one.
    assert len({picture.tobytes() for picture in pictures}) == len(set(source.text))
    assert transform(corpus, by) == name
    assert load(name).items.image.tolist() == items.image.tolist()


def test_features_enter_standardised():
    values = standardised(np.random.default_rng(0).normal(5, 3, size=(50, 4)))
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(values.std(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--by", "smell"], "Unknown transformation 'smell': choose from sentence-space, encoding, sonification."),
        (["--by", "encoding", "--modality", "visual"], "Unknown modality to transform 'visual': choose from text."),
        (["--by", "encoding", "--as", "2024"], "The name '2024' can't be that of a corpus"),
        (["--by", "encoding", "--as", "pets"], "The pictures of pets itself would be lost: name another corpus"),
    ],
)
def test_what_cannot_be_transformed_is_refused_in_one_sentence(corpus, capsys, words, message):
    assert main(["transform", corpus, *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_command_names_the_new_corpus_and_the_next_command(corpus, capsys):
    assert main(["transform", corpus, "--by", "encoding", "--as", "pets-squares"]) == 0
    assert "8 items" in (printed := capsys.readouterr().out)
    assert printed.splitlines()[-1] == "Next: cmcsl extract pets-squares"


def test_features_made_elsewhere_have_no_texts(tmp_path, monkeypatch):
    from own_corpora import ready_made_corpus

    monkeypatch.setenv("CMCSL_HOME", str(tmp_path / "home"))
    with pytest.raises(CmcslError, match="has no texts"):
        transform(ready_made_corpus(tmp_path), "encoding")


def test_pictures_are_grey_ones_that_any_reader_opens(corpus):
    name = transform(corpus, "encoding")
    import io

    with Image.open(io.BytesIO(bytes(load(name).items.image.iloc[0]))) as picture:
        assert (picture.format, picture.mode) == ("PNG", "L")
