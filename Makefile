# All that there is to type. Only python3 (3.11 to 3.13), make and a package registry are needed.
# Another Python: make PYTHON=python3.12. Another place for what a local run makes: CUSTODY_HOME=DIR.

PYTHON ?= python3
VENV := .venv/bin
# Made by include/custody_local/environment.py, last of all; its name holds Python's minor version.
READY := .venv/.ready-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
SOURCES := include dags plugins tests benchmarks
COMPILE := $(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header pyproject.toml

# A machine may forbid the writing of bytecode; every start of Airflow would then take three times as long.
unexport PYTHONDONTWRITEBYTECODE
# The project's environment is its own, whatever other one is active.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH

# What `make demo NAME=VALUE` may say. It reaches the program as a variable, so that no value needs quoting.
export CUSTODY_DEMO_ONCE := $(ONCE)
export CUSTODY_DEMO_AMAZON := $(AMAZON)
export CUSTODY_DEMO_SELLERS := $(SELLERS)
export CUSTODY_DEMO_PORT := $(PORT)
export CUSTODY_DEMO_ORDERS := $(ORDERS)
export CUSTODY_DEMO_SELLERS_COUNT := $(SELLERS_COUNT)
export CUSTODY_DEMO_REACH_DAYS := $(REACH_DAYS)
export CUSTODY_DEMO_QUOTA_SCALE := $(QUOTA_SCALE)

.DEFAULT_GOAL := help
.PHONY: demo test check bench up down lock help

demo: $(READY) ## watch real orders live and die: ONCE=1 AMAZON=URL SELLERS=FILE ORDERS=N SELLERS_COUNT=N PORT=N
	@$(VENV)/python -m custody_local demo

test: $(READY) ## run the whole test suite: ARGS="-k purge"
	@$(VENV)/python -m pytest $(ARGS)

check: $(READY) ## what CI does: linters, types, tests
	$(VENV)/ruff check $(SOURCES)
	$(VENV)/ruff format --check $(SOURCES)
	$(VENV)/mypy
	@$(MAKE) --no-print-directory test

bench: $(READY) ## measure what the performance claims rest on
	@$(VENV)/python -m benchmarks $(ARGS)

up: ## start the production shape with docker compose
	docker compose up --detach --wait

down: ## stop it; what it stored stays
	docker compose down

lock: $(READY) ## compile both locks anew from pyproject.toml
	$(COMPILE) --output-file requirements.txt
	$(COMPILE) --constraints requirements.txt --group dev --output-file requirements-dev.txt

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(firstword $(MAKEFILE_LIST)) | expand -t 8

$(READY): requirements-dev.txt pyproject.toml include/custody_local/environment.py
	@$(PYTHON) -I include/custody_local/environment.py
