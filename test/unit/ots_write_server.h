/*
 * ots_write_server.h
 *		A small Tablestore for writes: BatchWriteRow and GetRow on a table of few rows,
 *		with failures of rows and requests by script or by chance.
 *
 * It also watches the writer: a key twice in one request or in flight is counted.
 */
#ifndef OTS_WRITE_SERVER_H
#define OTS_WRITE_SERVER_H

#include "ots_server.h"
#include "../../src/service/mcs_ots_write.h"

#define W_KEYS 4096
#define W_COLUMNS 5				/* named "a" .. "e" */
#define W_BAD INT64_C(-666)		/* a row with this value is refused */

typedef struct w_row
{
	bool		exists;
	bool		has[W_COLUMNS];
	int64_t		version[W_COLUMNS];
	int64_t		value[W_COLUMNS];
} w_row;

typedef enum w_act
{
	W_FINE,
	W_LOST,						/* applied, then the connection is reset */
	W_RESET,					/* not applied, the connection is reset */
	W_HTTP,						/* not applied: 'http', 'code' */
	W_HTTP_APPLIED,				/* the same, but applied */
	W_ROWS,						/* rows number 0, 'every', 2 * every fail with 'code', the others are applied */
	W_ROWS_APPLIED				/* the same, but they are applied too */
} w_act;

typedef struct w_step
{
	w_act		act;
	int			http;
	const char *code;
	int			every;
} w_step;

typedef struct w_model
{
	ots_model	model;			/* schema, lock; first */
	w_row		rows[W_KEYS];
	const w_step *steps;		/* by number of the BatchWriteRow, then fine */
	int			nsteps;
	bool		refuse_whole;	/* a bad row makes the service refuse the request */
	bool		refuse_update;	/* so does a PutRow with column "e" */
	unit_random random;
	int			chance;			/* of a failure, of 1000, for each request and each row; 0 = by script */
	int64_t		next_auto;
	/* seen */
	int			batches;
	int			gets;
	int			max_rows;
	size_t		max_body;
	int			repeated;		/* key twice in a request */
	int			overtaken;		/* key in two requests at a time */
	bool		in_flight[W_KEYS];
	int			changes[4];		/* by mcw_ots_change, as received */
} w_model;

/* one row change of a request */
typedef struct w_change
{
	int			kind;
	int			existence;
	bool		returns;
	mcw_view	row;
	int64_t		key;			/* of the last key column; -1 = AUTO_INCREMENT */
	bool		bad;
} w_change;

static inline int
w_column(mcw_view name)
{
	return name.len == 1 ? name.data[0] - 'a' : W_COLUMNS;
}

static inline void
w_apply_cell(w_row *row, const mcw_ots_cell *cell)
{
	int			c = w_column(cell->name);

	if (c < 0 || c >= W_COLUMNS)
		return;
	if (cell->op == MCW_OTS_DELETE_ALL)
		row->has[c] = false;
	else if (!row->has[c] || cell->timestamp >= row->version[c])
	{
		row->has[c] = true;
		row->version[c] = cell->timestamp;
		row->value[c] = cell->value.i;
	}
}

/* What the service does with one change whose condition holds */
static inline void
w_apply(w_row *row, int kind, mcw_view bytes)
{
	mcw_ots_reader *reader = mcw_ots_reader_create(&mcw_malloc, NULL, 0);
	mcw_ots_row r;
	mcw_ots_cell cell;
	mcw_error	err;
	size_t		pos = 0;
	bool		is_key;

	if (kind != MCW_OTS_UPDATE_ROW)
		memset(row, 0, sizeof(*row));
	if (kind != MCW_OTS_DELETE_ROW && mcw_ots_reader_page(reader, bytes, false, &err) == MCW_OK &&
		mcw_ots_next_row(reader, &r, NULL, NULL, &err) == MCW_OK)
	{
		row->exists = true;
		while (mcw_ots_next_cell(&r, &pos, &cell, &is_key) == MCW_OK)
			if (!is_key)
				w_apply_cell(row, &cell);
	}
	mcw_ots_reader_free(reader);
}

