/*
 * main.c
 *		mc-emulator: Alibaba Cloud Log Service, Tablestore, OSS and MaxCompute on loopback,
 *		for tests and demos.  Command line, start-up, persistence, shutdown.
 *
 * docs/emulator.md is its manual.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core.h"

#define DEFAULT_KEY_ID "testAccessKeyId"
#define DEFAULT_KEY_SECRET "testAccessKeySecret"
#define MAX_LISTEN 4

emu_service *emu_services[EMU_MAX_SERVICES];
int			emu_nservices = 0;

enum
{
	OPT_LISTEN = 256, OPT_LOGHUB, OPT_TABLESTORE, OPT_OSS, OPT_MAXCOMPUTE, OPT_STS, OPT_METADATA, OPT_CLOCK, OPT_KEY, OPT_DATA,
	OPT_SEED, OPT_FAULT, OPT_BASE_DOMAIN, OPT_NO_VERIFY, OPT_NO_CLOCK, OPT_NO_RATES, OPT_LATENCY, OPT_MAX_BODY,
	OPT_COMMAND, OPT_VERBOSE, OPT_HELP
};

static const struct option long_options[] = {
	{"listen", required_argument, NULL, OPT_LISTEN},
	{"loghub-port", required_argument, NULL, OPT_LOGHUB},
	{"tablestore-port", required_argument, NULL, OPT_TABLESTORE},
	{"oss-port", required_argument, NULL, OPT_OSS},
	{"maxcompute-port", required_argument, NULL, OPT_MAXCOMPUTE},
	{"sts-port", required_argument, NULL, OPT_STS},
	{"metadata-port", required_argument, NULL, OPT_METADATA},
	{"clock", required_argument, NULL, OPT_CLOCK},
	{"access-key", required_argument, NULL, OPT_KEY},
	{"data", required_argument, NULL, OPT_DATA},
	{"seed", required_argument, NULL, OPT_SEED},
	{"command", required_argument, NULL, OPT_COMMAND},
	{"fault", required_argument, NULL, OPT_FAULT},
	{"base-domain", required_argument, NULL, OPT_BASE_DOMAIN},
	{"no-verify", no_argument, NULL, OPT_NO_VERIFY},
	{"no-clock-check", no_argument, NULL, OPT_NO_CLOCK},
	{"no-rates", no_argument, NULL, OPT_NO_RATES},
	{"latency-ms", required_argument, NULL, OPT_LATENCY},
	{"max-body", required_argument, NULL, OPT_MAX_BODY},
	{"verbose", no_argument, NULL, OPT_VERBOSE},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0}
};

static const char *const help_text =
"mc-emulator: Alibaba Cloud Log Service, Tablestore, OSS and MaxCompute on loopback.\n"
"\n"
"usage: mc-emulator [option]...\n"
"\n"
"  --listen ADDR           numeric address to listen on, up to 4 (default 127.0.0.1 and ::1)\n"
"  --loghub-port N         start Log Service on port N (0 = a free one)\n"
"  --tablestore-port N     start Tablestore on port N (0 = a free one)\n"
"  --maxcompute-port N     start MaxCompute on port N (0 = a free one)\n"
"                          no port option at all: every service on its default port\n"
"                          (Log Service 7701, Tablestore 7702, OSS 7703, MaxCompute 7704,\n"
"                          STS 7705, metadata service 7706)\n"
"  --oss-port N            start OSS on port N (0 = a free one)\n"
"  --sts-port N            start the Security Token Service on port N (0 = a free one)\n"
"  --metadata-port N       start the metadata service of an ECS instance on port N (0 = a free one)\n"
"  --clock TIME            freeze the clock at TIME (epoch seconds or ISO 8601)\n"
"  --access-key ID:SECRET[:TOKEN]   accept this key, repeatable; without any:\n"
"                          " DEFAULT_KEY_ID ":" DEFAULT_KEY_SECRET "\n"
"  --data DIR              load the state from DIR, save it there on SIGTERM or SIGINT\n"
"  --seed FILE             run the commands of FILE, one JSON object a line; repeatable\n"
"  --command JSON          run one command; repeatable, in order with --seed\n"
"  --fault FILE            load a fault plan (JSON array of rules)\n"
"  --base-domain NAME      another domain whose subdomains are Log Service projects; repeatable\n"
"  --latency-ms N          delay every answer by N milliseconds\n"
"  --max-body BYTES        largest request body (default 268435456)\n"
"  --no-verify             accept any signature\n"
"  --no-clock-check        accept any request time\n"
"  --no-rates              do not enforce request and session rates\n"
"  --verbose               one line per request on stderr\n"
"  --help                  this text\n"
"\n"
"Prints \"<service> http://ADDR:PORT\" for each service, then \"ready\".  docs/emulator.md\n"
"describes commands, fault rules and the /__mc/ control calls.\n";

typedef struct settings
{
	const char *listen[MAX_LISTEN];
	int			nlisten;
	int			loghub_port;	/* -1 = flag absent */
	int			tablestore_port;
	int			oss_port;
	int			maxcompute_port;
	int			sts_port;
	int			metadata_port;
	int			nkeys;
	const char *fault_file;
	struct
	{
		bool		is_file;
		const char *text;
	}			seeds[64];
	int			nseeds;
} settings;

