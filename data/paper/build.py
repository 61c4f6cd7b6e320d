"""Write what is shipped of the authors' scores, ``published_*.csv`` beside this file, from their arrays.

Run ``python data/paper/build.py`` where the arrays are (``cmcsl fetch published-scores``, or CMCSL_PUBLISHED_SCORES),
in a checkout whose library is committed, then ``make sums``. The same arrays and library give the same bytes.
"""

import subprocess
import sys
from pathlib import Path

import pandas as pd

from cmcsl_lib import __version__
from cmcsl_lib.analysis.shipped import shipped_tables
from cmcsl_lib.experiments.published import REGISTRY
from cmcsl_lib.files.paths import written_whole

HERE = Path(__file__).parent


def git(*arguments: str) -> str:
    """What git says of this checkout."""
    return subprocess.run(["git", *arguments], cwd=HERE, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Write the tables and what they were computed from."""
    if git("status", "--porcelain", "--", ":/cmcsl_lib"):
        sys.exit("The library has changes that no commit holds: commit them first, so that the files can name it.")
    tables = shipped_tables()
    origin = {"cmcsl": __version__, "commit": git("rev-parse", "HEAD")}
    origin |= {name: known.sha256 for name, known in REGISTRY.items()}
    tables["published_origin"] = pd.DataFrame(origin.items(), columns=["name", "value"])
    for name, table in tables.items():
        # The means keep every digit, since ranks and signed-rank tests are computed from them.
        digits = None if name == "published_means" else "%.12g"
        with written_whole(HERE / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=False, float_format=digits, lineterminator="\n")


if __name__ == "__main__":
    main()
