"""A run explored in the browser: `studio` and `upload` compute, the other modules are its page."""
