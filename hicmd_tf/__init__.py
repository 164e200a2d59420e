"""Hi-CMD (Choi et al., CVPR 2020) in TensorFlow 2 / Keras: matching people between visible and infrared cameras."""

__version__ = "0.1.0"
