import pandas as pd
import pytest

from cmcsl_lib.experiments import run_fold
from cmcsl_lib.paths import REPOSITORY
from cmcsl_lib.protocol import PROTOCOLS, folds
from cmcsl_lib.scores import COLUMNS

NAMED = [column for column in COLUMNS if not column.endswith("accuracy")]


@pytest.fixture
def reference(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    return pytest.importorskip("reference")


@pytest.mark.parametrize("chosen", [*PROTOCOLS.values(), PROTOCOLS["strict"].changed(distances="scaled by width")],
                         ids=lambda chosen: chosen.name)
@pytest.mark.parametrize(("number", "again"), [(1, False), (2, False), (3, False), (3, True)])
def test_the_grid_gives_what_plain_scikit_learn_gives(reference, make_features, chosen, number, again):
    features = make_features(classes=("animal", "food", "plant"), rows=20)
    for fold in folds(features, chosen)[:2]:
        expected = reference.fold_scores(features, chosen, number, (1, 4, 9), fold, again)
        found = run_fold(features, chosen, number, ("GNB",), (1, 4, 9), fold)
        pd.testing.assert_frame_equal(found.sort_values(NAMED, ignore_index=True),
                                      expected.sort_values(NAMED, ignore_index=True), check_exact=True)
