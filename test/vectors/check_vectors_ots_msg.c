/*
 * check_vectors_ots_msg.c
 *		Vectors of Tablestore: bodies of requests, filters, the tunnel's dialogue.
 *
 * A message is compared with its description member by member: each must be
 * described, each description must be there.  Rows, filters and values inside are
 * compared and written again.
 */
#include "check_vectors_ots.h"

#include "../../src/wire/mcw_hash.h"
#include "../../src/wire/mcw_pb.h"

#define MAX_MEMBERS 24
#define MAX_OUT ((size_t) 16 << 20)

/*
 * "number:name:kind" of each member (tablestore.md 2).  Kinds: s text, i integer,
 * b boolean, e enum, p rows, f filter, v value, V value with its hex, h hex,
 * x opaque bytes, Q search query, +Name a message, - known but not described.
 */
typedef struct msg_type
{
	const char *name;
	const char *members;
} msg_type;

static const msg_type types[] = {
	{"ListTableRequest", ""},
	{"DescribeTableRequest", "1:table_name:s"},
	{"DeleteTableRequest", "1:table_name:s"},
	{"PrimaryKeySchema", "1:name:s 2:type:e 3:option:e"},
	{"DefinedColumnSchema", "1:name:s 2:type:e"},
	{"TableMeta", "1:table_name:s 2:primary_key:+PrimaryKeySchema 3:defined_column:+DefinedColumnSchema"},
	{"CapacityUnit", "1:read:i 2:write:i"},
	{"ReservedThroughput", "1:capacity_unit:+CapacityUnit"},
	{"TableOptions", "1:time_to_live:i 2:max_versions:i 5:deviation_cell_version_in_sec:i 6:allow_update:b"},
	{"StreamSpecification", "1:enable_stream:b 2:expiration_time:i 3:columns_to_get:s"},
	{"IndexMeta", "1:name:s 2:primary_key:s 3:defined_column:s 4:index_update_mode:e 5:index_type:e"},
	{"CreateTableRequest", "1:table_meta:+TableMeta 2:reserved_throughput:+ReservedThroughput "
	"3:table_options:+TableOptions 5:stream_spec:+StreamSpecification 7:index_metas:+IndexMeta"},
	{"UpdateTableRequest", "1:table_name:s 3:table_options:+TableOptions 4:stream_spec:+StreamSpecification"},
	{"Condition", "1:row_existence:e 2:column_condition:f"},
	{"ReturnContent", "1:return_type:e 2:return_column_names:s"},
	{"TimeRange", "1:start_time:i 2:end_time:i 3:specific_time:i"},
	{"GetRowRequest", "1:table_name:s 2:primary_key:p 3:columns_to_get:s 4:time_range:+TimeRange 5:max_versions:i "
	"6:cache_blocks:b 7:filter:f 8:start_column:s 9:end_column:s 10:token:x 11:transaction_id:s"},
	{"PutRowRequest", "1:table_name:s 2:row:p 3:condition:+Condition 4:return_content:+ReturnContent 5:transaction_id:s"},
	{"UpdateRowRequest", "1:table_name:s 2:row_change:p 3:condition:+Condition 4:return_content:+ReturnContent 5:transaction_id:s"},
	{"DeleteRowRequest", "1:table_name:s 2:primary_key:p 3:condition:+Condition 4:return_content:+ReturnContent 5:transaction_id:s"},
	{"TableInBatchGetRowRequest", "1:table_name:s 2:primary_key:p 3:token:x 4:columns_to_get:s 5:time_range:+TimeRange "
	"6:max_versions:i 7:cache_blocks:b 8:filter:f 9:start_column:s 10:end_column:s"},
	{"BatchGetRowRequest", "1:tables:+TableInBatchGetRowRequest"},
	{"RowInBatchWriteRowRequest", "1:type:e 2:row_change:p 3:condition:+Condition 4:return_content:+ReturnContent"},
	{"TableInBatchWriteRowRequest", "1:table_name:s 2:rows:+RowInBatchWriteRowRequest"},
	{"BatchWriteRowRequest", "1:tables:+TableInBatchWriteRowRequest 2:transaction_id:s 3:is_atomic:b"},
	{"GetRangeRequest", "1:table_name:s 2:direction:e 3:columns_to_get:s 4:time_range:+TimeRange 5:max_versions:i 6:limit:i "
	"7:inclusive_start_primary_key:p 8:exclusive_end_primary_key:p 9:cache_blocks:b 10:filter:f 11:start_column:s "
	"12:end_column:s 13:token:x 14:transaction_id:s 15:data_block_type_hint:e 16:return_entire_primary_keys:b "
	"17:compress_type_hint:e"},
	{"StartLocalTransactionRequest", "1:table_name:s 2:key:p"},
	{"CommitTransactionRequest", "1:transaction_id:s"},
	{"AbortTransactionRequest", "1:transaction_id:s"},
	{"ComputeSplitPointsBySizeRequest", "1:table_name:s 2:split_size:i 3:split_size_unit_in_byte:i 4:split_point_limit:i"},
	{"SQLQueryRequest", "1:query:s 2:version:e 3:sql_version:i 5:search_token:s"},
	{"ListStreamRequest", "1:table_name:s"},
	{"DescribeStreamRequest", "1:stream_id:s 2:inclusive_start_shard_id:s 3:shard_limit:i"},
	{"GetShardIteratorRequest", "1:stream_id:s 2:shard_id:s 3:timestamp:i 4:token:s"},
	{"GetStreamRecordRequest", "1:shard_iterator:s 2:limit:i 3:table_name:s"},
	{"Filter", "1:type:e 2:filter:h"},
	{"SingleColumnValueFilter", "1:comparator:e 2:column_name:s 3:column_value:v 4:filter_if_missing:b 5:latest_version_only:b "
	"6:value_trans_rule:+ValueTransferRule"},
	{"ValueTransferRule", "1:regex:s 2:cast_type:e"},
	{"CompositeColumnValueFilter", "1:combinator:e 2:sub_filters:F"},
	{"ColumnPaginationFilter", "1:offset:i 2:limit:i"},
	{"ColumnsToGet", "1:return_type:e 2:column_names:s"},
	{"SearchRequest", "1:table_name:s 2:index_name:s 3:columns_to_get:+ColumnsToGet 4:search_query:Q 6:timeout_ms:i"},
	{"SearchQuery", "1:offset:i 2:limit:i 4:query:+Query 6:sort:+Sort 8:getTotalCount:-"},
	{"Query", "1:type:e 2:query_hex:h"},
	{"BoolQuery", "1:must_queries:+Query 2:must_not_queries:+Query 3:filter_queries:+Query 4:should_queries:+Query"},
	{"TermQuery", "1:field_name:s 2:term:V"},
	{"RangeQuery", "1:field_name:s 2:range_from:V 3:range_to:V 4:include_lower:b 5:include_upper:b"},
	{"Sort", "1:sorter:+Sorter"},
	{"Sorter", "1:field_sort:+FieldSort"},
	{"FieldSort", "1:field_name:s 2:order:e"},
	{"Tunnel", "1:table_name:s 3:tunnel_name:s 4:tunnel_type:e"},
	{"TunnelInfo", "1:tunnel_id:s 2:tunnel_type:s 3:table_name:s 4:instance_name:s 5:stream_id:s 6:stage:s 7:expired:b "
	"8:tunnel_name:s 9:public:b 11:create_time:i"},
	{"ChannelInfo", "1:channel_id:s 2:channel_type:s 3:channel_status:s 4:client_id:s 5:channel_rpo:i 6:channel_count:i"},
	{"Channel", "1:channel_id:s 2:version:i 3:status:e 4:detail:x"},
	{"ClientConfig", "1:timeout:i 2:client_tag:s"},
	{"Record", "1:action_type:e 2:record:p 3:origin_record:p"},
	{"CreateTunnelRequest", "1:tunnel:+Tunnel"},
	{"CreateTunnelResponse", "1:tunnel_id:s"},
	{"DeleteTunnelRequest", "1:table_name:s 2:tunnel_name:s 3:tunnel_id:s"},
	{"DeleteTunnelResponse", ""},
	{"ListTunnelRequest", "1:table_name:s"},
	{"ListTunnelResponse", "1:tunnels:+TunnelInfo"},
	{"DescribeTunnelRequest", "1:table_name:s 2:tunnel_name:s 3:tunnel_id:s"},
	{"DescribeTunnelResponse", "1:tunnel:+TunnelInfo 2:channels:+ChannelInfo 3:tunnel_rpo:i"},
	{"ConnectRequest", "1:tunnel_id:s 2:client_config:+ClientConfig"},
	{"ConnectResponse", "1:client_id:s"},
	{"HeartbeatRequest", "1:tunnel_id:s 2:client_id:s 3:channels:+Channel"},
	{"HeartbeatResponse", "1:channels:+Channel"},
	{"ShutdownRequest", "1:tunnel_id:s 2:client_id:s"},
	{"ShutdownResponse", ""},
	{"GetCheckpointRequest", "1:tunnel_id:s 2:client_id:s 3:channel_id:s"},
	{"GetCheckpointResponse", "1:checkpoint:s 2:sequence_number:i"},
	{"ReadRecordsRequest", "1:tunnel_id:s 2:client_id:s 3:channel_id:s 4:token:s"},
	{"ReadRecordsResponse", "1:records:+Record 2:next_token:s 3:may_more_record:b"},
	{"CheckpointRequest", "1:tunnel_id:s 2:client_id:s 3:channel_id:s 4:checkpoint:s 5:sequence_number:i"},
	{"CheckpointResponse", ""},
};

