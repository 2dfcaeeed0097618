# Two commands: `make run` and `make test`. `make help` lists the rest.

.PHONY: run test instructions instructions-baseline crs-wire soak set-up lint deny release package test-package \
	bench bench-judge bench-process bench-reload bench-idle clean help

PROFILE := ci
INSTRUCTIONS := cargo run --quiet --profile $(PROFILE) -p palisade-instructions --

## run: build, and start the demo on 127.0.0.1:8000
run:
	@./set-up build
	@cargo build --quiet --profile $(PROFILE) --bin palisade
	@./target/$(PROFILE)/palisade run --demo

## test: install what the tests need, and run them all
test: set-up
	@. ./tests/environment && cargo test --profile $(PROFILE) --workspace
	@. ./tests/environment && $(INSTRUCTIONS) check

## instructions: what hot functions cost in instructions, compared with benches/instructions.toml (GROUP=hygiene: those of one group)
instructions:
	@./set-up build
	@./set-up instructions
	@. ./tests/environment && $(INSTRUCTIONS) check $(GROUP)

## instructions-baseline: write benches/instructions.toml anew (PALISADE_CRS: CRS's folder)
instructions-baseline:
	@./set-up build
	@./set-up instructions
	@. ./tests/environment && $(INSTRUCTIONS) baseline

## crs-wire: OWASP CRS's own regression tests over real sockets (PALISADE_CRS: CRS's folder, with its tests)
crs-wire: set-up
	@. ./tests/environment && PALISADE_REQUIRE_CRS=1 \
		cargo test --quiet --profile $(PROFILE) -p palisade-cli --test e2e -- crs_passes_its_own_tests_over_the_wire \
		2>&1 | tee target/crs-wire.txt
	@grep -q '^test result: ok. 1 passed' target/crs-wire.txt

## soak: half an hour of everything at once, with a report (MINUTES=5, IDLE=10000 idle connections)
soak: set-up
	@. ./tests/environment && PALISADE_SOAK_MINUTES=$(or $(MINUTES),30) PALISADE_SOAK_IDLE=$(IDLE) \
		cargo test --quiet --profile $(PROFILE) -p palisade-cli --test soak -- --nocapture nothing_is_lost

## set-up: install what the build and the tests need
set-up:
	@./set-up build
	@./set-up test

## lint: formatting and clippy, warnings are errors
lint:
	@./set-up build
	cargo fmt --all --check
	cargo clippy --profile $(PROFILE) --workspace --all-targets -- -D warnings

## deny: licences, sources, bans and (where they can be reached) advisories of all dependencies
deny:
	@./set-up deny
	@./.ci/deny

## release: the binary as it is shipped, in target/release/palisade
release:
	@./set-up build
	cargo build --release --bin palisade

## package: the Debian package, in target/debian
package:
	@./set-up build
	@./set-up package
	cargo deb -p palisade-cli

## test-package: a package of the tests' binary, installed into a fresh Debian and used there; needs root
test-package:
	@./set-up build
	@./set-up package
	cargo build --profile $(PROFILE) --bin palisade
	cargo deb --quiet -p palisade-cli --profile $(PROFILE) --no-build --no-strip --output target/test-data/palisade.deb
	./deploy/debian/test-package target/test-data/palisade.deb

## bench: Palisade and every peer that this machine can install, side by side (PALISADE_CRS: CRS's folder; WITH=nginx,haproxy, or none)
bench: release
	@./benches/side-by-side $(or $(WITH),all)

## bench-judge: what judging a request costs, and a snapshot of decisions, in time
bench-judge:
	@./set-up build
	cargo bench -p palisade-benches --bench judge --bench snapshot

## bench-idle: what 10,000 idle keep-alive connections take
bench-idle: release
	cargo bench -p palisade-benches --bench idle

## bench-process: what a request costs the whole process, with 100 rules and with 10,000
bench-process: release
	cargo bench -p palisade-benches --bench process

## bench-reload: what running traffic notices of a reload of 10,000 rules with 1,000,000 decisions
bench-reload: release
	cargo bench -p palisade-benches --bench reload_latency

## clean: remove what was built
clean:
	cargo clean

## help: this list
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)
