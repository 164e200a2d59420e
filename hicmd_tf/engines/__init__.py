"""Who differentiates and compiles the method: one folder per engine."""
