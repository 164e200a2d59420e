"""What the benches' command lines share."""

import argparse


def at_least_one(text: str) -> int:
    """A whole number from 1 on. Raises ArgumentTypeError for anything else, which becomes one line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of measurements: expected 1 or more")
    return int(text)
