# make run    build, then mount the folder DATA at MNT, with an embedded S3 server
# make stop   unmount it, once everything is saved
# make test   everything that has to pass
# make soak   the long tests
# make fuzz   the fuzz targets alone, FUZZTIME=30s each
# make soak-long FOR=8h   the random model of everything at once, as long as one likes
# make test-servers   against S3 servers that nobody here wrote; writes docs/SERVERS.md
# make test-others    with Samba and httm, where they are installed
# make install     what make build has built, below PREFIX, and the links for mount(8) and /etc/fstab
# make uninstall   takes them away

MNT  ?= ./mnt
DATA ?= ./data
FOR  ?= 1h
FUZZTIME ?= 30s
PREFIX  ?= /usr/local
# mount(8) looks for its helpers in /sbin and nowhere else, whatever PREFIX and PATH are.
SBINDIR ?= /sbin

GO       = go
# The tree may belong to another user than the one who builds (containers), and then
# git refuses to tell the revision.
BUILD    = $(GO) build -buildvcs=false -trimpath
TEST     = $(GO) test -buildvcs=false
MODULES  = . integration/localserver integration/servers/gofakes3
SOURCES  = main.go fs integration internal lockmgr store
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

LATCHFS  = bin/latchfs
LOCAL    = bin/latchfs-local
HELPERS  = mount.latchfs mount.fuse.latchfs
VENV     = integration/.venv
DYNALITE = integration/dynalite/node_modules
SERVERS  = bin/servers

# Versions of the servers that are built from source; the others are in integration/requirements.txt
# and integration/servers/gofakes3/go.mod.
MINIO     = github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
VERSITYGW = github.com/versity/versitygw/cmd/versitygw@v1.8.0

# Where the tests find what they start.
export LATCHFS_BIN       ?= $(CURDIR)/$(LATCHFS)
export LATCHFS_LOCAL_BIN ?= $(CURDIR)/$(LOCAL)

# The tests of programs that make does not install.
OTHERS = ^TestLong(Samba|Httm)$$

# Debian packages as probe:package, the probe being a command that comes with it.
RUN_PACKAGES  = fusermount3:fuse3
TEST_PACKAGES = $(RUN_PACKAGES) rsync:rsync vim:vim git:git python3:python3 npm:npm node:nodejs \
                unshare:util-linux rclone:rclone s3fs:s3fs ed:ed patch:patch zip:zip unzip:unzip

.PHONY: build install uninstall run stop test status race lint soak fuzz soak-long test-servers test-others servers fmt clean run-packages test-packages test-tools

build:
	$(BUILD) -o $(LATCHFS) .
	cd integration/localserver && $(BUILD) -o ../../$(LOCAL) ./latchfs-local

# Needs no Go where everything is built, so that root may run it.
install: | $(LATCHFS)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(SBINDIR)
	install -m 0755 $(LATCHFS) $(LOCAL) $(DESTDIR)$(PREFIX)/bin
	for h in $(HELPERS); do ln -sf $(PREFIX)/bin/latchfs $(DESTDIR)$(SBINDIR)/$$h || exit 1; done

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/latchfs $(DESTDIR)$(PREFIX)/bin/latchfs-local
	for h in $(HELPERS); do rm -f $(DESTDIR)$(SBINDIR)/$$h || exit 1; done

run: run-packages build
	@mkdir -p "$(MNT)"
	@$(LATCHFS) mount "local:$(DATA)" "$(MNT)"
	@echo "Your files:  $(MNT)   (try: echo hello > $(call quoted,$(MNT)/a); cat $(call quoted,$(MNT)/a); ls $(call quoted,$(MNT)/.versions/a))"
	@echo "The bucket:  $(DATA)   (keys and address of its S3 server: $(DATA)/server.json)"
	@echo "To stop:     make stop$(if $(filter-out ./mnt,$(MNT)), MNT=$(call quoted,$(MNT)))"

# A word for the shell: between quotes if it has spaces.
quoted = $(if $(word 2,$1),'$1',$1)

stop: | $(LATCHFS)
	@$(LATCHFS) umount "$(MNT)"

# After make clean: what is mounted has to end all the same.
$(LATCHFS):
	@$(MAKE) build

# The unit tests of both modules, then the whole program; the last command prints what
# failed and holds docs/STATUS.md against what ran.
test: test-packages build test-tools
	@for m in $(MODULES); do (cd $$m && $(GO) vet ./...) || exit 1; done
	$(TEST) -json -timeout 5m $$($(GO) list ./... | grep -v '/integration$$') > bin/test-unit.json || true
	cd integration/localserver && $(TEST) -json -timeout 5m ./... > ../../bin/test-localserver.json || true
	$(TEST) -json -timeout 12m -skip '^Test(Soak|Long)' ./integration > bin/test-integration.json || true
	$(GO) run ./integration/statuscheck -status docs/STATUS.md bin/test-unit.json bin/test-localserver.json bin/test-integration.json

