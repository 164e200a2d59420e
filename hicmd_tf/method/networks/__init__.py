"""The networks of the paper's Figure 2, one file per box; `layers` and `resnet` are their building blocks."""
