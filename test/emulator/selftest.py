#!/usr/bin/env python3
"""Self-test of mc-emulator's core and Log Service part.

Signs requests by itself (V1) and replays the recorded requests of official SDKs
(test/data/vectors/loghub), so the emulator is not judged by its own signer.
usage: selftest.py MC_EMULATOR VECTOR_DIR
"""
import base64
import calendar
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse
import zlib
from email.utils import formatdate

from emuclient import Emulator, cursor_int, field, get_cursor, group, groups_of, log, pull, put, varint

BIN, VECTORS = sys.argv[1], sys.argv[2]
Emulator.binary = BIN
passed = failed = 0


def check(name, ok, detail=''):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print('FAILED: %s %s' % (name, detail))


def test_command_line():
    run = lambda *a: subprocess.run([BIN, *a], capture_output=True, text=True, timeout=30)
    r = run('--help')
    check('--help exits 0 and names every option', r.returncode == 0 and all(
        o in r.stdout for o in ('--listen', '--loghub-port', '--maxcompute-port', '--tablestore-port', '--oss-port',
                                '--clock', '--access-key', '--data', '--seed', '--fault', '--verbose')))
    for bad in (('--loghub-port', 'x'), ('--loghub-port', '65536'), ('--clock', 'yesterday'), ('--access-key', 'a'),
                ('--loghub-port', '0', 'extra'), ('--loghub-port', '0', '--seed', '/nonexistent'), ('--nonsense',),
                ('--loghub-port', '0', '--command', '{"service":"loghub","op":"nothing"}'), ('--listen', 'no.such', '--loghub-port', '0')):
        r = run(*bad)
        check('refused: %s' % (bad,), r.returncode == 2 and r.stderr != '', r.stderr)


def test_clock():
    for text, want in (('1700028800', 1700028800), ('2023-11-15T06:13:20Z', 1700028800), ('2023-11-15T14:13:20+08:00', 1700028800),
                       ('2023-11-15 06:13:20', 1700028800), ('20231115T061320Z', 1700028800), ('2023-11-15', 1700006400),
                       ('1700028800.5', 1700028800.5)):
        e = Emulator('--clock', text)
        state = e.control('state')[1]
        check('--clock %s' % text, state['now_us'] == want * 1000000 and state['clock'] == 'frozen', state)
        e.stop()
    e = Emulator()
    check('the system clock', abs(e.control('state')[1]['now_us'] / 1e6 - time.time()) < 60)
    e.control('clock', {'advance_s': 86400})
    check('moved by a day', abs(e.control('state')[1]['now_us'] / 1e6 - time.time() - 86400) < 60)
    e.control('clock', {'now': '2023-11-15T06:13:20Z'})
    check('frozen', e.control('state')[1]['now_us'] == 1700028800000000)
    e.command(service='emulator', op='clock', system=True)
    check('back to the system clock', abs(e.control('state')[1]['now_us'] / 1e6 - time.time()) < 60)
    check('bad clock', e.control('clock', {'now': 'noon'})[0] == 400)
    e.stop()


def replay(e, v, spoil=None):
    q = '&'.join(urllib.parse.quote(k, safe='') + ('' if x is None else '=' + urllib.parse.quote(x, safe='')) for k, x in v['query'])
    target = v.get('request_target') or v['path'] + ('?' + q if q else '')
    auth = v['authorization']
    body = bytes.fromhex(v['body_hex'])
    if spoil == 'signature':
        auth = auth[:-6] + ('AAAAAA' if 'AAAAAA' not in auth else 'BBBBBB')
    if spoil == 'body':
        body = body[:-1] + bytes([body[-1] ^ 1])
    return e.raw(v['method'], target, [tuple(h) for h in v['headers']] + [('Authorization', auth)], body)


def test_vectors():
    e = Emulator('--clock', '2023-11-15T06:13:20Z')
    refusals = ('SignatureNotMatch', 'Unauthorized', 'InvalidArgument', 'RequestTimeExpired')
    for name, least in (('v1_signatures', 16), ('v4_signatures', 15)):
        n = 0
        with open(os.path.join(VECTORS, name + '.json')) as f:
            vectors = json.load(f)['vectors']
        for v in vectors:
            h = {k.lower(): x for k, x in v['headers']}
            when = h.get('x-log-date') or h.get('date')
            if 'x-log-apiversion' not in h or 'host' not in h or not when:
                continue        # a call of the signer alone, no request
            n += 1
            e.command(service='emulator', op='access_key', id=v['access_key_id'], secret=v['access_key_secret'],
                      token=h.get('x-acs-security-token', ''))
            stamp = time.strptime(when, '%Y%m%dT%H%M%SZ' if 'T' in when[:9] else '%a, %d %b %Y %H:%M:%S GMT')
            now = int(calendar.timegm(stamp))
            e.control('clock', {'now': now + 890})
            a = replay(e, v)
            check('%s %s' % (name, v['name']), a.code not in refusals and a.status != 401, a)
            a = replay(e, v, 'signature')
            check('%s %s with another signature' % (name, v['name']), a.status == 401 and a.code == 'SignatureNotMatch', a)
            if v['body_hex'] and ('content-md5' in h or 'x-log-content-sha256' in h):
                a = replay(e, v, 'body')
                check('%s %s with another body' % (name, v['name']), a.status == 400 and a.code == 'InvalidArgument', a)
            e.control('clock', {'now': now + 901})
            a = replay(e, v)
            check('%s %s too late' % (name, v['name']), a.status == 400 and a.code == 'RequestTimeExpired', a)
        check('%s: enough requests' % name, n >= least, n)
    e.stop()


