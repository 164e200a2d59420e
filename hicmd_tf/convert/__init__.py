"""Released PyTorch checkpoints to run folders of ours, and back (method section 6)."""