typedef struct msg_member
{
	uint32_t	number;
	char		name[48];
	char		kind[40];
} msg_member;

static bool check_message(const char *name, mcw_view bytes, const mcw_node *described);

/* The members of a type: how many, or -1 for a type that is not known */
static int
load_members(const char *name, msg_member *members)
{
	int			n = 0;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
	{
		const char *text = types[i].members;

		if (strcmp(types[i].name, name) != 0)
			continue;
		while (*text && n < MAX_MEMBERS &&
			   sscanf(text, "%u:%47[^:]:%39s", &members[n].number, members[n].name, members[n].kind) == 3)
		{
			n++;
			text += strcspn(text, " ");
			text += strspn(text, " ");
		}
		return n;
	}
	return -1;
}

/* ---- enums ---- */

static const struct
{
	const char *name;
	uint64_t	number;
}			plain_enums[] = {
	{"FT_SINGLE_COLUMN_VALUE", 1}, {"FT_COMPOSITE_COLUMN_VALUE", 2}, {"FT_COLUMN_PAGINATION", 3},
	{"CT_EQUAL", 1}, {"CT_NOT_EQUAL", 2}, {"CT_GREATER_THAN", 3}, {"CT_GREATER_EQUAL", 4},
	{"CT_LESS_THAN", 5}, {"CT_LESS_EQUAL", 6}, {"CT_EXIST", 7}, {"CT_NOT_EXIST", 8},
	{"LO_NOT", 1}, {"LO_AND", 2}, {"LO_OR", 3},
	{"VT_INTEGER", 0}, {"VT_DOUBLE", 1}, {"VT_STRING", 3}, {"VT_NULL", 6}, {"VT_BLOB", 7},
	{"PUT_ROW", 1}, {"UPDATE_ROW", 2}, {"DELETE_ROW", 3},
};

