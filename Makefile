# `make help` says what each target does. Variables: VENV, TESTS, PYTEST_ARGS, BENCH, FULL, GPU, TRACKING_URI, PORT, those of
# tools/install.sh.
SHELL := bash
VENV ?= .venv
TESTS ?= tests
PYTEST_ARGS ?= -n 2 --dist loadfile
TRACKING_URI ?= sqlite:///results/mlflow.db
PORT ?= 5000
COMPARE := http://127.0.0.1:$(PORT)/\#/experiments/1/runs?workflowType=machine_learning&compareRunsMode=CHART
RESULTS := results/bleu_table.csv results/report.html results/track.json
BIN := $(abspath $(VENV))/bin
export PATH := $(BIN):$(PATH)
export PYTHONUNBUFFERED := 1
.DEFAULT_GOAL := help
.PHONY: help install demo check test bench lint format readme ui constraints

help:  ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

install: $(VENV)/.installed-demo  ## Install the environment and run nothing (LLAST_TORCH=cuda: for GPUs of other machines)

demo: $(VENV)/.installed-demo  ## Install, run every step on the demo corpus, show the table of BLEU scores
	@snakemake --quiet host reason -- $(RESULTS)
	@echo; cat results/bleu_table.md
	@echo
	@echo "Look at the report:       open results/report.html in a browser"
	@echo "Compare the experiments:  make ui, then open $(COMPARE)"

check: lint  ## The quick loop: lint, types, and the unit tests that are not marked slow (a minute and a half on two cores)
	@pytest $(PYTEST_ARGS) -m "not slow" tests/unit tests/tools

test: $(VENV)/.installed-demo-dev-gpu  ## Run every test that this machine can run; says what was skipped and why
	@pytest $(PYTEST_ARGS) $(TESTS)

bench: $(VENV)/.installed-demo-dev-gpu  ## Measure every claim of docs/performance.md and write the page (FULL=1: at full size, where a missed target fails; GPU=1: LLaST-2B on a GPU)
	@python benchmarks/run.py $(if $(FULL),--full) $(if $(GPU),--gpu) $(BENCH)

lint: $(VENV)/.installed-demo-dev-gpu  ## Check style, types and the workflow
	ruff check
	ruff format --check
	mypy
	snakefmt --check workflow
	snakemake --lint

format: $(VENV)/.installed-demo-dev-gpu  ## Format code and workflow
	ruff check --fix
	ruff format
	snakefmt workflow

readme: $(VENV)/.installed-demo  ## Write the table of `make demo` into README.md
	@python tools/readme_table.py

ui: $(VENV)/.installed-demo  ## Show the experiments side by side in MLflow, in a browser on this machine
	@echo "Open $(COMPARE) (Ctrl-C ends the server)"
	@mlflow ui --backend-store-uri $(TRACKING_URI) --port $(PORT) --workers 1

constraints: $(VENV)/.installed-demo-dev-gpu  ## Write constraints.txt from the installed environment (run in a fresh one)
	tools/freeze.sh $(VENV)
	touch $(VENV)/.installed-*

# The stamp says with which pins the environment was installed.
$(VENV)/.installed-%: pyproject.toml constraints.txt tools/install.sh
	tools/install.sh $(VENV) $(subst -,$(comma),$*)
	touch $@
comma := ,