/* "" = the condition holds */
static inline bool
w_holds(const w_row *row, int existence)
{
	return existence == MCW_OTS_IGNORE || row->exists == (existence == MCW_OTS_EXPECT_EXIST);
}

static inline void
w_parse_change(const w_model *m, mcw_view message, w_change *c)
{
	size_t		pos = 0;
	mcw_pb_field f;
	mcw_ots_reader *reader = mcw_ots_reader_create(&mcw_malloc, NULL, 0);
	mcw_ots_row row;
	mcw_ots_cell cell;
	mcw_error	err;
	bool		is_key;

	memset(c, 0, sizeof(*c));
	while (mcw_pb_next(message, &pos, &f) == MCW_OK)
	{
		size_t		at = 0;
		mcw_pb_field g;

		if (f.number == 1)
			c->kind = (int) f.number_value;
		else if (f.number == 2)
			c->row = f.bytes;
		else if (f.number == 3 && mcw_pb_next(f.bytes, &at, &g) == MCW_OK)
			c->existence = (int) g.number_value;
		else if (f.number == 4)
			c->returns = true;
	}
	pos = 0;
	if (CHECK_OK(mcw_ots_reader_page(reader, c->row, false, &err)) &&
		CHECK_OK(mcw_ots_next_row(reader, &row, NULL, NULL, &err)))
		while (mcw_ots_next_cell(&row, &pos, &cell, &is_key) == MCW_OK)
		{
			if (is_key)
				c->key = cell.value.type == MCW_OTS_INTEGER ? cell.value.i : -1;
			else if (cell.value.type == MCW_OTS_INTEGER && cell.value.i == W_BAD)
				c->bad = true;
			if (!is_key && m->refuse_update && c->kind == MCW_OTS_PUT_ROW && mcw_view_eq(cell.name, MCW_LIT("e")))
				c->bad = true;
		}
	mcw_ots_reader_free(reader);
}

static inline void
w_put_result(mcw_buf *out, w_model *m, const w_change *c, const char *code, int64_t key)
{
	size_t		mark = mcw_pb_begin(out, 2);
	size_t		error;

	mcw_pb_put_uint(out, 1, code == NULL);
	if (code)
	{
		error = mcw_pb_begin(out, 2);
		ots_put_error(out, code, "some reason");
		mcw_pb_end(out, error);
	}
	else
		ots_put_consumed(out, 3, 1);
	if (!code && c->returns)
	{
		mcw_ots_key full = {m->model.schema.nkeys};
		mcw_buf		row;
		mcw_ots_writer w;

		mcw_buf_init(&row, &mcw_malloc, 10000);
		full.v[0] = mcw_ots_int(1);
		full.v[full.n - 1] = mcw_ots_int(key);
		mcw_ots_begin_row(&w, &row);
		for (int i = 0; i < full.n; i++)
		{
			mcw_ots_name name = mcw_ots_make_name(m->model.schema.keys[i].name);

			mcw_ots_put_key(&w, &name, &full.v[i]);
		}
		(void) mcw_ots_end_row(&w);
		mcw_pb_put_bytes(out, 4, mcw_buf_view(&row));
		mcw_buf_free(&row);
	}
	mcw_pb_end(out, mark);
}

static inline bool
w_luck(w_model *m)
{
	return m->chance > 0 && (int) unit_below(&m->random, 1000) < m->chance;
}

/* One row: applied or not, and what is said about it */
static inline const char *
w_row_code(w_model *m, const w_change *c, const w_step *step, int number, int64_t *key)
{
	static const char *const codes[] = {"OTSRowOperationConflict", "OTSPartitionUnavailable", "OTSTimeout",
	"OTSInternalServerError"};
	bool		scripted = (step->act == W_ROWS || step->act == W_ROWS_APPLIED) && number % step->every == 0;
	const char *code = scripted ? step->code : NULL;
	bool		apply = !scripted || step->act == W_ROWS_APPLIED;
	w_row	   *row;

	*key = c->key;
	if (c->bad)
		return "OTSParameterInvalid";
	if (w_luck(m))
	{
		int			which = (int) unit_below(&m->random, 4);

		code = codes[which];
		apply = which >= 2 && unit_below(&m->random, 2) == 0;
	}
	if (c->key < 0)
	{
		if (apply)
			*key = m->next_auto++;
		return code;
	}
	row = &m->rows[c->key];
	if (apply && !w_holds(row, c->existence))
		return code ? code : "OTSConditionCheckFail";
	if (apply)
		w_apply(row, c->kind, c->row);
	return code;
}

