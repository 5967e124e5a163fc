"""Many objects of one COMMIT: requests are under way at the same time, and whatever becomes of one of
them, the three lists of the error are what is really there."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from mctest import KEY, OSS, Session, Tap, call, oss_bucket, oss_keys, oss_uploads  # noqa: E402

OBJECTS = 24
tap = Tap()
DENIED = {"action": "status", "http": 403, "code": "AccessDenied"}


def lists(out):
    """published, not published, unknown: sets of keys"""
    text = "\n".join(out)
    found = [re.search(x + r": (.*)\.$", text, re.M) for x in ("Published", "Not published", "Unknown")]
    return [set(re.findall(r"oss://many/(\S+)", m.group(1))) for m in found] if all(found) else None


def attempt(s, name, table, faults):
    """(SQLSTATE, lists, keys that are there)"""
    oss_bucket("many")
    call("faults", [dict(f, service="oss", api=f.get("api", s.api)) for f in faults])
    out, state = s.try_sql("INSERT INTO %s SELECT g, repeat('x', %d) FROM generate_series(1, %d) g" % (table, s.width, OBJECTS))
    call("faults", [])
    if state == "00000":
        tap.ok(len(oss_keys(bucket="many")) == OBJECTS and not oss_uploads("many"), name + ": everything is there", out)
    return state, lists(out), set(oss_keys(bucket="many")), out


def passes(s, name, table, *faults):
    state, _, _, out = attempt(s, name, table, faults)
    tap.ok(state == "00000", name + ": succeeds", "%s %s" % (state, out))


def plain(s, name, table, *faults):
    state, told, there, out = attempt(s, name, table, faults)
    tap.ok(state not in ("00000", "40003") and told is None and not there, name + ": an ordinary error, and nothing is visible",
           "%s %s %s" % (state, out, there))
    end = time.monotonic() + 5
    while oss_uploads("many") and time.monotonic() < end:
        time.sleep(0.05)
    tap.ok(not oss_uploads("many"), name + ": no upload is left", oss_uploads("many"))


def halfway(s, name, table, certain, *faults):
    state, told, there, out = attempt(s, name, table, faults)
    if state != "40003" or told is None:
        tap.ok(False, name + ": 40003", "%s %s" % (state, out))
        return
    published, not_published, unknown = told
    tap.ok(len(published) + len(not_published) + len(unknown) == OBJECTS, name + ": each object is in one list", out)
    tap.ok(published <= there and not not_published & there, name + ": what is told is so", "%s, there: %s" % (out, there))
    tap.ok(published and not_published and bool(unknown) != certain,
           name + ": %d published, %d not, %d unknown" % tuple(len(x) for x in told), out)
    # a request under way may have been done before the failure was seen, no other
    tap.ok(len(published) + len(unknown) < 12 + 8, name + ": nothing was begun after the failure", out)


def main():
    s = Session("CREATE EXTENSION mc_fdw")
    s.sql("""CREATE SERVER o FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint '%s', bucket 'many', url_style 'path', region 'cn-hangzhou', part_size '100kB', concurrency '8');
CREATE USER MAPPING FOR CURRENT_USER SERVER o OPTIONS (access_key_id '%s', access_key_secret '%s');
CREATE FOREIGN TABLE t (d int, s text) SERVER o OPTIONS (prefix 't/{d}/')""" % ((OSS,) + KEY))
    for api, width in (("PutObject", 10), ("CompleteMultipartUpload", 110000)):
        s.api, s.width = api, width
        passes(s, api, "t")
        for action in ("apply_then_fail", "reset_before", "reset_after", "drop", "truncate_body", "throttle"):
            passes(s, "%s, one %s" % (api, action), "t", {"nth": 12, "action": action})
            passes(s, "%s, every fifth %s" % (api, action), "t", {"every": 5, "action": action})
        plain(s, api + ", all refused", "t", dict(DENIED, every=1))
        plain(s, api + ", the first refused", "t", dict(DENIED, nth=1))
        # those after it are answered later than it is
        halfway(s, api + ", one refused", "t", True, dict(DENIED, nth=12), {"after": 12, "action": "delay", "ms": 1000})
        halfway(s, api + ", all but eleven refused", "t", True, dict(DENIED, after=11))
        # it is there, or not, and nobody can tell
        halfway(s, api + ", answers lost", "t", False, {"after": 11, "action": "reset_after"}, {"api": "HeadObject", "every": 1, **DENIED})
        halfway(s, api + ", requests lost", "t", False, {"after": 11, "action": "reset_before"}, {"api": "HeadObject", "every": 1, **DENIED})
        passes(s, api + ", afterwards", "t")
    s.api, s.width = "ListParts", 110000
    plain(s, "a part is not there", "t", {"nth": 12, "action": "upload_forgotten"})
    passes(s, "ListParts, every third reset", "t", {"every": 3, "action": "reset_before"})
    tap.done()


main()
