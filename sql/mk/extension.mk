# SPDX-License-Identifier: ISC
# What every extension's Makefile shares.

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

SQL_PARTS = $(wildcard $(srcdir)/structure/*.sql $(srcdir)/functions/*.sql $(srcdir)/grants.sql)

$(EXTENSION)--$(EXT_VERSION).sql: $(SQL_PARTS) $(srcdir)/../mk/assemble.sh
	bash $(srcdir)/../mk/assemble.sh $(srcdir) > $@.new && mv $@.new $@
