# Everything a developer or CI does. `make help` lists it.

BUILD ?= build
PYTHON := var/venv/bin/python
C_FILES := $(shell git ls-files '*.c' '*.h' 2>/dev/null)

.PHONY: help deps run reset build docs web test fmt lint bench coverage asan tsan fuzz lock-python clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

deps: ## install what is missing: Debian, Python and npm packages
	@tools/deps.sh

build: deps ## compile build/trackerd
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) >/dev/null
	@ninja -C $(BUILD) --quiet

docs: build ## build the documentation site into build/site; every warning and dead link fails
	@tools/docs.sh

web: build ## build the front ends into web/admin/dist and web/app/dist
	@tools/web.sh

run: build web ## start everything with demo data and follow the logs; Ctrl-C stops it
	@tools/docs.sh --if-changed || echo "make run: the documentation could not be built; going on without the newest" >&2
	@$(PYTHON) tools/run.py

reset: ## drop the data of `make run`
	@tools/reset.sh

test: deps ## everything that CI runs
	@tools/test.sh

fmt: deps ## format C, Python and the front ends
	@var/venv/bin/clang-format -i $(C_FILES)
	@var/venv/bin/ruff format --quiet .
	@var/venv/bin/ruff check --quiet --fix .
	@npm run --silent --prefix web fmt

lint: build ## clang-format, clang-tidy, cppcheck, ruff, layers, ESLint, TypeScript
	@tools/lint.sh

asan: deps ## build with address and undefined-behaviour sanitizers into build-asan
	@test -f build-asan/build.ninja || meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
	@ninja -C build-asan --quiet

tsan: deps ## build with the thread sanitizer into build-tsan and run the unit tests
	@test -f build-tsan/build.ninja || meson setup build-tsan -Db_sanitize=thread -Db_lundef=false >/dev/null
	@ninja -C build-tsan --quiet
	@meson test -C build-tsan --suite unit --print-errorlogs

fuzz: deps ## run every fuzz target for FUZZ_SECONDS (default 60)
	@tools/fuzz.sh $${FUZZ_SECONDS:-60}

bench: build ## benchmarks, as JSON lines of ratios
	@tools/bench.sh

coverage: deps ## line coverage of src/ by unit and API tests, as build-coverage/coverage/
	@tools/test.sh coverage

lock-python: ## pin the newest versions of what tests/requirements.in and docs/requirements.in name
	@tools/lock-python.sh tests/requirements.in tests/requirements.txt
	@tools/lock-python.sh docs/requirements.in docs/requirements.txt tests/requirements.txt sim/requirements.txt

clean: ## remove what was built
	@rm -rf build build-asan build-tsan build-fuzz build-coverage
