"""CMCSL: cross-modality clustering-based self-labeling, and the replication of its paper.

Rooms, from top to bottom (none imports what stands below it): `errors`, `escaping`, `paths`, `sealed`, `corpora`,
`features`, `ready_made`, `processes`, `extraction`, `preprocessing`, `labeling`, `estimators`, `distances`,
`naive_bayes`, `protocol`, `exchange`, `authorship`, `scores`, `experiments`, `runs`, `published`, `sources`,
`statistics`, `tables`, `effects`, `slips`, `claims`, `scorecard`, `sensitivity`, `own_data`, `studies`, `figures`,
`display`, `explorer`, `reproduction`, `book`, `cli`.
"""

__version__ = "0.1.0"
