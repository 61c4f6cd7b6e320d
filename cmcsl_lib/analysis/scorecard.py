"""Every claim of the paper with its verdict from every source, as one table."""

import pandas as pd

from ..experiments.published import paper_claims
from .claims import RULES, Source, judge
from .statistics import VARIANTS


def scorecard(scores: pd.DataFrame) -> pd.DataFrame:
    """Judge every claim of the paper by the scores of every source.

    Parameters
    ----------
    scores : DataFrame
        The tidy scores tables of the Experiments 1, 2 and 3, the last with all classifiers, and a column source, as
        `effects.load_sources` gives them.

    Returns
    -------
    DataFrame
        One row per claim, source and variant of the statistics, claim by claim: the columns of
        `published.paper_claims`, then source, statistics ("published" for published scores alone, and "corrected"),
        verdict (one of `claims.VERDICTS`), evidence (a dict of the numbers behind the verdict), and reason (why a
        claim is not testable, else empty).
    """
    rows = []
    for title, part in scores.groupby("source", sort=False):
        published = set(part.protocol) == {"published"}
        for statistics in sorted(VARIANTS, reverse=True) if published else ["corrected"]:
            source = Source(part, statistics)
            rows += [(name, title, statistics, *judge(name, source)) for name in RULES]
    verdicts = pd.DataFrame(rows, columns=["name", "source", "statistics", "verdict", "evidence", "reason"])
    return paper_claims().merge(verdicts, on="name", validate="one_to_many")