static inline void
w_random_step(w_model *m, w_step *step)
{
	static const w_step steps[] = {
		{W_LOST}, {W_RESET}, {W_HTTP, 503, "OTSServerUnavailable"}, {W_HTTP_APPLIED, 503, "OTSTimeout"},
		{W_HTTP_APPLIED, 500, "OTSInternalServerError"}
	};

	if (w_luck(m))
		*step = steps[unit_below(&m->random, sizeof(steps) / sizeof(steps[0]))];
}

/* HTTP status; *reset: no answer */
static inline int
w_batch(w_model *m, mcw_view body, mcw_buf *out, bool *reset)
{
	w_step		step = {W_FINE};
	mcw_view	table = {NULL, 0};
	w_change	changes[MCW_OTS_MAX_BATCH_ROWS + 1];
	int			n = 0;
	size_t		pos = 0;
	size_t		mark;
	mcw_pb_field f;

	if (m->batches < m->nsteps)
		step = m->steps[m->batches];
	m->batches++;
	w_random_step(m, &step);
	if (mcw_pb_next(body, &pos, &f) == MCW_OK)
		table = f.bytes;
	pos = 0;
	while (n <= MCW_OTS_MAX_BATCH_ROWS && mcw_pb_next(table, &pos, &f) == MCW_OK)
		if (f.number == 2)
		{
			w_parse_change(m, f.bytes, &changes[n]);
			m->changes[changes[n].kind]++;
			for (int i = 0; i < n; i++)
				if (changes[i].key >= 0 && changes[i].key == changes[n].key)
					m->repeated++;
			n++;
		}
	if (n > m->max_rows)
		m->max_rows = n;
	if (body.len > m->max_body)
		m->max_body = body.len;
	*reset = step.act == W_RESET || step.act == W_LOST;
	if (step.act == W_HTTP || step.act == W_RESET)
	{
		ots_put_error(out, step.code ? step.code : "", "not applied");
		return step.http;
	}
	for (int i = 0; m->refuse_whole && i < n; i++)
		if (changes[i].bad)
		{
			ots_put_error(out, "OTSParameterInvalid", "one of the rows is bad");
			return 400;
		}
	mark = mcw_pb_begin(out, 1);
	mcw_pb_put_bytes(out, 1, MCW_LIT(OTS_TABLE));
	for (int i = 0; i < n; i++)
	{
		int64_t		key;
		const char *code = w_row_code(m, &changes[i], &step, i, &key);

		w_put_result(out, m, &changes[i], code, key);
	}
	mcw_pb_end(out, mark);
	if (step.act == W_HTTP_APPLIED)
	{
		mcw_buf_reset(out);
		ots_put_error(out, step.code, "who knows");
		return step.http;
	}
	return 200;
}