/* "NAME(number)", or a name listed above */
static bool
same_enum(mcw_view text, uint64_t number)
{
	char		tail[24];

	for (size_t i = 0; i < sizeof(plain_enums) / sizeof(plain_enums[0]); i++)
		if (mcw_view_eq(text, mcw_str(plain_enums[i].name)))
			return plain_enums[i].number == number;
	(void) snprintf(tail, sizeof(tail), "(%llu)", (unsigned long long) number);
	return text.len > strlen(tail) && memcmp(text.data + text.len - strlen(tail), tail, strlen(tail)) == 0;
}

/* ---- filters ---- */

static const char *
filter_name(mcw_view type)
{
	if (mcw_view_eq(type, MCW_LIT("FT_SINGLE_COLUMN_VALUE")))
		return "SingleColumnValueFilter";
	if (mcw_view_eq(type, MCW_LIT("FT_COMPOSITE_COLUMN_VALUE")))
		return "CompositeColumnValueFilter";
	return "ColumnPaginationFilter";
}

/* A Filter message and {"type", "filter"} */
static bool
check_filter_members(mcw_view bytes, const mcw_node *described)
{
	mcw_pb_field field;
	size_t		pos = 0;
	bool		typed = false;
	mcw_view	inner = {NULL, 0};
	mcw_status	status;

	if (!vec_known(described, "type filter"))
		return false;
	while ((status = mcw_pb_next(bytes, &pos, &field)) == MCW_OK)
	{
		if (field.number == 1)
			typed = same_enum(mcw_node_text(described, "type"), field.number_value);
		else if (field.number == 2)
			inner = field.bytes;
		else
			return vec_wrong("a filter has member %u", field.number);
	}
	if (status != MCW_END || !typed || inner.data == NULL)
		return vec_wrong("a filter is not of type and filter");
	return check_message(filter_name(mcw_node_text(described, "type")), inner, mcw_node_get(described, "filter"));
}

