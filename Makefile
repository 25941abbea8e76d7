# Facegate: `make` alone prints what there is.
.DEFAULT_GOAL := help
PYTHON_IN_VENV := .venv/bin/python
ARGS ?=
# A file's tests stay in one process, in the order of tests/conftest.py.
IN_PROCESSES := -n 2 --dist loadscope --no-loadscope-reorder

.PHONY: help setup run test quick check format bench faults soak clean

help: ## What can be made
	@echo "Facegate: face recognition for cameras on MQTT, with a REST sidecar."
	@echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

setup: ## The environment in .venv (the other targets do this first)
	@scripts/setup.sh

run: setup ## Broker, gateway, REST and simulated cameras on real pictures; ARGS="--for 30" ends by itself
	@$(PYTHON_IN_VENV) -m device_sim.demo $(ARGS)

test: setup ## All tests, in two processes; ARGS goes to pytest, as ARGS="tests/people -x"
	@$(PYTHON_IN_VENV) -m pytest $(IN_PROCESSES) $(ARGS)

quick: setup ## The tests that need no broker, no workers and no networks: under a minute
	@$(PYTHON_IN_VENV) -m pytest $(IN_PROCESSES) -m "not slow" $(ARGS)

check: setup ## Formatting, lint and types: what CI asks for
	@.venv/bin/ruff format --check
	@.venv/bin/ruff check
	@.venv/bin/mypy

format: setup ## Formats the code and mends what ruff can
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

bench: setup ## The engine against stock, and what the gateway adds to it, as JSON (a quarter of an hour)
	@$(PYTHON_IN_VENV) -m benchmarks.engine --json
	@$(PYTHON_IN_VENV) -m benchmarks.gateway --json

faults: setup ## Kills gateway and broker under load for five minutes; ARGS="--long", "--network", "--flood", "--overload"
	@$(PYTHON_IN_VENV) -m benchmarks.faults $(ARGS)

soak: setup ## An hour at half capacity: memory, threads, latency into data/soak; ARGS="--minutes 60"
	@$(PYTHON_IN_VENV) -m benchmarks.soak $(ARGS)

clean: ## Removes the environment, the caches and the demo's data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache data/demo
