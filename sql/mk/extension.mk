# SPDX-License-Identifier: ISC
# What every extension's Makefile shares. OLD_VERSIONS: from which one can update, all by updates/3.x--4.0.sql.

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)

ifdef OLD_VERSIONS
DATA_built += $(OLD_VERSIONS:%=$(EXTENSION)--%--$(EXT_VERSION).sql)
endif
EXTRA_CLEAN += $(EXTENSION).sql

include $(PGXS)

SQL_PARTS = $(wildcard $(srcdir)/structure/*.sql $(srcdir)/functions/*.sql $(srcdir)/grants.sql)
ASSEMBLE = $(srcdir)/../mk/assemble.sh

all: $(EXTENSION).sql

$(EXTENSION)--$(EXT_VERSION).sql: $(SQL_PARTS) $(ASSEMBLE)
	bash $(ASSEMBLE) $(srcdir) > $@.new && mv $@.new $@

$(EXTENSION)--%--$(EXT_VERSION).sql: $(srcdir)/updates/3.x--$(EXT_VERSION).sql $(SQL_PARTS) $(ASSEMBLE)
	bash $(ASSEMBLE) $(srcdir) updates/3.x--$(EXT_VERSION).sql > $@.new && mv $@.new $@

# The plain script, for psql -f where no extension can be made. In a folder of our own: contrib has those of PgQ 3.
$(EXTENSION).sql: $(SQL_PARTS) $(ASSEMBLE)
	bash $(ASSEMBLE) $(srcdir) plain > $@.new && mv $@.new $@

install: install-plain
install-plain: $(EXTENSION).sql
	$(MKDIR_P) '$(DESTDIR)$(datadir)/skytools'
	$(INSTALL_DATA) $(EXTENSION).sql '$(DESTDIR)$(datadir)/skytools/'

.PHONY: install-plain
