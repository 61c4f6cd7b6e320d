"""Files and messages: where things lie, how they are written and checked, errors, and names written safely.

`processes` and `workers` start other processes, of this machine or of a cluster, and end them.
"""
