/*
 * check_vectors_ots.c
 *		Vectors of Tablestore: rows in PlainBuffer and signatures.
 *
 * Every row is read, compared with its description cell by cell and by column, and
 * written again: the bytes and each checksum must be the official client's.
 */
#include "check_vectors_ots.h"

#include "../../src/wire/mcw_hash.h"
#include "../../src/wire/mcw_sign.h"

#define MAX_OUT ((size_t) 16 << 20)
#define MAX_NAMES 64

/* ---- rows ---- */

static bool
same_checksum(const mcw_node *node, const char *member, const mcw_buf *out)
{
	char		text[3];

	(void) snprintf(text, sizeof(text), "%02x", (unsigned) (unsigned char) out->data[out->len - 1]);
	return vec_same(member, mcw_str(text), mcw_node_text(node, member));
}

/* The cells of one part, read from the row and written to 'w' */
static bool
check_cells(const mcw_ots_row *row, size_t *pos, const mcw_node *list, bool is_key, mcw_ots_writer *w)
{
	for (const mcw_node *node = list ? list->first : NULL; node; node = node->next)
	{
		mcw_ots_cell want;
		mcw_ots_cell got;
		mcw_ots_name name;
		bool		got_key;

		if (!vec_known(node, "name value op timestamp cell_checksum"))
			return false;
		if (!ots_rows_cell(node, &vec_arena, &want))
			return vec_wrong("a cell of the vector is not understood");
		if (mcw_ots_next_cell(row, pos, &got, &got_key) != MCW_OK || got_key != is_key ||
			!ots_rows_same_cell(&got, &want))
			return vec_wrong("cell %.*s differs", (int) want.name.len, want.name.data);
		name = mcw_ots_make_name(want.name);
		if (is_key)
			mcw_ots_put_key(w, &name, &want.value);
		else
			mcw_ots_put_cell(w, &name, &want.value, (mcw_ots_op) want.op, want.timestamp);
		if (w->status != MCW_OK)
			return vec_wrong("cell %.*s cannot be written", (int) want.name.len, want.name.data);
		if (!same_checksum(node, "cell_checksum", w->out))
			return false;
	}
	return true;
}

static bool
check_sequence(const mcw_ots_row *row, const mcw_node *info, mcw_ots_writer *w)
{
	int64_t		epoch;
	int64_t		micros;
	int64_t		row_index;

	if (info == NULL || info->kind == MCW_NODE_NULL)
		return !row->has_sequence || vec_wrong("there is sequence information");
	if (!vec_known(info, "epoch timestamp_us row_index extension_len seq_len"))
		return false;
	if (!row->has_sequence || !mcw_node_int(info, "epoch", &epoch) || epoch != row->epoch ||
		!mcw_node_int(info, "timestamp_us", &micros) || micros != row->time_us ||
		!mcw_node_int(info, "row_index", &row_index) || row_index != row->row_index)
		return vec_wrong("sequence information differs");
	mcw_ots_put_sequence(w, row->epoch, row->time_us, row->row_index);
	return true;
}

/* values[] of a reader that wants every name: the first cell with a value of each */
static bool
check_values(const mcw_node *row, const mcw_view *names, const mcw_ots_value *values, const int64_t *timestamps, int n)
{
	for (int i = 0; i < n; i++)
	{
		const mcw_node *parts[] = {mcw_node_get(row, "primary_key"), mcw_node_get(row, "columns")};
		mcw_ots_cell want = {.value = {.type = MCW_OTS_NONE}, .timestamp = MCW_OTS_NO_TIMESTAMP};

		for (int part = 0; part < 2; part++)
			for (const mcw_node *node = parts[part] ? parts[part]->first : NULL; node; node = node->next)
			{
				mcw_ots_cell cell;

				if (want.value.type == MCW_OTS_NONE && mcw_view_eq(mcw_node_text(node, "name"), names[i]) &&
					ots_rows_cell(node, &vec_arena, &cell) && cell.value.type != MCW_OTS_NONE)
					want = cell;
			}
		if (!ots_rows_same_value(&want.value, &values[i]) || want.timestamp != timestamps[i])
			return vec_wrong("value of column %.*s differs", (int) names[i].len, names[i].data);
	}
	return true;
}

