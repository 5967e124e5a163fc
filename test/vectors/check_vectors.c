/*
 * check_vectors.c
 *		make check-vectors VECTORS=<directory>: run the codecs over every vector of
 *		every .json file below a directory.
 *
 * A file is known by the names of its directory and itself.  What is not known,
 * file or member, is a failure: a vector that nobody looked at must not count as
 * checked.
 */
#include "check_vectors.h"

#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>

mcw_arena	vec_arena;

static char case_name[512];
static bool case_open;
static bool case_bad;
static unsigned long passed;
static unsigned long failed;

static const struct
{
	const char *directory;
	const char *file;
	vec_checker check;			/* NULL: not used, which is told with the reason */
	const char *why_not;
}			known_files[] = {
	{"loghub", "v1_signatures.json", check_sls_v1},
	{"loghub", "v4_signatures.json", check_sls_v4},
	{"loghub", "loggroup_protobuf.json", check_sls_protobuf},
	{"loghub", "putlogs_bodies.json", check_sls_bodies},
	{"maxcompute", "signatures.json", check_odps_signatures},
	{"maxcompute", "tunnel_records.json", check_odps_records},
	{"maxcompute", "arrow_tunnel.json", check_odps_arrow},
	{"maxcompute", "upsert_hash.json", check_odps_hashes},
	{"maxcompute", "http_bodies.json", check_odps_bodies},
	{"tablestore", "plainbuffer.json", check_ots_rows},
	{"tablestore", "signatures.json", check_ots_signatures},
	{"tablestore", "requests.json", check_ots_requests},
	{"tablestore", "filters.json", check_ots_filters},
	{"tablestore", "tunnel.json", check_ots_tunnel},
	{"oss", "v1_signatures.json", check_oss_v1},
	{"oss", "v4_signatures.json", check_oss_v4},
	{"oss", "presigned_urls.json", check_oss_presigned},
	{"oss", "crc64.json", check_oss_crc64},
	{"oss", "xml_bodies.json", check_oss_xml},
	/* its comparisons and casts are not PostgreSQL's, and an account may not have it */
	{"oss", "select_object.json", NULL, "objects are always read by GetObject"},
};

#define NKNOWN (sizeof(known_files) / sizeof(known_files[0]))

static void
close_case(void)
{
	if (case_open && case_bad)
		failed++;
	else if (case_open)
		passed++;
	case_open = false;
}

void
vec_case(const char *file, const char *section, mcw_view name)
{
	close_case();
	case_open = true;
	case_bad = false;
	(void) snprintf(case_name, sizeof(case_name), "%s: %s%s%.*s", file, section,
					*section ? " " : "", (int) name.len, name.data ? name.data : "");
}

void
vec_not_used(const char *file, mcw_view name, const char *why)
{
	close_case();
	printf("%s: %.*s: not used: %s\n", file, (int) name.len, name.data, why);
}

bool
vec_wrong(const char *fmt, ...)
{
	va_list		args;

	case_bad = true;
	printf("%s: ", case_name);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	return false;
}

bool
vec_failed(void)
{
	return case_bad;
}

bool
vec_same(const char *what, mcw_view got, mcw_view want)
{
	if (want.data && mcw_view_eq(got, want))
		return true;
	return vec_wrong("%s differs:\n\tgot  %.*s\n\twant %.*s", what,
					 (int) (got.len < 2000 ? got.len : 2000), got.data ? got.data : "(none)",
					 (int) (want.len < 2000 ? want.len : 2000), want.data ? want.data : "(none)");
}

static bool
is_listed(mcw_view name, const char *names)
{
	while (*names)
	{
		size_t		len = strcspn(names, " ");
		mcw_view	word = {names, len};

		if (mcw_view_eq(name, word))
			return true;
		names += len;
		names += strspn(names, " ");
	}
	return false;
}

void
vec_known_file(const char *file, const mcw_node *root, const char *names)
{
	bool		known = root->kind == MCW_NODE_OBJECT;

	for (const mcw_node *member = root->first; member; member = member->next)
		known = known && is_listed(member->name, names);
	if (known)
		return;
	vec_case(file, "", MCW_LIT("top of the file"));
	vec_known(root, names);
}

