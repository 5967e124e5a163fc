/*
 * oss_server.h
 *		A small OSS for unit tests: one bucket in memory behind net_server.h, with
 *		signatures checked, ranges, conditions, lists, multipart uploads, and faults by
 *		request.  As a plain web server it knows as little as it is told to.
 *
 * It is no emulator: it knows only what the client asks for.
 */
#ifndef OSS_SERVER_H
#define OSS_SERVER_H

#include "oss_model.h"

/* ---- objects ---- */

static inline bool
oss_get(net_conn *c, oss_model *model, oss_asked *asked)
{
	bool		head = mcw_view_eq(asked->http.method, MCW_LIT("HEAD"));
	oss_thing  *thing = oss_find(model, asked->key);
	mcw_view	match = mcw_request_get_header(&asked->http, MCW_LIT("If-Match"));
	mcw_view	since = mcw_request_get_header(&asked->http, MCW_LIT("If-Unmodified-Since"));
	mcw_view	range = mcw_request_get_header(&asked->http, MCW_LIT("Range"));
	char		headers[2000] = "";
	char		date[40];
	char	   *out = headers;
	char	   *body;
	size_t		from = 0;
	size_t		to;
	int			http = 200;
	int64_t		seconds;
	bool		ok;

	if (thing == NULL)
		return oss_refuse(c, model, asked, 404, "NoSuchKey");
	if (asked->fault == OSS_REPLACE || asked->fault == OSS_GROW || asked->fault == OSS_SHRINK)
	{
		char		etag[64];
		char	   *other = malloc(thing->len + 2);

		memset(other, 'x', thing->len + 2);
		memcpy(etag, thing->etag, sizeof(etag));
		(void) oss_put(model, asked->key, other,
					   thing->len + (asked->fault == OSS_GROW ? 1 : asked->fault == OSS_SHRINK ? -(thing->len / 2) : 0));
		if (asked->fault != OSS_REPLACE)
			memcpy(thing->etag, etag, sizeof(etag));
		free(other);
	}
	if (match.data && !model->weak_etag && !mcw_oss_etag_eq(mcw_oss_etag(match), mcw_str(thing->etag)))
		return oss_refuse(c, model, asked, 412, "PreconditionFailed");
	if (since.data && mcw_parse_http_date(since, &seconds) && thing->modified > seconds)
		return oss_refuse(c, model, asked, 412, "PreconditionFailed");
	to = thing->len;
	if (range.data && !model->no_ranges && asked->fault != OSS_WHOLE)
	{
		unsigned long a;
		unsigned long b = 0;
		char		text[100];

		(void) snprintf(text, sizeof(text), "%.*s", (int) range.len, range.data);
		if (sscanf(text, "bytes=%lu-%lu", &a, &b) == 1)
			b = thing->len - 1;
		if (a >= thing->len)
			return oss_refuse(c, model, asked, 416, "InvalidRange");
		/* without the header the service sends all of it when the end is too far */
		if (b < thing->len || mcw_request_get_header(&asked->http, MCW_LIT("x-oss-range-behavior")).data || model->plain)
		{
			http = 206;
			from = a;
			to = b + 1 < thing->len ? b + 1 : thing->len;
			out += sprintf(out, "Content-Range: bytes %zu-%zu/%zu\r\n", from + (asked->fault == OSS_WRONG_RANGE),
						   to - 1 + (asked->fault == OSS_WRONG_RANGE), thing->len);
		}
	}
	if (!model->no_etag)
		out += sprintf(out, "ETag: %s\"%s\"\r\n", model->weak_etag ? "W/" : "", asked->fault == OSS_OTHER_ETAG ? "0123" : thing->etag);
	mcw_http_date(thing->modified, date);
	if (!model->no_modified)
		out += sprintf(out, "Last-Modified: %s\r\n", date);
	if (!model->plain && !model->no_proof)
		out += sprintf(out, "x-oss-hash-crc64ecma: %llu\r\n",
					   (unsigned long long) mcw_crc64(0, thing->data, thing->len) + (asked->fault == OSS_WRONG_CRC));
	if (thing->token[0] && !model->no_proof)
		out += sprintf(out, "x-oss-meta-mc-token: %s\r\n", thing->token);
	if (!model->no_ranges)
		out += sprintf(out, "Accept-Ranges: bytes\r\n");
	body = malloc(to - from + 1);
	memcpy(body, thing->data + from, to - from);
	if (asked->fault == OSS_FLIP && to > from)
		body[(to - from) / 2] ^= 4;
	pthread_mutex_unlock(&model->lock);
	if (head && model->no_length)
	{
		ok = net_sendf(c, "HTTP/1.1 200 OK\r\n%s\r\n", headers);
	}
	else
		ok = oss_send(c, model, asked, http, headers, body, to - from);
	pthread_mutex_lock(&model->lock);
	free(body);
	return ok;
}

