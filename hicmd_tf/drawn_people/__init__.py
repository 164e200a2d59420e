"""Drawn people: a person (identity), a pose, a camera and a spectrum make a picture, with the same bits everywhere."""
