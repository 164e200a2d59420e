"""The training step, alternate sampling, optimisers, checkpoints and what watches a run."""