static int
add_names(const mcw_node *list, mcw_view *names, int n)
{
	for (const mcw_node *node = list ? list->first : NULL; node; node = node->next)
	{
		bool		known = false;

		for (int i = 0; i < n; i++)
			known = known || mcw_view_eq(names[i], mcw_node_text(node, "name"));
		if (!known && n < MAX_NAMES)
			names[n++] = mcw_node_text(node, "name");
	}
	return n;
}

static bool
check_row(mcw_ots_reader *reader, const mcw_node *node, const mcw_view *names, int nnames, mcw_buf *out, bool first)
{
	mcw_ots_value values[MAX_NAMES];
	int64_t		timestamps[MAX_NAMES];
	mcw_ots_row row;
	mcw_ots_cell cell;
	mcw_ots_writer w;
	mcw_error	err = {0};
	size_t		pos = 0;
	bool		is_key;
	const mcw_node *marker = mcw_node_get(node, "delete_marker");

	if (!vec_known(node, "primary_key columns delete_marker row_checksum sequence_info"))
		return false;
	if (mcw_ots_next_row(reader, &row, values, timestamps, &err) != MCW_OK)
		return vec_wrong("a row is refused: %s", err.message);
	if (first)
		mcw_ots_begin_row(&w, out);
	else
		mcw_ots_begin_next_row(&w, out);
	if (!check_cells(&row, &pos, mcw_node_get(node, "primary_key"), true, &w) ||
		!check_cells(&row, &pos, mcw_node_get(node, "columns"), false, &w))
		return false;
	if (mcw_ots_next_cell(&row, &pos, &cell, &is_key) != MCW_END)
		return vec_wrong("a row has more cells");
	if (marker == NULL || marker->boolean != row.deleted)
		return vec_wrong("delete marker differs");
	if (row.deleted)
		mcw_ots_put_delete_marker(&w);
	if (!check_sequence(&row, mcw_node_get(node, "sequence_info"), &w) ||
		!check_values(node, names, values, timestamps, nnames))
		return false;
	if (mcw_ots_end_row(&w) != MCW_OK)
		return vec_wrong("a row cannot be written");
	return same_checksum(node, "row_checksum", out);
}

bool
check_ots_plainbuffer(mcw_view bytes, const mcw_node *rows, int64_t padding)
{
	mcw_view	names[MAX_NAMES];
	int			nnames = 0;
	mcw_ots_reader *reader;
	mcw_ots_row row;
	mcw_ots_value values[MAX_NAMES];
	mcw_error	err = {0};
	mcw_buf		out;
	bool		fine = true;
	bool		first = true;

	for (const mcw_node *node = rows ? rows->first : NULL; node; node = node->next)
	{
		nnames = add_names(mcw_node_get(node, "primary_key"), names, nnames);
		nnames = add_names(mcw_node_get(node, "columns"), names, nnames);
	}
	mcw_buf_init(&out, &mcw_malloc, MAX_OUT);
	reader = mcw_ots_reader_create(&mcw_malloc, names, nnames);
	if (mcw_ots_reader_page(reader, bytes, padding > 0, &err) != MCW_OK)
		fine = vec_wrong("refused: %s", err.message);
	for (const mcw_node *node = rows ? rows->first : NULL; fine && node; node = node->next, first = false)
		fine = check_row(reader, node, names, nnames, &out, first);
	if (fine && mcw_ots_next_row(reader, &row, values, NULL, &err) != MCW_END)
		fine = vec_wrong("no clean end: %s", err.message);
	if (fine)
	{
		mcw_view	stem = {bytes.data, bytes.len - (size_t) padding};

		if (!mcw_view_eq(mcw_buf_view(&out), stem))
			fine = vec_wrong("writing the rows gives other bytes");
	}
	mcw_ots_reader_free(reader);
	mcw_buf_free(&out);
	return fine;
}

static void
check_variant(const mcw_node *v)
{
	mcw_view	bytes = rows_hex(mcw_node_get(v, "hex"), &vec_arena);
	mcw_ots_value want;
	mcw_ots_value got;
	mcw_error	err = {0};

	if (!vec_known(v, "name sdk hex decoded"))
		return;
	if (!ots_rows_value(mcw_node_get(v, "decoded"), &vec_arena, &want) || bytes.data == NULL)
		vec_wrong("the vector is not understood");
	else if (mcw_ots_read_variant(bytes, &got, &err) != MCW_OK)
		vec_wrong("refused: %s", err.message);
	else if (!ots_rows_same_value(&got, &want))
		vec_wrong("the value differs");
	else
		(void) check_ots_variant_bytes(bytes, &want);
}

