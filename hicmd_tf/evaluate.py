"""`python -m hicmd_tf.evaluate`, the same as `hicmd evaluate`."""

from hicmd_tf.commands import console

if __name__ == "__main__":
    console("evaluate")
