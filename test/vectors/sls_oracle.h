/*
 * sls_oracle.h
 *		Does protobuf-c see in some bytes what mcw_sls sees?
 */
#ifndef SLS_ORACLE_H
#define SLS_ORACLE_H

#include "../../src/wire/mcw_sls.h"
#include "log.pb-c.h"

static inline bool
oracle_bytes(mcw_view got, bool has, ProtobufCBinaryData want)
{
	mcw_view	v = {(const char *) want.data, want.len};

	return has ? got.data && mcw_view_eq(got, v) : got.data == NULL;
}

static inline bool
oracle_log(const mcw_sls_log *log, const Sls__Log *want)
{
	size_t		pos = 0;
	mcw_view	key;
	mcw_view	value;

	if (log->time != want->time || log->has_time_ns != want->has_time_ns ||
		(log->has_time_ns && log->time_ns != want->time_ns))
		return false;
	for (size_t i = 0; i < want->n_contents; i++)
		if (mcw_sls_next_content(log->body, &pos, &key, &value) != MCW_OK ||
			!oracle_bytes(key, true, want->contents[i]->key) ||
			!oracle_bytes(value, true, want->contents[i]->value))
			return false;
	return mcw_sls_next_content(log->body, &pos, &key, &value) == MCW_END;
}

/* 'values' has room for the reader's columns, which were all FIELDs named 'names' */
static inline bool
oracle_values(const Sls__Log *want, const mcw_view *values, const mcw_view *names, int ncolumns)
{
	for (int c = 0; c < ncolumns; c++)
	{
		const Sls__Log__Content *last = NULL;

		for (size_t i = 0; i < want->n_contents; i++)
			if (oracle_bytes(names[c], true, want->contents[i]->key))
				last = want->contents[i];
		if (last ? !oracle_bytes(values[c], true, last->value) : values[c].data != NULL)
			return false;
	}
	return true;
}

static inline bool
oracle_group(mcw_sls_reader *reader, const mcw_sls_group *group, const Sls__LogGroup *want,
			 const mcw_view *names, int ncolumns)
{
	mcw_view	values[64];
	mcw_sls_log log;
	size_t		pos = 0;
	mcw_view	key;
	mcw_view	value;

	if (!oracle_bytes(group->category, want->has_category, want->category) ||
		!oracle_bytes(group->topic, want->has_topic, want->topic) ||
		!oracle_bytes(group->source, want->has_source, want->source) ||
		!oracle_bytes(group->machine_uuid, want->has_machineuuid, want->machineuuid))
		return false;
	for (size_t i = 0; i < want->n_logtags; i++)
		if (mcw_sls_next_tag(group->body, &pos, &key, &value) != MCW_OK ||
			!oracle_bytes(key, true, want->logtags[i]->key) ||
			!oracle_bytes(value, true, want->logtags[i]->value))
			return false;
	if (mcw_sls_next_tag(group->body, &pos, &key, &value) != MCW_END)
		return false;
	for (size_t i = 0; i < want->n_logs; i++)
		if (mcw_sls_next_log(reader, &log, values, NULL) != MCW_OK ||
			!oracle_log(&log, want->logs[i]) ||
			!oracle_values(want->logs[i], values, names, ncolumns))
			return false;
	return mcw_sls_next_log(reader, &log, values, NULL) == MCW_END;
}

/*
 * The bytes are sound to mcw_sls: protobuf-c must decode them, to the same.  At
 * most 64 columns.
 */
static inline bool
oracle_page(mcw_view page, bool is_list, const mcw_view *names, int ncolumns)
{
	Sls__LogGroupList *list = NULL;
	Sls__LogGroup *single = NULL;
	mcw_sls_column columns[64];
	mcw_sls_reader *reader;
	mcw_sls_group group;
	bool		same;

	for (int c = 0; c < ncolumns; c++)
		columns[c] = (mcw_sls_column) {MCW_SLS_FIELD, names[c]};
	reader = mcw_sls_reader_create(&mcw_malloc, columns, ncolumns);
	if (is_list)
	{
		list = sls__log_group_list__unpack(NULL, page.len, (const uint8_t *) page.data);
		mcw_sls_reader_page(reader, page);
	}
	else
	{
		single = sls__log_group__unpack(NULL, page.len, (const uint8_t *) page.data);
		mcw_sls_reader_put_body(reader, page);
	}
	same = list || single;
	for (size_t i = 0; same && i < (list ? list->n_loggroups : 1); i++)
		same = mcw_sls_next_group(reader, &group, NULL) == MCW_OK && group.index == (int) i &&
			oracle_group(reader, &group, list ? list->loggroups[i] : single, names, ncolumns);
	same = same && mcw_sls_next_group(reader, &group, NULL) == MCW_END;
	if (list)
		sls__log_group_list__free_unpacked(list, NULL);
	if (single)
		sls__log_group__free_unpacked(single, NULL);
	mcw_sls_reader_free(reader);
	return same;
}

/* Does protobuf-c take the bytes at all? */
static inline bool
oracle_accepts(mcw_view page, bool is_list)
{
	Sls__LogGroupList *list;
	Sls__LogGroup *single;

	if (is_list)
	{
		list = sls__log_group_list__unpack(NULL, page.len, (const uint8_t *) page.data);
		if (list)
			sls__log_group_list__free_unpacked(list, NULL);
		return list != NULL;
	}
	single = sls__log_group__unpack(NULL, page.len, (const uint8_t *) page.data);
	if (single)
		sls__log_group__free_unpacked(single, NULL);
	return single != NULL;
}

#endif							/* SLS_ORACLE_H */
