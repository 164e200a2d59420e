"""Data sets of people seen in two modalities."""
