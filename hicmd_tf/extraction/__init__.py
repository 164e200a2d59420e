"""Descriptors of as many pictures as there are: part by part, in one process or on Ray, to be gone on with."""