/* Our writer gives the same bytes, if it is a filter that we write */
static bool
check_filter_bytes(mcw_view bytes, const mcw_node *inner)
{
	mcw_ots_filter *filter = ots_rows_filter(inner, &vec_arena);
	mcw_error	err = {0};
	mcw_buf		out;
	bool		fine = true;

	if (filter == NULL)
		return mcw_node_get(inner, "value_trans_rule") != NULL || mcw_node_get(inner, "limit") != NULL ||
			vec_wrong("a filter is not understood");
	mcw_buf_init(&out, &mcw_malloc, MAX_OUT);
	if (mcw_ots_write_filter(&out, filter, &err) != MCW_OK)
		fine = vec_wrong("a filter cannot be written: %s", err.message);
	else if (!mcw_view_eq(mcw_buf_view(&out), bytes))
		fine = vec_wrong("writing a filter gives other bytes");
	mcw_buf_free(&out);
	return fine;
}

/* ---- members ---- */

static bool
check_described_rows(mcw_view bytes, const mcw_node *node)
{
	const mcw_node *buffer = mcw_node_get(node, "plainbuffer");
	int64_t		padding = 0;

	if (!vec_known(node, "plainbuffer") || !vec_known(buffer, "hex rows trailing_zero_bytes"))
		return false;
	if (!mcw_view_eq(rows_hex(mcw_node_get(buffer, "hex"), &vec_arena), bytes))
		return vec_wrong("the bytes of a row differ");
	(void) mcw_node_int(buffer, "trailing_zero_bytes", &padding);
	return check_ots_plainbuffer(bytes, mcw_node_get(buffer, "rows"), padding);
}

static bool
check_described_value(mcw_view bytes, const mcw_node *node)
{
	mcw_ots_value want;
	mcw_ots_value got;

	if (!vec_known(node, "type value hex"))
		return false;
	if (!ots_rows_value(node, &vec_arena, &want) || mcw_ots_read_variant(bytes, &got, NULL) != MCW_OK ||
		!ots_rows_same_value(&got, &want))
		return vec_wrong("a value differs");
	return check_ots_variant_bytes(bytes, &want);
}

static bool
same_hex(mcw_view bytes, const mcw_node *node)
{
	return mcw_view_eq(rows_hex(node, &vec_arena), bytes) || vec_wrong("bytes differ");
}

static bool
check_bytes_member(const msg_member *member, mcw_view bytes, const mcw_node *node)
{
	switch (member->kind[0])
	{
		case 's':
			return vec_same(member->name, bytes, node->text);
		case 'p':
			return check_described_rows(bytes, node);
		case 'v':
			return check_described_value(bytes, node);
		case 'V':
			return vec_known(node, "hex value") && same_hex(bytes, mcw_node_get(node, "hex")) &&
				check_described_value(bytes, mcw_node_get(node, "value"));
		case 'h':
			return same_hex(bytes, node);
		case 'x':
			return vec_known(node, "hex") && same_hex(bytes, mcw_node_get(node, "hex"));
		case 'f':
			return vec_known(node, "hex filter") && same_hex(bytes, mcw_node_get(node, "hex")) &&
				check_filter_members(bytes, mcw_node_get(node, "filter")) &&
				check_filter_bytes(bytes, mcw_node_get(mcw_node_get(node, "filter"), "filter"));
		case 'F':
			return check_filter_members(bytes, node);
		case 'Q':
			return vec_known(node, "hex SearchQuery") && same_hex(bytes, mcw_node_get(node, "hex")) &&
				check_message("SearchQuery", bytes, mcw_node_get(node, "SearchQuery"));
		case '+':
			return check_message(member->kind + 1, bytes, node);
		default:
			return vec_wrong("member %s is not bytes", member->name);
	}
}