# Writes into docs/STATUS.md what the last make test and make soak came to.
status:
	$(GO) run ./integration/statuscheck -record -status docs/STATUS.md $(wildcard bin/test-*.json)

# The race detector needs a C compiler.
race: test-packages build test-tools
	@$(call install,cc:gcc cc:libc6-dev)
	$(TEST) -race -timeout 30m -skip '^Test(Soak|Long)' ./...
	cd integration/localserver && $(TEST) -race -timeout 10m ./...

soak: test-packages build test-tools
	$(TEST) -json -timeout 35m -run '^TestSoak' ./integration > bin/test-soak.json || true
	$(run-fuzz)
	$(GO) run ./integration/statuscheck -status= bin/test-soak.json bin/test-fuzz.json

fuzz: build
	$(run-fuzz)
	$(GO) run ./integration/statuscheck -status= bin/test-fuzz.json

soak-long: test-packages build test-tools servers
	LATCHFS_CHAOS_FOR=$(FOR) $(TEST) -timeout 0 -count 1 -v -run '^TestLong' -skip '$(OTHERS)' ./integration
	$(TEST) -timeout 0 -count 1 -run '^TestModel$$' ./fs/file -model.trace -model.seeds 200000

test-servers: test-packages build test-tools servers
	$(TEST) -json -timeout 30m -count 1 -parallel 1 -run '^Test(Long)?Servers$$' ./integration -servers.for 20s -servers.record > bin/test-servers.json || true
	$(GO) run ./integration/statuscheck -status= bin/test-servers.json

# Samba and httm, which have to be there: the packages samba, samba-vfs-modules and smbclient, of which
# the first starts a server, and the version of httm that docs/COOKBOOK.md names (LATCHFS_TEST_HTTM, or in PATH).
test-others: test-packages build test-tools
	$(TEST) -json -timeout 10m -count 1 -run '$(OTHERS)' ./integration > bin/test-others.json || true
	$(GO) run ./integration/statuscheck -status= bin/test-others.json

lint:
	@unformatted=$$(gofmt -l $(SOURCES)); \
	  if [ -n "$$unformatted" ]; then echo "run make fmt: $$unformatted"; exit 1; fi
	@for m in $(MODULES); do (cd $$m && $(GO) vet ./... && $(GO) run $(STATICCHECK) ./...) || exit 1; done

fmt:
	gofmt -w $(SOURCES)

# What was built or installed; never DATA.
clean:
	rm -rf bin $(VENV) $(DYNALITE)

run-packages:
	@$(call install,$(RUN_PACKAGES))

test-packages:
	@$(call install,$(TEST_PACKAGES))
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { $(call apt,python3-venv); }

# The servers of make test, each at its pinned version.
test-tools: $(DYNALITE)/.package-lock.json $(VENV)/.installed

$(DYNALITE)/.package-lock.json: integration/dynalite/package-lock.json
	cd integration/dynalite && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(VENV)/.installed: integration/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# The servers that take long to build: MinIO about six minutes. One package at a time, so that it
# does not need much memory.
servers: $(SERVERS)/minio $(SERVERS)/versitygw $(SERVERS)/gofakes3

$(SERVERS)/minio: Makefile
	GOBIN=$(CURDIR)/$(SERVERS) nice $(GO) install -trimpath -p 1 $(MINIO)
	@touch $@

$(SERVERS)/versitygw: Makefile
	GOBIN=$(CURDIR)/$(SERVERS) nice $(GO) install -trimpath -p 1 $(VERSITYGW)
	@touch $@

$(SERVERS)/gofakes3: $(wildcard integration/servers/gofakes3/*)
	cd integration/servers/gofakes3 && nice $(BUILD) -p 1 -o ../../../$@ .
	@touch $@

# Fuzzes every target that the modules have, one after the other; go test takes one at a time.
# What one finds is left below testdata/fuzz of its package, and is to be committed.
define run-fuzz
@: > bin/test-fuzz.json; for m in $(MODULES); do cd $(CURDIR)/$$m; \
  packages=$$($(GO) list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | grep -v '/integration$$'); \
  targets=$$($(TEST) -list '^Fuzz' $$packages) || { echo "$$targets"; exit 1; }; \
  echo "$$targets" | awk '/^Fuzz/ { name[n++] = $$1 } $$1 == "ok" { for (i = 0; i < n; i++) print name[i], $$2; n = 0 }' | \
  while read -r target package; do \
    echo "fuzz $$package.$$target"; \
    $(TEST) -json -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -parallel 2 $$package < /dev/null >> $(CURDIR)/bin/test-fuzz.json || true; \
  done; done
endef

# Installs those of the probe:package words whose probe is not there.
define install
missing=; for p in $(1); do command -v $${p%%:*} >/dev/null || missing="$$missing $${p#*:}"; done; \
  if [ -n "$$missing" ]; then $(call apt,$$missing); fi
endef

define apt
sudo=; if [ "$$(id -u)" != 0 ]; then sudo=sudo; fi; \
  echo "installing" $(1); $$sudo apt-get update -qq && \
  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) > /dev/null
endef
