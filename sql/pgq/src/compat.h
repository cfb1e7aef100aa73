/*
 * SPDX-License-Identifier: ISC
 *
 * compat.h
 *	  What differs between PostgreSQL 14 and 18. No other file tests the version.
 */
#ifndef PGQ_COMPAT_H
#define PGQ_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 140000 || PG_VERSION_NUM >= 190000
#error "pgq is made for PostgreSQL 14 to 18"
#endif

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/rel.h"

/* 16 has one function for the rights on any kind of object. */
static inline AclResult
pgq_function_aclcheck(Oid function, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE);
#else
	return pg_proc_aclcheck(function, role, ACL_EXECUTE);
#endif
}

/* 17 has added a flag to ask for stronger locks too. */
static inline bool
pgq_lock_is_held(Oid relid, LOCKMODE mode)
{
	LOCKTAG		tag;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, relid);
#if PG_VERSION_NUM >= 170000
	return LockHeldByMe(&tag, mode, false);
#else
	return LockHeldByMe(&tag, mode);
#endif
}

/* 18 has generated columns whose values are nowhere stored. */
static inline bool
pgq_is_virtual(Form_pg_attribute att)
{
#if PG_VERSION_NUM >= 180000
	return att->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL;
#else
	return false;
#endif
}

static inline bool
pgq_has_generated(TupleDesc desc)
{
	if (desc->constr == NULL)
		return false;
#if PG_VERSION_NUM >= 180000
	if (desc->constr->has_generated_virtual)
		return true;
#endif
	return desc->constr->has_generated_stored;
}

#endif
