/*
 * ots_read_all.h
 *		Reading a page of Tablestore rows to its end or its first error.
 */
#ifndef OTS_READ_ALL_H
#define OTS_READ_ALL_H

#include "unit.h"

#include "../../src/wire/mcw_ots.h"

/* Reads all rows: MCW_END or the error */
static inline mcw_status
read_all(mcw_view bytes, bool padding, mcw_error *err)
{
	static const mcw_view columns[] = {{"pk1", 3}, {"a", 1}, {"col", 3}};
	mcw_ots_reader *reader = mcw_ots_reader_create(&mcw_malloc, columns, 3);
	mcw_ots_value values[3];
	mcw_ots_row row;
	char	   *exact = malloc(bytes.len + 1);
	mcw_view	copy = {exact + 1, bytes.len};
	mcw_status	status;

	memcpy(exact + 1, bytes.data, bytes.len);
	status = mcw_ots_reader_page(reader, copy, padding, err);
	while (status == MCW_OK)
		status = mcw_ots_next_row(reader, &row, values, NULL, err);
	if (status != MCW_END)
	{
		CHECK(status == MCW_ERR_FORMAT || status == MCW_ERR_CHECKSUM);
		CHECK(err->offset <= bytes.len && err->message[0] != '\0');
	}
	free(exact);
	mcw_ots_reader_free(reader);
	return status;
}

#endif							/* OTS_READ_ALL_H */
