"""What the self-tests of the emulator's Tablestore part share: counting, requests with
every header under control, filters and batches."""
import base64
import datetime
import hashlib
import hmac
import http.client
import sys
import traceback

from ots_client import CONDITION, KEY, SECRET, Failure, fields, message, row, rows, variant

START_US = 1700000000000000
NOW = START_US // 1000
DAY = 86400000
DELETE_ALL, DELETE_ONE, INCREMENT = 1, 3, 4
EQ, NE, GT, GE, LT, LE, EXIST, NOT_EXIST = range(1, 9)
NOT, AND, OR = 1, 2, 3
INVALID = 'OTSParameterInvalid'
count = {True: 0, False: 0}


def note(ok, what, got, want):
    count[bool(ok)] += 1
    if not ok:
        frame = sys._getframe(2)
        print('FAIL %s:%d: %s\n  got    %.600r\n  wanted %.600r' % (frame.f_code.co_name, frame.f_lineno, what, got, want))


def check(what, got, want):
    note(got == want, what, got, want)


def refused(want, call, *args, **how):
    """want: code, 'code message' or message of OTSParameterInvalid"""
    try:
        got = call(*args, **how)
        ok = False
    except Failure as e:
        got = '%s %s' % (e.code, e.message)
        ok = want in (e.code, got) or (want == e.message and e.code == INVALID)
    note(ok, 'a refusal', got, want)


def run(e, parts):
    for part in parts:
        try:
            part(e)
        except Exception as x:
            traceback.print_exc()
            check('%s ran to its end' % part.__name__, repr(x), '')
            e.connection = None
            e.control('faults', [])


def verdict(suite):
    print('%s: %d passed, %d failed' % (suite, count[True], count[False]))
    sys.exit(count[False] > 0 or count[True] == 0)


# ---- requests ----

def headers_for(e, body, **changes):
    stamp = e.now_us() // 1000000
    date = datetime.datetime.fromtimestamp(stamp, datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%S')
    h = {'x-ots-date': date + '.000Z', 'x-ots-apiversion': '2015-12-31', 'x-ots-accesskeyid': KEY, 'x-ots-instancename': 'demo',
         'x-ots-contentmd5': base64.b64encode(hashlib.md5(body).digest()).decode()}
    for k, v in changes.items():
        k = k.replace('_', '-')
        if v is None:
            h.pop(k, None)
        else:
            h[k] = v
    return h


def text_of(path, h):
    return '%s\nPOST\n\n' % path + ''.join('%s:%s\n' % (k, h[k].strip()) for k in sorted(h))


def sign_v2(path, h, secret=SECRET):
    h['x-ots-signature'] = base64.b64encode(hmac.new(secret.encode(), text_of(path, h).encode(), hashlib.sha1).digest()).decode()


def v4_key(secret, date, region):
    k = ('aliyun_v4' + secret).encode()
    for part in (date, region, 'ots', 'aliyun_v4_request'):
        k = hmac.new(k, part.encode(), hashlib.sha256).digest()
    return base64.b64encode(k).decode()


def send(e, path, body, h, method='POST'):
    c = http.client.HTTPConnection('127.0.0.1', e.port, timeout=60)
    c.putrequest(method, path, skip_accept_encoding=True)
    for k, v in h.items() if isinstance(h, dict) else h:
        c.putheader(k, v)
    c.putheader('Content-Length', str(len(body)))
    c.endheaders(body)
    r = c.getresponse()
    out = r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()
    c.close()
    return out


def error(answer):
    if answer[0] == 200:
        return 'OK'
    f = fields(answer[2])
    return '%d %s %s' % (answer[0], f[1][0].decode(), f[2][0].decode())


def answer_is_signed(path, answer, secret=SECRET, key=KEY):
    h = answer[1]
    text = ''.join('%s:%s\n' % (k, h[k]) for k in sorted(h) if k.startswith('x-ots-')) + path
    want = 'OTS %s:%s' % (key, base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode())
    return h.get('authorization') == want and h['x-ots-contentmd5'] == base64.b64encode(hashlib.md5(answer[2]).digest()).decode() \
        and 'x-ots-requestid' in h and 'x-ots-contenttype' in h and '.' in h['x-ots-date']


def signed(e, path, body=b'', secret=SECRET, method='POST', late=None, **changes):
    h = headers_for(e, body, **changes)
    sign_v2(path, h, secret)
    if late:
        h.update(late)
    return send(e, path, body, h, method)


# ---- rows, filters, batches ----

def meta(name, keys, defined=()):
    return message((1, name), *[(2, message((1, k), (2, t), (3, o))) for k, t, o in keys], *[(3, message((1, n), (2, t))) for n, t in defined])


def cells_of(r):
    return None if r is None else [(c[0], c[1], c[3]) for c in r[1]]


def plain(r):
    return None if r is None else [(c[0], c[1]) for c in r[1]]


def read(e, table, key, *more, versions=1):
    a = e.call('GetRow', (1, table), (2, row(key)), (5, versions), *more)
    found = rows(a[2][0])
    return found[0] if found else None


def single(op, column, value, missing=True, latest=True, rule=None):
    return message((1, 1), (2, message((1, op), (2, column), (3, variant(value)), (4, missing), (5, latest), (6, rule))))


def both(op, *sub):
    return message((1, 2), (2, message((1, op), *[(2, s) for s in sub])))


def pagination(offset, limit):
    return message((1, 3), (2, message((1, offset), (2, limit))))


def batch(e, table, changes, condition=CONDITION, **how):
    """changes: (type, row[, condition[, return]]); the results as 'OK' or code"""
    body = [(1, message((1, table), *[(2, message((1, c[0]), (2, c[1]), (3, c[2] if len(c) > 2 else condition), (4, c[3] if len(c) > 3 else None)))
                                      for c in changes])), (3, how.pop('atomic', None))]
    return results(e.call('BatchWriteRow', *body, **how))


def results(answer):
    out = []
    for t in answer.get(1, []):
        for r in fields(t).get(2, []):
            f = fields(r)
            out.append('OK' if f[1][0] else fields(f[2][0])[1][0].decode())
    return out
