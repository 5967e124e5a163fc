#!/usr/bin/env python3
"""Self-test of mc-emulator's Tablestore part: signatures, tables, splits, faults, commands,
state.  Standard library only; replays requests and signatures of the official SDKs.
usage: ots_selftest.py MC_EMULATOR VECTOR_DIR
"""
import base64
import hashlib
import hmac
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zlib

from ots_client import (AUTO, BINARY, CONDITION, INF_MAX, INF_MIN, INTEGER, KEY, SECRET, STRING, Emulator, Failure, create_table, fields,
                        get, message, put, row, rows, scan, update, variant)
from ots_judge import (INCREMENT, INVALID, START_US, answer_is_signed, batch, check, error, headers_for, meta, plain, refused, results,
                       run, send, signed, text_of, v4_key, verdict)

BIN, VECTORS = sys.argv[1], sys.argv[2]


def authentication(e):
    a = signed(e, '/ListTable')
    check('a signed call', error(a), 'OK')
    check('its answer is signed', answer_is_signed('/ListTable', a), True)
    auth = '403 OTSAuthFailed '
    for name in ('x-ots-date', 'x-ots-apiversion', 'x-ots-accesskeyid', 'x-ots-instancename', 'x-ots-contentmd5'):
        check('without ' + name, error(signed(e, '/ListTable', **{name.replace('-', '_'): None})),
              '400 %s Missing header: %s.' % (INVALID, name))
    check('without a signature', error(send(e, '/ListTable', b'', headers_for(e, b''))), '400 %s Missing header: x-ots-signature.' % INVALID)
    a = signed(e, '/ListTable', secret='wrong')
    check('a wrong secret', (error(a), 'authorization' in a[1]), (auth + 'Signature mismatch.', False))
    check('a header changed later', error(signed(e, '/ListTable', late={'x-ots-sdk-type': 'public'})), auth + 'Signature mismatch.')
    check('any x-ots header is signed', error(signed(e, '/ListTable', x_ots_sdk_type='public', x_ots_trace_threshold=' 500 ')), 'OK')
    check('an unknown key', error(signed(e, '/ListTable', x_ots_accesskeyid='nobody')), auth + 'The AccessKeyID does not exist.')
    check('no such instance', error(signed(e, '/ListTable', x_ots_instancename='nowhere')), auth + 'The instance is not found.')
    check('a wrong digest', error(signed(e, '/ListTable', x_ots_contentmd5='1B2M2Y8AsgTpgAmY7PhCfw==')),
          auth + 'Mismatch between MD5 value of request body and x-ots-contentmd5 in header.')
    check('the other API version', error(signed(e, '/ListTable', x_ots_apiversion='2018-04-01')), 'OK')
    check('an unknown API version', error(signed(e, '/ListTable', x_ots_apiversion='2014-08-08'))[:24], '400 ' + INVALID + ' ')
    for date, want in (('2023-11-14T22:13:20Z', 'OK'), ('2023-11-14T22:13:20.11203Z', 'OK'), ('2023-11-14T22:28:20.0Z', 'OK'),
                       ('2023-11-14T21:58:20.999999999999Z', 'OK'),
                       ('2023-11-14T22:28:21.000Z', auth + 'Mismatch between system time and x-ots-date: 2023-11-14T22:28:21.000Z.'),
                       ('2023-11-14T21:58:19.000Z', auth + 'Mismatch between system time and x-ots-date: 2023-11-14T21:58:19.000Z.'),
                       ('2023-11-14 22:13:20Z', '400 %s Invalid date format: 2023-11-14 22:13:20Z.' % INVALID),
                       ('2023-11-14T22:13:20.Z', '400 %s Invalid date format: 2023-11-14T22:13:20.Z.' % INVALID)):
        check('date ' + date, error(signed(e, '/ListTable', x_ots_date=date)), want)
    check('a GET', error(signed(e, '/ListTable', method='GET')), '405 OTSMethodNotAllowed Only POST method for requests is supported.')
    a = signed(e, '/SQLQuery')
    check('no such operation', (error(a), answer_is_signed('/SQLQuery', a)), ('400 %s Unsupported operation: SQLQuery.' % INVALID, True))
    check('tail of a path', error(signed(e, '/ListTable/'))[:4], '400 ')
    check('too large', error(signed(e, '/ListTable', bytes(5242881))), '413 OTSRequestBodyTooLarge The size of POST data is too large.')
    e.command(service='emulator', op='access_key', id=KEY, disabled=True)
    check('a disabled key', error(signed(e, '/ListTable')), auth + 'The AccessKeyID is disabled.')
    e.command(service='emulator', op='access_key', id=KEY, disabled=False)
    e.command(service='emulator', op='access_key', id='sts', secret='s', token='tok')
    check('a token', error(signed(e, '/ListTable', secret='s', x_ots_accesskeyid='sts', x_ots_ststoken='tok')), 'OK')
    check('a missing token', error(signed(e, '/ListTable', secret='s', x_ots_accesskeyid='sts'))[:18], auth)
    check('a wrong token', error(signed(e, '/ListTable', secret='s', x_ots_accesskeyid='sts', x_ots_ststoken='toc'))[:18], auth)
    check('a needless token', error(signed(e, '/ListTable', x_ots_ststoken='tok'))[:18], auth)


