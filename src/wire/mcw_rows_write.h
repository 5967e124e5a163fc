/*
 * mcw_rows_write.h
 *		Between the files of the writers of rows.
 */
#ifndef MCW_ROWS_WRITE_H
#define MCW_ROWS_WRITE_H

#include "mcw_rows.h"

/* prepares the names; the caller frees after a failure */
extern mcw_status mcw_write_jsonl_init(mcw_row_writer *w, mcw_error *err);

#endif							/* MCW_ROWS_WRITE_H */
