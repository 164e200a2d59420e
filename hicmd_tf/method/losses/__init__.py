"""The losses of Eq. 1 to 9: pure functions, tensors in, scalars out. Terms meet their weights in `method.terms`."""
