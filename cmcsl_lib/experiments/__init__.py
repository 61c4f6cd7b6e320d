"""Scores: how datasets are divided, seeded and preprocessed, runs that compute scores, and the authors' own.

`protocol` makes every choice of an experiment, `exchange` runs Algorithm 1 row by row, `grid` scores one fold, `runs`
scores many in parallel and keeps them; `scores` reads and writes them, `published` has the authors' arrays, `sources`
any of these.
"""
