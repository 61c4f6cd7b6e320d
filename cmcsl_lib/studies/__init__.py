"""Studies beyond the paper, one module each; they stand on the estimators and the experiments."""