bool
vec_known(const mcw_node *object, const char *names)
{
	bool		known = true;

	if (object == NULL || object->kind != MCW_NODE_OBJECT)
		return vec_wrong("not understood: expected an object");
	for (const mcw_node *member = object->first; member; member = member->next)
		if (!is_listed(member->name, names))
			known = vec_wrong("not understood: member \"%.*s\"", (int) member->name.len, member->name.data);
	return known;
}

/* Compare the last component of a path */
static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void
check_file(const char *directory, const char *file)
{
	char		path[PATH_MAX];
	char		label[256];
	mcw_error	err = {0};
	const mcw_node *root;
	unsigned long before = passed + failed;

	(void) snprintf(path, sizeof(path), "%s/%s", directory, file);
	(void) snprintf(label, sizeof(label), "%s/%s", base_name(directory), file);
	for (size_t i = 0; i < NKNOWN; i++)
	{
		if (strcmp(base_name(directory), known_files[i].directory) != 0 ||
			strcmp(file, known_files[i].file) != 0)
			continue;
		if (known_files[i].check == NULL)
		{
			vec_not_used(label, MCW_LIT("file"), known_files[i].why_not);
			return;
		}
		mcw_arena_init(&vec_arena, &mcw_malloc, (size_t) 1 << 30);
		root = rows_load(path, &vec_arena, &err);
		if (root)
			known_files[i].check(label, root);
		else
		{
			vec_case(label, "", MCW_LIT("file"));
			vec_wrong("cannot be read: %s", err.message);
		}
		close_case();
		mcw_arena_reset(&vec_arena);
		if (passed + failed == before)
		{
			vec_case(label, "", MCW_LIT("file"));
			vec_wrong("it holds no vector");
			close_case();
		}
		return;
	}
	vec_case(label, "", MCW_LIT("file"));
	vec_wrong("not understood");
	close_case();
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Names in a directory, sorted; hidden ones left out */
static char **
list_directory(const char *directory, size_t *n)
{
	DIR		   *dir = opendir(directory);
	char	  **names = NULL;
	size_t		room = 0;
	struct dirent *entry;

	*n = 0;
	if (dir == NULL)
		return NULL;
	while ((entry = readdir(dir)))
	{
		if (entry->d_name[0] == '.')
			continue;
		if (*n == room)
		{
			room = room ? 2 * room : 64;
			names = realloc(names, room * sizeof(*names));
			if (names == NULL)
				abort();
		}
		names[*n] = strdup(entry->d_name);
		if (names[(*n)++] == NULL)
			abort();
	}
	closedir(dir);
	if (*n > 0)
		qsort(names, *n, sizeof(*names), by_name);
	return names;
}

static void
walk(const char *directory, int depth)
{
	size_t		n;
	char	  **names = list_directory(directory, &n);

	for (size_t i = 0; i < n; i++)
	{
		char		path[PATH_MAX];
		size_t		len = strlen(names[i]);
		struct stat st;

		if (snprintf(path, sizeof(path), "%s/%s", directory, names[i]) < (int) sizeof(path) &&
			stat(path, &st) == 0)
		{
			if (S_ISDIR(st.st_mode) && depth < 8)
				walk(path, depth + 1);
			else if (S_ISREG(st.st_mode) && len > 5 && strcmp(names[i] + len - 5, ".json") == 0)
				check_file(directory, names[i]);
		}
		free(names[i]);
	}
	free(names);
}

int
main(int argc, char **argv)
{
	char		root[PATH_MAX];

	if (argc != 2)
	{
		fprintf(stderr, "usage: check_vectors DIRECTORY\n");
		return 2;
	}
	/* the name of the directory counts, so "." must not hide it */
	if (realpath(argv[1], root) == NULL)
	{
		perror(argv[1]);
		printf("vectors: 0 passed, 1 failed\n");
		return 2;
	}
	walk(root, 0);
	if (passed + failed == 0)
	{
		printf("%s: no vectors found\n", root);
		failed++;
	}
	printf("vectors: %lu passed, %lu failed\n", passed, failed);
	return failed == 0 ? 0 : 1;
}
