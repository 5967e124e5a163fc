/*
 * seed.c
 *		mc-emulator: commands, one JSON object each, from --seed files and from POST
 *		/__mc/command.  Service commands go to the service; those of service
 *		"emulator" are answered here.
 */
#include <errno.h>
#include <stdlib.h>

#include "core.h"

#define COMMAND_ARENA ((size_t) 1 << 30)
#define MAX_SEED_FILE ((long) 1 << 30)

static bool
node_bool(const mcw_node *cmd, const char *name, bool *out)
{
	const mcw_node *node = mcw_node_get(cmd, name);

	if (node == NULL || node->kind != MCW_NODE_BOOL)
		return false;
	*out = node->boolean;
	return true;
}

static bool
command_key(const mcw_node *cmd, mcw_error *err)
{
	mcw_view	id = mcw_node_text(cmd, "id");
	mcw_view	secret = mcw_node_text(cmd, "secret");
	mcw_view	token = mcw_node_text(cmd, "token");
	emu_key    *key;

	if (secret.data && !emu_add_key(id, secret, token.data ? token : MCW_LIT(""), err))
		return false;
	key = emu_key_for_update(id);
	if (key == NULL)
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "no such access key, and no secret to make one");
		return false;
	}
	(void) node_bool(cmd, "expired", &key->expired);
	(void) node_bool(cmd, "disabled", &key->disabled);
	return true;
}

static bool
command_emulator(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	mcw_view	op = mcw_node_text(cmd, "op");
	int64_t		ms;

	if (op.data == NULL)
		op = MCW_LIT("");
	if (mcw_view_eq(op, MCW_LIT("set")))
	{
		(void) node_bool(cmd, "verify_signature", &emu_conf.verify_signature);
		(void) node_bool(cmd, "check_clock", &emu_conf.check_clock);
		(void) node_bool(cmd, "enforce_rates", &emu_conf.enforce_rates);
		if (mcw_node_int(cmd, "latency_ms", &ms))
			emu_latency_ms = ms > 0 ? ms : 0;
		mcw_buf_printf(reply, "{\"verify_signature\":%s,\"check_clock\":%s,\"enforce_rates\":%s,\"latency_ms\":%lld}",
					   emu_conf.verify_signature ? "true" : "false", emu_conf.check_clock ? "true" : "false",
					   emu_conf.enforce_rates ? "true" : "false", (long long) emu_latency_ms);
		return true;
	}
	if (mcw_view_eq(op, MCW_LIT("access_key")))
		return command_key(cmd, err);
	if (mcw_view_eq(op, MCW_LIT("clock")))
		return emu_clock_command(cmd, err);
	mcw_fail(err, MCW_ERR_ARGUMENT, "service emulator knows the ops set, access_key and clock, not \"%.*s\"", (int) op.len, op.data);
	return false;
}

/* One command.  'fallback' is meant when it names no service. */
bool
emu_command(const mcw_node *cmd, const emu_service *fallback, mcw_buf *reply, mcw_error *err)
{
	mcw_view	name;
	const emu_service *service = fallback;
	size_t		before = reply->len;

	if (cmd->kind != MCW_NODE_OBJECT)
	{
		mcw_fail(err, MCW_ERR_FORMAT, "a command is a JSON object");
		return false;
	}
	name = mcw_node_text(cmd, "service");
	if (name.data && mcw_view_eq(name, MCW_LIT("emulator")))
	{
		if (!command_emulator(cmd, reply, err))
			return false;
	}
	else
	{
		if (name.data)
			service = emu_find_service(name);
		if (service == NULL || service->command == NULL)
		{
			mcw_fail(err, MCW_ERR_ARGUMENT, "command names no service of this build: \"%.*s\"", (int) name.len, name.data ? name.data : "");
			return false;
		}
		if (!service->command(cmd, reply, err))
			return false;
	}
	if (reply->len == before)
		mcw_buf_append_str(reply, "{}");
	return true;
}

static bool
run_lines(mcw_view text, const emu_service *fallback, mcw_buf *reply, mcw_error *err)
{
	const char *p = text.data;
	const char *end = text.data + text.len;
	int			line = 0;

	while (p < end)
	{
		const char *nl = memchr(p, '\n', end - p);
		mcw_view	one = {p, (nl ? nl : end) - p};
		mcw_arena	arena;
		mcw_node   *root = NULL;
		bool		ok;

		line++;
		p = nl ? nl + 1 : end;
		while (one.len > 0 && strchr(" \t\r", one.data[0]))
			one.data++, one.len--;
		if (one.len == 0 || one.data[0] == '#')
			continue;
		mcw_arena_init(&arena, &mcw_malloc, COMMAND_ARENA);
		ok = mcw_json_parse(one, &arena, &root, err) == MCW_OK;
		if (ok && reply->len > 0)
			mcw_buf_append_char(reply, '\n');
		ok = ok && emu_command(root, fallback, reply, err);
		mcw_arena_reset(&arena);
		if (!ok)
		{
			mcw_error	why = *err;

			mcw_fail(err, why.status, "command in line %d: %.400s", line, why.message);
			return false;
		}
	}
	return true;
}

/*
 * A text of commands: one object, an array of objects, or one object per line with
 * empty lines and # comments between.  Stops at the first that fails.
 */
bool
emu_command_text(mcw_view text, const emu_service *fallback, mcw_buf *reply, mcw_error *err)
{
	mcw_arena	arena;
	mcw_node   *root = NULL;
	bool		ok = true;

	mcw_arena_init(&arena, &mcw_malloc, COMMAND_ARENA);
	if (mcw_json_parse(text, &arena, &root, err) != MCW_OK)
	{
		mcw_arena_reset(&arena);
		return run_lines(text, fallback, reply, err);
	}
	if (root->kind == MCW_NODE_ARRAY)
	{
		mcw_buf_append_char(reply, '[');
		for (const mcw_node *n = root->first; n && ok; n = n->next)
		{
			ok = emu_command(n, fallback, reply, err);
			if (ok && n->next)
				mcw_buf_append_char(reply, ',');
		}
		mcw_buf_append_char(reply, ']');
	}
	else
		ok = emu_command(root, fallback, reply, err);
	mcw_arena_reset(&arena);
	return ok;
}

bool
emu_seed_file(const char *path, mcw_error *err)
{
	FILE	   *f = fopen(path, "rb");
	char	   *text;
	long		size;
	mcw_buf		reply;
	bool		ok;

	if (f == NULL)
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "cannot open %s: %s", path, strerror(errno));
		return false;
	}
	if (fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0 || size > MAX_SEED_FILE || fseek(f, 0, SEEK_SET) != 0)
	{
		fclose(f);
		mcw_fail(err, MCW_ERR_LIMIT, "%s is not a regular file of at most 1 GB", path);
		return false;
	}
	text = emu_malloc(size + 1);
	size = (long) fread(text, 1, size, f);
	fclose(f);
	mcw_buf_init(&reply, &mcw_malloc, (size_t) 1 << 30);
	ok = emu_command_text((mcw_view) {text, (size_t) size}, NULL, &reply, err);
	mcw_buf_free(&reply);
	free(text);
	return ok;
}
