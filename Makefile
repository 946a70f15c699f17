# The only entry point, for people and for CI. Plain `make` lists what there is.

CARGO ?= cargo
# Settings for `make run`, such as ARGS="-m 1024 -vv".
ARGS ?=
# Where `make run` serves its page and metrics.
ADMIN ?= 127.0.0.1:9150
# memcached, and so larder, starts as root only when told that this is meant.
AS_ROOT = $(if $(filter 0,$(shell id -u)),-u root)
SUDO = $(if $(filter 0,$(shell id -u)),,sudo)
APT = $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -qy
# Debian starts a memcached on port 11211 when it is installed: the port of `make run`.
QUIET_SERVICE = if [ -d /run/systemd/system ]; then $(SUDO) systemctl disable --now memcached; fi
VENV = .venv
NODE_CLIENTS = tests/clients/node_modules/.ready
# What makes packages of what was built, and where the packages go.
TOOLS = target/tools/bin
PACKAGES = target/package
# Debian's, unpacked and not installed: it would start a server.
PROMETHEUS = target/prometheus
RUST_CLIENT = target/clients/debug/memcache_tls

.PHONY: help run test check check-instructions bench compare hit-share probe package package-test soak clean deps

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and start larderd on 127.0.0.1:11211, in the foreground, with its page on port 9150
	@echo "To look at it: http://$(ADMIN)/ (metrics are at http://$(ADMIN)/metrics)"
	@exec $(CARGO) run --release --locked --bin larderd -- -l 127.0.0.1 -p 11211 \
		--admin $(ADMIN) $(AS_ROOT) $(ARGS)

test: deps ## Run every test suite
	$(CARGO) test --locked

check: ## Format, lints, documentation, generated files, house rules
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items
	$(CARGO) test --locked --lib generated
	$(CARGO) test --locked --test tidy

check-instructions: ## Instructions for each request, counted by valgrind, against those kept
	@command -v valgrind > /dev/null || { $(APT) update && $(APT) install --no-install-recommends valgrind; }
	$(CARGO) bench --locked --bench instructions

bench: ## What the store, the protocols and whole conversations cost, in process
	$(CARGO) bench --locked --bench store --bench protocol --bench session

compare: deps ## memcached and larderd side by side, as tables; PEER=FILE names another memcached
	PEER="$(PEER)" $(CARGO) bench --locked --bench compare -- $(ARGS)

hit-share: ## Hits in equal memory, and memory for equal hits; PEER=FILE is memcached's debug build
	PEER="$(PEER)" $(CARGO) bench --locked --bench hit_share -- $(ARGS)

probe: deps ## The longest that memcached and larderd keep a client waiting, whatever others do
	PEER="$(PEER)" $(CARGO) bench --locked --bench probe -- $(ARGS)

package: $(TOOLS)/cargo-deb $(TOOLS)/cargo-generate-rpm ## Build .deb and .rpm into target/package
	$(CARGO) build --release --locked --bins
	mkdir -p $(PACKAGES)/release
	for program in larder larderd; do \
		strip --strip-debug -o $(PACKAGES)/release/$$program target/release/$$program; \
	done
	CARGO_TARGET_DIR=$(PACKAGES) $(TOOLS)/cargo-deb --no-build --no-strip --locked -o $(PACKAGES)/
	$(TOOLS)/cargo-generate-rpm --target-dir $(PACKAGES) -o $(PACKAGES)/

package-test: package $(VENV)/.ready ## Install, use and purge them in a clean Debian, under systemd too
	@missing=""; \
	for need in debootstrap:debootstrap systemd-nspawn:systemd-container rpm:rpm; do \
		command -v $${need%%:*} > /dev/null || missing="$$missing $${need#*:}"; \
	done; \
	if [ -n "$$missing" ]; then $(APT) update && $(APT) install --no-install-recommends $$missing; fi
	$(SUDO) $(VENV)/bin/python tests/package/scratch.py --clean $(PACKAGES)/bookworm \
		--deb $(PACKAGES)/larder_*.deb --rpm $(PACKAGES)/larder-*.rpm
	$(SUDO) tests/package/boot.sh $(PACKAGES)/bookworm $(PACKAGES)/larder_*.deb

soak: ## 4 GiB of churn through 64 MiB, 300 ends under load, 100 by kill -9; in a release build
	LARDER_CHURN_MIB=4096 $(CARGO) test --locked --release --test suite churn -- --nocapture
	LARDER_KILLS=300 $(CARGO) test --locked --release --test suite restart::ends_of_any -- --nocapture

clean: ## Remove everything that was built or installed here
	$(CARGO) clean
	rm -rf $(VENV) tests/clients/node_modules

deps: $(VENV)/.ready $(NODE_CLIENTS) $(PROMETHEUS)/.ready $(RUST_CLIENT) ## Install what the tests talk to, if it is missing
	@missing=""; \
	for need in memcached:memcached memccapable:libmemcached-tools nc:netcat-openbsd \
		gsasl:gsasl openssl:openssl chromium:chromium ip:iproute2 \
		systemd-analyze:systemd systemd-socket-activate:systemd; do \
		command -v $${need%%:*} > /dev/null || missing="$$missing $${need#*:}"; \
	done; \
	ls /usr/lib/*/sasl2/libplain.so > /dev/null 2>&1 || missing="$$missing libsasl2-modules"; \
	ruby -rdalli -e 0 2> /dev/null || missing="$$missing ruby ruby-dalli"; \
	if [ -n "$$missing" ]; then $(APT) update && $(APT) install --no-install-recommends $$missing; fi; \
	case " $$missing " in *" memcached "*) $(QUIET_SERVICE) ;; esac

# Neither is needed but for packages, and each takes a minute to build.
$(TOOLS)/%:
	$(CARGO) install --quiet --locked --root $(dir $(@D)) $*

# The Python clients that the suite converses with, at the versions it knows.
$(VENV)/.ready: tests/clients/requirements.txt
	@python3 -c 'import ensurepip, venv' 2> /dev/null || \
		{ $(APT) update && $(APT) install --no-install-recommends python3-venv; }
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# The same for node.
$(NODE_CLIENTS): tests/clients/package.json
	@missing=""; \
	command -v node > /dev/null || missing="$$missing nodejs"; \
	command -v npm > /dev/null || missing="$$missing npm"; \
	if [ -n "$$missing" ]; then $(APT) update && $(APT) install --no-install-recommends $$missing; fi
	cd tests/clients && npm install --no-package-lock --no-audit --no-fund --silent
	@touch $@

# What collects metrics, and judges their form.
$(PROMETHEUS)/.ready:
	@mkdir -p $(@D)
	@{ command -v prometheus && command -v promtool; } > /dev/null || { cd $(@D) && \
		{ apt-get -q download prometheus || { $(APT) update && apt-get -q download prometheus; }; } && \
		dpkg-deb --extract prometheus_*.deb . && rm prometheus_*.deb; }
	@touch $@

# A client in Rust whose TLS is OpenSSL's; larder itself is built without that.
$(RUST_CLIENT): tests/clients/memcache_tls/Cargo.toml tests/clients/memcache_tls/src/main.rs
	@pkg-config --exists openssl 2> /dev/null || \
		{ $(APT) update && $(APT) install --no-install-recommends pkg-config libssl-dev; }
	$(CARGO) build --quiet --locked --manifest-path $< --target-dir target/clients
	@touch $@
