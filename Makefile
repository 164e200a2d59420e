# make fit: train the tiny configuration, with its figures and pictures in runs/tiny.  make test: all checks, with every
# command on one kind of data.  make test-slow: on the other kinds, and what else takes minutes.  make test-all: both.
# Both make the environment in .venv first, once; PYTHON=/path/to/python3.12 chooses another interpreter.

PYTHON ?= $(shell python3.11 -c "import sys; print(sys.executable)" 2>/dev/null || echo python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALLED := $(VENV)/.installed
TOOLS := $(VENV)/.tools

# tensorflow-addons: an environment of its own, for Python 3.11 and no other.
ADDONS_PYTHON ?= $(shell python3.11 -c "import sys; print(sys.executable)" 2>/dev/null || echo python3.11)
ADDONS := .venv-addons
ADDONS_INSTALLED := $(ADDONS)/.installed

export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: fit test test-slow test-all test-golden test-addons env format clean

fit: $(INSTALLED)
	$(BIN)/hicmd fit --config configs/tiny.yaml --run runs/tiny --resume

# Most tests keep one core busy: two processes share the files, whole runs early.
test: $(TOOLS)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python -m pytest -x -q --numprocesses 2 --dist loadfile --no-loadscope-reorder

# What `make test` leaves out for its time: every command on the other kinds of data, one run each, with weights to PyTorch
# and back where it is installed; runs that are changed on the way, and reproduced.
test-slow: $(TOOLS)
	$(BIN)/python -m pytest -x -q -m slow --numprocesses 2 --dist loadgroup

test-all: test test-slow

# The released implementation's numbers at full size in float64, with both engines: 9 and 16 GiB, some minutes each, and
# ../shared/golden beside it. `make test` has those of reduced networks; tests/engines/test_jax.py starts JAX's.
test-golden: $(TOOLS)
	$(BIN)/python -m pytest -x -q -m "full_size or not full_size" tests/golden
	KERAS_BACKEND=jax JAX_ENABLE_X64=1 $(BIN)/python -m pytest -x -q -m "full_size or not full_size" tests/golden

# Ours against tensorflow-addons, which can't be imported beside our Keras: each computes in its own environment.
test-addons: $(INSTALLED) $(ADDONS_INSTALLED)
	$(BIN)/python tests/addons/ours.py $(ADDONS)/ours.npz
	HICMD_TF_VALUES=$(CURDIR)/$(ADDONS)/ours.npz $(ADDONS)/bin/python -m pytest -q -c /dev/null --rootdir tests/addons \
		--noconftest -p no:cacheprovider -W ignore tests/addons/check_against_addons.py

env: $(TOOLS)

format: $(TOOLS)
	$(BIN)/python -c "from hicmd_tf.config.comments import rewrite; rewrite()"
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What was built; runs/ and data/ stay.
clean:
	rm -rf $(VENV) $(ADDONS) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find hicmd_tf export tuning bench tests -type d -name __pycache__ -exec rm -rf {} +

$(INSTALLED): requirements.lock setup.py
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "error: $(PYTHON) is not Python 3.11 or newer: install one and name it, make PYTHON=/path/to/python" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --constraint requirements.lock setuptools
	$(PIP) --constraint requirements.lock --no-build-isolation -e .
	touch $@

# The rest of the lock: what tests and checks need beside the package itself.
$(TOOLS): $(INSTALLED)
	$(PIP) --requirement requirements.lock
	touch $@

$(ADDONS_INSTALLED): tests/addons/requirements.lock
	@$(ADDONS_PYTHON) -c "import sys; sys.exit(sys.version_info[:2] != (3, 11))" || \
		{ echo "error: $(ADDONS_PYTHON) is not Python 3.11: name one, make test-addons ADDONS_PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(ADDONS_PYTHON) -m venv $(ADDONS)
	$(ADDONS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/addons/requirements.lock
	touch $@