static inline bool
oss_stored(net_conn *c, oss_model *model, oss_asked *asked, const oss_thing *thing, const char *body)
{
	char		headers[500] = "";

	if (asked->fault == OSS_DONE_RESET)
	{
		net_reset(c);
		return false;
	}
	if (asked->fault == OSS_DONE_ERROR)
		return oss_refuse(c, model, asked, asked->step->http, asked->step->code);
	if (!model->no_proof)
		(void) snprintf(headers, sizeof(headers), "ETag: \"%s\"\r\nx-oss-hash-crc64ecma: %llu\r\n", thing->etag,
						(unsigned long long) mcw_crc64(0, thing->data, thing->len) + (asked->fault == OSS_WRONG_CRC));
	else
		(void) snprintf(headers, sizeof(headers), "ETag: \"%s\"\r\n", thing->etag);
	return oss_send(c, model, asked, 200, headers, body, strlen(body));
}

static inline void
oss_copy(char *to, size_t size, mcw_view v)
{
	(void) snprintf(to, size, "%.*s", (int) v.len, v.data ? v.data : "");
}

static inline bool
oss_may_write(oss_model *model, const oss_asked *asked)
{
	return !mcw_view_eq(mcw_request_get_header(&asked->http, MCW_LIT("x-oss-forbid-overwrite")), MCW_LIT("true")) ||
		oss_find(model, asked->key) == NULL;
}

static inline bool
oss_put_object(net_conn *c, oss_model *model, oss_asked *asked)
{
	oss_thing  *thing;

	if (!oss_may_write(model, asked))
		return oss_refuse(c, model, asked, 409, "FileAlreadyExists");
	thing = oss_put(model, asked->key, asked->body.data, asked->body.len);
	oss_copy(thing->token, sizeof(thing->token), mcw_request_get_header(&asked->http, MCW_LIT("x-oss-meta-mc-token")));
	return oss_stored(c, model, asked, thing, "");
}

/* ---- uploads ---- */

static inline bool
oss_initiate(net_conn *c, oss_model *model, oss_asked *asked)
{
	oss_upload *upload = &model->uploads[model->nuploads++ % OSS_MAX_UPLOADS];
	char		body[3000];

	for (int i = 0; i < OSS_MAX_PARTS; i++)
		free(upload->data[i]);
	memset(upload, 0, sizeof(*upload));
	(void) snprintf(upload->id, sizeof(upload->id), "u%d", model->nuploads);
	oss_copy(upload->key, sizeof(upload->key), asked->key);
	oss_copy(upload->token, sizeof(upload->token), mcw_request_get_header(&asked->http, MCW_LIT("x-oss-meta-mc-token")));
	(void) snprintf(body, sizeof(body), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<InitiateMultipartUploadResult><Bucket>" OSS_BUCKET
					"</Bucket><Key>k</Key><UploadId>%s</UploadId></InitiateMultipartUploadResult>", upload->id);
	return oss_send(c, model, asked, 200, "", body, strlen(body));
}

