"""CMCSL: cross-modality clustering-based self-labeling, and the replication of its paper.

Rooms, from top to bottom (none imports what stands below it): `corpora`, `features`, `extraction`,
`preprocessing`, `labeling`, `distances`, `naive_bayes`, `protocol`, `exchange`, `scores`, `experiments`, `runs`,
`published`, `sources`, `statistics`, `tables`, `summaries`, `facts`, `slips`, `claims`, `scorecard`, `sensitivity`,
`figures`, `answer_figures`, `sensitivity_figures`, `explorer`, `reproduction`, `page`, `downloads`, `book`, `cli`.
"""

__version__ = "0.1.0"