def test_put_bodies():
    e = Emulator('--command', '{"service":"loghub","op":"set","check_time":false}')
    e.command(op='create_project', project='proj')
    e.command(op='create_logstore', project='proj', logstore='store', shards=1)
    with open(os.path.join(VECTORS, 'putlogs_bodies.json')) as f:
        vectors = json.load(f)['vectors']
    raws = []
    for v in vectors:
        h = [('Content-Type', 'application/x-protobuf'), ('x-log-bodyrawsize', str(v['x_log_bodyrawsize']))]
        if v['x_log_compresstype']:
            h.append(('x-log-compresstype', v['x_log_compresstype']))
        a = e.call('POST', '/logstores/store', (), bytes.fromhex(v['body_hex']), h)
        check('put body %s' % v['name'], a.status == 200, a)
        raws.append(bytes.fromhex(v['raw_hex']))
        bad = [x if x[0] != 'x-log-bodyrawsize' else (x[0], str(v['x_log_bodyrawsize'] + 1)) for x in h]
        a = e.call('POST', '/logstores/store', (), bytes.fromhex(v['body_hex']), bad)
        check('put body %s with a wrong raw size' % v['name'], a.status == 400, a)
    a = pull(e, 'store', 0, get_cursor(e, 'store', 0, 'begin'))
    check('what was put comes back byte for byte', a.body == b''.join(field(1, r) for r in raws), a)
    a = pull(e, 'store', 0, get_cursor(e, 'store', 0, 'begin'), coding='deflate')
    check('deflate page', zlib.decompress(a.body) == b''.join(field(1, r) for r in raws), a)
    e.stop()


def test_auth():
    e = Emulator('--access-key', 'k1:s1', '--access-key', 'k2:s2:token2')
    e.command(op='create_project', project='proj')
    get = lambda **kw: e.call('GET', '/logstores', **{'key': 'k1', 'secret': 's1', **kw})
    check('permanent key', get().status == 200)
    check('wrong secret', get(secret='s2').code == 'SignatureNotMatch')
    a = get(key='nobody')
    check('unknown key', a.status == 401 and a.code == 'Unauthorized' and 'nobody' in a.json['errorMessage'], a)
    sts = {'key': 'k2', 'secret': 's2'}
    check('token missing', get(**sts).code == 'Unauthorized')
    check('token wrong', get(headers=[('x-acs-security-token', 'token3')], **sts).code == 'Unauthorized')
    check('token right', get(headers=[('x-acs-security-token', 'token2')], **sts).status == 200)
    check('token with a permanent key', get(headers=[('x-acs-security-token', 'token2')]).code == 'Unauthorized')
    e.command(service='emulator', op='access_key', id='k2', expired=True)
    a = get(headers=[('x-acs-security-token', 'token2')], **sts)
    check('token expired', a.code == 'Unauthorized' and 'expired' in a.json['errorMessage'], a)
    e.command(service='emulator', op='access_key', id='k1', disabled=True)
    check('key disabled', 'disabled' in get().json['errorMessage'])
    e.command(service='emulator', op='access_key', id='k1', disabled=False)
    check('old date', get(date=formatdate(time.time() - 1000, usegmt=True)).code == 'RequestTimeExpired')
    check('date is not a date', get(date='yesterday').code == 'InvalidDateFormat')
    e.command(service='emulator', op='set', check_clock=False)
    check('old date unchecked', get(date=formatdate(time.time() - 1000, usegmt=True)).status == 200)
    check('no version', e.raw('GET', '/logstores', [('Host', 'proj.localhost')]).code == 'MissingAPIVersion')
    v = [('Host', 'proj.localhost'), ('x-log-apiversion', '0.6.0')]
    check('no authorization', e.raw('GET', '/logstores', v).code == 'MissingParameter')
    e.command(service='emulator', op='set', verify_signature=False)
    check('unverified', e.raw('GET', '/logstores', v).status == 200)
    check('other version', e.raw('GET', '/logstores', [v[0], ('x-log-apiversion', '0.5.0')]).code == 'InvalidAPIVersion')
    check('unknown host', e.raw('GET', '/logstores', [('Host', 'proj.example.org'), v[1]]).code == 'InvalidHost')
    e.command(op='base_domain', name='example.org')
    check('base domain added', e.raw('GET', '/logstores', [('Host', 'proj.example.org'), v[1]]).status == 200)
    for host in ('proj.127.0.0.1:80', 'proj.cn-test.example.com', 'proj.cn-hangzhou.log.aliyuncs.com',
                 'proj.cn-hangzhou-intranet.log.aliyuncs.com', 'proj.cn-hangzhou.sls.aliyuncs.com', 'proj.log-global.aliyuncs.com'):
        check('host ' + host, e.raw('GET', '/logstores', [('Host', host), v[1]]).status == 200)
    for host in ('cn-test.example.com', 'localhost:99', '127.0.0.1', '[::1]:80', 'cn-hangzhou.log.aliyuncs.com'):
        a = e.raw('GET', '/', [('Host', host), v[1]])
        check('bare endpoint ' + host, a.status == 200 and 'projects' in a.json, a)
        check('no project in ' + host, e.raw('GET', '/logstores', [('Host', host), v[1]]).code == 'ParameterInvalid')
    e.stop()


