# Facegate: `make` without a target prints the targets.
.DEFAULT_GOAL := help
PYTHON_IN_VENV := .venv/bin/python
ARGS ?=
export EXTRAS
# Three processes on two cores: tests wait for brokers and clocks. The tests of a file run in one process.
# tests/conftest.py orders them.
IN_PROCESSES := -n 3 --dist loadscope --no-loadscope-reorder

# There is no wheel of schemathesis for Python 3.10: nothing is installed there, and its tests are skipped.
SCHEMATHESIS := UV_PROJECT_ENVIRONMENT=.venvs/schemathesis .venv/bin/uv sync --quiet --frozen --only-group schemathesis

# The programs that check config/cluster. The environment is one of its own, because nothing else needs them.
LINT_CONFIG := UV_PROJECT_ENVIRONMENT=.venvs/lint-config .venv/bin/uv sync --quiet --frozen --only-group lint-config

.PHONY: help setup install install-service deb run run-cluster test test-all test-homeassistant test-devices test-console quick quick-all check audit format bench faults hostile fuzz schemathesis soak home-assistant-app container clean

help: ## Print the targets
	@echo "Facegate: face recognition for cameras on MQTT, with a REST sidecar."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-25s %s\n", $$1, $$2 }'

setup: ## Create the environment in .venv (the other targets do this first)
	@scripts/setup.sh

install: ## Create the environment with what the gateway needs only; EXTRAS="heic" adds extras
	@scripts/setup.sh production

install-service: ## Install the gateway as a service of systemd, or update it (with sudo)
	@scripts/install_service.sh

deb: ## Build a package for this release of Debian or Ubuntu, into dist
	@scripts/build_deb.sh

run: setup ## Run broker, gateway, REST and simulated cameras with real pictures; ARGS="--for 30" stops after 30 s
	@$(PYTHON_IN_VENV) -m device_sim.demo $(ARGS)

run-cluster: setup ## Run three gateways with one PostgreSQL, and kill one again and again; ARGS="--for 60". Needs mosquitto
	@$(PYTHON_IN_VENV) -m device_sim.cluster_demo $(ARGS)

test: setup ## Run the tests in three processes; ARGS goes to pytest, as ARGS="tests/people -x"
	@$(PYTHON_IN_VENV) -m pytest $(IN_PROCESSES) $(ARGS)

test-all: setup ## Run these and the extra tests: a real Home Assistant, ESPHome, PostgreSQL, long runs
	@scripts/setup_homeassistant.sh
	@scripts/setup_devices.sh
	@$(SCHEMATHESIS)
	@$(LINT_CONFIG)
	@$(PYTHON_IN_VENV) -m pytest $(IN_PROCESSES) -m "" $(ARGS)

test-homeassistant: setup ## Run the tests of Home Assistant, with a real one if Python 3.13 is installed
	@scripts/setup_homeassistant.sh
	@$(PYTHON_IN_VENV) -m pytest -m "" tests/integrations/homeassistant $(ARGS)

test-devices: setup ## Run the tests of the clients for devices, with ESPHome and MicroPython; they need g++ and libmosquitto-dev
	@scripts/setup_devices.sh
	@$(PYTHON_IN_VENV) -m pytest -m "" tests/device_sim/test_clients.py tests/device_sim/test_esp_clients.py tests/device_sim/test_device_programs.py $(ARGS)

test-console: setup ## Run the tests of the console in a headless Chromium; SCREENSHOTS=DIR saves pictures of the views
	@$(PYTHON_IN_VENV) -m pytest -m "" tests/console $(ARGS)

quick: setup ## Run the tests that need no broker, no workers and no networks (a minute)
	@$(PYTHON_IN_VENV) -m pytest $(IN_PROCESSES) -m "not slow and not extra" $(ARGS)

quick-all: setup ## Run the tests of `make quick` on Python 3.10 and 3.13, where these are installed
	@scripts/quick_all.sh $(ARGS)

check: setup ## Check formatting, lint and types, as CI does
	@.venv/bin/ruff format --check
	@.venv/bin/ruff check
	@.venv/bin/mypy

audit: setup ## Look up all packages in the list of known vulnerabilities (needs pypi.org)
	@$(PYTHON_IN_VENV) scripts/audit.py

format: setup ## Format the code, and let ruff correct it
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

bench: setup ## Measure the engine against stock dlib, and the gateway's overhead, as JSON (a quarter of an hour)
	@$(PYTHON_IN_VENV) -m benchmarks.engine --json
	@$(PYTHON_IN_VENV) -m benchmarks.gateway --json

faults: setup ## Kill gateway and broker under load for five minutes; ARGS="--long", "--network", "--flood", "--overload", "--replicas 3"
	@$(PYTHON_IN_VENV) -m benchmarks.faults $(ARGS)

hostile: setup ## Send 200,000 inputs that are meant to hurt; ARGS="--count 20000 --resume"
	@$(PYTHON_IN_VENV) -m benchmarks.hostile $(ARGS)

fuzz: setup ## Let atheris try inputs on each parser, a minute each; ARGS="--seconds 600 json cbor"
	@UV_PROJECT_ENVIRONMENT=.venvs/fuzz .venv/bin/uv run --quiet --frozen --group fuzz python -m tests.fuzz $(ARGS)

schemathesis: setup ## Send requests made from the OpenAPI document with every role, for three minutes
	@$(SCHEMATHESIS)
	@$(PYTHON_IN_VENV) -m pytest -m "" tests/e2e/test_schemathesis.py $(ARGS)

soak: setup ## Measure memory, threads and latency for an hour at half capacity, into data/soak; ARGS="--minutes 60"
	@$(PYTHON_IN_VENV) -m benchmarks.soak $(ARGS)

home-assistant-app: setup ## Write the app (add-on) of Home Assistant into dist/home-assistant; ARGS="--image ghcr.io/you/facegate"
	@$(PYTHON_IN_VENV) -m scripts.home_assistant_app $(ARGS)

.PHONY: release
release: setup ## Make a release, and publish nothing: VERSION=1.2.0, ARGS=--dry-run prints the steps
	@$(PYTHON_IN_VENV) scripts/release.py $(VERSION) $(ARGS)

container: ## Build the container image with docker, podman or buildah; ARGS="--platform linux/arm64"
	@scripts/build_container.sh $(ARGS)

clean: ## Remove the environments, the caches and the demo's data
	rm -rf .venv .venv-tools.* .venvs .mypy_cache .ruff_cache .pytest_cache data/demo data/cluster-demo
