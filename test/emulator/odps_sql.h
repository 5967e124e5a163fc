/*
 * odps_sql.h
 *		mc-emulator, MaxCompute part: a parsed statement of the SQL subset (maxcompute.md
 *		10.4).  Views point into the statement text or the arena.
 */
#ifndef ODPS_SQL_H
#define ODPS_SQL_H

#include "odps.h"

typedef enum odps_sql_kind
{
	SQL_NOTHING,
	SQL_CREATE_TABLE,
	SQL_DROP_TABLE,
	SQL_TRUNCATE,
	SQL_ADD_PARTITION,
	SQL_DROP_PARTITION,
	SQL_DESC,
	SQL_SHOW_PARTITIONS,
	SQL_SHOW_SCHEMAS,
	SQL_SHOW_TABLES,
	SQL_CREATE_SCHEMA,
	SQL_DROP_SCHEMA,
	SQL_DESC_SCHEMA,
	SQL_SELECT_ONE,
	SQL_SELECT_ALL,
	SQL_SELECT_COUNT
} odps_sql_kind;

/* k = v [, | AND k = v ...] */
typedef struct odps_sql_spec
{
	mcw_view	name[ODPS_MAX_KEYS];
	mcw_view	value[ODPS_MAX_KEYS];
	int			n;
	int			at;				/* offset in the text, for messages */
} odps_sql_spec;

typedef struct odps_stmt
{
	odps_sql_kind kind;
	bool		if_clause;		/* IF EXISTS or IF NOT EXISTS */
	mcw_view	name[3];
	int			nname;
	int			name_at;
	odps_coldef *cols;
	int			ncols;
	odps_coldef *keys;
	int			nkeys;
	mcw_view	comment;
	int64_t		lifecycle;
	bool		transactional;
	mcw_view	primary_key;	/* comma separated */
	mcw_view	properties;		/* JSON object */
	odps_sql_spec *specs;
	int			nspecs;
	bool		has_where;
	odps_sql_spec where;
	int64_t		limit;			/* -1 none */
} odps_stmt;

/* false: err->message is the text of a parse error */
extern bool odps_sql_parse(mcw_view text, mcw_arena *arena, odps_stmt *stmt, mcw_error *err);
extern void odps_sql_position(mcw_view text, int at, int *line, int *column);
/* odps_select.c; the statement's table is resolved already */
extern bool odps_select(const odps_stmt *stmt, odps_table *table, bool odps2, mcw_arena *arena, odps_result *result, mcw_error *err);

#endif							/* ODPS_SQL_H */
