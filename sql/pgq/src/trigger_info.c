#include "pgq.h"
void pgq_init_triggers(void) {}
PG_FUNCTION_INFO_V1(pgq_logutriga);
Datum pgq_logutriga(PG_FUNCTION_ARGS) { PG_RETURN_NULL(); }