def test_meta():
    e = Emulator()
    check('no project yet', e.call('GET', '/').code == 'ProjectNotExist')
    check('create project', e.call('POST', '/', (), {'projectName': 'proj', 'description': 'd"x'}).status == 200)
    check('create project again', e.call('POST', '/', (), {'projectName': 'proj'}).code == 'ProjectAlreadyExist')
    check('bare create', e.call('POST', '/', (), {'projectName': 'other-1'}, project='').status == 200)
    check('bad project name', e.call('POST', '/', (), {'projectName': 'A'}, project='').code == 'ParameterInvalid')
    check('bad body', e.call('POST', '/', (), b'{', project='').code == 'ParameterInvalid')
    check('get project', e.call('GET', '/').json['description'] == 'd"x')
    check('list projects', e.call('GET', '/', {'offset': '', 'size': ''}, project='').json['total'] == 2)
    check('list size', e.call('GET', '/', {'size': '501'}, project='').code == 'ParameterInvalid')
    check('update project', e.call('PUT', '/', (), {'description': 'new'}).status == 200 and e.call('GET', '/').json['description'] == 'new')
    make = {'logstoreName': 'store', 'ttl': 30, 'shardCount': 3, 'maxSplitShard': -1, 'resourceQuota': {}}
    check('create logstore', e.call('POST', '/logstores', (), make).status == 200)
    check('create again', e.call('POST', '/logstores', (), make).code == 'LogStoreAlreadyExist')
    for wrong in ({'logstoreName': 'X'}, {'ttl': 0}, {'shardCount': 11}, {'enable_tracking': 'yes'}, {'ttl': 3651}):
        check('bad logstore %s' % wrong, e.call('POST', '/logstores', (), {**make, 'logstoreName': 'bad', **wrong}).code == 'LogStoreInfoInvalid')
    check('bad ones leave nothing', e.call('GET', '/logstores').json == {'count': 1, 'total': 1, 'logstores': ['store']})
    check('update logstore', e.call('PUT', '/logstores/store', (), {**make, 'ttl': 7, 'appendMeta': True}).status == 200)
    a = e.call('GET', '/logstores/store').json
    check('get logstore', a['ttl'] == 7 and a['appendMeta'] is True and a['shardCount'] == 3, a)
    check('no logstore', e.call('GET', '/logstores/nope').code == 'LogStoreNotExist')
    shards = e.call('GET', '/logstores/store/shards').json
    check('even ranges', [s['inclusiveBeginKey'][:4] for s in shards] == ['0000', '5555', 'aaaa'] and
          shards[2]['exclusiveEndKey'] == 'f' * 32 and shards[0]['exclusiveEndKey'] == shards[1]['inclusiveBeginKey'])
    split = lambda s, **p: e.call('POST', '/logstores/store/shards/%d' % s, {'action': 'split', **p})
    check('split outside', split(1, key='10').code == 'ParameterInvalid')
    a = split(1, key='6' + '0' * 31).json
    check('split', [(s['shardID'], s['status']) for s in a] == [(1, 'readonly'), (3, 'readwrite'), (4, 'readwrite')], a)
    check('split twice', split(1, key='6' + '0' * 31).code == 'ParameterInvalid')
    a = split(2, shardCount='4').json
    check('split in four', len(a) == 5 and a[1]['inclusiveBeginKey'] == a[0]['inclusiveBeginKey'] and a[4]['exclusiveEndKey'] == 'f' * 32, a)
    merge = lambda s: e.call('POST', '/logstores/store/shards/%d' % s, {'action': 'merge'})
    check('merge last', merge(8).code == 'ParameterInvalid')
    a = merge(0).json
    check('merge', [s['shardID'] for s in a] == [9, 0, 3] and a[0]['exclusiveEndKey'] == a[2]['exclusiveEndKey'], a)
    check('delete readwrite shard', e.call('DELETE', '/logstores/store/shards/9').code == 'ParameterInvalid')
    check('delete readonly shard', e.call('DELETE', '/logstores/store/shards/1').status == 200 and
          1 not in [s['shardID'] for s in e.call('GET', '/logstores/store/shards').json])
    check('no shard', e.call('POST', '/logstores/store/shards/77', {'action': 'merge'}).code == 'ShardNotExist')
    check('unknown path', e.call('GET', '/nothing').status == 404)
    check('wrong method', e.call('PUT', '/logstores').code == 'InvalidMethod')
    index = {'line': {'token': [','], 'caseSensitive': False}, 'keys': {'a': {'type': 'long', 'doc_value': True}}}
    check('no index', e.call('GET', '/logstores/store/index').code == 'IndexConfigNotExist')
    check('bad index', e.call('POST', '/logstores/store/index', (), {'keys': {'a': {'type': 'text'}}}).code == 'IndexInfoInvalid')
    check('create index', e.call('POST', '/logstores/store/index', (), index).status == 200)
    check('index again', e.call('POST', '/logstores/store/index', (), index).code == 'IndexAlreadyExist')
    check('get index', e.call('GET', '/logstores/store/index').json['keys'] == index['keys'])
    check('delete index', e.call('DELETE', '/logstores/store/index').status == 200)
    check('delete no index', e.call('DELETE', '/logstores/store/index').code == 'ParameterInvalid')
    check('delete logstore', e.call('DELETE', '/logstores/store').status == 200 and e.call('GET', '/logstores').json['total'] == 0)
    check('delete project', e.call('DELETE', '/').status == 200 and e.call('GET', '/').code == 'ProjectNotExist')
    a = e.call('GET', '/')
    check('errors carry a request id and JSON', re.fullmatch('[0-9A-F]{24}', a.headers['x-log-requestid']) and
          a.headers['content-type'] == 'application/json')
    e.stop()


