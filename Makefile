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
# LLVM bitcode is of no use to us and breaks target_clones.
override with_llvm = no

WARNINGS    = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
# Without hidden visibility two extensions would share symbols of one name.
PG_CPPFLAGS = -Isrc -DMLPLAT_VERSION='"$(EXTVERSION)"'
PG_CFLAGS   = -std=gnu11 -fvisibility=hidden '-DPGDLLEXPORT=__attribute__((visibility("default")))' $(WARNINGS) -MMD -MP
SHLIB_LINK  = -lpthread

REGRESS        = $(sort $(patsubst test/sql/%.sql,%,$(wildcard test/sql/*.sql)))
REGRESS_OPTS   = --inputdir=test
ISOLATION      = $(sort $(patsubst test/specs/%.spec,%,$(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=.

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# The mathematics: no contraction into FMA, for bits are promised; never -ffast-math.
$(ML_SRC:.c=.o): CFLAGS += -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math

all: mlplat_dense.so

mlplat_dense.so: $(DENSE_SRC:.c=.o)
	$(CC) $(CFLAGS) -shared -o $@ $^ -Wl,--as-needed -llapacke -lopenblas

install: install-dense
.PHONY: install-dense
install-dense: mlplat_dense.so
	$(MKDIR_P) '$(DESTDIR)$(pkglibdir)'
	$(INSTALL_SHLIB) mlplat_dense.so '$(DESTDIR)$(pkglibdir)/mlplat_dense.so'

sql/$(EXTENSION)--$(EXTVERSION).sql: sql/parts $(shell grep -v '^\#' sql/parts) mlplat.control
	{ for part in $$(grep -v '^#' sql/parts); do echo "-- $$part"; cat $$part; echo; done; } > $@

-include $(SOURCES:.c=.d)
