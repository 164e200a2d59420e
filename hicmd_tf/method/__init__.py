"""The paper and nothing else, in keras.ops: networks, losses, sampling, the training iteration's parts."""
