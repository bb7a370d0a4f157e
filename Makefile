# make up     install everything and start Swarmscope with its demo fleet
# make test   the whole test run
# make soak   the same with the longest tests at full length: 20 kills, 100,000 bodies of each signal
# make lint   the static part of it
# make kernels  compile what is compiled, as the first start does
# make peers  install what the tests compare with: other people's programs and clients
# make bench  speed and size, side by side with Prometheus and VictoriaMetrics
# make lock   pin the dependencies anew after a change of pyproject.toml

# Where bytecode is not written, every process of the tests would compile all modules anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: up test soak lint kernels peers bench lock setup
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

peers: setup
	@tools/peers

kernels: setup
	@$(bin)/python -m swarmscope.app.compiling >/dev/null

# The tests use the kernels that the program has compiled, and every server that they start does too. Many wait more than
# they compute, hence a worker more than two cores.
test: setup
	@$(MAKE) --no-print-directory -j 3 --output-sync lint kernels peers
	NUMBA_CACHE_DIR=$$($(bin)/python -c 'from swarmscope.app import kernel_cache; print(kernel_cache.prepare_cache())') \
	  $(bin)/python -m pytest -n 3 --dist worksteal --durations 40 --durations-min 3 $(ARGS)

soak:
	@SWARMSCOPE_TESTS=whole $(MAKE) --no-print-directory test

bench: peers
	$(bin)/python -m bench $(ARGS)
	$(bin)/python -m bench.normalising
	$(bin)/python -m bench.fleet_reading
	$(bin)/python -m bench.detection
	$(bin)/python -m bench.root_causes
	$(bin)/python -m bench.alerting
	$(bin)/python -m bench.intelligence

lock:
	@tools/lock