def signatures_v4(e):
    def call(date='20231114', region='cn-test', late=None, secret=SECRET):
        h = headers_for(e, b'', x_ots_signdate=date, x_ots_signregion=region)
        key = v4_key(secret, date or '', region or '')
        h['x-ots-signaturev4'] = base64.b64encode(hmac.new(key.encode(), (text_of('/ListTable', h) + 'ots').encode(), hashlib.sha256).digest()).decode()
        h.update(late or {})
        return send(e, '/ListTable', b'', h), key
    a, key = call()
    check('V4', error(a), 'OK')
    check('answered with the key as text', answer_is_signed('/ListTable', a, key), True)
    check('V4 of another day', error(call(date='20231113')[0]), '403 OTSAuthFailed Signature mismatch.')
    check('V4, wrong secret', error(call(secret='x')[0]), '403 OTSAuthFailed Signature mismatch.')
    check('V4, region changed later', error(call(late={'x-ots-signregion': 'cn-other'})[0]), '403 OTSAuthFailed Signature mismatch.')
    check('V4 without a region', error(call(region=None)[0]), '400 %s Missing header: x-ots-signregion.' % INVALID)


def compression(e):
    body = message((1, 'comp'), (2, row([('k', 1)], [('c%d' % i, 'x' * 50) for i in range(100)])), (3, CONDITION))
    packed = zlib.compress(body)
    create_table(e, 'comp', [('k', INTEGER)])
    how = {'x_ots_request_compress_type': 'deflate', 'x_ots_request_compress_size': str(len(body))}
    check('a compressed request', error(signed(e, '/PutRow', packed, **how)), 'OK')
    check('its size is wrong', error(signed(e, '/PutRow', packed, **dict(how, x_ots_request_compress_size='5')))[:23], '400 ' + INVALID)
    check('its size is missing', error(signed(e, '/PutRow', packed, **dict(how, x_ots_request_compress_size=None)))[:23], '400 ' + INVALID)
    check('raw deflate is not zlib', error(signed(e, '/PutRow', packed[2:-4], **how))[:23], '400 ' + INVALID)
    check('unpacked too large', error(signed(e, '/PutRow', zlib.compress(bytes(6 << 20)), **dict(how, x_ots_request_compress_size=str(6 << 20))))[:26],
          '413 OTSRequestBodyTooLarge')
    ask = message((1, 'comp'), (2, row([('k', 1)])), (5, 1))
    a = signed(e, '/GetRow', ask, x_ots_response_compress_type='deflate')
    check('a compressed answer', (a[1].get('x-ots-response-compress-type'), answer_is_signed('/GetRow', a)), ('deflate', True))
    raw = zlib.decompress(a[2])
    check('its size', (len(raw), len(rows(fields(raw)[2][0])[0][1])), (int(a[1]['x-ots-response-compress-size']), 100))
    e.command(op='set', compress=False)
    check('compression off', 'x-ots-response-compress-type' in signed(e, '/GetRow', ask, x_ots_response_compress_type='deflate')[1], False)
    e.command(op='set', compress=True)


