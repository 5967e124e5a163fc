"""What the OSS self-tests share: one emulator, counting, calls on bucket "demo"."""
import json
import os
import sys
import traceback

from oss_client import Emulator

BIN, VECTORS = sys.argv[1], sys.argv[2]
Emulator.binary = BIN
E = Emulator()
passed = failed = 0


def check(what, got, want):
    global passed, failed
    if got == want:
        passed += 1
    else:
        failed += 1
        print('FAIL line %d: %s\n  got    %r\n  wanted %r' % (sys._getframe(1).f_lineno, what, got, want))


def call(method, path, *args, **kw):
    return E.call(method, path, *args, **kw)


def put(key, data=b'x', **headers):
    return call('PUT', '/demo/' + key, body=data, headers={k.replace('_', '-'): v for k, v in headers.items()})


def get(key, **headers):
    return call('GET', '/demo/' + key, headers={k.replace('_', '-'): v for k, v in headers.items()})


def keys():
    return E.command(op='keys', bucket='demo')['keys']


def fresh(**more):
    E.faults()
    E.command(op='create_bucket', bucket='demo', replace=True, **more)


def vectors(name):
    with open(os.path.join(VECTORS, name)) as f:
        return json.load(f)['cases']


def initiate(key, **headers):
    r = call('POST', '/demo/' + key, {'uploads': None}, b'', {k.replace('_', '-'): v for k, v in headers.items()})
    return r.find('UploadId')[0] if r.status == 200 else r


def part(key, upload, number, data):
    return call('PUT', '/demo/' + key, {'partNumber': number, 'uploadId': upload}, data)


def complete(key, upload, parts, form='"%s"', **headers):
    body = '<CompleteMultipartUpload>%s</CompleteMultipartUpload>' % ''.join(
        '<Part><PartNumber>%s</PartNumber><ETag>%s</ETag></Part>' % (n, form % e) for n, e in parts)
    return call('POST', '/demo/' + key, {'uploadId': upload}, body.encode(), {k.replace('_', '-'): v for k, v in headers.items()})


def v2(**p):
    return call('GET', '/demo', dict({k.replace('_', '-'): v for k, v in p.items()}, **{'list-type': 2}))


def v1(**p):
    return call('GET', '/demo', {k.replace('_', '-'): v for k, v in p.items()})


def finish(name, tests):
    """Run every test_... of a program's globals, print its last line, exit"""
    global failed
    for test in [v for k, v in tests.items() if k.startswith('test_')]:
        try:
            test()
        except Exception:
            failed += 1
            print('FAILED %s: %s' % (test.__name__, traceback.format_exc()))
            if E.process.poll() is not None:
                print('the emulator ended with', E.process.returncode)
                break
    check('exit code', E.stop(), 0)
    print('%s: %d passed, %d failed' % (name, passed, failed))
    sys.exit(1 if failed else 0)