bool
check_ots_variant_bytes(mcw_view bytes, const mcw_ots_value *value)
{
	mcw_buf		out;
	bool		same;

	mcw_buf_init(&out, &mcw_malloc, MAX_OUT);
	same = mcw_ots_write_variant(&out, value) == MCW_OK && mcw_view_eq(mcw_buf_view(&out), bytes);
	mcw_buf_free(&out);
	return same || vec_wrong("writing the value gives other bytes");
}

void
check_ots_rows(const char *file, const mcw_node *root)
{
	const mcw_node *list;

	vec_known_file(file, root, "about buffers values_without_length_prefix");
	list = mcw_node_get(root, "buffers");
	for (const mcw_node *v = list ? list->first : NULL; v; v = v->next)
	{
		int64_t		padding = 0;

		vec_case(file, "buffers", mcw_node_text(v, "name"));
		(void) mcw_node_int(v, "trailing_zero_bytes", &padding);
		if (vec_known(v, "name sdk hex rows also_produced_by trailing_zero_bytes"))
			(void) check_ots_plainbuffer(rows_hex(mcw_node_get(v, "hex"), &vec_arena), mcw_node_get(v, "rows"), padding);
	}
	list = mcw_node_get(root, "values_without_length_prefix");
	for (const mcw_node *v = list ? list->first : NULL; v; v = v->next)
	{
		vec_case(file, "values", mcw_node_text(v, "name"));
		check_variant(v);
	}
}

/* ---- signatures ---- */

static mcw_view
header_of(const mcw_request *req, const char *name)
{
	return mcw_request_get_header(req, mcw_str(name));
}

static void
load_headers(const mcw_node *v, mcw_request *req)
{
	const mcw_node *headers = mcw_node_get(v, "headers");

	memset(req, 0, sizeof(*req));
	req->method = MCW_LIT("POST");
	req->path = mcw_node_text(v, "path");
	for (const mcw_node *pair = headers ? headers->first : NULL; pair; pair = pair->next)
		if (mcw_request_header(req, rows_at(pair, 0)->text, rows_at(pair, 1)->text) != MCW_OK)
			vec_wrong("too many headers");
}

static void
check_body_md5(const mcw_node *v, const mcw_request *req)
{
	mcw_view	body = rows_hex(mcw_node_get(v, "body_hex"), &vec_arena);
	unsigned char digest[16];
	mcw_view	digest_view = {(const char *) digest, sizeof(digest)};
	mcw_buf		text;

	if (mcw_node_get(v, "body_hex") == NULL)
		return;
	mcw_buf_init(&text, &mcw_malloc, 64);
	if (mcw_md5(body.data, body.len, digest) == MCW_OK && mcw_base64_encode(&text, digest_view) == MCW_OK)
		(void) vec_same("x-ots-contentmd5", mcw_buf_view(&text), header_of(req, "x-ots-contentmd5"));
	mcw_buf_free(&text);
}

static void
check_request_signature(const mcw_node *v)
{
	bool		v4 = mcw_node_get(v, "signing_key_text") != NULL;
	mcw_view	secret = mcw_node_text(v, "access_key_secret");
	mcw_request req;
	mcw_buf		key;
	mcw_buf		signature;
	mcw_buf		text;
	mcw_error	err = {0};
	mcw_status	status;

	load_headers(v, &req);
	mcw_buf_init(&key, &mcw_malloc, 256);
	mcw_buf_init(&signature, &mcw_malloc, 256);
	mcw_buf_init(&text, &mcw_malloc, MAX_OUT);
	if (v4)
	{
		status = mcw_ots_v4_key(secret, header_of(&req, "x-ots-signdate"), header_of(&req, "x-ots-signregion"), &key, &err);
		if (status == MCW_OK && vec_same("signing key", mcw_buf_view(&key), mcw_node_text(v, "signing_key_text")))
			status = mcw_ots_sign_v4(&req, mcw_buf_view(&key), &signature, &text, &err);
	}
	else
		status = mcw_ots_sign_v2(&req, secret, &signature, &text, &err);
	if (status != MCW_OK)
		vec_wrong("cannot be signed: %s", err.message);
	else
	{
		(void) vec_same("string to sign", mcw_buf_view(&text), mcw_node_text(v, "string_to_sign"));
		(void) vec_same("signature", mcw_buf_view(&signature), mcw_node_text(v, "signature"));
		if (header_of(&req, v4 ? "x-ots-signaturev4" : "x-ots-signature").data)
			(void) vec_same("signature header", mcw_buf_view(&signature),
							header_of(&req, v4 ? "x-ots-signaturev4" : "x-ots-signature"));
	}
	check_body_md5(v, &req);
	mcw_buf_free(&key);
	mcw_buf_free(&signature);
	mcw_buf_free(&text);
}

