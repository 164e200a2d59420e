"""Disentanglement in numbers: what each code contains, what a swap changes, how good the generated pictures are."""
