# make fit: train the tiny configuration, with its figures and pictures in runs/tiny.  make test: all checks.
# Both make the environment in .venv first, once; PYTHON=/path/to/python3.12 chooses another interpreter.

PYTHON ?= $(shell python3.11 -c "import sys; print(sys.executable)" 2>/dev/null || echo python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: fit test env format clean

fit: $(INSTALLED)
	$(BIN)/python -m hicmd_tf.fit --config configs/tiny.yaml --run runs/tiny --resume

test: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -x -q

env: $(INSTALLED)

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What was built; runs/ and data/ stay.
clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find hicmd_tf tests -type d -name __pycache__ -exec rm -rf {} +

$(INSTALLED): requirements.lock setup.py
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "error: $(PYTHON) is not Python 3.11 or newer: install one and name it, make PYTHON=/path/to/python" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@