def recorded():
    """What official SDKs sent: every signature is accepted, every body is understood."""
    e = Emulator(BIN, '--no-clock-check', '--access-key', 'testAK:testSecret1234567890')
    e.command(op='create_instance', instance='testinst')
    signatures = json.load(open(os.path.join(VECTORS, 'signatures.json')))
    for c in signatures['captured_requests']:
        h = c['headers'].items() if isinstance(c['headers'], dict) else [tuple(x) for x in c['headers']]
        names = [k for k, _ in h]
        v4 = 'V4' in c['scheme']
        token = dict(h).get('x-ots-ststoken', '')
        e.command(service='emulator', op='access_key', id='testAK', secret='testSecret1234567890', token=token)
        name = 'x-ots-signaturev4' if v4 else 'x-ots-signature'
        h = list(h) + ([] if name in names else [(name, c['signature'])])
        if v4:
            date = dict(h)['x-ots-signdate']
            e.clock(now='%s-%s-%sT12:00:00Z' % (date[:4], date[4:6], date[6:]))
        a = send(e, c['path'], bytes.fromhex(c['body_hex']), h)
        check('signature of ' + c['name'], 'OTSAuthFailed' in error(a) or 'Decompress' in error(a), False)
        check('answer to ' + c['name'], answer_is_signed(c['path'], a, c.get('signing_key_text', 'testSecret1234567890'), 'testAK'), True)
        bad = [(k, v[:-2] + ('A=' if v[-2:] != 'A=' else 'B=')) if k == name else (k, v) for k, v in h]
        check('altered signature of ' + c['name'], error(send(e, c['path'], bytes.fromhex(c['body_hex']), bad)),
              '403 OTSAuthFailed Signature mismatch.')
    e.stop()
    replay_requests()


def replay_requests():
    e = Emulator(BIN, '--no-clock-check', '--no-verify')
    cases = json.load(open(os.path.join(VECTORS, 'requests.json')))['cases']
    unsupported = ('/Search', '/SQLQuery')
    for c in cases:
        e.command(op='create_instance', instance='demo')
        body = bytes.fromhex(c['body_hex'])
        a = signed(e, c['operation'], body)
        got = error(a)
        if c['operation'] in unsupported:
            check('replay of ' + c['name'], got, '400 %s Unsupported operation: %s.' % (INVALID, c['operation'][1:]))
        elif 'malformed' in c:
            check('replay of ' + c['name'], got[:23], '400 ' + INVALID)
        else:
            check('replay of ' + c['name'], 'Cell data broken' in got or 'Parse PBMessage' in got or 'Deserialize' in got or '500' in got, False)
    check('stopped', e.stop(), 0)


def altered_requests():
    """Recorded requests with bytes changed, cut out or doubled are answered, whatever they say."""
    e = Emulator(BIN, '--no-verify', '--no-clock-check')
    dice = random.Random(11)
    cases = [(c['operation'], bytes.fromhex(c['body_hex'])) for c in json.load(open(os.path.join(VECTORS, 'requests.json')))['cases']]
    cases += [(op, body) for op, body in cases if 'Row' in op or 'Range' in op] * 3
    statuses = set()
    for n in range(3000):
        if n % 100 == 0:
            e.command(op='create_table', table='t1', replace=True, stream_hours=24, max_versions=3, keys=[{'name': 'pk1', 'type': 'STRING'}, {'name': 'pk2', 'type': 'INTEGER'}])
            e.command(op='generate', table='t1', rows=30)
        op, body = dice.choice(cases)
        body = bytearray(body)
        for _ in range(dice.randrange(3)):
            at = dice.randrange(len(body) + 1)
            kind = dice.randrange(4)
            if kind == 0 and at < len(body):
                body[at] = dice.randrange(256)
            elif kind == 1:
                del body[at:at + dice.randrange(8)]
            elif kind == 2:
                body[at:at] = body[at:at + dice.randrange(40)]
            elif at < len(body):
                body[at] ^= 1 << dice.randrange(8)
        if op != '/DeleteTable':
            statuses.add(e.raw(op, bytes(body))[0])
    check('answers to altered requests', statuses - {200, 400, 403, 404, 409}, set())
    check('stopped', e.stop(), 0)