static void die(const char *fmt,...) MCW_PRINTF(1, 2) __attribute__((noreturn));

static void
die(const char *fmt,...)
{
	va_list		ap;

	fputs("mc-emulator: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

emu_service *
emu_find_service(mcw_view name)
{
	for (int i = 0; i < emu_nservices; i++)
		if (mcw_view_eq(mcw_str(emu_services[i]->name), name))
			return emu_services[i];
	return NULL;
}

static int64_t
number_arg(const char *option, const char *text, int64_t max)
{
	int64_t		n;

	if (!mcw_view_int64(mcw_str(text), &n) || n < 0 || n > max)
		die("--%s wants a number from 0 to %lld, not \"%s\"", option, (long long) max, text);
	return n;
}

static void
key_arg(const char *text)
{
	const char *first = strchr(text, ':');
	const char *second = first ? strchr(first + 1, ':') : NULL;
	mcw_error	err = {0};
	mcw_view	secret;

	if (first == NULL)
		die("--access-key wants ID:SECRET or ID:SECRET:TOKEN");
	secret.data = first + 1;
	secret.len = second ? (size_t) (second - first - 1) : strlen(first + 1);
	if (!emu_add_key((mcw_view) {text, first - text}, secret, mcw_str(second ? second + 1 : ""), &err))
		die("--access-key: %s", err.message);
}

static void
base_domain_arg(const char *name)
{
	mcw_buf		cmd;
	mcw_buf		reply;
	mcw_error	err = {0};

	mcw_buf_init(&cmd, &mcw_malloc, 65536);
	mcw_buf_init(&reply, &mcw_malloc, 65536);
	mcw_buf_append_str(&cmd, "{\"service\":\"loghub\",\"op\":\"base_domain\",\"name\":");
	mcw_json_quote(&cmd, mcw_str(name));
	mcw_buf_append_char(&cmd, '}');
	if (!emu_command_text(mcw_buf_view(&cmd), NULL, &reply, &err))
		die("--base-domain %s: %s", name, err.message);
	mcw_buf_free(&cmd);
	mcw_buf_free(&reply);
}

static void
add_seed(settings *set, bool is_file, const char *text)
{
	if (set->nseeds == (int) (sizeof(set->seeds) / sizeof(set->seeds[0])))
		die("too many --seed and --command options");
	set->seeds[set->nseeds].is_file = is_file;
	set->seeds[set->nseeds++].text = text;
}

static void
clock_arg(const char *text)
{
	int64_t		us;

	if (!emu_parse_time(mcw_str(text), &us))
		die("--clock wants epoch seconds or an ISO 8601 time, not \"%s\"", text);
	emu_clock_freeze(us);
}

static void
not_built(const char *option)
{
	char		names[128] = "";

	for (int i = 0; i < emu_nservices; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? ", " : "", emu_services[i]->name);
	die("--%s: this service is not part of this build; it has %s", option, names);
}

static void
parse_args(int argc, char **argv, settings *set)
{
	int			c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
	{
		switch (c)
		{
			case OPT_LISTEN:
				if (set->nlisten == MAX_LISTEN)
					die("more than %d --listen options", MAX_LISTEN);
				set->listen[set->nlisten++] = optarg;
				break;
			case OPT_LOGHUB:
				set->loghub_port = (int) number_arg("loghub-port", optarg, 65535);
				break;
			case OPT_MAXCOMPUTE:
				set->maxcompute_port = (int) number_arg("maxcompute-port", optarg, 65535);
				break;
			case OPT_TABLESTORE:
				set->tablestore_port = (int) number_arg("tablestore-port", optarg, 65535);
				break;
			case OPT_OSS:
				set->oss_port = (int) number_arg("oss-port", optarg, 65535);
				break;
			case OPT_STS:
				set->sts_port = (int) number_arg("sts-port", optarg, 65535);
				break;
			case OPT_METADATA:
				set->metadata_port = (int) number_arg("metadata-port", optarg, 65535);
				break;
			case OPT_CLOCK:
				clock_arg(optarg);
				break;
			case OPT_KEY:
				key_arg(optarg);
				set->nkeys++;
				break;
			case OPT_DATA:
				emu_conf.data_dir = optarg;
				break;
			case OPT_SEED:
				add_seed(set, true, optarg);
				break;
			case OPT_COMMAND:
				add_seed(set, false, optarg);
				break;
			case OPT_FAULT:
				set->fault_file = optarg;
				break;
			case OPT_BASE_DOMAIN:
				base_domain_arg(optarg);
				break;
			case OPT_NO_VERIFY:
				emu_conf.verify_signature = false;
				break;
			case OPT_NO_CLOCK:
				emu_conf.check_clock = false;
				break;
			case OPT_NO_RATES:
				emu_conf.enforce_rates = false;
				break;
			case OPT_LATENCY:
				emu_latency_ms = number_arg("latency-ms", optarg, 600000);
				break;
			case OPT_MAX_BODY:
				emu_max_body = (uint64_t) number_arg("max-body", optarg, (int64_t) 1 << 32);
				break;
			case OPT_VERBOSE:
				emu_verbose = true;
				break;
			case OPT_HELP:
				fputs(help_text, stdout);
				exit(0);
			default:
				fputs("try --help\n", stderr);
				exit(2);
		}
	}
	if (optind < argc)
		die("unexpected argument \"%s\"; try --help", argv[optind]);
}

static void
start_service(const settings *set, emu_service *service, int port)
{
	mcw_error	err = {0};
	int			actual = port;

	if (set->nlisten == 0)
		actual = emu_listen(NULL, port, service, &err);
	for (int i = 0; i < set->nlisten && actual >= 0; i++)
		actual = emu_listen(set->listen[i], actual, service, &err);
	if (actual < 0)
		die("%s", err.message);
	service->port = actual;
	if (set->nlisten > 0 && strchr(set->listen[0], ':'))
		printf("%s http://[%s]:%d\n", service->name, set->listen[0], actual);
	else
		printf("%s http://%s:%d\n", service->name, set->nlisten > 0 ? set->listen[0] : "127.0.0.1", actual);
}

static void
start_services(const settings *set)
{
	bool		all = set->loghub_port < 0 && set->tablestore_port < 0 && set->oss_port < 0 &&
		set->maxcompute_port < 0 && set->sts_port < 0 && set->metadata_port < 0;

	for (int i = 0; i < emu_nservices; i++)
	{
		emu_service *s = emu_services[i];
		int			port = strcmp(s->name, "loghub") == 0 ? set->loghub_port :
			strcmp(s->name, "tablestore") == 0 ? set->tablestore_port :
			strcmp(s->name, "oss") == 0 ? set->oss_port :
			strcmp(s->name, "sts") == 0 ? set->sts_port :
			strcmp(s->name, "metadata") == 0 ? set->metadata_port : set->maxcompute_port;

		if (all)
			port = s->default_port;
		if (port >= 0)
			start_service(set, s, port);
	}
	if (set->maxcompute_port >= 0 && emu_find_service(MCW_LIT("maxcompute")) == NULL)
		not_built("maxcompute-port");
	if (set->tablestore_port >= 0 && emu_find_service(MCW_LIT("tablestore")) == NULL)
		not_built("tablestore-port");
	if (set->oss_port >= 0 && emu_find_service(MCW_LIT("oss")) == NULL)
		not_built("oss-port");
	if (set->sts_port >= 0 && emu_find_service(MCW_LIT("sts")) == NULL)
		not_built("sts-port");
	if (set->metadata_port >= 0 && emu_find_service(MCW_LIT("metadata")) == NULL)
		not_built("metadata-port");
}

static void
load_fault_file(const char *path)
{
	FILE	   *f = fopen(path, "rb");
	mcw_error	err = {0};
	char	   *text = emu_malloc(1 << 20);
	size_t		len;

	if (f == NULL)
		die("--fault %s: %s", path, strerror(errno));
	len = fread(text, 1, 1 << 20, f);
	fclose(f);
	if (!emu_fault_load((mcw_view) {text, len}, &err))
		die("--fault %s: %s", path, err.message);
	free(text);
}

static void
state_path(const emu_service *service, const char *suffix, char *out, size_t size)
{
	snprintf(out, size, "%s/%s.state%s", emu_conf.data_dir, service->name, suffix);
}

static void
load_state(void)
{
	char		path[4096];
	mcw_error	err = {0};

	if (mkdir(emu_conf.data_dir, 0777) != 0 && errno != EEXIST)
		die("--data %s: %s", emu_conf.data_dir, strerror(errno));
	for (int i = 0; i < emu_nservices; i++)
	{
		FILE	   *f;

		if (emu_services[i]->load == NULL)
			continue;
		state_path(emu_services[i], "", path, sizeof(path));
		f = fopen(path, "rb");
		if (f == NULL && errno == ENOENT)
			continue;
		if (f == NULL)
			die("%s: %s", path, strerror(errno));
		if (!emu_services[i]->load(f, &err))
			die("%s: %s", path, err.message);
		fclose(f);
	}
}

/* Written aside and renamed, so that an interrupted save leaves the old state. */
static bool
save_state(void)
{
	char		path[4096];
	char		temp[4096];
	bool		all = true;

	for (int i = 0; i < emu_nservices; i++)
	{
		FILE	   *f;
		bool		ok;

		if (emu_services[i]->save == NULL)
			continue;
		state_path(emu_services[i], "", path, sizeof(path));
		state_path(emu_services[i], ".new", temp, sizeof(temp));
		f = fopen(temp, "wb");
		ok = f != NULL && emu_services[i]->save(f);
		if (f && (fflush(f) != 0 || fsync(fileno(f)) != 0))
			ok = false;
		if (f && fclose(f) != 0)
			ok = false;
		if (!ok || rename(temp, path) != 0)
		{
			fprintf(stderr, "mc-emulator: cannot save %s: %s\n", path, strerror(errno));
			all = false;
		}
	}
	return all;
}

static void
on_signal(int sig)
{
	emu_stop = 1;
}

static void
run_seeds(const settings *set)
{
	mcw_error	err = {0};

	for (int i = 0; i < set->nseeds; i++)
	{
		mcw_buf		reply;
		bool		ok;

		mcw_buf_init(&reply, &mcw_malloc, (size_t) 1 << 30);
		if (set->seeds[i].is_file)
			ok = emu_seed_file(set->seeds[i].text, &err);
		else
			ok = emu_command_text(mcw_str(set->seeds[i].text), NULL, &reply, &err);
		mcw_buf_free(&reply);
		if (!ok)
			die("%s %s: %s", set->seeds[i].is_file ? "--seed" : "--command", set->seeds[i].text, err.message);
	}
}

/* A load test may hold more connections than the usual soft limit of 1024. */
static void
raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
	{
		limit.rlim_cur = limit.rlim_max;
		(void) setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int
main(int argc, char **argv)
{
	settings	set = {.loghub_port = -1, .tablestore_port = -1, .oss_port = -1, .maxcompute_port = -1,
		.sts_port = -1, .metadata_port = -1};
	struct sigaction sa = {.sa_handler = on_signal};
	bool		saved = true;

	signal(SIGPIPE, SIG_IGN);
	raise_file_limit();
	if (&emu_loghub != NULL)
		emu_services[emu_nservices++] = &emu_loghub;
	if (&emu_tablestore != NULL)
		emu_services[emu_nservices++] = &emu_tablestore;
	if (&emu_oss != NULL)
		emu_services[emu_nservices++] = &emu_oss;
	if (&emu_maxcompute != NULL)
		emu_services[emu_nservices++] = &emu_maxcompute;
	if (&emu_sts != NULL)
		emu_services[emu_nservices++] = &emu_sts;
	if (&emu_metadata != NULL)
		emu_services[emu_nservices++] = &emu_metadata;
	for (int i = 0; i < emu_nservices; i++)
		if (emu_services[i]->init)
			emu_services[i]->init();
	parse_args(argc, argv, &set);
	if (set.nkeys == 0)
		(void) emu_add_key(MCW_LIT(DEFAULT_KEY_ID), MCW_LIT(DEFAULT_KEY_SECRET), MCW_LIT(""), NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	if (emu_conf.data_dir)
		load_state();
	start_services(&set);
	run_seeds(&set);
	if (set.fault_file)
		load_fault_file(set.fault_file);
	printf("ready\n");
	fflush(stdout);
	emu_loop();
	if (emu_conf.data_dir)
		saved = save_state();
	emu_http_free();
	emu_control_free();
	emu_fault_free();
	return saved ? 0 : 1;
}
