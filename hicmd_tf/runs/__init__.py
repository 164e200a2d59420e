"""The files that a run leaves on disk, and how it is opened again."""
