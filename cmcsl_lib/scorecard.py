"""Every claim of the paper beside what published scores, corrected statistics and a corpus say of it."""

from html import escape

import pandas as pd
from IPython.display import HTML, Markdown

from .claims import CLAIMS, VERDICTS, Evidence
from .errors import Absent
from .protocol import BUDGETS
from .sources import PUBLISHED, source_scores
from .summaries import beside_rq1, beside_rq2, beside_rq3, distinct, paper_rq1, paper_rq2, paper_rq3

#: A sign and a background for each verdict, so that neither is the only cue.
SIGNS = {"holds": ("✓", "#cdebd3"), "weaker": ("≈", "#fbeec2"), "fails": ("✗", "#f6cfcb"),
         "cannot tell": ("?", "#e3e3e3")}
EXPERIMENTS = {1: None, 2: None, 3: ("GNB", "LR", "CART")}


def evidence_columns(corpus: str = "openclipart", protocol: str = "strict", *, datasets: list[str] | str | None = None,
                     budgets: tuple[int, ...] = BUDGETS) -> list[Evidence]:
    """What claims are judged by: published scores with both variants of the statistics, and those of a corpus.

    Parameters
    ----------
    corpus, protocol, datasets, budgets
        Of the last column; published scores are taken whole.
    """
    own = dict(datasets=datasets, budgets=budgets)
    published = source_experiments(PUBLISHED, protocol)
    return [
        Evidence("published scores, published statistics", "published", published, f"{PUBLISHED}/"),
        Evidence("published scores, corrected statistics", "corrected", published, f"{PUBLISHED}/"),
        Evidence(f"{corpus}, {protocol} protocol, corrected statistics", "corrected",
                 source_experiments(corpus, protocol, **own)),
    ]


def source_experiments(source: str, protocol: str, **options) -> dict[int, pd.DataFrame]:
    """Scores of the three experiments of one source by their numbers; none where the source is absent."""
    try:
        return {number: source_scores(source, number, protocol, classifiers=classifiers, **options)
                for number, classifiers in EXPERIMENTS.items()}
    except Absent:
        return {}


def scorecard(columns: list[Evidence]) -> pd.DataFrame:
    """Judge every claim by every column.

    Returns
    -------
    DataFrame
        One row per claim and column: name, claim, where, rule, page (relative to the scorecard, without ending),
        column, verdict, evidence.
    """
    rows = []
    for claim in CLAIMS:
        for column in columns:
            verdict, evidence = claim.judged(column)
            page = (column.pages if claim.page[:2] in ("04", "05", "06") else "") + claim.page
            rows.append((claim.name, claim.claim, claim.where, claim.rule, page, column.title, verdict, evidence))
    return pd.DataFrame(rows, columns=["name", "claim", "where", "rule", "page", "column", "verdict", "evidence"])


def counts(judged: pd.DataFrame) -> pd.DataFrame:
    """How many claims hold, are weaker, fail, or can't be told, by column."""
    table = pd.crosstab(judged.column, judged.verdict).reindex(index=judged.column.unique(), columns=list(VERDICTS))
    return table.fillna(0).astype(int).rename_axis(index=None, columns=None)


def counts_table(judged: pd.DataFrame) -> pd.DataFrame:
    """`counts` for a page, with the sign of each verdict; without the columns that tell nothing, if others do."""
    table = counts(judged)
    telling = table["cannot tell"] < table.sum(axis=1)
    table = table[telling] if telling.any() else table
    table = table.rename(columns={verdict: f"{sign} {verdict}" for verdict, (sign, _) in SIGNS.items()})
    return table.rename_axis(index="judged by")


def summary(judged: pd.DataFrame) -> Markdown:
    """The scorecard in sentences."""
    table = counts(judged)
    told = [f"By {title}, {row['holds']} of {row.sum()} claims hold, {row['weaker']} are weaker, {row['fails']} fail"
            + (f", and of {row['cannot tell']} nothing can be told" if row["cannot tell"] else "") + "."
            for title, row in table.iterrows() if row["cannot tell"] < row.sum()]
    absent = [title for title, row in table.iterrows() if row["cannot tell"] == row.sum()]
    if absent:
        told.append(f"Nothing can be told from {' and '.join(absent)}: these scores are not on this machine "
                    "(`cmcsl fetch published-scores` downloads those of the paper).")
    return Markdown(" ".join(told))


def answers(columns: list[Evidence]) -> pd.DataFrame:
    """The paper's answers to its three questions, and whether the corrected statistics of each source give the same.

    Returns
    -------
    DataFrame of str
        question, the paper, and one column per source that is at hand.
    """
    asked = {"RQ1, preprocessing": (paper_rq1, beside_rq1, 2), "RQ2, exchange": (paper_rq2, beside_rq2, 3),
             "RQ3, classifier": (paper_rq3, beside_rq3, 3)}
    table = pd.DataFrame([(question, paper()) for question, (paper, _, _) in asked.items()],
                         columns=["question", "the paper"])
    for column in columns:
        if column.statistics == "corrected" and column.scores:
            table[column.title.removesuffix(", corrected statistics")] = [
                beside(column.scores[number]) for _, beside, number in asked.values()]
    return table


def extent(columns: list[Evidence]) -> str:
    """How much was replicated, in a sentence: datasets, fitted classifiers and claims."""
    told = []
    for column in columns:
        if column.statistics == "corrected" and column.scores:
            fits = pd.concat(column.scores.values()).pipe(distinct)
            told.append(f"{column.title.removesuffix(', corrected statistics')} ({fits.dataset.nunique()} datasets, "
                        f"{len(fits):,} fitted classifiers)")
    return f"{len(CLAIMS)} claims of the paper, judged by {' and by '.join(told)}."


def verdict_table(judged: pd.DataFrame) -> HTML:
    """One row per claim, one verdict per column; each claim leads to its details, each verdict to its page."""
    columns = judged.column.unique()
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in ("claim", "where", *columns))
    rows = []
    for name, its in judged.groupby("name", sort=False):
        first = its.iloc[0]
        cells = "".join(f'<td><a href="{row.page}.html" style="text-decoration: none">{_badge(row.verdict)}</a></td>'
                        for row in its.itertuples())
        claim = f'<a href="#{name}">{escape(first.claim)}</a>'
        rows.append(f"<tr><td>{claim}</td><td>{escape(first['where'])}</td>{cells}</tr>")
    return HTML(f'<table class="dataframe"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>')


def details(judged: pd.DataFrame) -> HTML:
    """Rule and evidence of every claim, one section each."""
    sections = []
    for name, its in judged.groupby("name", sort=False):
        first = its.iloc[0]
        found = "".join(f'<li>{_badge(row.verdict)} {escape(row.column)}: {escape(row.evidence)} '
                        f'<a href="{row.page}.html">Page</a></li>' for row in its.itertuples())
        sections.append(f'<h3 id="{name}">{escape(first.claim)}</h3><p>{escape(first["where"])}. '
                        f'<em>Rule.</em> {escape(first["rule"])}</p><ul>{found}</ul>')
    return HTML("".join(sections))


def _badge(verdict: str) -> str:
    sign, background = SIGNS[verdict]
    return (f'<span style="background: {background}; color: #111; padding: 0 0.4em; border-radius: 0.3em; '
            f'white-space: nowrap"><span aria-hidden="true">{sign}</span> {verdict}</span>')