static void
check_response_signature(const mcw_node *v, mcw_view secret)
{
	mcw_view	want = mcw_node_text(v, "authorization_header");
	mcw_request req;
	mcw_buf		signature;
	mcw_error	err = {0};
	const char *colon = want.data ? memchr(want.data, ':', want.len) : NULL;

	load_headers(v, &req);
	if (colon)
	{
		want.len -= (size_t) (colon + 1 - want.data);
		want.data = colon + 1;
	}
	else
		want = mcw_node_text(v, "signature");
	mcw_buf_init(&signature, &mcw_malloc, 256);
	if (mcw_ots_sign_response(req.headers, req.nheaders, req.path, secret, &signature, &err) != MCW_OK)
		vec_wrong("cannot be signed: %s", err.message);
	else
		(void) vec_same("signature", mcw_buf_view(&signature), want);
	check_body_md5(v, &req);
	mcw_buf_free(&signature);
}

static void
check_v4_key(const mcw_node *v)
{
	mcw_buf		key;
	mcw_buf		raw;
	mcw_error	err = {0};

	if (!vec_known(v, "access_key_secret date region product k1_date_hex k2_region_hex k4_final_hex signing_key_text"))
		return;
	mcw_buf_init(&key, &mcw_malloc, 256);
	mcw_buf_init(&raw, &mcw_malloc, 256);
	if (mcw_ots_v4_key(mcw_node_text(v, "access_key_secret"), mcw_node_text(v, "date"),
					   mcw_node_text(v, "region"), &key, &err) != MCW_OK)
		vec_wrong("no key: %s", err.message);
	else if (vec_same("key", mcw_buf_view(&key), mcw_node_text(v, "signing_key_text")) &&
			 (mcw_base64_decode(&raw, mcw_buf_view(&key)) != MCW_OK ||
			  !mcw_view_eq(mcw_buf_view(&raw), rows_hex(mcw_node_get(v, "k4_final_hex"), &vec_arena))))
		vec_wrong("the bytes of the key differ");
	mcw_buf_free(&key);
	mcw_buf_free(&raw);
}

void
check_ots_signatures(const char *file, const mcw_node *root)
{
	const mcw_node *list;

	vec_known_file(file, root, "about captured_requests fixed_inputs responses_accepted_by_validating_sdks v4_key_derivation");
	list = mcw_node_get(root, "captured_requests");
	for (const mcw_node *v = list ? list->first : NULL; v; v = v->next)
	{
		vec_case(file, "captured_requests", mcw_node_text(v, "name"));
		if (vec_known(v, "name sdk scheme method path access_key_id access_key_secret headers body_hex "
					  "uncompressed_body_hex note signing_key_text string_to_sign signature"))
			check_request_signature(v);
	}
	list = mcw_node_get(root, "fixed_inputs");
	for (const mcw_node *v = list ? list->first : NULL; v; v = v->next)
	{
		vec_case(file, "fixed_inputs", mcw_node_text(v, "name"));
		if (!vec_known(v, "name sdk kind path access_key_id access_key_secret headers string_to_sign signature authorization_header"))
			continue;
		if (mcw_view_eq(mcw_node_text(v, "kind"), MCW_LIT("request")))
			check_request_signature(v);
		else
			check_response_signature(v, mcw_node_text(v, "access_key_secret"));
	}
	list = mcw_node_get(root, "responses_accepted_by_validating_sdks");
	for (const mcw_node *v = list ? list->first : NULL; v; v = v->next)
	{
		vec_case(file, "responses", mcw_node_text(v, "name"));
		if (vec_known(v, "name accepted_by path headers body_hex string_to_sign authorization_header hmac_sha1_key"))
			check_response_signature(v, mcw_node_text(v, "hmac_sha1_key"));
	}
	vec_case(file, "", MCW_LIT("v4_key_derivation"));
	list = mcw_node_get(root, "v4_key_derivation");
	check_v4_key(list && list->kind == MCW_NODE_ARRAY ? list->first : list);
}
