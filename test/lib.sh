# Shell library of the tests: a throw-away cluster and an emulator in one
# directory, both gone when the script ends.  Source it; needs bash.
#
#   mc_init            MC_DIR: private directory, removed at exit
#   mc_cluster         builds the extension, installs it below MC_DIR if the server
#                      can load it from there (Debian's can), else into the server,
#                      starts a cluster on a private socket; sets PGHOST PGPORT PGUSER
#   mc_emulator [args] starts the emulator; sets MC_LOGHUB_PORT, MC_TABLESTORE_PORT,
#                      MC_MAXCOMPUTE_PORT, MC_OSS_PORT, MC_STS_PORT, MC_METADATA_PORT,
#                      MC_EMULATOR_PID
#   mc_as CMD...       runs CMD as the owner of the cluster

MC_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
MC_KEY_ID=${MC_KEY_ID:-test-access-id}
MC_KEY_SECRET=${MC_KEY_SECRET:-test-access-secret}
export MC_KEY_ID MC_KEY_SECRET
# nothing here may go through a proxy
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY

PG_CONFIG=${PG_CONFIG:-pg_config}
PG_BIN=$($PG_CONFIG --bindir)

mc_as()
{
	if [ "$(id -u)" = 0 ]; then
		runuser -u postgres -- "$@"
	else
		"$@"
	fi
}

mc_cleanup()
{
	local status=$?
	trap - EXIT
	[ -n "${MC_EMULATOR_PID:-}" ] && kill "$MC_EMULATOR_PID" 2>/dev/null && wait "$MC_EMULATOR_PID" 2>/dev/null
	[ -e "${MC_DIR:-/nonexistent}/data/postmaster.pid" ] &&
		mc_as "$PG_BIN/pg_ctl" -D "$MC_DIR/data" -m immediate -w stop >/dev/null 2>&1
	if [ -n "${MC_DIR:-}" ] && [ -z "${MC_KEEP:-}" ]; then
		rm -rf "$MC_DIR"
	fi
	exit $status
}

mc_init()
{
	MC_DIR=$(mktemp -d "${TMPDIR:-/tmp}/mc_fdw.XXXXXX")
	chmod 755 "$MC_DIR"
	[ "$(id -u)" = 0 ] && chown postgres "$MC_DIR"
	export MC_DIR
	trap mc_cleanup EXIT
	trap 'exit 130' INT TERM
}

mc_installed() # mc_installed(): has the server this build?
{
	local extension
	extension=$($PG_CONFIG --sharedir)/extension
	cmp -s "$MC_ROOT/mc_fdw.so" "$($PG_CONFIG --pkglibdir)/mc_fdw.so" &&
		cmp -s "$MC_ROOT/mc_fdw.control" "$extension/mc_fdw.control" &&
		cmp -s "$MC_ROOT/mc_fdw--1.0.sql" "$extension/mc_fdw--1.0.sql"
}

# mc_install DESTDIR: without one the server's own directories get the extension, which
# clusters of tests beside this one load it from: nothing there is replaced by the same
mc_install()
{
	local make=(make -C "$MC_ROOT" -s ${MC_MAKE_FLAGS:-} with_llvm=no)
	if [ -n "$1" ]; then
		"${make[@]}" install DESTDIR="$1"
		return
	fi
	{
		flock 9
		"${make[@]}" all && { mc_installed || "${make[@]}" install; }
	} 9<"$($PG_CONFIG --pkglibdir)"
}

