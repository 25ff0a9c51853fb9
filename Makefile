# mlplat: machine learning inside PostgreSQL.  "make help" lists the targets.
EXTENSION   = mlplat
EXTVERSION  = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" mlplat.control)
MODULE_big  = mlplat

# Every C file below src is part of the module, except the dense algebra, which is a module of its own.
SOURCES     = $(sort $(wildcard src/*.c src/*/*.c src/*/*/*.c src/*/*/*/*.c))
DENSE_SRC   = src/ml/base/dense_lapack.c src/pg/dense_module.c
MODULE_SRC  = $(filter-out $(DENSE_SRC),$(SOURCES))
ML_SRC      = $(filter src/ml/%,$(MODULE_SRC))
OBJS        = $(MODULE_SRC:.c=.o)

DATA_built  = sql/$(EXTENSION)--$(EXTVERSION).sql
EXTRA_CLEAN = sql/$(EXTENSION)--*.sql mlplat_dense.so $(DENSE_SRC:.c=.o) $(SOURCES:.c=.d) build

PG_CONFIG  ?= pg_config
export PG_CONFIG
# LLVM bitcode is of no use to us and breaks target_clones.
override with_llvm = no

WARNINGS    = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
# Without hidden visibility two extensions would share symbols of one name.
PG_CPPFLAGS = -Isrc -DMLPLAT_VERSION='"$(EXTVERSION)"'
PG_CFLAGS   = -std=gnu11 -fvisibility=hidden '-DPGDLLEXPORT=__attribute__((visibility("default")))' $(WARNINGS) -MMD -MP
SHLIB_LINK  = -lpthread

# The tests bring their own server and data: see test/run.
NO_INSTALLCHECK = 1

.DEFAULT_GOAL := all
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(wildcard $(PGXS)),)
include $(PGXS)

# The mathematics: no contraction into FMA, for bits are promised; never -ffast-math.  The server's -fwrapv is for code that
# relies on it, which this does not (its tests run under UBSan): with it gbdt's histograms take a fifth longer.
$(ML_SRC:.c=.o): CFLAGS += -O3 -fno-wrapv -ffp-contract=off -fno-math-errno -fno-trapping-math

all: mlplat_dense.so

mlplat_dense.so: $(DENSE_SRC:.c=.o)
	$(CC) $(CFLAGS) -shared -o $@ $^ -Wl,--as-needed -llapacke -lopenblas

install: install-dense
.PHONY: install-dense
install-dense: mlplat_dense.so
	$(MKDIR_P) '$(DESTDIR)$(pkglibdir)'
	$(INSTALL_SHLIB) mlplat_dense.so '$(DESTDIR)$(pkglibdir)/mlplat_dense.so'

uninstall: uninstall-dense
.PHONY: uninstall-dense
uninstall-dense:
	rm -f '$(DESTDIR)$(pkglibdir)/mlplat_dense.so'

sql/$(EXTENSION)--$(EXTVERSION).sql: sql/parts $(shell grep -v '^\#' sql/parts) mlplat.control
	{ for part in $$(grep -v '^#' sql/parts); do echo "-- $$part"; cat $$part; echo; done; } > $@

-include $(SOURCES:.c=.d)
else
# Before PostgreSQL's development files are there: get them and begin again.
all install: setup
	@$(PG_CONFIG) --pgxs >/dev/null && $(MAKE) --no-print-directory $@
clean:
	rm -rf build
endif

# Everything below brings its own server and leaves every other one alone.
TESTS    = unit fuzz docs sql iso pgtap tap
GUARDS   = layers exports headers versions
.PHONY: help setup built demo test test-slow bench docs $(TESTS:%=test-%) $(GUARDS:%=check-%) check-docs

help:				## this list
	@sed -nE 's/^([a-z][a-z -]*):[^#]*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 28
	@echo '  make test-KIND            one kind of test: $(TESTS); ONLY="name name" picks files'
	@echo '  make check-RULE           one guard: $(GUARDS) docs'

setup:				## install the Debian packages that are missing (as root or with sudo)
	@test/setup

# A make of its own: only now are PostgreSQL's makefiles certain to be there.
built: setup
	@$(MAKE) --no-print-directory -q all 2>/dev/null || echo "Building (a minute or so) ..."
	@$(MAKE) --no-print-directory -s -j$(shell nproc) all

demo: built			## build, start a private server, show what mlplat does, stop the server
	@test/demo

test: built			## every kind of test, on private servers (a few minutes)
	@test/run

test-slow: built		## sanitizers in the server, fuzzing for minutes, tests that take long
	@test/run slow

bench: built			## speed and quality against other libraries
	@test/bench/run

docs: built			## write doc/reference from the code, and the outputs that README and the tutorials show
	@doc/generate
	@doc/examples write

check-docs: test-docs

installcheck: test-sql test-iso

$(TESTS:%=test-%): test-%: built
	@test/run $*

$(GUARDS:%=check-%): check-%: built
	@test/guards $*
