/*
 * fuzz_sls.c
 *		LogGroup reader: what it accepts to the end, protobuf-c must decode to the same
 *		contents.  The first byte chooses between a list and a bare group.
 */
#include <stdlib.h>

#include "../vectors/sls_oracle.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const mcw_view wanted[] = {{"level", 5}, {"a", 1}, {"", 0}, {"a", 1}, {"status", 6}};
	mcw_view	page = {(const char *) data + 1, size - 1};
	bool		is_list;

	if (size == 0)
		return 0;
	is_list = data[0] & 1;
	if (mcw_sls_validate(page, is_list, NULL, NULL, NULL) == MCW_OK)
	{
		if (!oracle_page(page, is_list, wanted, 5))
			abort();
	}
	else
	{
		/* walk what there is, with columns */
		mcw_sls_column columns[2] = {{MCW_SLS_FIELD, {"a", 1}}, {MCW_SLS_TAG, {"env", 3}}};
		mcw_sls_reader *reader = mcw_sls_reader_create(&mcw_malloc, columns, 2);
		mcw_view	values[2];
		mcw_sls_group group;
		mcw_sls_log log;
		mcw_error	err;

		if (is_list)
			mcw_sls_reader_page(reader, page);
		else
			mcw_sls_reader_put_body(reader, page);
		while (mcw_sls_next_group(reader, &group, &err) == MCW_OK)
			while (mcw_sls_next_log(reader, &log, values, &err) == MCW_OK)
				;
		mcw_sls_reader_free(reader);
	}
	return 0;
}