static inline void
w_get(w_model *m, mcw_view body, mcw_buf *out)
{
	size_t		pos = 0;
	mcw_pb_field f;
	mcw_ots_key key = {0};
	int64_t		low = 0;
	int64_t		high = INT64_MAX;
	mcw_buf		bytes;
	mcw_error	err;
	bool		any = false;
	w_row	   *row;
	mcw_ots_writer w;

	m->gets++;
	while (mcw_pb_next(body, &pos, &f) == MCW_OK)
		if (f.number == 2)
			CHECK_OK(mcw_ots_read_key(f.bytes, &m->model.schema, &key, &err));
		else if (f.number == 4)
		{
			size_t		at = 0;
			mcw_pb_field g;

			while (mcw_pb_next(f.bytes, &at, &g) == MCW_OK)
				if (g.number == 1)
					low = (int64_t) g.number_value;
				else if (g.number == 2)
					high = (int64_t) g.number_value;
				else if (g.number == 3)
				{
					low = (int64_t) g.number_value;
					high = low + 1;
				}
		}
	row = &m->rows[key.v[key.n - 1].i];
	mcw_buf_init(&bytes, &mcw_malloc, 10000);
	mcw_ots_begin_row(&w, &bytes);
	for (int i = 0; i < key.n; i++)
	{
		mcw_ots_name name = mcw_ots_make_name(m->model.schema.keys[i].name);

		mcw_ots_put_key(&w, &name, &key.v[i]);
	}
	for (int c = 0; c < W_COLUMNS; c++)
		if (row->has[c] && row->version[c] >= low && row->version[c] < high)
		{
			char		letter = (char) ('a' + c);
			mcw_ots_name name = mcw_ots_make_name((mcw_view) {&letter, 1});
			mcw_ots_value value = mcw_ots_int(row->value[c]);

			mcw_ots_put_cell(&w, &name, &value, MCW_OTS_PUT, row->version[c]);
			any = true;
		}
	(void) mcw_ots_end_row(&w);
	ots_put_consumed(out, 1, 1);
	mcw_pb_put_bytes(out, 2, row->exists && any ? mcw_buf_view(&bytes) : MCW_LIT(""));
	mcw_buf_free(&bytes);
}

/* the keys of a request: marked while it is handled */
static inline void
w_mark(w_model *m, mcw_view body, bool on)
{
	size_t		pos = 0;
	mcw_pb_field f;
	mcw_view	table = {NULL, 0};

	if (mcw_pb_next(body, &pos, &f) == MCW_OK)
		table = f.bytes;
	pos = 0;
	while (mcw_pb_next(table, &pos, &f) == MCW_OK)
		if (f.number == 2)
		{
			w_change	c;

			w_parse_change(m, f.bytes, &c);
			if (c.key < 0 || c.key >= W_KEYS)
				continue;
			if (on && m->in_flight[c.key])
				m->overtaken++;
			m->in_flight[c.key] = on;
		}
}

static inline bool
w_handler(net_conn *c, const char *received, mcw_view body)
{
	static const ots_step fine = {OTS_FINE};
	w_model    *m = c->server->handler_ctx;
	ots_asked	asked = {.body = body};
	char	   *head = strdup(received);
	char		path[48];
	mcw_buf		out;
	int			http = 200;
	bool		reset = false;
	bool		keep = false;

	ots_parse_head(head, &asked);
	(void) snprintf(path, sizeof(path), "/%s", asked.operation);
	mcw_buf_init(&out, &mcw_malloc, (size_t) 64 << 20);
	(void) mcw_buf_grow(&out, 1);
	asked.known = ots_authentic(&m->model, &asked, path);
	pthread_mutex_lock(&m->model.lock);
	if (++m->model.in_flight > m->model.max_in_flight)
		m->model.max_in_flight = m->model.in_flight;
	if (strcmp(asked.operation, "BatchWriteRow") == 0)
		w_mark(m, body, true);
	pthread_mutex_unlock(&m->model.lock);
	if (m->model.delay_us > 0)
		usleep(m->model.delay_us);
	pthread_mutex_lock(&m->model.lock);
	if (!asked.known)
	{
		http = 403;
		ots_put_error(&out, "OTSAuthFailed", "Signature mismatch.");
	}
	else if (strcmp(asked.operation, "BatchWriteRow") == 0)
	{
		http = w_batch(m, body, &out, &reset);
		w_mark(m, body, false);
	}
	else
		w_get(m, body, &out);
	m->model.in_flight--;
	pthread_mutex_unlock(&m->model.lock);
	if (reset)
		net_reset(c);
	else
		keep = ots_send(c, &m->model, &asked, http, &out, &fine);
	mcw_buf_free(&out);
	free(head);
	return keep;
}

#endif							/* OTS_WRITE_SERVER_H */
