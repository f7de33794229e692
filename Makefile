# vernemq: targets for people and for CI. `make help` lists them.

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1.0-dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
BASE     ?= .
FUZZTIME ?= 10m
SHORT    ?= 4s
COMMANDS := $(notdir $(wildcard cmd/*))

.PHONY: build run test race fuzz fuzz-short bench compare plan-check lint fmt package clean help tools

build: ## build the commands into bin/
	@mkdir -p bin
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ $(addprefix ./cmd/,$(COMMANDS))

run: build ## start a broker on 127.0.0.1:1883 for a first try
	bin/vernemq console --base $(BASE) --config etc/quickstart.conf --hello

test: build lint tools ## everything that must pass: lint, tests, race tests, some seconds of fuzzing
	@scripts/test

race: ## all tests under the race detector
	$(GO) test -race -timeout 15m ./...

fuzz: ## every fuzzer for FUZZTIME (10m) each
	@FUZZTIME=$(FUZZTIME) scripts/fuzz

fuzz-short: ## every fuzzer for SHORT (4s) each
	@FUZZTIME=$(SHORT) scripts/fuzz

bench: ## benchmarks of the hot paths, with allocations
	$(GO) test -run '^$$' -bench . -benchmem ./codec ./trie ./queue/... ./reactor/... ./server ./server/session ./server/plugin/...

compare: build ## measure this broker beside Debian's mosquitto (some minutes)
	@scripts/compare

plan-check: build ## hold vmq-bench plan to real runs on this machine (some minutes)
	@scripts/plan-check

lint: ## gofmt, go vet, staticcheck
	@out=$$(gofmt -l .); test -z "$$out" || { echo "gofmt needed:"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

fmt: ## format the source
	gofmt -w .

tools: ## install what the tests need and the machine lacks, from Debian (see scripts/tools)
	@scripts/tools

package: build ## a tar.gz with the commands, configuration and documents, in dist/
	@mkdir -p dist/vernemq/bin dist/vernemq/etc
	cp bin/* dist/vernemq/bin/
	cp etc/*.conf etc/vmq.* dist/vernemq/etc/
	cp -r README.md ARCHITECTURE.md LICENSE docs dist/vernemq/
	tar -C dist -czf dist/vernemq-$(VERSION)-linux-$(shell $(GO) env GOARCH).tar.gz vernemq
	@ls -l dist/*.tar.gz

clean: ## remove what was built
	rm -rf bin dist

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'
