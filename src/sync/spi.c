/*
 * spi.c
 *		Bookkeeping statements of the sync layer, by SPI.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "sync.h"

uint64
mcSpi(const char *sql, int expected, int nargs, const Oid *types, const Datum *values, const char *nulls)
{
	int			result = SPI_execute_with_args(sql, nargs, unconstify(Oid *, types), unconstify(Datum *, values),
											   nulls, false, 0);

	if (result != expected)
		elog(ERROR, "bookkeeping statement gave %s: %s", SPI_result_code_string(result), sql);
	return SPI_processed;
}

char *
mcSpiText(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

Datum
mcSpiDatum(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

int64
mcSpiInt(uint64 row, int column, int64 if_null)
{
	bool		isnull;
	Datum		value = mcSpiDatum(row, column, &isnull);

	if (isnull)
		return if_null;
	return SPI_gettypeid(SPI_tuptable->tupdesc, column) == INT4OID ? DatumGetInt32(value) : DatumGetInt64(value);
}

void
mcBooksBegin(McBooks *books)
{
	GetUserIdAndSecContext(&books->user, &books->context);
	books->nest = NewGUCNestLevel();
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID,
						   books->context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
mcBooksEnd(const McBooks *books)
{
	AtEOXact_GUC(true, books->nest);
	SetUserIdAndSecContext(books->user, books->context);
}
