"""What the paper's Figure 2 draws, one file a box; `layers` and `resnet` stand under them."""
