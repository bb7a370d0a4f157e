# make up     install everything and start Swarmscope with its demo fleet
# make test   the whole test run
# make lint   the static part of it
# make bench  speed and size, side by side with Prometheus and VictoriaMetrics
# make lock   pin the dependencies anew after a change of pyproject.toml

.PHONY: up test lint bench lock setup
.DEFAULT_GOAL := up

bin := .venv/bin

setup:
	@tools/setup

up: setup
	@$(bin)/swarmscope up --demo $(ARGS)

lint: setup
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/lint-imports --no-logo

test: setup
	@tools/peers
	@$(MAKE) --no-print-directory lint
	$(bin)/python -m pytest -n 2 $(ARGS)

bench: setup
	@tools/peers
	$(bin)/python -m bench $(ARGS)

lock:
	@tools/lock
