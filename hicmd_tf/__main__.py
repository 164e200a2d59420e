"""`python -m hicmd_tf`, the same as `hicmd`."""

from hicmd_tf.commands import console

if __name__ == "__main__":
    console()
