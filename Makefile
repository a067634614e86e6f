# Every command a person needs. Each installs what it lacks (scripts/setup).
PY = .venv/bin/python
export PYTHONPATH = layers/common:layers/reports:.

.PHONY: demo test check features bench capacity package clean setup

setup:
	@scripts/setup

demo: setup  ## a patient's whole journey against the sandbox; ONCE=1 ends after it
	@$(PY) scripts/demo.py $(if $(ONCE),--once)

test: setup check  ## every check and every test; MYSQL=host:port uses a server that is there, SEED=n repeats an order
	@$(PY) scripts/run_tests.py $(ARGS)

check: setup  ## ruff, mypy, import-linter, layout
	@$(PY) scripts/check.py

features:  ## every feature with its tests, from the last make test
	@$(PY) scripts/features.py

bench: setup  ## all benchmarks, or ONLY=name
	@$(PY) scripts/bench.py $(ONLY)

capacity: setup  ## how many connections the functions need of MySQL; INSTANCES=n of each
	@$(PY) scripts/capacity.py $(INSTANCES)

package: setup  ## deployable zips under build/
	@$(PY) scripts/package.py

clean:  ## stops what demo left, removes what it made
	@scripts/clean