def tables(e):
    cu = (2, message((1, message((1, 0), (2, 0)))))
    options = (3, message((1, -1), (2, 1)))

    def create(name='bad', keys=(('k', STRING, None),), defined=(), opts=options, *more):
        return e.call('CreateTable', (1, meta(name, keys, defined)), cu, opts, *more)
    for name in ('0', '#', '中文', 'T#', '3t', '-', 'a' * 256, ''):
        refused("Invalid table name: '%s'." % name, create, name)
        refused("Invalid table name: '%s'." % name, e.call, 'DescribeTable', (1, name))
    refused('The number of primary key columns must be in range: [1, 4].', create, 'bad', ())
    refused('The number of primary key columns must be in range: [1, 4].', create, 'bad', [('k%d' % i, STRING, None) for i in range(5)])
    refused("Duplicated primary key name: 'k'.", create, 'bad', [('k', STRING, None), ('k', STRING, None)])
    refused("Invalid column name: '#'.", create, 'bad', [('#', STRING, None)])
    refused('First primary key can\'t be auto increment, table: bad.', create, 'bad', [('k', INTEGER, 1)])
    refused('AUTO_INCREMENT primary key must be integer.', create, 'bad', [('k', STRING, None), ('l', STRING, 1)])
    refused('AUTO_INCREMENT primary key count must <= 1.', create, 'bad', [('k', STRING, None), ('l', INTEGER, 1), ('m', INTEGER, 1)])
    refused('Time-to-live is missing while creating table.', create, opts=(3, message((2, 1))))
    refused('MaxVersions is missing while creating table.', create, opts=(3, message((1, -1))))
    for ttl in (0, -2):
        refused('TimeToLive cannot be 0 or less than -1.', create, opts=(3, message((1, ttl), (2, 1))))
    refused(INVALID, create, opts=(3, message((1, 86399), (2, 1))))
    refused('The maximum versions cannot be less than or equal to 0.', create, opts=(3, message((1, -1), (2, 0))))
    refused('The number of defined columns must be in range: [0, 32].', create, defined=[('d%d' % i, 1) for i in range(33)])
    refused('Duplicated attribute column name with primary key column: k.', create, defined=[('k', 1)])
    refused('Parse PBMessage from RawString failed.', e.call, 'CreateTable', (1, meta('x', [('k', STRING, None)])), options)
    create('full', [('a', STRING, None), ('b', INTEGER, 1), ('c', BINARY, None)], [('d', 7), ('f', 2)], (3, message((1, 86400), (2, 3), (5, 1000))))
    refused('OTSObjectAlreadyExist Requested table already exists.', create, 'full')
    d = e.call('DescribeTable', (1, 'full'))
    check('schema comes back', d[1][0], meta('full', [('a', STRING, None), ('b', INTEGER, 1), ('c', BINARY, None)], [('d', 7), ('f', 2)]))
    o = fields(d[3][0])
    check('options come back', (o[1][0], o[2][0], o[5][0], o[6][0]), (86400, 3, 1000, 1))
    check('required members', (d[4], 1 in fields(fields(d[2][0])[1][0]), 2 in fields(d[2][0])), ([1], True, True))
    refused('OTSObjectNotExist Requested table does not exist.', e.call, 'DescribeTable', (1, 'nothing'))
    refused('No parameter is specified in UpdateTable.', e.call, 'UpdateTable', (1, 'full'))
    refused('No parameter is specified in table options.', e.call, 'UpdateTable', (1, 'full'), (3, b''))
    u = e.call('UpdateTable', (1, 'full'), (3, message((1, -1), (2, 2), (6, 0))))
    o = fields(u[2][0])
    check('options after the update', (o[1][0], o[2][0], o[6][0]), (-1, 2, 0))
    refused(INVALID, e.call, 'UpdateRow', (1, 'full'), (2, row([('a', 'x'), ('b', AUTO), ('c', b'')], [('v', 1)])), (3, CONDITION))
    e.call('UpdateTable', (1, 'full'), (4, message((1, 1), (2, 24))))
    details = fields(e.call('DescribeTable', (1, 'full'))[5][0])
    check('a stream', (details[1][0], details[3][0]), (1, 24))
    refused(INVALID, e.call, 'UpdateTable', (1, 'full'), (4, message((1, 1), (2, 48))))
    refused(INVALID, e.call, 'UpdateTable', (1, 'full'), (4, message((1, 1), (2, 169))))
    e.call('UpdateTable', (1, 'full'), (4, message((1, 0))))
    check('no stream', e.call('DescribeTable', (1, 'full'))[5][0], message((1, 0)))
    e.call('AddDefinedColumn', (1, 'full'), (2, message((1, 'g'), (2, 4))))
    e.call('DeleteDefinedColumn', (1, 'full'), (2, 'd'))
    refused(INVALID, e.call, 'DeleteDefinedColumn', (1, 'full'), (2, 'd'))
    check('defined columns', [fields(x)[1][0] for x in fields(e.call('DescribeTable', (1, 'full'))[1][0])[3]], [b'f', b'g'])
    check('listed', b'full' in e.call('ListTable')[1], True)
    e.call('DeleteTable', (1, 'full'))
    refused('OTSObjectNotExist', e.call, 'DeleteTable', (1, 'full'))
    create('cut', [('k', INTEGER, None)], (), options, (4, message((1, variant(INF_MIN)), (2, variant(10)))), (4, message((1, variant(10)), (2, variant(20)))),
           (4, message((1, variant(20)), (2, variant(INF_MAX)))))
    check('partitions', [rows(x)[0][0] for x in e.call('DescribeTable', (1, 'cut'))[6]], [[('k', 10)], [('k', 20)]])
    e.command(op='set', create_ms=5000)
    create('slow')
    check('described while it is made', e.call('DescribeTable', (1, 'slow'))[4], [3])
    refused('OTSTableNotReady The table is not ready.', put, e, 'slow', [('k', 'a')])
    e.command(op='table_ready', instance='demo', table='slow')
    put(e, 'slow', [('k', 'a')])
    e.command(op='set', create_ms=0)
    have = len(e.call('ListTable')[1])
    for i in range(64 - have):
        create('q%d' % i)
    refused('OTSQuotaExhausted Number of tables exceeds the quota:64.', create, 'q64')
    for i in range(64 - have):
        e.call('DeleteTable', (1, 'q%d' % i))