static bool
check_member(const msg_member *member, const mcw_pb_field *field, const mcw_node *node)
{
	int64_t		number;
	bool		same;

	if (field->wire == MCW_PB_BYTES)
		return check_bytes_member(member, field->bytes, node);
	switch (member->kind[0])
	{
		case 'i':
			same = mcw_view_int64(node->text, &number) && (uint64_t) number == field->number_value;
			break;
		case 'b':
			same = node->kind == MCW_NODE_BOOL && node->boolean == (field->number_value != 0);
			break;
		case 'e':
			same = same_enum(node->text, field->number_value);
			break;
		default:
			return vec_wrong("member %s is a number", member->name);
	}
	return same || vec_wrong("member %s differs", member->name);
}

/* A Query holds another message under the name of its type */
static bool
check_inner_query(mcw_view bytes, const mcw_node *described)
{
	for (const mcw_node *node = described->first; node; node = node->next)
	{
		char		name[48];

		if (node->kind != MCW_NODE_OBJECT)
			continue;
		(void) snprintf(name, sizeof(name), "%.*s", (int) node->name.len, node->name.data);
		return check_message(name, bytes, node);
	}
	return vec_wrong("a query is not described");
}

static bool
all_seen(const char *name, const msg_member *members, const int *seen, int n, const mcw_node *described)
{
	for (const mcw_node *node = described->first; node; node = node->next)
	{
		int			i = 0;

		while (i < n && !mcw_view_eq(node->name, mcw_str(members[i].name)))
			i++;
		if (i == n && !(strcmp(name, "Query") == 0 && node->kind == MCW_NODE_OBJECT))
			return vec_wrong("member %.*s of %s is not understood", (int) node->name.len, node->name.data, name);
		if (i < n && seen[i] != (node->kind == MCW_NODE_ARRAY ? node->nchildren : 1))
			return vec_wrong("member %s of %s is there %d times", members[i].name, name, seen[i]);
	}
	return true;
}

static bool
check_message(const char *name, mcw_view bytes, const mcw_node *described)
{
	msg_member	members[MAX_MEMBERS];
	int			seen[MAX_MEMBERS] = {0};
	int			n = load_members(name, members);
	mcw_pb_field field;
	mcw_status	status;
	size_t		pos = 0;

	if (n < 0 || described == NULL || described->kind != MCW_NODE_OBJECT)
		return vec_wrong("message %s is not understood", name);
	while ((status = mcw_pb_next(bytes, &pos, &field)) == MCW_OK)
	{
		const mcw_node *node;
		int			i = 0;

		while (i < n && members[i].number != field.number)
			i++;
		if (i == n)
			return vec_wrong("member %u of %s is not understood", field.number, name);
		if (members[i].kind[0] == '-')
			continue;
		node = mcw_node_get(described, members[i].name);
		if (node && node->kind == MCW_NODE_ARRAY)
			node = rows_at(node, seen[i]);
		seen[i]++;
		if (node == NULL)
			return vec_wrong("member %s of %s is not described", members[i].name, name);
		if (!check_member(&members[i], &field, node))
			return false;
		if (strcmp(name, "Query") == 0 && field.number == 2 && !check_inner_query(field.bytes, described))
			return false;
	}
	if (status != MCW_END)
		return vec_wrong("message %s is malformed at byte %zu", name, pos);
	return all_seen(name, members, seen, n, described);
}

/* ---- files ---- */

/* A row that cannot be read must be refused, by an error that says so */
static void
check_malformed_row(mcw_view body)
{
	mcw_pb_field field;
	size_t		pos = 0;
	mcw_ots_reader *reader = mcw_ots_reader_create(&mcw_malloc, NULL, 0);
	mcw_error	err = {0};
	mcw_ots_row row;
	mcw_status	status = MCW_OK;

	while (mcw_pb_next(body, &pos, &field) == MCW_OK)
	{
		if (field.number != 2)
			continue;
		status = mcw_ots_reader_page(reader, field.bytes, true, &err);
		while (status == MCW_OK)
			status = mcw_ots_next_row(reader, &row, NULL, NULL, &err);
	}
	if (status != MCW_ERR_FORMAT || err.message[0] == '\0')
		vec_wrong("a malformed row gives %s", mcw_status_name(status));
	mcw_ots_reader_free(reader);
}