def test_put_checks():
    e = Emulator()
    e.command(op='create_project', project='proj')
    e.command(op='create_logstore', project='proj', logstore='store', shards=2)
    now = int(time.time())
    ok = log(now, [('k', 'v')])
    proto = [('Content-Type', 'application/x-protobuf')]
    post = lambda body, headers=proto: e.call('POST', '/logstores/store/shards/lb', (), body, headers)
    total = lambda: sum(s['logs'] for s in e.control('state')[1]['loghub']['projects']['proj']['store']['shards'])
    for name, body, code in (
            ('garbage', b'\xff\xff', 'PostBodyInvalid'),
            ('log without time', group([field(2, field(1, b'k') + field(2, b'v'))]), 'PostBodyInvalid'),
            ('content without value', group([b'\x08' + varint(now) + field(2, field(1, b'k'))]), 'PostBodyInvalid'),
            ('too old', group([ok, log(now - 7 * 86400 - 60, [])]), 'PostBodyInvalid'),
            ('too new', group([ok, log(now + 960, [])]), 'PostBodyInvalid'),
            ('not UTF-8', group([ok, log(now, [('k', b'\xc3')])]), 'InvalidEncoding'),
            ('empty key', group([ok, log(now, [('', 'v')])]), 'InvalidKey'),
            ('long key', group([ok, log(now, [('k' * 129, 'v')])]), 'InvalidKey'),
            ('long value', group([ok, log(now, [('k', 'v' * 1048577)])]), 'PostBodyInvalid'),
            ('long topic', group([ok], topic='t' * 129), 'PostBodyInvalid'),
            ('nanoseconds', group([log(now, [], ns=1000000000)]), 'InvalidTimestamp')):
        a = post(body)
        check('put: ' + name, a.status == 400 and a.code == code, a)
    a = post(b'x' * 10485761)
    check('put: too large', a.status == 413 and a.code == 'PostBodyTooLarge', a)
    check('put: no type', post(group([ok]), []).code == 'MissingContentType')
    check('put: other type', post(group([ok]), [('Content-Type', 'text/plain')]).code == 'InvalidContentType')
    check('put: unknown compression', post(group([ok]), proto + [('x-log-compresstype', 'br')]).code == 'InvalidCompressType')
    check('put: not compressed', post(b'zz', proto + [('x-log-compresstype', 'zstd')]).code == 'PostBodyUncompressError')
    check('a refused request stores nothing', total() == 0)
    check('no logs, nothing stored', post(group([])).status == 200 and total() == 0)
    edge = group([log(now - 7 * 86400 + 60, [('k' * 128, 'v' * 1048576)]), log(now + 840, [])])
    check('put: at the limits', post(edge).status == 200 and total() == 2)
    for key, shard in (('5F', 0), ('8' + '0' * 31, 1), ('F' * 32, 1), ('7f', 0)):
        before = [s['logs'] for s in e.control('state')[1]['loghub']['projects']['proj']['store']['shards']]
        a = put(e, 'store', [ok], path='/shards/route', params={'key': key})
        after = [s['logs'] for s in e.control('state')[1]['loghub']['projects']['proj']['store']['shards']]
        check('route %s' % key, a.status == 200 and after[shard] == before[shard] + 1, a)
    check('route without hex', put(e, 'store', [ok], path='/shards/route', params={'key': 'xyz'}).code == 'ParameterInvalid')
    body = {'__topic__': 'tt', '__source__': '1.2.3.4', '__logs__': [{'__time__': now, 'k': 'v'}], '__tags__': {'env': 'p'}}
    n = total()
    check('JSON put', e.call('POST', '/logstores/store', (), body).status == 200 and total() == n + 1)
    check('tracking off', e.raw('POST', '/logstores/store/track', [('Host', 'proj.localhost'), ('x-log-apiversion', '0.6.0')],
                                json.dumps(body).encode()).code == 'Unauthorized')
    e.command(op='update_logstore', project='proj', logstore='store', enable_tracking=True, appendMeta=True)
    check('tracking POST', e.raw('POST', '/logstores/store/track', [('Host', 'proj.localhost'), ('x-log-apiversion', '0.6.0')],
                                 json.dumps(body).encode()).status == 200 and total() == n + 2)
    check('tracking GET', e.raw('GET', '/logstores/store/track?APIVersion=0.6.0&a=b+c', [('Host', 'proj.localhost')]).status == 200 and total() == n + 3)
    found = [g for s in (0, 1) for g in groups_of(pull(e, 'store', s, get_cursor(e, 'store', s, 'begin')).body)]
    check('appendMeta tags', [t for t, l in found if l[0][1] == {'a': 'b c'}][0].keys() == {'__client_ip__', '__receive_time__'}, found)
    e.command(op='set', enforce_quota=True, shard_writes=1)
    codes = [put(e, 'store', [ok], path='/shards/route', params={'key': '00'}).code for _ in range(20)]
    check('write quota', 'ShardWriteQuotaExceed' in codes, codes)
    e.stop()


def test_cursors():
    t0 = 1700000000
    e = Emulator('--clock', str(t0))
    date = formatdate(t0, usegmt=True)
    orig = e.call
    e.call = lambda *a, **k: orig(*a, **{'date': formatdate(e.now, usegmt=True), **k})
    e.now = t0
    e.command(op='create_project', project='proj')
    e.command(op='create_logstore', project='proj', logstore='store', shards=1, ttl=2)
    check('empty shard: begin = end', get_cursor(e, 'store', 0, 'begin') == get_cursor(e, 'store', 0, 'end'))
    for i in range(10):
        e.command(op='append_group', project='proj', logstore='store', shard=0, receive_time=t0 + i * 10,
                  group={'__logs__': [{'__time__': t0 + i * 10 - 5, 'i': str(i)}]})
    begin, end = get_cursor(e, 'store', 0, 'begin'), get_cursor(e, 'store', 0, 'end')
    check('consecutive integers', cursor_int(end) - cursor_int(begin) == 10)
    for t, want in ((t0 - 100, 0), (t0, 0), (t0 + 1, 1), (t0 + 10, 1), (t0 + 11, 2), (t0 + 90, 9), (t0 + 91, 10), (t0 * 1000, 10)):
        c = get_cursor(e, 'store', 0, t)
        check('cursor at %d' % (t - t0), cursor_int(c) - cursor_int(begin) == want, c)
    for bad in ('', 'x', '-1', '1.5'):
        check('from=%r' % bad, get_cursor(e, 'store', 0, bad).code == 'ParameterInvalid')
    check('no such shard', get_cursor(e, 'store', 5, 'begin').code == 'ShardNotExist')
    a = pull(e, 'store', 0, begin, count=4)
    check('count', a.headers['x-log-count'] == '4' and len(groups_of(a.body)) == 4 and int(a.headers['x-log-bodyrawsize']) == len(a.body), a)
    check('last cursor read', int(a.headers['x-log-read-last-cursor']) == cursor_int(begin) + 3)
    check('cursor time', a.headers['x-log-cursor-time'] == str(t0 + 30) and 'x-log-end-of-cursor' not in a.headers)
    seen, cursor = [], begin
    while cursor != end:
        a = pull(e, 'store', 0, cursor, end, count=3)
        seen += [l[0][1]['i'] for _, l in groups_of(a.body)]
        cursor = a.headers['x-log-cursor']
    check('scan to end_cursor', seen == [str(i) for i in range(10)] and cursor == end, seen)
    a = pull(e, 'store', 0, end)
    check('at the end', a.headers['x-log-cursor'] == end and a.headers['x-log-count'] == '0' and a.body == b'' and
          a.headers['x-log-bodyrawsize'] == '0' and a.headers['x-log-end-of-cursor'] == '1', a)
    a = pull(e, 'store', 0, end, begin)
    check('end before cursor', a.headers['x-log-cursor'] == end and a.headers['x-log-count'] == '0')
    a = pull(e, 'store', 0, begin, method='HEAD')
    check('HEAD', a.status == 200 and a.body == b'' and a.headers['x-log-cursor'] == end, a)
    b64 = lambda n: base64.b64encode(str(n).encode()).decode()
    for name, c, code in (('garbage', '!!', 'ParameterInvalid'), ('before begin', b64(cursor_int(begin) - 1), 'InvalidCursor'),
                          ('beyond end', b64(cursor_int(end) + 1), 'InvalidCursor')):
        check('pull ' + name, pull(e, 'store', 0, c).code == code)
    for n in ('0', '1001', 'x'):
        check('pull count ' + n, pull(e, 'store', 0, begin, count=n).code == 'ParameterInvalid')
    check('no coding known', pull(e, 'store', 0, begin, coding='br').code == 'InvalidAcceptEncoding')
    for coding in ('lz4', 'zstd', 'deflate', 'gzip', 'x, zstd;q=1'):
        a = pull(e, 'store', 0, begin, coding=coding)
        check('coding ' + coding, a.headers['x-log-compresstype'] in coding and int(a.headers['x-log-bodyrawsize']) > 0, a)
    a = pull(e, 'store', 0, begin, query="* | where i = '7'", pullMode='scan_on_stream')
    check('SPL', [l[0][1]['i'] for _, l in groups_of(a.body)] == ['7'] and a.headers['x-log-count'] == '1' and
          a.headers['x-log-cursor'] == end and a.headers['x-log-rawdatalines'] == '10', a)
    check('other SPL', pull(e, 'store', 0, begin, query='* | extend a=b').code == 'ParameterInvalid')
    time_of = lambda c: e.call('GET', '/logstores/store/shards/0', {'type': 'cursor_time', 'cursor': c})
    check('cursor_time', time_of(b64(cursor_int(begin) + 3)).json['cursor_time'] == t0 + 30)
    check('cursor_time out of range', time_of(b64(cursor_int(begin) - 1)).code == 'InvalidCursor')
    s, a = e.command(op='append_group', project='proj', logstore='store', shard=0, receive_time=t0 + 5, group={'__logs__': [{'i': 'late'}]})
    check('an older group needs late', s == 400, a)
    s, a = e.command(op='append_group', project='proj', logstore='store', shard=0, receive_time=t0 + 5, late=True, group={'__logs__': [{'i': 'late'}]})
    check('late group', s == 200 and time_of(end).json['cursor_time'] == t0 + 5, a)
    check('late group hides from the search by time', get_cursor(e, 'store', 0, t0 + 91) == b64(cursor_int(end) + 1))
    e.control('clock', {'now': t0 + 2 * 86400 + 35})
    e.now = t0 + 2 * 86400 + 35
    check('TTL moves begin', cursor_int(get_cursor(e, 'store', 0, 'begin')) == cursor_int(begin) + 4)
    check('expired cursor', pull(e, 'store', 0, begin).code == 'InvalidCursor')
    e.command(op='split', project='proj', logstore='store', shard=0)
    e.control('clock', {'advance_s': 2 * 86400 + 1000})
    e.now += 2 * 86400 + 1000
    check('an empty read-only shard vanishes', [s['shardID'] for s in e.call('GET', '/logstores/store/shards').json] == [1, 2])
    e.stop()


