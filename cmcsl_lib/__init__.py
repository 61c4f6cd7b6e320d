"""CMCSL: cross-modality clustering-based self-labeling, and the replication of its paper.

Rooms, from top to bottom (none imports what stands below it): `corpora`, `features`, `ready_made`, `processes`,
`extraction`, `preprocessing`, `labeling`, `estimators`, `distances`, `naive_bayes`, `protocol`, `exchange`, `scores`,
`experiments`, `runs`, `published`, `sources`, `statistics`, `tables`, `summaries`, `facts`, `slips`, `claims`,
`scorecard`, `sensitivity`, `own_data`, `studies`, `figures`, `answer_figures`, `sensitivity_figures`,
`own_data_figures`, `simulation_figures`, `study_figures`, `explorer`, `reproduction`, `page`, `corpus_page`,
`downloads`, `book`, `cli`.
"""

__version__ = "0.1.0"
