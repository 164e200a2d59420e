"""Malformed inputs for every entry point, and what each answers: `python -m bench.fuzz` runs it, docs/robustness.md
tells of it."""