def test_queries():
    e = Emulator()
    now = int(time.time())
    e.command(op='create_project', project='proj')
    e.command(op='create_logstore', project='proj', logstore='store', shards=2)
    get = lambda **p: e.call('GET', '/logstores/store', {'type': 'log', 'from': str(now - 100), 'to': str(now + 100), **p})
    check('query without index', get().code == 'IndexConfigNotExist')
    e.command(op='create_index', project='proj', logstore='store', index={'line': {'token': [',']}})
    for i in range(10):
        put(e, 'store', [log(now - 50 + i, [('n', str(i)), ('word', 'Alpha beta' if i % 2 else 'gamma-delta')])], tags=[('env', 'prod')])
    rows = lambda **p: [r['n'] for r in get(**p).json]
    check('all, in time order', rows() == [str(i) for i in range(10)])
    for q, want in (('*', range(10)), ('alpha', (1, 3, 5, 7, 9)), ('word: gamma', (0, 2, 4, 6, 8)), ('n: 3 or n: 5', (3, 5)),
                    ('not word: alpha and n > 4', (6, 8)), ('n in', ()), ('(n: 1 or n: 2) and beta', (1,)), ('n >= 8', (8, 9)),
                    ('word: al*', (1, 3, 5, 7, 9)), ('"gamma-delta" not n: 0', (2, 4, 6, 8)), ('__tag__:env', ()),
                    ('word: lph', ()), ('__topic__: t', range(10))):
        check('search %r' % q, rows(query=q) == [str(i) for i in want], rows(query=q))
    check('reverse, line, offset', rows(reverse='true', line='3', offset='1') == ['8', '7', '6'])
    check('topic', rows(topic='t') == rows() and rows(topic='other') == [])
    a = get(query='n: 3')
    check('every value is text', a.json == [{'__time__': str(now - 47), 'n': '3', 'word': 'Alpha beta', '__topic__': 't',
                                             '__tag__:env': 'prod', '__source__': ''}] and a.headers['x-log-progress'] == 'Complete', a)
    for p, code in (({'query': '* | select 1'}, 'ParameterInvalid'), ({'query': 'a and'}, 'InvalidQueryString'), ({'query': '(a'}, 'InvalidQueryString'),
                    ({'line': '101'}, 'InvalidLine'), ({'offset': '-1'}, 'InvalidOffset'), ({'to': str(now - 100)}, 'InvalidTimeRange'),
                    ({'reverse': 'maybe'}, 'InvalidReverse')):
        check('query %s' % p, get(**p).code == code, get(**p))
    a = e.call('POST', '/logstores/store/logs', (), {'from': now - 100, 'to': now + 100, 'query': 'n: 4', 'line': 5, 'offset': 0})
    check('GetLogs V2', a.json['meta']['count'] == 1 and a.json['data'][0]['n'] == '4' and 'x-log-bodyrawsize' not in a.headers, a)
    for path in ('/logstores/store', '/logstores/store/index'):
        a = e.call('GET', path, {'type': 'histogram', 'from': str(now - 60), 'to': str(now), 'query': 'alpha', 'interval': '10'})
        check('histogram ' + path, sum(b['count'] for b in a.json) == 5 and len(a.json) == 6 and a.headers['x-log-count'] == '5', a)
    e.stop()