static inline bool
oss_parts(net_conn *c, oss_model *model, oss_asked *asked, oss_upload *upload)
{
	mcw_buf		body;
	mcw_view	max = mcw_request_get_param(&asked->http, MCW_LIT("max-parts"));
	mcw_view	marker = mcw_request_get_param(&asked->http, MCW_LIT("part-number-marker"));
	int64_t		limit = 1000;
	int64_t		after = 0;
	int			n = 0;
	int			last = 0;
	int			total = 0;
	bool		ok;

	(void) mcw_view_int64(max, &limit);
	(void) mcw_view_int64(marker, &after);
	if (limit > 2)
		limit = 2;				/* pages */
	for (int i = 0; i < OSS_MAX_PARTS; i++)
		total += upload->data[i] != NULL && i >= after;
	if (asked->fault == OSS_LOSE_PART)
		total--;
	mcw_buf_init(&body, &mcw_malloc, 65536);
	(void) mcw_buf_append_str(&body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListPartsResult><Bucket>" OSS_BUCKET "</Bucket><Key>k</Key>");
	for (int i = (int) after; i < OSS_MAX_PARTS && n < limit && n < total; i++)
	{
		char		hex[33];

		if (upload->data[i] == NULL)
			continue;
		oss_md5_hex(upload->data[i], upload->len[i], hex);
		(void) mcw_buf_printf(&body, "<Part><PartNumber>%d</PartNumber><LastModified>2025-03-04T05:06:07.000Z</LastModified><ETag>\"%s\"</ETag>"
							  "<HashCrc64ecma>%llu</HashCrc64ecma><Size>%zu</Size></Part>", i + 1, hex,
							  (unsigned long long) mcw_crc64(0, upload->data[i], upload->len[i]), upload->len[i]);
		last = i + 1;
		n++;
	}
	(void) mcw_buf_printf(&body, "<UploadId>%s</UploadId><PartNumberMarker>%lld</PartNumberMarker><NextPartNumberMarker>%d</NextPartNumberMarker>"
						  "<MaxParts>%lld</MaxParts><IsTruncated>%s</IsTruncated></ListPartsResult>", upload->id, (long long) after, last,
						  (long long) limit, n < total ? "true" : "false");
	ok = oss_send(c, model, asked, 200, "", body.data, body.len);
	mcw_buf_free(&body);
	return ok;
}

static inline bool
oss_complete(net_conn *c, oss_model *model, oss_asked *asked, oss_upload *upload)
{
	mcw_buf		all;
	oss_thing  *thing;

	if (!oss_may_write(model, asked))
		return oss_refuse(c, model, asked, 409, "FileAlreadyExists");
	mcw_buf_init(&all, &mcw_malloc, (size_t) 64 << 20);
	for (int i = 0; i < OSS_MAX_PARTS; i++)
	{
		char		number[40];

		(void) snprintf(number, sizeof(number), "<PartNumber>%d</PartNumber>", i + 1);
		if (memmem(asked->body.data, asked->body.len, number, strlen(number)) == NULL)
			continue;
		if (upload->data[i] == NULL)
			return oss_refuse(c, model, asked, 400, "InvalidPart");
		(void) mcw_buf_append(&all, upload->data[i], upload->len[i]);
	}
	thing = oss_put(model, asked->key, all.data ? all.data : "", all.len);
	(void) snprintf(thing->token, sizeof(thing->token), "%s", upload->token);
	(void) strcat(thing->etag, "-2");
	mcw_buf_free(&all);
	upload->id[0] = '\0';
	return oss_stored(c, model, asked, thing, "<?xml version=\"1.0\"?>\n<CompleteMultipartUploadResult><Bucket>b</Bucket><Key>k</Key>"
					  "<ETag>\"E-2\"</ETag></CompleteMultipartUploadResult>");
}

static inline bool
oss_on_upload(net_conn *c, oss_model *model, oss_asked *asked, mcw_view id)
{
	oss_upload *upload = NULL;
	mcw_view	method = asked->http.method;
	int64_t		number = 0;

	for (int i = 0; i < OSS_MAX_UPLOADS; i++)
		if (model->uploads[i].id[0] && mcw_view_eq(mcw_str(model->uploads[i].id), id))
			upload = &model->uploads[i];
	if (upload && asked->fault == OSS_DROP_UPLOAD)
	{
		upload->id[0] = '\0';
		upload = NULL;
	}
	if (upload == NULL)
		return oss_refuse(c, model, asked, 404, "NoSuchUpload");
	if (mcw_view_eq(method, MCW_LIT("GET")))
		return oss_parts(c, model, asked, upload);
	if (mcw_view_eq(method, MCW_LIT("POST")))
		return oss_complete(c, model, asked, upload);
	if (mcw_view_eq(method, MCW_LIT("DELETE")))
	{
		upload->id[0] = '\0';
		return net_sendf(c, "HTTP/1.1 204 No Content\r\nx-oss-request-id: r\r\n\r\n");
	}
	(void) mcw_view_int64(mcw_request_get_param(&asked->http, MCW_LIT("partNumber")), &number);
	if (number < 1 || number > OSS_MAX_PARTS)
		return oss_refuse(c, model, asked, 400, "InvalidArgument");
	else
	{
		oss_thing	part = {.data = malloc(asked->body.len + 1), .len = asked->body.len};
		bool		ok;

		memcpy(part.data, asked->body.data, part.len);
		if (asked->fault == OSS_FLIP && part.len > 0)
			part.data[0] ^= 1;
		oss_md5_hex(part.data, part.len, part.etag);
		free(upload->data[number - 1]);
		upload->data[number - 1] = part.data;
		upload->len[number - 1] = part.len;
		ok = oss_stored(c, model, asked, &part, "");
		return ok;
	}
}

/* ---- lists ---- */

static inline bool
oss_list(net_conn *c, oss_model *model, oss_asked *asked)
{
	mcw_view	prefix = mcw_request_get_param(&asked->http, MCW_LIT("prefix"));
	mcw_view	after = mcw_request_get_param(&asked->http, MCW_LIT("start-after"));
	mcw_view	delimiter = mcw_request_get_param(&asked->http, MCW_LIT("delimiter"));
	mcw_view	token = mcw_request_get_param(&asked->http, MCW_LIT("continuation-token"));
	mcw_buf		last;
	mcw_buf		body;
	int			n = 0;
	int			page = model->page > 0 ? model->page : 1000;
	bool		truncated = false;
	bool		ok;

	if (asked->fault == OSS_BAD_XML)
		return oss_send(c, model, asked, 200, "", "<ListBucketResult><Contents>", 28);
	qsort(model->things, model->nthings, sizeof(model->things[0]), oss_cmp_key);
	mcw_buf_init(&last, &mcw_malloc, 10000);
	mcw_buf_init(&body, &mcw_malloc, (size_t) 16 << 20);
	if (token.data && asked->fault != OSS_SAME_PAGE)
		(void) mcw_hex_decode(&last, token);
	else
		(void) mcw_buf_append_view(&last, after);
	(void) mcw_buf_append_str(&body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult><Name>" OSS_BUCKET
							  "</Name><EncodingType>url</EncodingType>");
	for (int i = 0; i < model->nthings; i++)
	{
		const oss_thing *thing = &model->things[i];
		mcw_view	key = {thing->key, thing->key_len};
		const char *cut;

		if (key.len < prefix.len || (prefix.len > 0 && memcmp(key.data, prefix.data, prefix.len) != 0))
			continue;
		cut = delimiter.len > 0 ? memmem(key.data + prefix.len, key.len - prefix.len, delimiter.data, delimiter.len) : NULL;
		if (mcw_view_cmp(key, mcw_buf_view(&last)) <= 0)
			continue;
		if (cut)
		{
			key.len = (size_t) (cut - key.data) + delimiter.len;
			if (last.len >= key.len && token.data && memcmp(last.data, key.data, key.len) == 0)
				continue;
		}
		if (n > 0 && cut && last.len == key.len && memcmp(last.data, key.data, key.len) == 0)
			continue;
		if (n == page)
		{
			truncated = true;
			break;
		}
		n++;
		(void) mcw_buf_append_str(&body, cut ? "<CommonPrefixes><Prefix>" : "<Contents><Key>");
		(void) mcw_percent_encode(&body, key, false);
		if (cut)
			(void) mcw_buf_append_str(&body, "</Prefix></CommonPrefixes>");
		else
			(void) mcw_buf_printf(&body, "</Key><LastModified>2025-03-04T05:06:07.000Z</LastModified><ETag>\"%s\"</ETag><Type>Normal</Type>"
								  "<Size>%zu</Size><StorageClass>Standard</StorageClass></Contents>", thing->etag, thing->len);
		mcw_buf_reset(&last);
		(void) mcw_buf_append_view(&last, key);
	}
	(void) mcw_buf_printf(&body, "<IsTruncated>%s</IsTruncated>", truncated ? "true" : "false");
	if (truncated)
	{
		(void) mcw_buf_append_str(&body, "<NextContinuationToken>");
		if (asked->fault == OSS_SAME_TOKEN)
			(void) mcw_buf_append_view(&body, token);
		else
			(void) mcw_hex_encode(&body, mcw_buf_view(&last), true);
		(void) mcw_buf_append_str(&body, "</NextContinuationToken>");
	}
	(void) mcw_buf_printf(&body, "<KeyCount>%d</KeyCount><MaxKeys>1000</MaxKeys></ListBucketResult>", n);
	ok = oss_send(c, model, asked, 200, "", body.data, body.len);
	mcw_buf_free(&last);
	mcw_buf_free(&body);
	return ok;
}

static inline bool
oss_multi_delete(net_conn *c, oss_model *model, oss_asked *asked)
{
	mcw_node   *root;
	mcw_buf		body;
	mcw_error	err;
	bool		ok;
	unsigned char md5[16];
	mcw_buf		text;

	mcw_buf_init(&text, &mcw_malloc, 100);
	(void) mcw_md5(asked->body.data, asked->body.len, md5);
	(void) mcw_base64_encode(&text, (mcw_view) {(char *) md5, 16});
	ok = mcw_view_eq(mcw_buf_view(&text), mcw_request_get_header(&asked->http, MCW_LIT("Content-MD5")));
	mcw_buf_free(&text);
	if (!ok)
		return oss_refuse(c, model, asked, 400, "InvalidDigest");
	if (mcw_xml_parse(asked->body, &asked->arena, &root, &err) != MCW_OK)
		return oss_refuse(c, model, asked, 400, "MalformedXML");
	mcw_buf_init(&body, &mcw_malloc, (size_t) 16 << 20);
	(void) mcw_buf_append_str(&body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DeleteResult><EncodingType>url</EncodingType>");
	for (const mcw_node *object = mcw_node_get(root, "Object"); object; object = mcw_node_next(object, "Object"))
	{
		mcw_view	key = mcw_node_text(object, "Key");

		if (asked->fault == OSS_LOSE_PART && mcw_node_next(object, "Object") == NULL)
			break;
		oss_remove(model, key);
		(void) mcw_buf_append_str(&body, "<Deleted><Key>");
		(void) mcw_percent_encode(&body, key, false);
		(void) mcw_buf_append_str(&body, "</Key></Deleted>");
	}
	(void) mcw_buf_append_str(&body, "</DeleteResult>");
	ok = oss_send(c, model, asked, 200, "", body.data, body.len);
	mcw_buf_free(&body);
	return ok;
}

static inline bool
oss_uploads(net_conn *c, oss_model *model, oss_asked *asked)
{
	char		body[8000];
	char	   *out = body;

	out += sprintf(out, "<?xml version=\"1.0\"?>\n<ListMultipartUploadsResult><Bucket>b</Bucket><EncodingType>url</EncodingType>");
	for (int i = 0; i < OSS_MAX_UPLOADS; i++)
		if (model->uploads[i].id[0])
			out += sprintf(out, "<Upload><Key>%s</Key><UploadId>%s</UploadId><Initiated>2025-03-04T05:06:07.000Z</Initiated></Upload>",
						   model->uploads[i].key, model->uploads[i].id);
	(void) sprintf(out, "<KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker><NextKeyMarker></NextKeyMarker>"
				   "<NextUploadIdMarker></NextUploadIdMarker><MaxUploads>1000</MaxUploads><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>");
	return oss_send(c, model, asked, 200, "", body, strlen(body));
}

/* ---- requests ---- */

static inline bool
oss_parse(oss_model *model, net_conn *c, char *head, oss_asked *asked)
{
	char	   *line = strstr(head, "\r\n");
	mcw_error	err;
	mcw_view	bucket = MCW_LIT("/" OSS_BUCKET);

	asked->http.method = mcw_str(c->method);
	if (mcw_request_parse_target(&asked->http, mcw_str(c->target), &asked->arena, &err) != MCW_OK)
		return false;
	while (line && line[2] != '\r')
	{
		char	   *end = strstr(line + 2, "\r\n");
		char	   *colon = strchr(line + 2, ':');

		*end = '\0';
		*colon = '\0';
		(void) mcw_request_header(&asked->http, mcw_str(line + 2), mcw_str(colon[1] ? colon + 2 : colon + 1));
		line = end;
	}
	asked->key = asked->http.path;
	if (model->path_style)
	{
		if (asked->key.len < bucket.len || memcmp(asked->key.data, bucket.data, bucket.len) != 0)
			return false;
		asked->key.data += bucket.len;
		asked->key.len -= bucket.len;
	}
	else if (!model->plain && strncmp(mcw_request_get_header(&asked->http, MCW_LIT("Host")).data, OSS_BUCKET ".", 7) != 0)
		return false;
	if (asked->key.len > 0)
	{
		asked->key.data++;
		asked->key.len--;
	}
	return true;
}

static inline void
oss_choose_fault(oss_model *model, const char *what, oss_asked *asked)
{
	for (int i = 0; i < model->nsteps; i++)
	{
		const oss_step *step = &model->steps[i];
		int			times = step->times ? step->times : 1;

		if (strstr(what, step->match) == NULL)
			continue;
		if (model->seen[i]++ >= step->skip && model->seen[i] <= step->skip + times && asked->step == NULL)
		{
			asked->step = step;
			asked->fault = step->fault;
		}
	}
}

static inline bool
oss_dispatch(net_conn *c, oss_model *model, oss_asked *asked)
{
	mcw_view	method = asked->http.method;
	mcw_view	id = mcw_request_get_param(&asked->http, MCW_LIT("uploadId"));
	bool		uploads = false;
	bool		delete = false;

	for (int i = 0; i < asked->http.nparams; i++)
	{
		uploads |= mcw_view_eq(asked->http.params[i].name, MCW_LIT("uploads"));
		delete |= mcw_view_eq(asked->http.params[i].name, MCW_LIT("delete"));
	}
	if (id.data)
		return oss_on_upload(c, model, asked, id);
	if (uploads)
		return mcw_view_eq(method, MCW_LIT("POST")) ? oss_initiate(c, model, asked) : oss_uploads(c, model, asked);
	if (delete)
		return oss_multi_delete(c, model, asked);
	if (asked->key.len == 0 && !model->plain)
		return oss_list(c, model, asked);
	if (mcw_view_eq(method, MCW_LIT("PUT")))
		return oss_put_object(c, model, asked);
	if (mcw_view_eq(method, MCW_LIT("DELETE")))
	{
		oss_remove(model, asked->key);
		return net_sendf(c, "HTTP/1.1 204 No Content\r\nx-oss-request-id: r\r\n\r\n");
	}
	if (mcw_view_eq(method, MCW_LIT("HEAD")) && model->no_head)
		return oss_refuse(c, model, asked, 405, "MethodNotAllowed");
	return oss_get(c, model, asked);
}

static inline bool
oss_handle(net_conn *c, const char *head, mcw_view body)
{
	oss_model  *model = c->server->handler_ctx;
	oss_asked	asked = {.body = body};
	char		what[2100];
	char	   *copy = strdup(head);
	bool		keep = true;

	pthread_mutex_lock(&model->lock);
	model->requests++;
	(void) snprintf(model->head, sizeof(model->head), "%s", head);
	(void) snprintf(what, sizeof(what), "%s %s", c->method, c->target);
	if (strlen(model->log) + strlen(what) + 2 < sizeof(model->log))
		(void) strcat(strcat(model->log, what), "\n");
	if (++model->in_flight > model->max_in_flight)
		model->max_in_flight = model->in_flight;
	if (model->delay_us)
	{
		pthread_mutex_unlock(&model->lock);
		usleep(model->delay_us);
		pthread_mutex_lock(&model->lock);
	}
	mcw_arena_init(&asked.arena, &mcw_malloc, 16 << 20);
	if (!oss_parse(model, c, copy, &asked))
		keep = oss_refuse(c, model, &asked, 400, "InvalidRequest");
	else if (!oss_authentic(model, &asked))
	{
		model->bad_signatures++;
		keep = oss_refuse(c, model, &asked, 403, "SignatureDoesNotMatch");
	}
	else if (!model->anonymous && !model->plain && llabs(oss_time_of(&asked) - mcn_unix_us() / 1000000 - model->skew) > 900)
		keep = oss_refuse(c, model, &asked, 403, "RequestTimeTooSkewed");
	else
	{
		oss_choose_fault(model, what, &asked);
		switch (asked.fault)
		{
			case OSS_ERROR:
				keep = oss_refuse(c, model, &asked, asked.step->http, asked.step->code);
				break;
			case OSS_RESET:
				net_reset(c);
				keep = false;
				break;
			case OSS_NO_PROOF:
				model->no_proof = true;
				keep = oss_dispatch(c, model, &asked);
				break;
			case OSS_DELETE:
				oss_remove(model, asked.key);
				keep = oss_dispatch(c, model, &asked);
				break;
			case OSS_FOREIGN:
				(void) oss_put(model, asked.key, "foreign", 7);
				keep = oss_dispatch(c, model, &asked);
				break;
			default:
				keep = oss_dispatch(c, model, &asked);
		}
	}
	model->in_flight--;
	pthread_mutex_unlock(&model->lock);
	mcw_arena_reset(&asked.arena);
	free(copy);
	return keep;
}

/* ---- rig ---- */

typedef struct oss_rig
{
	net_server	server;
	net_host	host;
	mcn_loop   *loop;
	mcn_channel *channel;
	mcn_channel *once;
	mcs_oss		oss;
	oss_model	model;
} oss_rig;

static inline mcn_channel *
oss_channel(oss_rig *rig, const mcw_alloc *alloc, const mcn_options *options, const char *prefix)
{
	char		url[200];
	mcw_error	err;
	bool		bare = rig->model.path_style || rig->model.plain;
	mcn_channel *channel;

	(void) snprintf(url, sizeof(url), "%s%s", rig->server.url, prefix);
	channel = mcn_channel_create(rig->loop, alloc, mcw_str(url), bare ? MCW_LIT("") : MCW_LIT(OSS_BUCKET), options,
								 mcs_oss_retry_rules, &err);
	if (!channel)
		printf("%s\n", err.message);
	return channel;
}

/* rig->model is filled by the caller before */
static inline void
oss_rig_init(oss_rig *rig, const mcw_alloc *alloc)
{
	mcn_options options = mcn_default_options;

	net_start(&rig->server, NULL, 0);
	pthread_mutex_init(&rig->model.lock, NULL);
	rig->server.handler_ctx = &rig->model;
	rig->server.handler = oss_handle;
	rig->loop = net_loop(&rig->host);
	options.max_retries = 3;
	options.stall_timeout_ms = 5000;
	rig->channel = oss_channel(rig, alloc, &options, "");
	options.max_retries = 0;
	rig->once = oss_channel(rig, alloc, &options, "");
	rig->oss.loop = rig->loop;
	rig->oss.alloc = alloc;
	rig->oss.channel = rig->channel;
	rig->oss.style = rig->model.plain ? MCS_OSS_PLAIN : rig->model.path_style ? MCS_OSS_PATH : MCS_OSS_VIRTUAL;
	rig->oss.bucket = MCW_LIT(OSS_BUCKET);
	rig->oss.v4 = rig->model.v4;
	rig->oss.region = rig->model.v4 ? MCW_LIT(OSS_REGION) : MCW_LIT("");
	if (!rig->model.anonymous && !rig->model.plain)
	{
		rig->oss.cred.access_key_id = MCW_LIT(OSS_ID);
		rig->oss.cred.access_key_secret = MCW_LIT(OSS_SECRET);
		rig->oss.cred.security_token = mcw_str(rig->model.sts);
	}
}

static inline void
oss_rig_free(oss_rig *rig)
{
	mcn_channel_free(rig->channel);
	mcn_channel_free(rig->once);
	mcn_loop_free(rig->loop);
	CHECK_INT(rig->host.fds, 0);
	net_stop(&rig->server);
	for (int i = 0; i < rig->model.nthings; i++)
	{
		free(rig->model.things[i].key);
		free(rig->model.things[i].data);
	}
	for (int i = 0; i < OSS_MAX_UPLOADS; i++)
		for (int k = 0; k < OSS_MAX_PARTS; k++)
			free(rig->model.uploads[i].data[k]);
}

static inline oss_rig *
oss_rig_new(void)
{
	return calloc(1, sizeof(oss_rig));
}

static inline void
oss_rig_end(oss_rig *rig)
{
	oss_rig_free(rig);
	free(rig);
}

#endif							/* OSS_SERVER_H */
