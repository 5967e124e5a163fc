/*
 * convert_file_out.h
 *		Between the files of the converter from Datums to records of a file.
 */
#ifndef MC_CONVERT_FILE_OUT_H
#define MC_CONVERT_FILE_OUT_H

#include "oss_write.h"

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "utils/date.h"

typedef struct McFileColumn McFileColumn;

/* gives the next value of the record to the file's writer; raises what the type's own functions raise */
typedef void (*McFilePut) (McFileOut *file, McFileColumn *column, Datum value);

struct McFileColumn
{
	McFilePut	put;
	AttrNumber	attnum;
	const char *attname;
	Oid			type;			/* below domains */
	FmgrInfo	function;		/* output function, or to json */
};

/* what becomes of a record, which is made in the server's encoding */
typedef enum McFileRecode
{
	MC_FILE_AS_IT_IS,
	MC_FILE_VERIFY,				/* nobody knows the server's encoding: it must be the file's */
	MC_FILE_CONVERT
} McFileRecode;

/* A span of time in which a time zone is at one distance from UTC, in Unix seconds */
typedef struct McZoneSpan
{
	const pg_tz *zone;
	pg_time_t	from;
	pg_time_t	to;
	long		gmtoff;
} McZoneSpan;

struct McFileOut
{
	mcw_row_writer w;
	const McOssTable *table;
	bool		json;
	McFileColumn *columns;		/* fields, in the order of the file */
	int			ncolumns;
	McFileColumn *rest;			/* jsonl, field '*'; NULL = none */
	AttrNumber	last;			/* attribute needed of a slot */
	const mcw_view *names;
	pg_tz	   *zone;
	McZoneSpan	span;
	McFileRecode recode;
	FmgrInfo	conversion;
	mcw_alloc	alloc;
};

/* ---- convert_file_out_value.c ---- */

/* chooses column->put; 'type' may be a domain */
extern void mcFilePrepare(McFileOut *file, McFileColumn *column, Oid type);

/* ---- convert_file_out_text.c: the text of hot types, without their output functions ---- */

#define MC_FILE_TEXT 160		/* enough for each of them */

/* each returns the length; the text is not terminated */
extern int	mcFileDate(DateADT date, int style, char *to);
extern int	mcFileTimestamp(Timestamp at, int style, char *to);
/* in the session's time zone */
extern int	mcFileTimestampTz(TimestampTz at, int style, McZoneSpan *span, char *to);
/* 0: too long, or not a number; ask numeric_out */
extern int	mcFileNumeric(const struct varlena *packed, char *to);
extern int	mcFileUuid(const uint8 *bytes, char *to);

/* ---- convert_file_out_recode.c ---- */

/* raises if the encoding cannot be made from the server's */
extern void mcFileRecodeInit(McFileOut *file);
/*
 * Brings the bytes of the target from 'start' into the file's encoding.  NULL, or why
 * not: then they are as they were and *bad is the place in them.
 */
extern const char *mcFileRecode(McFileOut *file, size_t start, int *sqlstate, size_t *bad);

#endif							/* MC_CONVERT_FILE_OUT_H */