mc_cluster()
{
	local dest=$MC_DIR/dest
	mc_as "$PG_BIN/initdb" -D "$MC_DIR/data" -A trust -U postgres --no-sync -E UTF8 --locale=C >"$MC_DIR/initdb.log"
	mc_as "$PG_BIN/postgres" -D "$MC_DIR/data" -C extension_destdir >/dev/null 2>&1 || dest=
	mc_install "$dest" >"$MC_DIR/install.log" 2>&1 ||
		{ cat "$MC_DIR/install.log" >&2; return 1; }
	[ -z "$dest" ] || chmod -R a+rX "$dest"
	cat >>"$MC_DIR/data/postgresql.conf" <<-CONF
		listen_addresses = ''
		unix_socket_directories = '$MC_DIR'
		fsync = off
		max_connections = 30
		shared_buffers = ${MC_SHARED_BUFFERS:-128MB}
		${dest:+extension_destdir = '$dest'}
		log_min_messages = ${MC_LOG_LEVEL:-warning}
		log_line_prefix = '%m [%p] '
		jit = off
		max_wal_size = 4GB
		${MC_CONF:-}
	CONF
	local server="$PG_BIN/postgres"
	if [ -n "${MC_VALGRIND:-}" ]; then
		server=$MC_DIR/postgres-under-valgrind
		# whole paths, and stacks deep enough, tell our frames from others'; MALLOC_PERTURB_ is glibc's own
		printf '#!/bin/sh\nexec valgrind --quiet --trace-children=yes --fullpath-after= --num-callers=40 %s --log-file=%s/valgrind.%%p.log %s "$@"\n' \
			"--malloc-fill=a5 --free-fill=5a --suppressions=$MC_DIR/valgrind.supp ${MC_VALGRIND_OPTIONS:-}" "$MC_DIR" "$PG_BIN/postgres" >"$server"
		cp "$MC_ROOT/test/valgrind.supp" "$MC_DIR/"
		chmod 755 "$server"
		chmod 644 "$MC_DIR/valgrind.supp"
	fi
	# the server logs its environment at debug levels
	mc_as env -u MC_KEY_ID -u MC_KEY_SECRET "$PG_BIN/pg_ctl" -D "$MC_DIR/data" -l "$MC_DIR/server.log" \
		-p "$server" -t 300 -w start >/dev/null ||
		{ cat "$MC_DIR/server.log" >&2; return 1; }
	export PGHOST=$MC_DIR PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
}

mc_emulator()
{
	make -C "$MC_ROOT" -s emulator >"$MC_DIR/emulator-build.log" 2>&1 ||
		{ cat "$MC_DIR/emulator-build.log" >&2; return 1; }
	"$MC_ROOT/test/emulator/mc-emulator" --loghub-port 0 --tablestore-port 0 --maxcompute-port 0 --oss-port 0 \
		--sts-port 0 --metadata-port 0 \
		--access-key "$MC_KEY_ID:$MC_KEY_SECRET" --access-key "sts-id:sts-secret:sts-token" "$@" \
		>"$MC_DIR/emulator.out" 2>"$MC_DIR/emulator.err" &
	MC_EMULATOR_PID=$!
	local i
	for i in $(seq 200); do
		grep -q '^ready' "$MC_DIR/emulator.out" 2>/dev/null && break
		kill -0 $MC_EMULATOR_PID 2>/dev/null || { cat "$MC_DIR/emulator.err" >&2; return 1; }
		sleep 0.05
	done
	MC_LOGHUB_PORT=$(sed -n 's/^loghub .*:\([0-9]*\).*/\1/p' "$MC_DIR/emulator.out")
	MC_TABLESTORE_PORT=$(sed -n 's/^tablestore .*:\([0-9]*\).*/\1/p' "$MC_DIR/emulator.out")
	MC_MAXCOMPUTE_PORT=$(sed -n 's/^maxcompute .*:\([0-9]*\).*/\1/p' "$MC_DIR/emulator.out")
	MC_OSS_PORT=$(sed -n 's/^oss .*:\([0-9]*\).*/\1/p' "$MC_DIR/emulator.out")
	MC_STS_PORT=$(sed -n 's/^sts .*:\([0-9]*\).*/\1/p' "$MC_DIR/emulator.out")
	MC_METADATA_PORT=$(sed -n 's/^metadata .*:\([0-9]*\).*/\1/p' "$MC_DIR/emulator.out")
	export MC_LOGHUB_PORT MC_TABLESTORE_PORT MC_MAXCOMPUTE_PORT MC_OSS_PORT MC_STS_PORT MC_METADATA_PORT MC_EMULATOR_PID
	[ -n "$MC_LOGHUB_PORT" ] && [ -n "$MC_TABLESTORE_PORT" ] && [ -n "$MC_MAXCOMPUTE_PORT" ] && [ -n "$MC_OSS_PORT" ]
}

mc_emu()
{
	"$MC_ROOT/test/emu" "$@"
}
