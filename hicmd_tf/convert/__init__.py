"""Released PyTorch checkpoints to run folders of ours, and back."""
