# What a new machine needs: make, and Python 3.11 or later. All else goes into .venv, from requirements/all.txt.

.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
RUN := $(VENV)/bin/python
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(LOCK_FLAGS) pyproject.toml

.PHONY: help demo up test soak recovery bench lint lock clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 8

demo: $(VENV)/ready ## Train the Titanic model, start everything, score a file, stop again
	@exec $(RUN) -m rowcast.cli demo

up: $(VENV)/ready ## Start the whole service here and leave it running (Ctrl-C ends it)
	@exec $(RUN) -m rowcast.cli up --example $(ARGS)

test: $(VENV)/ready ## Run the tests, three at a time
	@exec $(RUN) -m pytest --numprocesses 3 --dist loadgroup $(ARGS)

soak: $(VENV)/ready ## Run the tests that take minutes
	@exec $(RUN) -m pytest -m soak -s $(ARGS)

recovery: $(VENV)/ready ## Measure how long recovery takes, and write it into docs/faults.md
	@PYTHONPATH=.:tests/support exec $(RUN) tests/stack/recovery.py

lint: $(VENV)/ready ## Check format, lint and types
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy

lock: ## Write requirements/*.txt anew (needs uv); LOCK_FLAGS=--upgrade takes newer releases
	$(LOCK) --extra local --group dev --output-file requirements/all.txt
	$(LOCK) --extra api --constraint requirements/all.txt --output-file requirements/api.txt
	$(LOCK) --group bench --constraint requirements/all.txt --output-file requirements/bench.txt
	$(LOCK) --extra worker --constraint requirements/all.txt --output-file requirements/worker.txt

bench: $(VENV)/ready ## Measure Rowcast beside what its users would have written (bench/results.json, results.png)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@exec $(RUN) -m bench $(ARGS)

clean: ## Remove .venv and the tools' caches (never .rowcast, where models and jobs lie)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# One file says that the environment is whole, so that a run that was broken off is not taken for one.
# Relative paths alone: a folder with a space in its name works.
$(VENV)/ready: requirements/all.txt pyproject.toml
	@set -e; \
	for python in python3 python3.13 python3.12 python3.11 python; do \
		if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Rowcast needs Python 3.11 or later with its venv module (on Debian: apt install python3-venv)." >&2; exit 1; \
	fi; \
	if [ -e $(VENV)/locked ] && cmp -s requirements/all.txt $(VENV)/locked; then :; else \
		echo "Installing into $(VENV) with $$($$python --version) (once) ..." >&2; \
		rm -rf $(VENV); $$python -m venv $(VENV); \
		$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/all.txt; \
		cp requirements/all.txt $(VENV)/locked; \
	fi; \
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	touch $@
