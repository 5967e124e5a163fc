/*
 * ots_private.h
 *		mc-emulator, Tablestore part: what the files of tables and rows share, and
 *		those of streams, tunnels and transactions need not know.
 */
#ifndef OTS_PRIVATE_H
#define OTS_PRIVATE_H

#include "ots.h"

/* Limits and behaviour that the command "set" changes; ots_service.c */
typedef struct ots_settings
{
	int64_t		max_body;		/* bytes of a request, 5 MB */
	int64_t		page_rows;		/* rows scanned by one GetRange, 5000 */
	int64_t		page_bytes;		/* bytes scanned by one GetRange, 4 MB */
	int64_t		batch_bytes;	/* BatchWriteRow, 4194304 */
	int64_t		split_unit;		/* ComputeSplitPointsBySize without a unit, 100 MB */
	int64_t		create_ms;		/* a new table is not ready for so long */
	int64_t		cache_bytes;	/* encoded pages kept */
	bool		compress;		/* answers, if the client asks */
	int64_t		split_mib;		/* bytes that a MiB of a split's size counts as: small tables have splits too */
	bool		split_prefix;	/* split points hold the first key column only */
	bool		capacity;		/* enforce reserved throughput */
} ots_settings;

extern ots_settings ots_set;
extern void ots_planned_fault(ots_fault *f, const char *missing);	/* the "code" of the rule that struck */
/* row_error of the fault plan: once per request, then for each row in order */
extern void ots_plan_rows(ots_call *call);
extern bool ots_row_struck(ots_call *call, ots_fault *why);	/* true: this row fails with 'why' */

/* ots_auth.c */
extern bool ots_authenticate(ots_call *call);
extern bool ots_inflate(ots_call *call);
extern void ots_finish(ots_call *call);

/* ots_table.c */
extern ots_table *ots_table_new(ots_instance *inst, mcw_view name);	/* empty, in no list */
extern void ots_table_add(ots_table *table);
extern void ots_table_free(ots_table *table);
extern void ots_schema_add(ots_table *table, mcw_view name, mcw_ots_type type, bool auto_increment);
extern void ots_partition_reset(ots_table *table, int64_t now_us);	/* one partition for everything */
extern void ots_partition_restore(ots_table *table, uint64_t id, int32_t epoch, int64_t created_us, const mcw_ots_value *begin);

/* ots_check.c */
extern bool ots_name_ok(mcw_view name, bool is_column);
extern bool ots_check_cells(const ots_change_row *row, int kind, ots_fault *why);
extern bool ots_check_values(const ots_change_row *row, ots_fault *why);

/* ots_filter.c */
typedef struct ots_filter ots_filter;
extern bool ots_filter_parse(mcw_view bytes, bool may_page, mcw_arena *arena, ots_filter **filter, ots_fault *why);
/* Cells by name, version descending */
extern bool ots_filter_match(const ots_filter *filter, const ots_cell *cells, int n);
/* A pagination filter at the top: the window of columns to keep */
extern bool ots_filter_window(const ots_filter *filter, int32_t *offset, int32_t *limit);

/* ots_read.c */
typedef struct ots_selection
{
	mcw_view   *columns;		/* sorted, distinct */
	int			ncolumns;
	bool		has_key_column;
	bool		whole_key;		/* return_entire_primary_keys */
	bool		has_range;
	int64_t		start;
	int64_t		end;
	int32_t		max_versions;	/* 0 = not given */
	bool		has_max_versions;
	bool		has_specific;
	bool		has_start;
	bool		has_end;
	int64_t		specific;
	mcw_view	start_column;	/* data NULL = none */
	mcw_view	end_column;
	mcw_view	filter_bytes;
	ots_filter *filter;
} ots_selection;