def test_consumers():
    e = Emulator('--clock', '1700000000')
    orig = e.call
    e.call = lambda *a, **k: orig(*a, **{'date': formatdate(1700000000, usegmt=True), **k})
    e.command(op='create_project', project='proj')
    e.command(op='create_logstore', project='proj', logstore='store', shards=4)
    base = '/logstores/store/consumergroups'
    check('no group', e.call('GET', base + '/g').code == 'ConsumerGroupNotExist')
    check('create', e.call('POST', base, (), {'consumerGroup': 'g', 'timeout': 30, 'order': True}).status == 200)
    check('create twice', e.call('POST', base, (), {'consumerGroup': 'g', 'timeout': 30}).code == 'ConsumerGroupAlreadyExist')
    check('bad body', e.call('POST', base, (), {'consumerGroup': 'h'}).code == 'JsonInfoInvalid')
    check('list', e.call('GET', base).json == [{'name': 'g', 'timeout': 30, 'order': True}])
    check('update', e.call('PUT', base + '/g', (), {'timeout': 60}).status == 200 and e.call('GET', base).json[0]['timeout'] == 60)
    beat = lambda c, held: e.call('POST', base + '/g', {'type': 'heartbeat', 'consumer': c}, held)
    check('stranger with shards', beat('a', [0]).code == 'NotExistConsumerWithBody')
    check('first gets all', beat('a', []).json == [0, 1, 2, 3])
    check('holds all', sorted(beat('a', [0, 1, 2, 3]).json) == [0, 1, 2, 3])
    check('second waits', beat('b', []).json == [])
    rest = beat('a', [0, 1, 2, 3]).json
    check('first gives two up', len(rest) == 2)
    early = lambda shard: e.call('POST', base + '/g', {'type': 'checkpoint', 'consumer': 'b', 'forceSuccess': 'false'},
                                 {'shard': shard, 'checkpoint': get_cursor(e, 'store', shard, 'begin')})
    given = [s for s in range(4) if s not in rest]
    check('not before the first stops to list them', early(given[0]).code == 'ConsumerNotExist')
    beat('a', rest)
    check('and then', early(given[0]).status == 200)
    check('second gets them', sorted(beat('b', []).json + rest) == [0, 1, 2, 3])
    c = get_cursor(e, 'store', 0, 'begin')
    point = lambda who, shard, cursor, force: e.call('POST', base + '/g', {'type': 'checkpoint', 'consumer': who, 'forceSuccess': force},
                                                     {'shard': shard, 'checkpoint': cursor})
    check('checkpoint forced', point('', 0, c, 'True').status == 200)
    check('checkpoint of the holder', point('a', rest[0], c, 'false').status == 200)
    check('checkpoint of another', point('z', rest[0], c, 'false').code == 'ConsumerNotExist')
    check('checkpoint not base64', point('a', 0, '!', 'true').code == 'InvalidShardCheckPoint')
    check('checkpoint no shard', point('a', 9, c, 'true').code == 'ShardNotExist')
    got = {p['shard']: p for p in e.call('GET', base + '/g').json}
    check('get checkpoints', got[0]['checkpoint'] == c and got[0]['updateTime'] == 1700000000000000 and len(got) == 4, got)
    check('get one', len(e.call('GET', base + '/g', {'shard': '0'}).json) == 1)
    e.control('clock', {'now': 1700000061})
    e.call = lambda *a, **k: orig(*a, **{'date': formatdate(1700000061, usegmt=True), **k})
    check('dead consumers lose their shards', sorted(beat('c', []).json) == [0, 1, 2, 3])
    check('delete', e.call('DELETE', base + '/g').status == 200 and e.call('GET', base).json == [])
    e.stop()


def exchange(port, data, wait=1.0, family='127.0.0.1'):
    """Send bytes, read until the peer closes or nothing comes for a while; None = reset."""
    s = socket.create_connection((family, port), timeout=wait)
    s.sendall(data)
    out = b''
    try:
        while True:
            part = s.recv(65536)
            if not part:
                return out, 'closed'
            out += part
    except socket.timeout:
        return out, 'open'
    except ConnectionResetError:
        return out, 'reset'
    finally:
        s.close()


def test_http():
    e = Emulator('--no-verify', '--max-body', '100000')
    e.command(op='create_project', project='proj')
    head = b'Host: proj.localhost\r\nx-log-apiversion: 0.6.0\r\n'
    one = b'GET /logstores HTTP/1.1\r\n' + head + b'\r\n'
    out, _ = exchange(e.port, one * 5, 0.5)
    check('pipelining', out.count(b'HTTP/1.1 200') == 5)
    out, _ = exchange(e.port, one, 0.5, '::1') if socket.has_ipv6 else (b'HTTP/1.1 200', 0)
    check('IPv6 loopback', out.startswith(b'HTTP/1.1 200'))
    out, how = exchange(e.port, one.replace(b'1.1', b'1.0', 1), 1)
    check('HTTP/1.0 closes', how == 'closed' and b'Connection: close' in out)
    out, how = exchange(e.port, one.replace(b'\r\n\r\n', b'\r\nConnection: close\r\n\r\n'), 1)
    check('Connection: close', how == 'closed')
    out, _ = exchange(e.port, one.replace(b'/logstores', b'http://proj.cn-test.example.com:80/logstores?'), 0.5)
    check('absolute-form and a bare ?', out.startswith(b'HTTP/1.1 200'))
    body = b'{"logstoreName":"chunky","ttl":1,"shardCount":1}'
    chunks = b''.join(b'%x;x=y\r\n%s\r\n' % (len(body[i:i + 7]), body[i:i + 7]) for i in range(0, len(body), 7)) + b'0\r\nA: b\r\n\r\n'
    req = b'POST /logstores HTTP/1.1\r\n' + head + b'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n' + chunks
    s = socket.create_connection(('127.0.0.1', e.port), timeout=2)
    for i in range(0, len(req), 11):
        s.sendall(req[i:i + 11])
    check('chunked body in small pieces', s.recv(65536).startswith(b'HTTP/1.1 200'))
    s.close()
    s = socket.create_connection(('127.0.0.1', e.port), timeout=2)
    s.sendall(b'POST /logstores HTTP/1.1\r\n' + head + b'Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n' % len(body))
    check('100 Continue', s.recv(100).startswith(b'HTTP/1.1 100'))
    s.sendall(body)
    check('and then the answer', b'LogStoreAlreadyExist' in s.recv(65536))
    s.close()
    for name, data, status in (
            ('no such version', b'GET / HTTP/2.0\r\n\r\n', b'505'), ('no target', b'GET\r\n\r\n', b'400'),
            ('header without colon', b'GET / HTTP/1.1\r\nHost\r\n\r\n', b'400'),
            ('two lengths', b'POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', b'400'),
            ('length and chunked', b'POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', b'400'),
            ('negative length', b'POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n', b'400'),
            ('bad chunk', b'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n', b'400'),
            ('body too large', b'POST / HTTP/1.1\r\nContent-Length: 100001\r\n\r\n', b'413'),
            ('chunked too large', b'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n', b'413'),
            ('many headers', b'GET / HTTP/1.1\r\n' + b'a: b\r\n' * 50 + b'\r\n', b'431'),
            ('endless head', b'GET / HTTP/1.1\r\na: ' + b'x' * 70000, b'431')):
        out, how = exchange(e.port, data)
        check('HTTP: ' + name, out.startswith(b'HTTP/1.1 ' + status) and how != 'open', (out[:80], how))
    check('still alive', exchange(e.port, one, 0.5)[0].startswith(b'HTTP/1.1 200'))
    check('unknown control call', e.control('nothing')[0] == 404)
    check('bad command', e.control('command', '{"op":1')[0] == 400)
    s, a = e.control('command', '{"op":"create_project","project":"aaa"}\n# note\n\n{"op":"create_project","project":"bbb"}\n')
    check('commands by line', s == 200 and a == [{}, {}], a)
    check('both ran', set(e.control('state')[1]['loghub']['projects']) == {'proj', 'aaa', 'bbb'})
    e.stop()