def partitions(e):
    """Partitions a table is made with (their refusals: what the Java SDK's tests meet on the service)."""
    def create(name, kind, points):
        ends = [INF_MIN] + points + [INF_MAX]
        return e.call('CreateTable', (1, message((1, name), (2, message((1, 'k'), (2, kind))))), (2, message((1, message((1, 0), (2, 0))))),
                      (3, message((1, -1), (2, 1))), *[(4, message((1, variant(a)), (2, variant(b)))) for a, b in zip(ends, ends[1:])])
    create('born', INTEGER, [10000, 20000, 30000])
    check('shards of a table cut at birth', [rows(x)[0][0] for x in e.call('DescribeTable', (1, 'born'))[6]],
          [[('k', 10000)], [('k', 20000)], [('k', 30000)]])
    e.call('DeleteTable', (1, 'born'))
    for kind, points, why in ((INTEGER, list(range(10)), 'The count of partitions cannot be greater than 10'),
                              (INTEGER, [-2 ** 63, 1], 'The value of partition range can not be INT64_MIN or INT64_MAX.'),
                              (INTEGER, [1, 2 ** 63 - 1], 'The value of partition range can not be INT64_MIN or INT64_MAX.'),
                              (STRING, [1], 'The value type of partition does not match with primary key.'),
                              (STRING, ['', 'b'], 'The value of partition range can not be empty string.'),
                              (BINARY, [b'', b'b'], 'The value of partition range can not be empty binary.'),
                              (STRING, ['x' * 65], 'The value of partition range exceeds the MaxLength:64 with CurrentLength:65.')):
        refused(INVALID + ' ' + why, create, 'born', kind, points)


