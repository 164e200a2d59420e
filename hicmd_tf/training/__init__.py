"""The training loop, optimisers, and what watches a run and keeps it."""
