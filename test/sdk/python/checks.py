"""Counted checks; every language prints the same lines: `ok NAME` or `not ok NAME: why`."""
import sys
import traceback


def ok(name, condition, why=""):
    print("ok " + name if condition else "not ok %s: %s" % (name, str(why).replace("\n", " ")[:700]), flush=True)
    return bool(condition)


def equal(name, got, want):
    return ok(name, got == want, "got %.900r, want %.900r" % (got, want))


def refused(name, code, call):
    """The call must fail, and the SDK must see this error code (or one of these)."""
    codes = (code,) if isinstance(code, str) else code
    try:
        call()
    except Exception as e:
        seen = getattr(e, "get_error_code", lambda: getattr(e, "code", None) or type(e).__name__)()
        return ok(name, seen in codes, "code %s (%s), want %s" % (seen, e, code))
    return ok(name, False, "was not refused")


def section(function, *arguments):
    """Run one group of checks: an exception is one failed check, not the end of the program."""
    try:
        function(*arguments)
    except Exception:
        last = traceback.extract_tb(sys.exc_info()[2])
        here = [f for f in last if "/test/sdk/" in f.filename] or last
        ok(function.__name__, False, "line %d: %s" % (here[-1].lineno, str(sys.exc_info()[1])[-650:]))