static void
check_md5(mcw_view body, mcw_view want)
{
	unsigned char digest[16];
	mcw_view	digest_view = {(const char *) digest, sizeof(digest)};
	mcw_buf		text;

	mcw_buf_init(&text, &mcw_malloc, 64);
	if (mcw_md5(body.data, body.len, digest) == MCW_OK && mcw_base64_encode(&text, digest_view) == MCW_OK)
		(void) vec_same("content_md5", mcw_buf_view(&text), want);
	mcw_buf_free(&text);
}

static const char *
text_of(const mcw_node *v, const char *member, char *text, size_t size)
{
	mcw_view	view = mcw_node_text(v, member);

	(void) snprintf(text, size, "%.*s", (int) view.len, view.data ? view.data : "");
	return text;
}

void
check_ots_requests(const char *file, const mcw_node *root)
{
	const mcw_node *list = mcw_node_get(root, "cases");

	vec_known_file(file, root, "about cases");
	for (const mcw_node *v = list ? list->first : NULL; v; v = v->next)
	{
		mcw_view	body = rows_hex(mcw_node_get(v, "body_hex"), &vec_arena);
		int64_t		len = -1;
		char		name[64];

		vec_case(file, "cases", mcw_node_text(v, "name"));
		if (!vec_known(v, "name sdk operation body_len body_hex content_md5 message decoded malformed"))
			continue;
		if (!mcw_node_int(v, "body_len", &len) || body.data == NULL || (uint64_t) len != body.len)
			vec_wrong("the length of the body differs");
		check_md5(body, mcw_node_text(v, "content_md5"));
		if (mcw_node_get(v, "malformed"))
			check_malformed_row(body);
		else
			(void) check_message(text_of(v, "message", name, sizeof(name)), body, mcw_node_get(v, "decoded"));
	}
}

void
check_ots_filters(const char *file, const mcw_node *root)
{
	const mcw_node *list = mcw_node_get(root, "cases");

	vec_known_file(file, root, "about cases");
	for (const mcw_node *v = list ? list->first : NULL; v; v = v->next)
	{
		const mcw_node *decoded = mcw_node_get(v, "decoded");
		mcw_view	inner = rows_hex(mcw_node_get(v, "inner_hex"), &vec_arena);
		mcw_view	bytes = rows_hex(mcw_node_get(v, "filter_message_hex"), &vec_arena);
		int64_t		type = 0;
		mcw_buf		outer;

		vec_case(file, "cases", mcw_node_text(v, "name"));
		if (!vec_known(v, "name sdk filter_type inner_hex filter_message_hex decoded"))
			continue;
		if (bytes.data)
		{
			if (check_filter_members(bytes, decoded))
				(void) check_filter_bytes(bytes, mcw_node_get(decoded, "filter"));
			continue;
		}
		if (inner.data == NULL || !mcw_node_int(v, "filter_type", &type))
		{
			vec_wrong("it has no bytes");
			continue;
		}
		if (!check_message(type == 1 ? "SingleColumnValueFilter" : type == 2 ? "CompositeColumnValueFilter" :
						   "ColumnPaginationFilter", inner, decoded))
			continue;
		mcw_buf_init(&outer, &mcw_malloc, MAX_OUT);
		mcw_pb_put_uint(&outer, 1, (uint64_t) type);
		mcw_pb_put_bytes(&outer, 2, inner);
		(void) check_filter_bytes(mcw_buf_view(&outer), decoded);
		mcw_buf_free(&outer);
	}
}

void
check_ots_tunnel(const char *file, const mcw_node *root)
{
	const mcw_node *list = mcw_node_get(root, "cases");

	vec_known_file(file, root, "about cases");
	for (const mcw_node *v = list ? list->first : NULL; v; v = v->next)
	{
		char		name[64];
		char	   *end;

		vec_case(file, "cases", mcw_node_text(v, "name"));
		if (!vec_known(v, "name sdk operation message body_hex decoded response_from_test_server_hex response_decoded"))
			continue;
		(void) text_of(v, "message", name, sizeof(name));
		if (!check_message(name, rows_hex(mcw_node_get(v, "body_hex"), &vec_arena), mcw_node_get(v, "decoded")))
			continue;
		end = strstr(name, "Request");
		if (end == NULL)
		{
			vec_wrong("it is no request");
			continue;
		}
		(void) snprintf(end, sizeof(name) - (size_t) (end - name), "Response");
		(void) check_message(name, rows_hex(mcw_node_get(v, "response_from_test_server_hex"), &vec_arena),
							 mcw_node_get(v, "response_decoded"));
	}
}
