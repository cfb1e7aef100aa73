# SPDX-License-Identifier: ISC
# What every extension's Makefile shares. OLD_VERSIONS: from which one can update, all by updates/3.x--4.0.sql.

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)

UPDATES = $(OLD_VERSIONS:%=$(EXTENSION)--%--$(EXT_VERSION).sql)
ADOPT = $(EXTENSION)--unpackaged--$(EXT_VERSION).sql
DATA_built += $(UPDATES) $(EXTENSION)--unpackaged.sql $(ADOPT)
PLAIN = $(EXTENSION).sql $(EXTENSION)_unpackage.sql
ifdef HAS_PL
PLAIN += $(EXTENSION)_pl.sql
endif
EXTRA_CLEAN += $(PLAIN)

include $(PGXS)

SQL_PARTS = $(wildcard $(foreach d,structure functions updates pl,$(srcdir)/$(d)/*.sql) $(srcdir)/grants.sql)
MK = $(srcdir)/../mk
ASSEMBLE = $(MK)/assemble.sh
PARTS = $(SQL_PARTS) $(ASSEMBLE) $(wildcard $(MK)/*.sql)

all: $(PLAIN)

$(EXTENSION)--$(EXT_VERSION).sql: $(PARTS)
	bash $(ASSEMBLE) $(srcdir) > $@.new && mv $@.new $@

$(ADOPT): $(PARTS)
	bash $(ASSEMBLE) $(srcdir) adopt > $@.new && mv $@.new $@

$(UPDATES): $(PARTS)
	bash $(ASSEMBLE) $(srcdir) updates/3.x--$(EXT_VERSION).sql > $@.new && mv $@.new $@

# Scripts for psql, where no extension can be made. In a folder of our own: contrib has those of PgQ 3.
$(EXTENSION).sql: $(PARTS)
	bash $(ASSEMBLE) $(srcdir) plain > $@.new && mv $@.new $@

$(EXTENSION)_pl.sql: $(PARTS)
	bash $(ASSEMBLE) $(srcdir) plain-pl > $@.new && mv $@.new $@

$(EXTENSION)_unpackage.sql $(EXTENSION)--unpackaged.sql: $(EXTENSION)%.sql: $(PARTS)
	sed 's/@EXTENSION@/$(EXTENSION)/g' $(MK)/$(subst --,,$(subst _,,$*)).sql > $@.new && mv $@.new $@

install: install-plain
install-plain: $(PLAIN)
	$(MKDIR_P) '$(DESTDIR)$(datadir)/skytools'
	$(INSTALL_DATA) $(PLAIN) '$(DESTDIR)$(datadir)/skytools/'

.PHONY: install-plain
