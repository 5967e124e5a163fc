# mc_fdw: Alibaba Cloud Log Service, Tablestore, OSS and MaxCompute as foreign tables.
#
#   make, make install      the extension (PGXS)
#   make demo               a fresh Debian machine to rows on the screen
#   make check              every test that fits CI
#   make help               the other targets

EXTENSION = mc_fdw
MODULE_big = mc_fdw
DATA_built = mc_fdw--1.0.sql
OBJS = $(patsubst %.c,%.o,$(wildcard src/*/*.c))
ALL_HEADERS = $(wildcard src/*/*.h)

REGRESS ?= $(patsubst sql/%.sql,%,$(wildcard sql/*.sql))
REGRESS_OPTS = --load-extension=mc_fdw

PKGS = libcurl libcrypto libprotobuf-c json-c libxml-2.0 liblz4 libzstd zlib liblzma libisal
PG_CPPFLAGS = $(shell pkg-config --cflags $(PKGS))
PG_CFLAGS = -std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-declaration-after-statement
SHLIB_LINK = $(shell pkg-config --libs $(PKGS)) -lsnappy -lbz2

PG_CONFIG ?= pg_config

# These must work before pg_config exists, and PGXS has a "check" of its own.
ifneq (,$(filter demo check deps help,$(MAKECMDGOALS)))
include test/front.mk
else
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(PGXS),)
include $(PGXS)
src/wire/%.o src/net/%.o src/service/%.o: CFLAGS += -fvisibility=hidden
mc_fdw--1.0.sql: $(sort $(wildcard src/ddl/*.sql))
	{ echo '\\echo Use "CREATE EXTENSION mc_fdw" to load this file. \\quit'; cat $^; } >$@
$(OBJS): $(ALL_HEADERS)
else
all install:
	@echo "pg_config not found: run 'make deps' (as root or with sudo), or set PG_CONFIG" >&2; exit 1
endif
include test/rules.mk
endif