/* One member of a read request that belongs to the selection: fields of 2.2 by role */
extern bool ots_selection_range(ots_selection *sel, mcw_view message, ots_fault *why);
extern void ots_selection_column(ots_selection *sel, mcw_arena *arena, mcw_view name);
extern bool ots_selection_check(ots_selection *sel, const ots_table *table, mcw_arena *arena, ots_fault *why);
/* Versions of a row that are readable now, into cells (room for row->ncells); the number */
extern int	ots_visible(const ots_table *table, const ots_row *row, int64_t now_us, ots_cell *cells);
/* Is there a row at all: TTL may have taken all its cells */
extern bool ots_row_alive(const ots_table *table, const ots_row *row, int64_t now_us);
/* Appends the row without header as selected; false: the row is not returned */
extern bool ots_put_row(mcw_buf *out, const ots_table *table, const ots_row *row, const ots_selection *sel,
						int64_t now_us, size_t *size);
extern ots_cell *ots_cells_room(uint32_t n);	/* a shared array; valid until the next call */
extern ots_txn *ots_txn_of(ots_table *table, mcw_view id, int64_t now_us, ots_fault *why);
extern int32_t ots_units(uint64_t bytes);	/* capacity units of so many bytes, at least 1 */
extern bool ots_use_capacity(ots_table *table, int32_t read, int32_t write, int64_t now_us, ots_fault *why);

/* operations */
extern void ots_create_table(ots_call *call);
extern void ots_list_table(ots_call *call);
extern void ots_describe_table(ots_call *call);
extern void ots_update_table(ots_call *call);
extern void ots_delete_table(ots_call *call);
extern void ots_load_table(ots_call *call);
extern void ots_add_defined_column(ots_call *call);
extern void ots_delete_defined_column(ots_call *call);
extern void ots_get_row(ots_call *call);
extern void ots_batch_get_row(ots_call *call);
extern void ots_get_range(ots_call *call);
extern void ots_put_row_call(ots_call *call);
extern void ots_update_row_call(ots_call *call);
extern void ots_delete_row_call(ots_call *call);
extern void ots_batch_write_row(ots_call *call);
extern void ots_compute_splits(ots_call *call);

/* ots_page.c: answers kept for the same request against the same rows */
extern bool ots_page_cached(ots_call *call, const ots_table *table);
extern void ots_page_keep(ots_call *call, const ots_table *table, int32_t units);
extern void ots_page_forget(void);

/* ots_write.c */
typedef struct ots_write
{
	int			kind;			/* OperationType: 1 PUT, 2 UPDATE, 3 DELETE */
	ots_change_row row;
	int			existence;		/* RowExistenceExpectation */
	ots_filter *condition;
	bool		has_condition;
	int			return_type;
	mcw_view   *return_columns;
	int			nreturn;
	ots_table  *table;
	ots_txn    *txn;
	mcw_ots_key key;
	mcw_view	sort;
	bool		auto_increment;
} ots_write;

extern bool ots_write_parse(ots_write *w, int kind, mcw_view row, mcw_view condition, mcw_view return_content,
							mcw_arena *arena, ots_fault *why);
/* The checks that need the table; fills key and sort */
extern bool ots_write_bind(ots_write *w, ots_table *table, mcw_arena *arena, ots_fault *why);
extern bool ots_write_run(ots_call *call, ots_write *w, mcw_buf *returned, int32_t *read, int32_t *written, ots_fault *why);

/* ots_command.c, ots_generate.c, ots_save.c */
extern bool ots_command(const mcw_node *cmd, mcw_buf *reply, mcw_error *err);
extern bool ots_command_table(const mcw_node *cmd, ots_table **table, mcw_error *err);
extern bool ots_json_value(const mcw_node *n, mcw_arena *arena, mcw_ots_value *v, mcw_error *err);
/* A change that comes from a command: checked and run like a client's */
extern bool ots_command_write(ots_table *table, ots_write *w, mcw_arena *arena, mcw_error *err);
extern bool ots_generate(const mcw_node *cmd, mcw_buf *reply, mcw_error *err);
extern void ots_state(mcw_buf *reply);
extern bool ots_save(FILE *out);
extern bool ots_load(FILE *in, mcw_error *err);

#endif							/* OTS_PRIVATE_H */
