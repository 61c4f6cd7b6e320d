"""Algorithm 1 of the paper, and its preprocessing.

`labeling` has its steps in their plain form, `preprocessing` what comes before them. `distances` and `naive_bayes` are
the batched forms that the experiments use: many sets of seeds and labels at once, with the same results.
"""
