"""synthetic_vi: drawn people in visible light and in the infrared, as a tensorflow-datasets builder."""
