"""Disentanglement in numbers: what each code tells, what a swap changes, how good the generated pictures are."""
