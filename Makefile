# threatflow. `make` builds; `make demo` shows; `make test` proves.
SHELL := /bin/bash
ROOT := $(CURDIR)
NODE := $(ROOT)/.node/bin/node
NPM := $(ROOT)/.node/bin/npm
export PATH := $(ROOT)/.node/bin:$(ROOT)/node_modules/.bin:$(PATH)
JOBS ?= $(shell nproc)
CORPUS ?= $(ROOT)/../shared/pcaps
CAPTURE ?= .cache/bench/mixed.pcap
SECONDS ?= 5

.PHONY: all build setup native dist demo test test-long lint native-test jest faults corpus bench bench-cluster bench-search coverage mutants fuzz fixtures clean distclean
all: build
build: native dist

setup: node_modules/.installed
.node/bin/node:
	@bash scripts/setup-node.sh
.cache/system-build:
	@bash scripts/setup-system.sh build && mkdir -p .cache && touch $@
.cache/system-test:
	@bash scripts/setup-system.sh test && mkdir -p .cache && touch $@
node_modules/.installed: package.json package-lock.json | .node/bin/node .cache/system-build
	@npm_config_nodedir=$(ROOT)/.node $(NPM) install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

native: build/native/threatflow.node
NATIVE := $(shell find native -name '*.cc' -o -name '*.h' -o -name CMakeLists.txt)
build/native/threatflow.node: $(NATIVE) node_modules/.installed
	@cmake -S native -B build/native -DNODE_INCLUDE=$(ROOT)/.node/include/node -DNAPI_INCLUDE=$(ROOT)/node_modules/node-addon-api >/dev/null
	@cmake --build build/native -j$(JOBS) -- --no-print-directory -s
	@touch $@

dist: dist/.built
SOURCES := $(shell find src ui/src -type f)
dist/.built: $(SOURCES) tsconfig.json node_modules/.installed
	@rm -rf dist && node_modules/.bin/tsc -p tsconfig.json && node_modules/.bin/tsc -p ui/tsconfig.json
	@touch $@

demo: build
	@bash scripts/demo.sh

lint: build
	@node_modules/.bin/biome check src test scripts ui
	@node_modules/.bin/tsc --noEmit -p tsconfig.test.json
	@$(NODE) scripts/check-imports.ts
native-test: .cache/system-test build
	@bash scripts/native-test.sh
jest: build .cache/system-test
	@CORPUS=$(CORPUS) bash scripts/with-servers.sh $(NODE) --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js $(JEST)
# Kills workers and restarts servers in the middle of an import
faults: build .cache/system-test
	@FAULTS=1 bash scripts/with-servers.sh $(NODE) --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js test/faults
corpus: build
	@CORPUS=$(CORPUS) $(NODE) scripts/corpus.ts
	@$(NODE) test/conformance/run.ts $(CORPUS)
test: .cache/system-test
	@bash scripts/test.sh
test-long: .cache/system-test
	@LONG=1 bash scripts/test.sh
coverage: build .cache/system-test
	@bash scripts/setup-system.sh coverage && CORPUS=$(CORPUS) bash scripts/coverage.sh
# One deliberate bug at a time: the tests must see 95 of 100
mutants: build
	@CORPUS=$(CORPUS) $(NODE) scripts/mutate.ts
fuzz: .cache/system-test
	@SECONDS_EACH=$(SECONDS) bash scripts/fuzz.sh
bench: build
	@bash bench/bench.sh "$(CAPTURE)"
bench-cluster: build .cache/system-test
	@bash scripts/with-servers.sh $(NODE) bench/cluster.mjs "$(CAPTURE)" $(SMALL)
bench-search: build .cache/system-test
	@bash scripts/with-servers.sh $(NODE) bench/search.mjs "$(CAPTURE)" $(FLOWS)
clean:
	rm -rf build dist coverage
distclean: clean
	rm -rf node_modules .node .cache
fixtures: build
	@bash scripts/make-fixtures.sh
	@bin/threatflow replay fixtures/pcaps --update --quiet
