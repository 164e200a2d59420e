"""Where a run's figures come from, and whether they come again."""
