"""All kinds of broken inputs, one file a kind."""

from bench.fuzzing.cases import Target
from bench.fuzzing.targets import artefacts, command_lines, configurations, data_sets, pictures, requests, runs, stored


def targets() -> list[Target]:
    """Every kind for every entry point that takes it."""
    parts = (command_lines, configurations, data_sets, pictures, runs, stored, artefacts, requests)
    return [target for part in parts for target in part.targets()]