def test_faults():
    e = Emulator('--no-verify')
    e.command(op='create_project', project='proj')
    e.command(op='create_logstore', project='proj', logstore='store', shards=1)
    req = b'GET /logstores/store HTTP/1.1\r\nHost: proj.localhost\r\nx-log-apiversion: 0.6.0\r\n\r\n'
    whole, _ = exchange(e.port, req, 0.5)
    size = len(whole.split(b'\r\n\r\n', 1)[1])
    plan = lambda *rules: check('plan accepted', e.control('faults', list(rules))[0] == 200)

    def strike(rule, wait=0.7):
        plan(rule)
        got = exchange(e.port, req, wait)
        left = e.control('counters')[1]
        check('%s fired' % rule['action'], left['faults'][0]['fired'] == 1, left['faults'])
        return got
    out, how = strike({'action': 'status', 'http': 503, 'code': 'ServerBusy', 'message': 'm'})
    check('status', out.startswith(b'HTTP/1.1 503') and b'"errorCode":"ServerBusy"' in out and b'x-log-requestid' in out)
    check('reset_before', strike({'action': 'reset_before'}) == (b'', 'reset'))
    check('reset_after', strike({'action': 'reset_after'}) == (b'', 'reset'))
    check('drop', strike({'action': 'drop'}) == (b'', 'closed'))
    check('stall_before', strike({'action': 'stall_before'}, 0.3) == (b'', 'open'))
    check('stall_after', strike({'action': 'stall_after'}, 0.3) == (b'', 'open'))
    out, how = strike({'action': 'stall_before', 'ms': 100})
    check('stall_before that ends', out.startswith(b'HTTP/1.1 200'))
    for action, ending in (('reset_mid_body', 'reset'), ('truncate_body', 'closed'), ('stall_mid_body', 'open')):
        out, how = strike({'action': action, 'at': 10}, 0.5)
        body = out.split(b'\r\n\r\n', 1)[1] if b'\r\n\r\n' in out else b''
        check(action, how == ending and (len(body) == 10 or ending == 'reset') and (b'Content-Length: %d' % size in out or ending == 'reset'), (out, how))
    out, how = strike({'action': 'corrupt_body', 'seed': 5})
    body, good = out.split(b'\r\n\r\n', 1)[1], whole.split(b'\r\n\r\n', 1)[1]
    check('corrupt_body', len(body) == size and sum(bin(a ^ b).count('1') for a, b in zip(body, good)) == 1)
    out, how = strike({'action': 'close_after'})
    check('close_after', how == 'closed' and b'keep-alive' in out)
    started = time.monotonic()
    out, how = strike({'action': 'delay', 'ms': 300}, 0.5)
    check('delay', out.startswith(b'HTTP/1.1 200') and time.monotonic() - started >= 0.3)
    plan({'action': 'delay', 'ms': 400})
    socks = [socket.create_connection(('127.0.0.1', e.port), timeout=5) for _ in range(20)]
    started = time.monotonic()
    for s in socks:
        s.sendall(req)
    check('delays run side by side', all(s.recv(9) == b'HTTP/1.1 ' for s in socks) and time.monotonic() - started < 4)
    for s in socks:
        s.close()
    status = lambda: int(exchange(e.port, req.replace(b'\r\n\r\n', b'\r\nConnection: close\r\n\r\n'))[0].split()[1])
    for rule, want in (({'nth': 3}, [200, 200, 503, 200, 200, 200]), ({'every': 2}, [200, 503] * 3), ({'count': 2}, [503, 503, 200, 200, 200, 200]),
                       ({'after': 4}, [200] * 4 + [503] * 2), ({'api': 'PullLogs'}, [200] * 6), ({'api': 'GetLogStore', 'nth': 1}, [503] + [200] * 5),
                       ({'service': 'maxcompute'}, [200] * 6), ({'method': 'POST'}, [200] * 6), ({'path': '/store', 'nth': 2}, [200, 503] + [200] * 4),
                       ({'probability': 0}, [200] * 6), ({'probability': 1}, [503] * 6)):
        plan({'action': 'status', **rule})
        got = [status() for _ in range(6)]
        check('rule %s' % rule, got == want, got)
    plan({'action': 'status', 'probability': 0.5, 'seed': 9})
    first = [status() for _ in range(30)]
    plan({'action': 'status', 'probability': 0.5, 'seed': 9})
    check('the same seed, the same faults', first == [status() for _ in range(30)] and len(set(first)) == 2)
    check('requests since the plan', e.control('counters')[1]['requests_since_faults'] == 30)
    for bad in ('{}', '[1]', '[{"nth":1}]', '[{"action":"status","nth":-1}]', 'x', '[{"action":"command"}]'):
        check('bad plan %s' % bad, e.control('faults', bad)[0] == 400)
    check('a bad plan changes nothing', len(e.control('counters')[1]['faults']) == 1)
    plan({'action': 'command', 'nth': 2, 'command': {'op': 'split', 'project': 'proj', 'logstore': 'store', 'shard': 0}})
    status()
    before = len(e.control('state')[1]['loghub']['projects']['proj']['store']['shards'])
    status()
    check('command', (before, len(e.control('state')[1]['loghub']['projects']['proj']['store']['shards'])) == (1, 3))
    plan({'action': 'late_group', 'nth': 2, 'seconds': 5})
    e.command(op='create_logstore', project='proj', logstore='late', shards=1)
    now = int(time.time())
    for i in range(3):
        put(e, 'late', [log(now, [('i', str(i))])])
    c = get_cursor(e, 'late', 0, 'begin')
    times = [e.call('GET', '/logstores/late/shards/0', {'type': 'cursor_time', 'cursor': base64.b64encode(str(cursor_int(c) + i).encode()).decode()}).json['cursor_time'] for i in range(3)]
    check('late_group', times[1] <= times[0] - 4 and times[2] >= times[0], times)
    plan({'action': 'short_page', 'api': 'PullLogs', 'groups': 2})
    check('short_page', pull(e, 'late', 0, c).headers['x-log-count'] == '2')
    plan({'action': 'apply_then_fail', 'api': 'PutLogs', 'nth': 1})
    check('apply_then_fail', put(e, 'late', [log(now, [])]).status == 500 and e.control('state')[1]['loghub']['projects']['proj']['late']['shards'][0]['groups'] == 4)
    plan({'action': 'cursor_gap', 'api': 'PutLogs', 'nth': 1, 'gap': 50})
    end = get_cursor(e, 'late', 0, 'end')
    put(e, 'late', [log(now, [])])
    check('cursor_gap', cursor_int(get_cursor(e, 'late', 0, 'end')) == cursor_int(end) + 51)
    a = pull(e, 'late', 0, end)
    check('reading over a gap', a.headers['x-log-count'] == '1' and a.headers['x-log-cursor'] == get_cursor(e, 'late', 0, 'end'), a)
    plan()
    check('log', [x['api'] for x in e.control('log?n=2')[1]] == ['PullLogs', 'GetCursor'])
    e.stop()