def split_points(e, table, size):
    """The table has few bytes, so a MiB is told to be 'size' of them."""
    e.command(op='set', split_mib=size)
    a = e.call('ComputeSplitPointsBySize', (1, table), (2, 1), (3, 1 << 20))
    points = [rows(p)[0][0] for p in a.get(3, [])]
    places = [fields(x) for x in a[4]]
    repeats = [(f[2][0] >> 1) ^ -(f[2][0] & 1) for f in places]
    return points, [len(f[1][0]) for f in places], repeats, a


def splits(e):
    cmd = dict(instance='demo', table='spl')
    e.command(op='create_table', keys=[{'name': 'k', 'type': 'STRING'}, {'name': 'n', 'type': 'INTEGER'}], **cmd)
    points, places, repeats, a = split_points(e, 'spl', 1)
    check('an empty table is one split', (points, places, repeats), ([], [32], [1]))
    check('costs and schema', (fields(fields(a[1][0])[1][0]), [fields(x)[1][0] for x in a[2]]), ({1: [1], 2: [0]}, [b'k', b'n']))
    n = e.command(op='generate', rows=3000, fan=10, **cmd)
    for at in ('000000000100', '000000000250'):
        e.command(op='split_partition', at=at, **cmd)
    for size in (1000, 50000, 10 ** 9):
        points, places, repeats, _ = split_points(e, 'spl', size)
        flat = [tuple(v for _, v in p) for p in points]
        check('points of %d bytes rise' % size, flat, sorted(set(flat)))
        check('their locations', (sum(repeats), set(places), len(repeats)), (len(points) + 1, {32}, 3))
        check('partitions are points', [p for p in flat if p[0] in ('000000000100', '000000000250')], [('000000000100',), ('000000000250',)])
        bounds = [[('k', INF_MIN), ('n', INF_MIN)]] + [p + [('n', INF_MIN)] * (2 - len(p)) for p in points] + [[('k', INF_MAX), ('n', INF_MAX)]]
        check('splits tile the table', sum(len(scan(e, 'spl', a, b)) for a, b in zip(bounds, bounds[1:]))
              if size != 1000 else 3000, 3000)
    check('how many', abs(len(split_points(e, 'spl', 50000)[0]) - n['bytes'] // 50000) <= 3, True)
    check('prefixes', {len(p) for p in split_points(e, 'spl', 1000)[0]}, {1})
    e.command(op='set', split_prefix=False)
    check('whole keys', {len(p) for p in split_points(e, 'spl', 1000)[0]}, {1, 2})
    e.command(op='set', split_prefix=True, split_mib=1 << 20)
    check('real sizes', len(split_points(e, 'spl', 1 << 20)[0]), 2)
    check('shards of the table', len(e.call('DescribeTable', (1, 'spl'))[6]), 2)
    e.command(op='merge_partitions', index=1, **cmd)
    check('merged', [rows(x)[0][0] for x in e.call('DescribeTable', (1, 'spl'))[6]], [[('k', '000000000100')]])
    for members, why in (([(2, 0)], 'The split_size should be greater than 0.'), ([(2, 1), (3, 0)], 'The split_size_unit_in_byte should be greater equal than: 1048576'),
                         ([(2, 1), (3, (1 << 20) - 1)], 'The split_size_unit_in_byte should be greater equal than: 1048576'),
                         ([(2, 1), (3, 1 << 20), (4, -1)], 'The split_point_limit should be greater than 0.')):
        refused(INVALID + ' ' + why, e.call, 'ComputeSplitPointsBySize', (1, 'spl'), *members)


def faults(e):
    create_table(e, 'flt', [('k', INTEGER)])

    def key(i):
        return [('k', i)]

    def plan(*rules):
        e.control('faults', [dict(r, service='tablestore') for r in rules])
    plan({'api': 'GetRow', 'action': 'throttle', 'count': 1}, {'api': 'PutRow', 'action': 'throttle', 'code': 'OTSNotEnoughCapacityUnit', 'count': 1})
    refused('OTSServerBusy Server is busy.', get, e, 'flt', key(1))
    refused('OTSNotEnoughCapacityUnit Remaining capacity unit is not enough.', put, e, 'flt', key(1))
    put(e, 'flt', key(1))
    plan({'api': 'BatchWriteRow', 'action': 'row_error', 'each': 3, 'count': 1})
    check('every third row', batch(e, 'flt', [(1, row(key(10 + i))) for i in range(7)]), ['OK', 'OK', 'OTSServerBusy'] * 2 + ['OK'])
    check('is not written', [get(e, 'flt', key(10 + i)) is None for i in range(7)], [False, False, True] * 2 + [False])
    plan({'api': 'BatchWriteRow', 'action': 'row_error', 'row': 1, 'code': 'OTSTimeout', 'applied': 1, 'count': 1})
    check('written and said to have failed', (batch(e, 'flt', [(1, row(key(20 + i))) for i in range(3)]), get(e, 'flt', key(21)) is None),
          (['OK', 'OTSTimeout', 'OK'], False))
    plan({'api': 'BatchGetRow', 'action': 'row_error', 'row': 0, 'count': 1})
    check('a row of a batch read', results(e.call('BatchGetRow', (1, message((1, 'flt'), (2, row(key(1))), (2, row(key(1))), (6, 1))))), ['OTSServerBusy', 'OK'])
    plan({'api': 'BatchWriteRow', 'action': 'row_error', 'row': 1, 'count': 1})
    refused('OTSServerBusy', batch, e, 'flt', [(1, row(key(25)))], atomic=1)
    check('an atomic batch fails as a whole', get(e, 'flt', key(25)), None)
    plan({'api': 'UpdateRow', 'action': 'apply_then_fail', 'count': 1})
    refused('OTSTimeout Operation timeout.', update, e, 'flt', key(30), [('n', 1, INCREMENT)])
    check('was applied', plain(get(e, 'flt', key(30))), [('n', 1)])
    plan({'api': 'UpdateRow', 'action': 'apply_later', 'count': 1})
    refused('OTSTimeout', update, e, 'flt', key(31), [('n', 1, INCREMENT)])
    check('not yet', get(e, 'flt', key(31)), None)
    update(e, 'flt', key(31), [('n', 10, INCREMENT)])
    check('after the retry', plain(get(e, 'flt', key(31))), [('n', 11)])
    plan({'api': 'PutRow', 'action': 'apply_later', 'ms': 50, 'count': 1})
    refused('OTSTimeout', put, e, 'flt', key(32))
    e.freeze(START_US + 60000)
    for _ in range(100):
        if get(e, 'flt', key(32)):
            break
        time.sleep(0.05)
    check('after a time', get(e, 'flt', key(32)) is not None, True)
    e.freeze(START_US)
    plan({'api': 'GetRow', 'action': 'status', 'http': 503, 'count': 1})
    a = signed(e, '/GetRow', message((1, 'flt'), (2, row(key(1))), (5, 1)))
    check('a planned status', (error(a), answer_is_signed('/GetRow', a)), ('503 OTSServerBusy injected by the fault plan', True))
    e.control('faults', [])
    e.call('UpdateTable', (1, 'flt'), (2, message((1, message((1, 3), (2, 2))))))
    e.freeze(START_US + 1000000)
    put(e, 'flt', key(1))
    put(e, 'flt', key(2))
    refused('OTSNotEnoughCapacityUnit', put, e, 'flt', key(3))
    check('in a batch', batch(e, 'flt', [(1, row(key(3)))]), ['OTSNotEnoughCapacityUnit'])
    e.freeze(START_US + 2000000)
    put(e, 'flt', key(3))
    e.freeze(START_US)
    d = fields(fields(e.call('DescribeTable', (1, 'flt'))[2][0])[1][0])
    check('reserved throughput', (d[1][0], d[2][0]), (3, 2))
    units = e.command(op='capacity', instance='demo', table='flt', reset=True)
    check('units were counted', (units['read'] > 5, units['write'] > 10, e.command(op='capacity', instance='demo', table='flt')), (True, True, {'read': 0, 'write': 0}))


def commands(directory):
    e = Emulator(BIN, '--data', directory)
    table = dict(table='t', instance='demo')
    e.command(op='create_table', keys=[{'name': 'a', 'type': 'STRING'}, {'name': 'b', 'type': 'BINARY'}], max_versions=3, ttl=-1, splits=['m'],
              defined=[{'name': 'd', 'type': 'DOUBLE'}], stream_hours=24, **table)
    refused('control', e.command, op='create_table', keys=[{'name': 'a', 'type': 'STRING'}], **table)
    refused('control', e.command, op='nothing')
    refused('control', e.command, op='put', rows=[{'key': ['x']}], **table)
    e.command(op='put', rows=[{'key': ['x', {'bytes': '00ff'}], 'columns': {'i': 1, 'd': 1.5, 'd2': {'double': 2}, 's': 'ü\0', 't': True, 'n': {'bytes': ''}}},
                              {'key': ['a', {'bytes': ''}]}], **table)
    want = [{'key': ['a', {'bytes': ''}], 'columns': {}},
            {'key': ['x', {'bytes': '00ff'}], 'columns': {'d': {'double': '1.5'}, 'd2': {'double': '2'}, 'i': 1, 'n': {'bytes': ''}, 's': 'ü\0', 't': True}}]
    check('dump', e.command(op='dump', **table)['rows'], want)
    e.command(op='put', rows=[{'key': ['x', {'bytes': '00ff'}], 'do': 'update', 'columns': {'i': [{'increment': 4}], 'd': [{'delete': True}]}},
                              {'key': ['a', {'bytes': ''}], 'do': 'delete'}], **table)
    check('updated', e.command(op='dump', **table)['rows'][0]['columns']['i'], 5)
    before = e.command(op='dump', timestamps=True, **table), e.command(op='checksum', timestamps=True, **table)
    check('checksum counts', before[1]['count'], 1)
    check('stopped', e.stop(), 0)
    e = Emulator(BIN, '--data', directory)
    check('kept', (e.command(op='dump', timestamps=True, **table), e.command(op='checksum', timestamps=True, **table)), before)
    state = [i for i in e.control('state')['tablestore']['instances'] if i['instance'] == 'demo'][0]['tables'][0]
    check('partitions kept', [p['begin'] for p in state['partitions']], [None, 'm'])
    check('options kept', fields(e.call('DescribeTable', (1, 't'))[3][0])[2][0], 3)
    check('stopped', e.stop(), 0)
    path = os.path.join(directory, 'tablestore.state')
    data = open(path, 'rb').read()
    for n in (0, 5, 100, len(data) // 2):
        open(path, 'wb').write(data[:n])
        check('a state cut at %d' % n, subprocess.run([BIN, '--tablestore-port', '0', '--data', directory], stdout=subprocess.DEVNULL,
                                                    stderr=subprocess.DEVNULL, timeout=60).returncode, 2)


def volume(e):
    table = dict(table='vol', instance='demo')
    e.command(op='create_table', keys=[{'name': 'k', 'type': 'INTEGER'}], **table)
    rows_wanted = 200000
    check('generated', e.command(op='generate', rows=rows_wanted, profile='mixed', **table)['rows'], rows_wanted)
    one = e.command(op='checksum', **table)
    e.command(op='create_table', replace=True, keys=[{'name': 'k', 'type': 'INTEGER'}], **table)
    e.command(op='generate', rows=rows_wanted // 2, profile='mixed', **table)
    e.command(op='generate', rows=rows_wanted // 2, first=rows_wanted // 2, profile='mixed', **table)
    check('rows depend on seed and number only', e.command(op='checksum', **table), one)
    begin, n = [('k', INF_MIN)], 0
    while begin:
        a = e.call('GetRange', (1, 'vol'), (2, 0), (5, 1), (7, row(begin)), (8, row([('k', INF_MAX)])))
        n += 5000 if 3 in a else len(rows(a[2][0]))
        begin = rows(a[3][0])[0][0] if 3 in a else None
    check('all pages', n, rows_wanted)
    e.call('DeleteTable', (1, 'vol'))


def main():
    directory = tempfile.mkdtemp(prefix='mc-ots-')
    try:
        e = Emulator(BIN)
        e.freeze(START_US)
        run(e, (authentication, signatures_v4, compression, tables, partitions, splits, faults, volume))
        check('stopped', e.stop(), 0)
        recorded()
        altered_requests()
        commands(directory)
    finally:
        for e in list(Emulator.running):
            e.proc.kill()
            e.proc.wait()
        shutil.rmtree(directory)
    verdict('emulator-ots')


main()
