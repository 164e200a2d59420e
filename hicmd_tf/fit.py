"""`python -m hicmd_tf.fit`, the same as `hicmd fit`."""

from hicmd_tf.commands import console

if __name__ == "__main__":
    console("fit")
