"""CMCSL: cross-modality clustering-based self-labeling, and the replication of its paper.

Rooms, from top to bottom (none imports what stands below it): `corpora`, `features`, `extraction`,
`preprocessing`, `labeling`, `estimators`, `distances`, `naive_bayes`, `protocol`, `exchange`, `scores`, `experiments`,
`runs`, `published`, `sources`, `statistics`, `tables`, `summaries`, `slips`, `claims`, `scorecard`, `sensitivity`,
`studies`, `figures`, `answer_figures`, `sensitivity_figures`, `study_figures`, `page`, `book`, `cli`.
"""

__version__ = "0.1.0"