def test_data():
    d = tempfile.mkdtemp(prefix='mc-emulator-')
    e = Emulator('--data', d, '--command', '{"service":"loghub","op":"create_project","project":"proj"}')
    e.command(op='create_logstore', project='proj', logstore='store', shards=3, ttl=9)
    e.command(op='create_index', project='proj', logstore='store', index={'line': {'token': [',']}})
    for profile in ('access_log', 'text10', 'mixed'):
        e.command(op='create_logstore', project='proj', logstore=profile.replace('_', '-'), shards=2, ttl=3650)
        s, a = e.command(op='generate', project='proj', logstore=profile.replace('_', '-'), profile=profile, rows=1234,
                         logs_per_group=10, seed=3, **{'from': '2026-01-01T00:00:00Z', 'to': '2026-01-02T00:00:00Z'})
        check('generate ' + profile, a == {'rows': 1234, 'groups': 124}, a)
        a = e.call('GET', '/logstores/%s/shards' % profile.replace('_', '-')).json
        check('no shard is younger than what it holds', [x['createTime'] for x in a] == [1767225600] * 2, a)
    put(e, 'store', [log(int(time.time()), [('k', 'v')])])
    e.command(op='split', project='proj', logstore='store', shard=1)
    e.call('POST', '/logstores/store/consumergroups', (), {'consumerGroup': 'g', 'timeout': 30, 'order': False})
    e.call('POST', '/logstores/store/consumergroups/g', {'type': 'checkpoint', 'consumer': '', 'forceSuccess': 'true'},
           {'shard': 0, 'checkpoint': get_cursor(e, 'store', 0, 'end')})

    def snapshot():
        out = [e.call('GET', '/logstores').json]
        for s in ('store', 'access-log', 'text10', 'mixed'):
            out += [e.call('GET', '/logstores/' + s).json, e.call('GET', '/logstores/%s/shards' % s).json]
            for i in range(2):
                c = get_cursor(e, s, i, 'begin')
                out += [c, get_cursor(e, s, i, 'end'), hashlib.sha256(pull(e, s, i, c).body).hexdigest()]
        return out + [e.call('GET', '/logstores/store/index').json['line'], e.call('GET', '/logstores/store/consumergroups/g').json]
    before = snapshot()
    check('clean exit', e.stop() == 0)
    e = Emulator('--data', d)
    check('state survives', snapshot() == before)
    s, a = e.command(op='split', project='proj', logstore='store', shard=0)
    check('shard ids go on', a == {'shards': [5, 6]}, a)
    e.command(op='create_logstore', project='proj', logstore='again', shards=2, ttl=3650)
    e.command(op='generate', project='proj', logstore='again', profile='mixed', rows=1234, logs_per_group=10, seed=3,
              **{'from': '2026-01-01T00:00:00Z', 'to': '2026-01-02T00:00:00Z'})
    same = [pull(e, s, 1, get_cursor(e, s, 1, 'begin')).body for s in ('mixed', 'again')]
    check('the generator is deterministic', same[0] == same[1] and len(groups_of(same[0])) == 62)
    rows = [l for _, g in groups_of(same[0]) for l in g]
    check('mixed rows', len(rows) == 614 and re.fullmatch(r'2025-12-31 \d\d:\d\d:\d\d\.\d{6}\+08|2026-01-0[12] \d\d:\d\d:\d\d\.\d{6}\+08', rows[0][1]['t1'])
          and set(rows[0][1]) == {'n1', 'n2', 'n3', 't1', 't2', 's1', 's2', 's3', 's4', 's5'}, len(rows))
    check('warm pages', e.command(op='warm_pages', project='proj', logstore='mixed')[1] == {'pages': 2})
    e.stop(signal.SIGINT)
    with open(os.path.join(d, 'loghub.state'), 'r+b') as f:
        f.truncate(os.path.getsize(f.name) - 7)
    r = subprocess.run([BIN, '--loghub-port', '0', '--data', d], capture_output=True, text=True, timeout=30)
    check('a damaged state is refused', r.returncode == 2 and 'damaged' in r.stderr, r.stderr)
    shutil.rmtree(d)


for test in (test_command_line, test_clock, test_vectors, test_put_bodies, test_auth, test_meta, test_put_checks, test_cursors,
             test_queries, test_consumers, test_http, test_faults, test_data):
    try:
        test()
    except Exception as error:  # a test that cannot go on has failed
        traceback.print_exc()
        check(test.__name__, False, repr(error))
    for left in list(Emulator.running):
        left.stop(signal.SIGKILL)
print('emulator: %d passed, %d failed' % (passed, failed))
sys.exit(1 if failed else 0)
