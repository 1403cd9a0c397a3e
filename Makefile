# Everything a person or a machine does with this repository. Each target does the set-up it needs:
# `make demo` and `make test` work from a bare clone. On a bare Debian 12: apt-get install make git
SHELL := /bin/bash
.DEFAULT_GOAL := help

# One compiler a core, within the memory there is; JOBS=n overrides.
JOBS ?= $(shell tools/jobs.sh)
export JOBS
# How many requests `make contract` sends.
REQUESTS ?= 20000

# Configuring is CMake's first run; after that Ninja starts CMake when a list changes.
build/%/build.ninja:
	@cmake --preset $* >build/$*.configure.log 2>&1 || { cat build/$*.configure.log >&2; exit 1; }

.PHONY: help deps build demo image manifests test rehearse test-kill test-fleet test-stack test-releases test-faults test-sqlx bench-stack contract sdk sdk-generate bench bench-api bench-overload lint
.PHONY: fuzz-smoke format tidy clean

help: ## What can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## Install the Debian packages that are missing (tools/packages.txt)
	@mkdir -p build
	@tools/deps.sh

build: deps ## The program, optimized: build/release/llm-research
	@$(MAKE) --no-print-directory build/release/build.ninja
	@cmake --build build/release -j $(JOBS)

demo: build ## Run the examples and print our figures beside the published ones
	@tools/demo.sh

test: deps ## Everything: lint, clang-tidy, unit tests with sanitizers, end-to-end tests
	@python3 tools/test.py

test-kill: build ## 200 runs killed at random moments (make test has 20)
	@LLM_RESEARCH="$(CURDIR)/build/release/llm-research" LAB_KILLS=200 \
		python3 -m unittest discover -v -s tests/e2e -p 'test_kill*.py'

test-fleet: build ## 2,000 faults over three workers: kills, sleepers, cuts (make test has 60)
	@LLM_RESEARCH="$(CURDIR)/build/release/llm-research" LAB_FLEET_FAULTS=2000 \
		python3 -m unittest discover -v -s tests/e2e -p 'test_fleet*.py'

test-stack: build ## The tests of the API over real PostgreSQL, Redis and S3 servers (in make test, too)
	@tools/s3.py --build
	@LLM_RESEARCH="$(CURDIR)/build/release/llm-research" \
		python3 -m unittest discover -v -s tests/e2e -p 'test_stack.py'

test-releases: build ## Two releases on one database and one queue, both ways: OTHER=the program of the other
	@test -x "$(OTHER)" || { echo "test-releases: OTHER=the program of another release" >&2; exit 2; }
	@tools/s3.py --build
	@ours="$(CURDIR)/build/release/llm-research" other="$(abspath $(OTHER))" failed=0; \
	for pair in "$$ours $$other" "$$other $$ours"; do \
		LLM_RESEARCH="$${pair% *}" LAB_OTHER_RELEASE="$${pair#* }" \
			python3 -m unittest discover -s tests/e2e -p 'test_two_releases.py' || failed=1; \
	done; exit $$failed

test-faults: build ## Each server refused, silent, slow, reset, flapping, FAULT_SECONDS=60 each; PostgreSQL's fail-over
	@tools/s3.py --build
	@LLM_RESEARCH="$(CURDIR)/build/release/llm-research" FAULT_SECONDS=$(or $(FAULT_SECONDS),60) \
		FAULTS="$(or $(FAULTS),refuse black-hole slow reset flap)" \
		python3 -m unittest discover -v -s tests/e2e -p 'test_faults.py'

test-sqlx: build ## The real sqlx-cli and `migrate` on one PostgreSQL (needs cargo; the first time takes minutes)
	@test -x build/sqlx/bin/sqlx || cargo install sqlx-cli --version 0.8.6 --locked --quiet \
		--no-default-features --features postgres,rustls --root build/sqlx
	@python3 tests/sqlx/run.py build/sqlx/bin/sqlx build/release/llm-research

rehearse: deps ## The runbook on a Kubernetes of one node, block by block, then drills under load (needs root; DRILL=name for one, BEFORE=image.tar for two releases)
	@tools/deps.sh containerd runc containernetworking-plugins nftables iproute2 conntrack haproxy prometheus
	@tools/kubernetes.py --build
	@$(MAKE) --no-print-directory image
	@tools/s3.py --build
	@tools/moto.py --build
	@LAB_REQUIRE_BACKENDS=1 tools/kubernetes.py python3 tests/rehearsal/run.py $(if $(DRILL),--drills-only --drill "$(DRILL)") \
		$(if $(BEFORE),--before "$(BEFORE)")

fuzz-smoke: deps ## Fuzz what reads untrusted text, FUZZ_SECONDS=120 a target (make test replays what is kept)
	@$(MAKE) --no-print-directory build/fuzz/build.ninja
	@ninja -C build/fuzz -j $(JOBS) fuzzers
	@tools/fuzz.py

contract: build ## The program against its OpenAPI document: REQUESTS=20000 (make test has 2,000)
	@tests/contract/setup.sh
	@LLM_RESEARCH="$(CURDIR)/build/release/llm-research" python3 tests/contract/run.py $(REQUESTS)

image: build ## The program as an image, without a Docker engine: build/image/llm-research.tar (as root)
	@tools/image.sh

manifests: ## After a change of the chart: the plain files of deploy/
	@tools/deploy_tools.py --build helm >/dev/null
	@tools/manifests.py

sdk: build ## Style, types and tests of the Python client
	@sdk/python/tools/setup.sh
	@LLM_RESEARCH="$(CURDIR)/build/release/llm-research" sdk/python/tools/test.sh

sdk-generate: build ## After a change of the API: what of the Python client is made of the document
	@sdk/python/tools/setup.sh
	@LLM_RESEARCH="$(CURDIR)/build/release/llm-research" build/venv-sdk/bin/python sdk/python/tools/fetch.py

bench: build ## Speed and memory beside a bare Go loop (installs Go when there is none)
	@command -v go >/dev/null || tools/deps.sh golang-go
	@python3 bench/run.py --binary build/release/llm-research

bench-api: build ## GET /health beside Boost.Beast, a list beside axum + sqlx (installs wrk; needs cargo)
	@command -v wrk >/dev/null || tools/deps.sh wrk
	@python3 bench/api.py --binary build/release/llm-research

bench-stack: build ## Over PostgreSQL: rows written beside COPY, a list beside axum + tokio-postgres (needs wrk and cargo)
	@command -v wrk >/dev/null || tools/deps.sh wrk
	@cmake --build build/release --target bench_ingest -j $(JOBS)
	@python3 bench/stack.py --binary build/release/llm-research

bench-overload: build ## Ten times the load, 10,000 slow connections, start and idle memory
	@command -v wrk >/dev/null || tools/deps.sh wrk
	@python3 bench/overload.py --binary build/release/llm-research

lint: deps ## Format, include rules and bans, shell scripts, the tools' own tests
	@tools/lint.sh

format: deps ## Rewrite the C++ sources in the house format
	@tools/sources.sh | xargs -0 clang-format-19 -i

tidy: deps ## clang-tidy over all rooms; ROOMS="src/engine src/providers" for some
	@tools/tidy.py $(ROOMS)

clean: ## Remove what was built
	@rm -rf build
