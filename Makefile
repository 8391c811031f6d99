# `make demo` and `make test` do all set-up themselves, with Python 3.11 or newer and make.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
NAME_ONE := name one by make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)
# `mlflow run` starts whatever `python` is first on PATH.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export ORT_DISABLE_TELEMETRY := true
export GIT_PYTHON_REFRESH := quiet

.PHONY: help demo test tutorials test-infra test-slow test-browser test-oldest scorecard mutations results bench coverage lint types layers format docs dashboard lock mlproject clean

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/  —/'

$(READY): pyproject.toml infra/requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "latentlaw: error: no $(PYTHON) on PATH, expected Python 3.11 or newer; $(NAME_ONE)"; exit 2; }
	@$(PYTHON) -c '' || { echo "latentlaw: error: $(PYTHON) does not run, see above, expected Python 3.11 or newer; $(NAME_ONE)"; exit 2; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "latentlaw: error: $(PYTHON) is Python %d.%d, expected 3.11 or newer; $(NAME_ONE)" % v[:2])'
	@test -w . || { echo "latentlaw: error: $$PWD cannot be written to, expected a folder for $(VENV); clone into one of yours"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c infra/requirements.lock -e '.[dev]' || { echo "latentlaw: error: packages could not be installed, see above; this step alone needs the network (PyPI, or a mirror by PIP_INDEX_URL): run the same command again"; exit 2; }
	@touch $(READY)

demo: $(READY) ## simulate, train, discover and register on phantoms, in minutes
	mlflow run . --env-manager=local --experiment-name latentlaw -P overwrite=true
	@echo
	@echo "Runs, clusters, frontier and equations:  make dashboard   (http://127.0.0.1:8501)"
	@echo "Every run in MLflow:                     $(VENV)/bin/mlflow ui --backend-store-uri sqlite:///mlflow.db"
	@echo "The model as a service:                  MLFLOW_TRACKING_URI=sqlite:///mlflow.db $(VENV)/bin/mlflow models serve -m models:/latentlaw@champion --env-manager=local -h 127.0.0.1"

# A process a core, of a thread each: two that share threads slow each other down several times.
test: lint types layers ## lint, types, layers and the tests
	OMP_NUM_THREADS=1 pytest -q -n auto --dist loadfile -m "not browser and not slow and not infra and not tutorial" --durations=15

tutorials: $(READY) ## run docs/tutorials as they stand, in minutes; pictures go to build/tutorials
	OMP_NUM_THREADS=1 pytest -q -n 2 -m tutorial -o faulthandler_timeout=1150 tests/docs --durations=3

test-infra: $(READY) ## lint infra/ and run what of it can run here (Debian's package postgresql)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c infra/requirements.lock -e '.[infra]'
	OMP_NUM_THREADS=1 pytest -q -m infra --durations=5

test-slow: $(READY) ## the whole main job on real input
	pytest -q -m slow

test-browser: $(READY) ## the dashboard in a real Chromium; installs Debian's where it may
	@test -x "$${CHROMIUM:-/usr/bin/chromium}" || { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -qq -y chromium; } \
		|| { echo "no Chromium: install Debian's package chromium, or set CHROMIUM to a program"; exit 1; }
	OMP_NUM_THREADS=1 pytest -q -m browser --durations=5

OLDEST := build/oldest/bin
test-oldest: ## the tests with the oldest versions that pyproject.toml allows, in an environment of their own
	test -x $(OLDEST)/uv || { $(PYTHON) -m venv build/oldest && $(OLDEST)/python -m pip install --quiet --disable-pip-version-check uv; }
	$(OLDEST)/uv pip install --quiet --system-certs --python $(OLDEST)/python --resolution lowest-direct $(addprefix --find-links ,$(PIP_FIND_LINKS)) -e '.[dev]'
	PATH=$(CURDIR)/$(OLDEST):$$PATH OMP_NUM_THREADS=1 pytest -q -n auto --dist loadfile -m "not browser and not slow and not infra and not tutorial"

scorecard: $(READY) ## the score of tests/reliability: rows of 64 that are met
	OMP_NUM_THREADS=1 python -m tests.scorecard

mutations: $(READY) ## take out each guard of the scorecard in turn: its row must go red (takes long)
	python -m tests.mutations

results: $(READY) ## measure all that docs/results.md says, and write it (hours; NAME by python -m tests.results NAME)
	python -m tests.results

bench: $(READY) ## measure speed alone, against peers, and write it into docs/results.md (on a quiet machine)
	python -m tests.results speed

coverage: $(READY) ## which lines no test runs, as pages in build/coverage
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c infra/requirements.lock -e '.[coverage]'
	OMP_NUM_THREADS=1 pytest -q -n auto --dist loadfile -m "not browser and not slow and not infra and not tutorial" --cov=latentlaw --cov=pipelines --cov=dashboards --cov-report=html:build/coverage --cov-report=term:skip-covered

lint: $(READY)
	ruff check .
	ruff format --check .

types: $(READY)
	mypy

layers: $(READY)
	lint-imports

format: $(READY) ## format the code
	ruff check --fix-only .
	ruff format .

dashboard: $(READY) ## open the dashboard on http://127.0.0.1:8501
	python -m pipelines.dashboard

mlproject: $(READY) ## write MLproject, docs/entries.md and docs/words.md from parameters and help
	python -m pipelines.cli.mlproject > MLproject
	python -m pipelines.cli.reference > docs/entries.md
	python -m dashboards.wording.reference > docs/words.md

docs: $(READY) ## build the documentation as pages in build/docs, and check its links
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c infra/requirements.lock -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet --config-file infra/mkdocs.yml

lock: ## pin what a fresh environment resolves to
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet -e '.[dev,infra]'
	build/lock/bin/python -m pip freeze --exclude-editable | sed 's/+cpu//;s/ @ .*//' > infra/requirements.lock

clean: ## remove what runs made; keeps the environment
	rm -rf work mlruns mlartifacts mlflow.db build
