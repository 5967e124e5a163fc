#!/usr/bin/env python3
"""Self-test of mc-emulator's Tablestore part: streams, tunnels, local transactions.
Standard library only; replays the recorded requests of an official tunnel worker.
usage: ots_stream_selftest.py MC_EMULATOR VECTOR_DIR
"""
import base64
import json
import os
import shutil
import sys
import tempfile
import time

from ots_client import (AUTO, CONDITION, INF_MAX, INF_MIN, INTEGER, STRING, Emulator, Failure, create_table, delete, fields,
                        get, message, put, row, rows, scan, update)

BIN, VECTORS = sys.argv[1], sys.argv[2]
passed = failed = 0
PUT, UPDATE, DELETE = 1, 2, 3
DELETE_ALL, DELETE_ONE, INCREMENT = 1, 3, 4
START_US = 1700000000000000
HOUR = 3600 * 1000000


def check(what, got, want):
    global passed, failed
    if got == want:
        passed += 1
    else:
        failed += 1
        print('FAIL line %d: %s\n  got    %r\n  wanted %r' % (sys._getframe(1).f_lineno, what, got, want))


def refused(what, code, call, *args, **how):
    global passed, failed
    try:
        got = call(*args, **how)
    except Failure as e:
        got = e.code
    if got == code:
        passed += 1
    else:
        failed += 1
        print('FAIL line %d: %s\n  got    %r\n  wanted %r' % (sys._getframe(1).f_lineno, what, got, code))


def text(answer, number, missing=None):
    return answer[number][0].decode() if number in answer else missing


def stream_details(e, table):
    d = fields(e.call('DescribeTable', (1, table))[5][0])
    return d[1][0], text(d, 2), d.get(3, [None])[0], d.get(4, [None])[0], [c.decode() for c in d.get(5, [])]


def stream_id(e, table):
    return stream_details(e, table)[1]


def describe(e, stream, start=None, limit=None):
    a = e.call('DescribeStream', (1, stream), (2, start), (3, limit))
    shards = []
    for s in a.get(6, []):
        f = fields(s)
        shards.append((text(f, 1), text(f, 2), text(f, 3)))
    return a, shards


def shards(e, stream):
    return describe(e, stream)[1]


def iterator(e, stream, shard, us=None, token=None):
    a = e.call('GetShardIterator', (1, stream), (2, shard), (3, us), (4, token))
    return text(a, 1), text(a, 2)


def read(e, it, limit=None, table=None):
    """Records as (action, key values, cells, sequence, origin), the next iterator, the flag"""
    a = e.call('GetStreamRecord', (1, it), (2, limit), (3, table))
    out = []
    for r in a.get(1, []):
        f = fields(r)
        (key, cells, deleted, sequence), = rows(f[2][0])
        origin = rows(f[3][0])[0][1] if 3 in f else None
        out.append((f[1][0], [v for _, v in key], cells, sequence, origin))
    return out, text(a, 2), a.get(4, [None])[0]


def drain(e, stream, shard, us=None):
    """All records of a shard up to now; the iterator behind them (None = closed)"""
    it, out = iterator(e, stream, shard, us)[0], []
    while it is not None:
        page, it, _ = read(e, it)
        if not page:
            break
        out += page
    return out, it


def keys_of(records):
    return [r[1][0] for r in records]


def lifecycle(e):
    e.freeze(START_US)
    create_table(e, 'plain', [('k', INTEGER)])
    check('no stream', 5 in e.call('DescribeTable', (1, 'plain')) and stream_details(e, 'plain')[0], 0)
    check('no stream listed', e.call('ListStream', (1, 'plain')), {})
    put(e, 'plain', [('k', 1)], [('a', 1)])
    refused('expiration 0', 'OTSParameterInvalid', e.call, 'UpdateTable', (1, 'plain'), (4, message((1, 1), (2, 0))))
    refused('expiration 169', 'OTSParameterInvalid', e.call, 'UpdateTable', (1, 'plain'), (4, message((1, 1), (2, 169))))
    e.freeze(START_US + 1000000)
    e.call('UpdateTable', (1, 'plain'), (4, message((1, 1), (2, 24))))
    on, first, hours, enabled, columns = stream_details(e, 'plain')
    check('enabled', (on, hours, enabled, columns), (1, 24, START_US + 1000000, []))
    (shard, parent, sibling), = shards(e, first)
    check('no parents', (parent, sibling), (None, None))
    check('writes before are not recorded', drain(e, first, shard)[0], [])
    listed = fields(e.call('ListStream', (1, 'plain'))[1][0])
    check('listed', (text(listed, 1), text(listed, 2), listed[3][0]), (first, 'plain', enabled))
    a, _ = describe(e, first)
    check('described', (text(a, 1), a[2][0], text(a, 3), a[4][0], a[5][0]), (first, 24, 'plain', enabled, 2))
    refused('enabled twice', 'OTSParameterInvalid', e.call, 'UpdateTable', (1, 'plain'), (4, message((1, 1), (2, 48))))
    put(e, 'plain', [('k', 2)], [('a', 1)])
    it = iterator(e, first, shard)[0]
    check('one record', keys_of(read(e, it)[0]), [2])
    e.call('UpdateTable', (1, 'plain'), (4, message((1, 0))))
    check('disabled', stream_details(e, 'plain')[0], 0)
    refused('its iterator', 'OTSTrimmedDataAccess', read, e, it)
    refused('its stream', 'OTSObjectNotExist', describe, e, first)
    e.call('UpdateTable', (1, 'plain'), (4, message((1, 1), (2, 1))))
    check('another stream', stream_id(e, 'plain') != first, True)
    check('which is empty', drain(e, stream_id(e, 'plain'), shards(e, stream_id(e, 'plain'))[0][0])[0], [])
    refused('unknown table', 'OTSObjectNotExist', e.call, 'ListStream', (1, 'nothing'))
    refused('damaged iterator', 'OTSParameterInvalid', read, e, 'A' + it[1:])
    refused('no iterator', 'OTSParameterInvalid', read, e, 'x')
    e.call('DeleteTable', (1, 'plain'))


def records(e):
    e.freeze(START_US)
    create_table(e, 'rec', [('k', STRING), ('n', INTEGER)], 168, columns=['old', 'gone'], versions=3)
    sid = stream_id(e, 'rec')
    check('columns to get', stream_details(e, 'rec')[4], ['old', 'gone'])
    shard = shards(e, sid)[0][0]
    now = START_US // 1000

    def key(n):
        return [('k', 'a'), ('n', n)]

    put(e, 'rec', key(1), [('x', 1), ('old', 'o1'), ('f', 1.5), ('b', b'\0\xff'), ('t', True), ('s', 'é', None, now - 5)])
    e.freeze(START_US + 1000)
    update(e, 'rec', key(1), [('x', 2), ('f', None, DELETE_ALL), ('s', None, DELETE_ONE, now - 5)])
    e.freeze(START_US + 2000)
    update(e, 'rec', key(1), [('x', 40, INCREMENT)])
    put(e, 'rec', key(1), [('old', 'o2')])
    e.freeze(START_US + 3000)
    delete(e, 'rec', key(1))
    delete(e, 'rec', key(7))
    refused('condition', 'OTSConditionCheckFail', put, e, 'rec', key(1), [('x', 9)], message((1, 1)))
    got, it = drain(e, sid, shard)
    check('actions', [r[0] for r in got], [PUT, UPDATE, UPDATE, PUT, DELETE, DELETE])
    check('keys', [r[1] for r in got], [['a', 1]] * 5 + [['a', 7]])
    check('put: all cells, by name', got[0][2], [('b', b'\0\xff', None, now), ('f', 1.5, None, now), ('old', 'o1', None, now),
                                                ('s', 'é', None, now - 5), ('t', True, None, now), ('x', 1, None, now)]
          if [c[0] for c in got[0][2]] == sorted(c[0] for c in got[0][2]) else got[0][2])
    check('update: what changed', sorted(got[1][2]), [('f', None, DELETE_ALL, None), ('s', None, DELETE_ONE, now - 5),
                                                     ('x', 2, None, now + 1)])
    check('increment: the result', got[2][2], [('x', 42, None, now + 2)])
    check('deletes: key only', [r[2] for r in got[4:]], [[], []])
    check('times', [r[3][1] - START_US for r in got], [0, 1000, 2000, 2000, 3000, 3000])
    order = [r[3] for r in got]
    check('strictly rising', (order == sorted(order), len(set(order))), (True, 6))
    check('pre-images', [r[4] and [c[:2] for c in r[4]] for r in got], [None, [('old', 'o1')], [('old', 'o1')], [('old', 'o1')], [('old', 'o2')], None])
    check('iterator of an idle shard', (read(e, it)[0], read(e, read(e, it)[1])[0]), ([], []))
    batch(e, sid, shard, it)


def batch(e, sid, shard, it):
    e.freeze(START_US + 5000)
    changes = [message((1, PUT), (2, row([('k', 'b'), ('n', i)], [('x', i)])), (3, CONDITION)) for i in range(3)]
    changes.append(message((1, PUT), (2, row([('k', 'b'), ('n', 0)], [('x', 9)])), (3, message((1, 1), (2, None)))))
    refused('repeated row with a condition', 'OTSParameterInvalid', e.call, 'BatchWriteRow',
            (1, message((1, 'rec'), *[(2, c) for c in changes])))
    changes[3] = message((1, PUT), (2, row([('k', 'b'), ('n', 5)], [('x', 9)])), (3, message((1, 1))))
    a = fields(e.call('BatchWriteRow', (1, message((1, 'rec'), *[(2, c) for c in changes])))[1][0])
    check('partial failure', [fields(r)[1][0] for r in a[2]], [1, 1, 1, 0])
    got = read(e, it)[0]
    check('batch: one time, row index rises', [(r[1][1], r[3][1], r[3][2]) for r in got],
          [(i, START_US + 5000, i) for i in range(3)])
    check('first of a page', read(e, it, 2)[0], got[:2])
    check('the same again', read(e, it)[0], got)
    page, nxt, _ = read(e, it, 1)
    check('page by page', read(e, nxt, 1)[0], got[1:2])
    refused('negative limit', 'OTSParameterInvalid', read, e, it, -1)


def pages(e):
    e.freeze(START_US)
    create_table(e, 'many', [('k', INTEGER)], 24)
    sid = stream_id(e, 'many')
    shard = shards(e, sid)[0][0]
    e.command(op='stream_set', page_records=100, page_bytes=4194304)
    for i in range(1000):
        e.freeze(START_US + i * 1000)
        put(e, 'many', [('k', i)], [('a', i)])
    it, sizes, seen = iterator(e, sid, shard)[0], [], []
    for _ in range(11):
        page, it, more = read(e, it)
        sizes.append(len(page))
        seen += keys_of(page)
    check('pages', sizes, [100] * 10 + [0])
    check('all in order', seen, list(range(1000)))
    check('no flag', more, None)
    check('flag for a table group', read(e, iterator(e, sid, shard)[0], table='many')[2], 1)
    check('flag at the end', read(e, it, table='many')[2], 0)
    # a page that begins inside another one
    it = iterator(e, sid, shard)[0]
    _, mid, _ = read(e, it, 37)
    check('across chunks', keys_of(read(e, mid)[0]), list(range(37, 137)))
    e.command(op='stream_set', page_bytes=300)
    check('bytes end a page', 1 <= len(read(e, it)[0]) < 10, True)
    e.command(op='stream_set', page_bytes=1)
    check('one record at least', keys_of(read(e, it)[0]), [0])
    e.command(op='stream_set', page_bytes=4194304, page_records=5000)
    check('larger pages', len(read(e, it)[0]), 1000)
    seeks(e, sid, shard)
    e.command(op='stream_set', empty_every=2, may_more_record=True, page_records=100)
    it, got, empty = iterator(e, sid, shard)[0], [], 0
    for _ in range(20):
        page, it, more = read(e, it)
        got += page
        empty += not page and more == 1
    check('empty pages with the flag', (len(got), empty >= 9), (1000, True))
    e.command(op='stream_set', empty_every=0, may_more_record=False, page_records=100)
    more = lambda at, *members: e.call('GetStreamRecord', (1, at), *members).get(4)
    start = iterator(e, sid, shard)[0]
    table = text(e.call('DescribeStream', (1, sid)), 3)
    check('the flag is for who names the table', (more(start), more(start, (3, table)), more(start), more(start, (3, table))), (None, [1], None, [1]))
    last = read(e, start)[1]
    for _ in range(8):
        last = read(e, last)[1]
    check('a page that ends the shard', (more(last, (3, table)), more(last, (2, 100), (3, table)), more(read(e, last)[1], (3, table))), ([0], [1], [0]))
    refused('of another table', 'OTSParameterInvalid', e.call, 'GetStreamRecord', (1, start), (3, 'plain'))
    e.command(op='stream_set', empty_every=0, may_more_record=False, page_records=5000)


def seeks(e, sid, shard):
    def first(us, **how):
        page = read(e, iterator(e, sid, shard, us, **how)[0], 1)[0]
        return keys_of(page)

    check('seek: exact', first(START_US + 500000), [500])
    check('seek: between', first(START_US + 500001), [501])
    check('seek: before all', first(START_US - HOUR), [0])
    check('seek: behind all', first(START_US + HOUR), [])
    e.command(op='stream_set', seek_early=7)
    check('seek: early', first(START_US + 500000), [493])
    check('seek: not before the first', first(START_US + 3000), [0])
    e.command(op='stream_set', seek_early=0, iterator_steps=3)
    steps, it, token = 0, '', None
    while True:
        it, token = iterator(e, sid, shard, START_US + 500000, token)
        if token is None:
            break
        steps += 1
        refused('no position yet', 'OTSParameterInvalid', read, e, it)
    check('seek in steps', (steps, keys_of(read(e, it, 1)[0])), (3, [500]))
    refused('damaged token', 'OTSParameterInvalid', iterator, e, sid, shard, START_US, 'AAAA')
    check('steps only with a time', iterator(e, sid, shard)[1], None)
    e.command(op='stream_set', iterator_steps=0)
    refused('unknown shard', 'OTSTrimmedDataAccess', iterator, e, sid, 'nothing')


def family(e):
    e.freeze(START_US)
    create_table(e, 'fam', [('k', INTEGER)], 2)
    sid = stream_id(e, 'fam')
    for i in range(10):
        put(e, 'fam', [('k', i)], [('a', i)])
    e.freeze(START_US + 1000000)
    split(e, 'fam', 5)
    for i in range(10):
        put(e, 'fam', [('k', i)], [('a', i + 100)])
    old, left, right = shards(e, sid)
    check('children', [left[1:], right[1:]], [(old[0], None)] * 2)
    got, end = drain(e, sid, old[0])
    check('parent is closed', (keys_of(got), end), (list(range(10)), None))
    check('read again', drain(e, sid, old[0])[0], got)
    check('left', keys_of(drain(e, sid, left[0])[0]), list(range(5)))
    check('right', keys_of(drain(e, sid, right[0])[0]), list(range(5, 10)))
    check('order over the split', max(r[3] for r in got) < min(r[3] for r in drain(e, sid, left[0])[0]), True)
    e.freeze(START_US + 2000000)
    merge(e, 'fam', 0)
    put(e, 'fam', [('k', 3)], [('a', 200)])
    merged = shards(e, sid)[-1]
    check('merged', merged[1:], (left[0], right[0]))
    check('its record', keys_of(drain(e, sid, merged[0])[0]), [3])
    check('siblings are closed', [drain(e, sid, s[0])[1] for s in (left, right)], [None, None])
    a, page = describe(e, sid, limit=3)
    check('paged', (page, text(a, 7)), (shards(e, sid)[:3], merged[0]))
    a, page = describe(e, sid, merged[0], 3)
    check('last page', (page, text(a, 7)), ([merged], None))
    refused('unknown start', 'OTSObjectNotExist', describe, e, sid, 'nothing')
    e.command(op='stream_set', shard_limit=2)
    check('configured page', len(describe(e, sid)[1]), 2)
    e.command(op='stream_set', shard_limit=100)
    expiry(e, sid, old[0], left[0], merged[0])


def expiry(e, sid, old, left, merged):
    it = iterator(e, sid, old)[0]
    later = iterator(e, sid, merged)[0]
    e.freeze(START_US + 2 * HOUR + 500000)
    refused('expired iterator', 'OTSTrimmedDataAccess', read, e, it)
    check('the parent has vanished, closed shards only when empty', [s[0] == old for s in shards(e, sid)].count(True), 1)
    check('its records are gone', drain(e, sid, old), ([], None))
    check('a younger shard is whole', keys_of(drain(e, sid, left)[0]), list(range(5)))
    e.freeze(START_US + 2 * HOUR + 1500000)
    check('the parent has vanished', old in [s[0] for s in shards(e, sid)], False)
    check('its children still name it', shards(e, sid)[0][1], old)
    refused('vanished shard', 'OTSTrimmedDataAccess', iterator, e, sid, old)
    e.freeze(START_US + 4 * HOUR)
    check('what is open stays', [s[0] for s in shards(e, sid)], [merged])
    refused('its first position', 'OTSTrimmedDataAccess', read, e, later)
    put(e, 'fam', [('k', 3)], [('a', 1)])
    check('and goes on', keys_of(drain(e, sid, merged)[0]), [3])


def split(e, table, at):
    e.command(op='split_partition', table=table, at=at)


def merge(e, table, index):
    e.command(op='merge_partitions', table=table, index=index)


def oddities(e):
    """Late visibility, clocks that go back, enabling, planned faults"""
    e.freeze(START_US)
    create_table(e, 'odd', [('k', INTEGER)], 24)
    sid = stream_id(e, 'odd')
    shard = shards(e, sid)[0][0]
    e.command(op='stream_set', visible_after_ms=5000)
    put(e, 'odd', [('k', 1)], [('a', 1)])
    check('not yet visible', drain(e, sid, shard)[0], [])
    e.freeze(START_US + 4000000)
    e.command(op='stream_set', visible_after_ms=0)
    put(e, 'odd', [('k', 2)], [('a', 1)])
    check('nor what came after it', drain(e, sid, shard)[0], [])
    e.freeze(START_US + 5000000)
    got = drain(e, sid, shard)[0]
    check('visible with its own time', [(r[1][0], r[3][1] - START_US) for r in got], [(1, 0), (2, 4000000)])
    e.freeze(START_US + 3000000)
    put(e, 'odd', [('k', 3)], [('a', 1)])
    e.freeze(START_US + 5000000)
    last = drain(e, sid, shard)[0][-1][3]
    check('time never falls in an epoch', (last[1] - START_US, last[2] > got[-1][3][2]), (4000000, True))
    e.command(op='stream_epoch', table='odd', skew_ms=-60000)
    put(e, 'odd', [('k', 4)], [('a', 1)])
    seq = [r[3] for r in drain(e, sid, shard)[0]]
    check('a new epoch with an earlier time', (seq[-1][0] > seq[-2][0], seq[-1][1] - START_US), (True, -55000000))
    check('sorted by epoch first', seq, sorted(seq))
    check('seek goes by the running maximum', keys_of(drain(e, sid, shard, START_US + 4000000)[0]), [2, 3, 4])
    e.command(op='stream_set', enabling_ms=10000)
    e.freeze(START_US + 10000000)
    create_table(e, 'slow', [('k', INTEGER)], 24)
    a, found = describe(e, stream_id(e, 'slow'))
    check('enabling', (a[5][0], found), (1, []))
    e.freeze(START_US + 20000000)
    a, found = describe(e, stream_id(e, 'slow'))
    check('active', (a[5][0], len(found)), (2, 1))
    e.command(op='stream_set', enabling_ms=0)
    refused('bad setting', 'control', e.command, op='stream_set', page_records=0)
    refused('no stream', 'control', e.command, op='stream_shards', table='nothing')
    e.control('faults', [{'api': 'GetStreamRecord', 'action': 'stream_trimmed', 'count': 1}])
    refused('planned trim', 'OTSTrimmedDataAccess', read, e, iterator(e, sid, shard)[0])
    check('only once', len(read(e, iterator(e, sid, shard)[0])[0]), 4)


def generated(e):
    e.freeze(START_US + 10 * HOUR)
    create_table(e, 'gen', [('k', STRING), ('n', INTEGER)], 24)
    split(e, 'gen', '0000000050')
    e.command(op='stream_generate', table='gen', records=1000, keys=100, profile='mixed', **{'from': '2023-11-15T00:00:00Z', 'to': '2023-11-15T01:00:00Z'})
    sid = stream_id(e, 'gen')
    got = [drain(e, sid, s[0])[0] for s in shards(e, sid)]
    check('records of each shard', [len(r) for r in got], [0, 500, 500])
    actions = [r[0] for r in got[1] + got[2]]
    check('kinds', [actions.count(x) for x in (PUT, UPDATE, DELETE)], [700, 200, 100])
    times = [r[3][1] for r in got[1]]
    check('times', (times == sorted(times), times[0] >= 1700006400000000, times[-1] < 1700010000000000), (True, True, True))


def transactions(e):
    e.freeze(START_US + 20 * HOUR)
    create_table(e, 'txn', [('k', STRING), ('n', INTEGER)], 24, local_txn=True)
    create_table(e, 'off', [('k', STRING)])
    put(e, 'txn', [('k', 'a'), ('n', 1)], [('x', 1)])
    start = lambda v, table='txn': text(e.call('StartLocalTransaction', (1, table), (2, row([('k', v)]))), 1)
    refused('table without transactions', 'OTSParameterInvalid', start, 'a', 'off')
    refused('key of the wrong type', 'OTSInvalidPK', start, 1)
    for call, members, why in (('StartLocalTransaction', [(1, 'txn'), (2, row([('k', 'a'), ('n', 1)]))], 'StartLocalTransaction support only one primary key.'),
                               ('StartLocalTransaction', [(1, 'txn')], 'Parse PBMessage from RawString failed.'),
                               ('CommitTransaction', [(1, '')], 'TransactionID is invalid.'), ('AbortTransaction', [(1, '')], 'TransactionID is invalid.'),
                               ('CommitTransaction', [], 'Parse PBMessage from RawString failed.'), ('GetStreamRecord', [], 'Parse PBMessage from RawString failed.'),
                               ('DescribeStream', [], 'Parse PBMessage from RawString failed.'), ('GetShardIterator', [(1, 'x')], 'Parse PBMessage from RawString failed.')):
        try:
            e.call(call, *members)
            check('refuses ' + call, 'accepted', why)
        except Failure as f:
            check('refuses ' + call, (f.code, f.message), ('OTSParameterInvalid', why))
    t = start('a')
    key = lambda n, k='a': [('k', k), ('n', n)]
    bounds = [('k', 'a'), ('n', INF_MIN)], [('k', 'a'), ('n', INF_MAX)]
    put(e, 'txn', key(2), [('x', 2)], txn=t)
    update(e, 'txn', key(1), [('x', 10, INCREMENT)], txn=t)
    check('own writes', [r[0][1][1] for r in scan(e, 'txn', *bounds, txn=t)], [1, 2])
    check('own increment', get(e, 'txn', key(1), txn=t)[1][0][1], 11)
    check('not seen outside', ([r[0][1][1] for r in scan(e, 'txn', *bounds)], get(e, 'txn', key(1))[1][0][1]), ([1], 1))
    refused('written by others', 'OTSRowOperationConflict', put, e, 'txn', key(3), [('x', 1)])
    refused('a second one', 'OTSRowOperationConflict', start, 'a')
    put(e, 'txn', key(1, 'b'), [('x', 5)])
    refused('another partition key', 'OTSDataOutOfRange', put, e, 'txn', key(2, 'b'), [('x', 1)], txn=t)
    refused('reading another one', 'OTSDataOutOfRange', get, e, 'txn', key(1, 'b'), txn=t)
    sid = stream_id(e, 'txn')
    before = len(drain(e, sid, shards(e, sid)[0][0])[0])
    e.freeze(e.frozen_us + 1000000)
    e.call('CommitTransaction', (1, t))
    got = drain(e, sid, shards(e, sid)[0][0])[0][before:]
    check('committed', [r[0][1][1] for r in scan(e, 'txn', *bounds)], [1, 2])
    check('recorded at the commit, in order', [(r[0], r[1][1], r[3][1], r[3][2]) for r in got],
          [(PUT, 2, e.frozen_us, 0), (UPDATE, 1, e.frozen_us, 1)])
    refused('committed twice', 'OTSSessionNotExist', e.call, 'CommitTransaction', (1, t))
    put(e, 'txn', key(3), [('x', 3)])
    t = start('a')
    delete(e, 'txn', key(1), txn=t)
    check('deleted inside', get(e, 'txn', key(1), txn=t), None)
    check('abort names it', text(e.call('AbortTransaction', (1, t)), 1), t)
    check('aborted', get(e, 'txn', key(1))[1][0][1], 11)
    refused('used after', 'OTSSessionNotExist', get, e, 'txn', key(1), txn=t)
    t = start('a')
    put(e, 'txn', key(9), [('x', 'y' * 2000000)], txn=t)
    put(e, 'txn', key(10), [('x', 'y' * 2000000)], txn=t)
    refused('too much', 'OTSOutOfTransactionDataSizeLimit', put, e, 'txn', key(11), [('x', 'y' * 2000000)], txn=t)
    e.freeze(e.frozen_us + 60000000)
    refused('expired', 'OTSSessionExpired', e.call, 'CommitTransaction', (1, t))
    put(e, 'txn', key(9), [('x', 1)])
    check('its lock is gone, its writes too', (get(e, 'txn', key(9))[1][0][1], get(e, 'txn', key(10))), (1, None))


# ---- tunnels ----

def create_tunnel(e, table, name, kind, config=None):
    return text(e.call('tunnel/create', (1, message((1, table), (3, name), (4, kind), (5, config)))), 1)


def connect(e, tunnel, timeout=300):
    return text(e.call('tunnel/connect', (1, tunnel), (2, message((1, timeout), (2, 'test')))), 1)


def heartbeat(e, tunnel, client, *channels):
    """channels: (id, version, status); answered likewise, sorted"""
    a = e.call('tunnel/heartbeat', (1, tunnel), (2, client), *[(3, message((1, c), (2, v), (3, s))) for c, v, s in channels])
    return sorted((text(f, 1), f[2][0], f[3][0]) for f in map(fields, a.get(1, [])))


def checkpoint(e, tunnel, client, channel):
    a = e.call('tunnel/getcheckpoint', (1, tunnel), (2, client), (3, channel))
    return text(a, 1), a[2][0]


def set_checkpoint(e, tunnel, client, channel, token, sequence):
    e.call('tunnel/checkpoint', (1, tunnel), (2, client), (3, channel), (4, token), (5, sequence))


def read_tunnel(e, tunnel, client, channel, token):
    a = e.call('tunnel/readrecords', (1, tunnel), (2, client), (3, channel), (4, token))
    out = []
    for r in a.get(1, []):
        f = fields(r)
        (key, cells, deleted, sequence), = rows(f[2][0])
        out.append((f[1][0], [v for _, v in key], cells, sequence))
    return out, text(a, 2)


def finish_channel(e, tunnel, client, channel, version):
    """Read to the end, store the final checkpoint, report TERMINATED"""
    token, sequence = checkpoint(e, tunnel, client, channel)
    got = []
    while token != 'finished':
        page, token = read_tunnel(e, tunnel, client, channel, token)
        got += page
    set_checkpoint(e, tunnel, client, channel, token, sequence + 1)
    heartbeat(e, tunnel, client, (channel, version + 1, 4))
    return got


def tunnels(e):
    e.freeze(START_US + 30 * HOUR)
    create_table(e, 'tun', [('k', INTEGER)])
    for i in range(20):
        put(e, 'tun', [('k', i)], [('a', i)])
    split(e, 'tun', 10)
    t = create_tunnel(e, 'tun', 'both', 3)
    check('the stream was enabled', stream_details(e, 'tun')[0::2][:2], (1, 168))
    refused('twice', 'OTSTunnelExist', create_tunnel, e, 'tun', 'both', 2)
    refused('unknown table', 'OTSObjectNotExist', create_tunnel, e, 'nothing', 'x', 2)
    put(e, 'tun', [('k', 3)], [('a', 1000)])
    info = fields(fields(e.call('tunnel/list', (1, 'tun'))[1][0]) and e.call('tunnel/list', (1, 'tun'))[1][0])
    check('listed', (text(info, 1), text(info, 2), text(info, 3), text(info, 4), text(info, 5), text(info, 6), text(info, 8)),
          (t, 'BaseAndStream', 'tun', 'demo', stream_id(e, 'tun'), 'ProcessBaseData', 'both'))
    a = connect(e, t)
    first = heartbeat(e, t, a)
    check('base data first', [(c.startswith('BaseData_'), s) for c, v, s in first], [(True, 1)] * 2)
    check('the same again', heartbeat(e, t, a, *first), first)
    b = connect(e, t)
    check('one is asked for', sorted(s for _, _, s in heartbeat(e, t, a, *first)), [1, 2])
    closing = [c for c in heartbeat(e, t, a, *first) if c[2] == 2][0]
    check('not given away before it is closed', heartbeat(e, t, b), [])
    mine = heartbeat(e, t, a, (closing[0], closing[1] + 1, 3))
    theirs = heartbeat(e, t, b)
    check('shared', (len(mine), [c[0] for c in theirs], theirs[0][1] > closing[1] + 1), (1, [closing[0]], True))
    refused("another's channel", 'OTSResourceGone', checkpoint, e, t, a, theirs[0][0])
    got = finish_channel(e, t, a, mine[0][0], mine[0][1])
    check('still base data', all(c[0].startswith('BaseData_') for c in heartbeat(e, t, a)), True)
    got += finish_channel(e, t, b, theirs[0][0], theirs[0][1])
    check('base rows are puts', (sorted((r[0], r[1][0]) for r in got), {r[3] for r in got}), ([(PUT, i) for i in range(20)], {(0, 0, 0)}))
    tunnel_streams(e, t, a, b)


def tunnel_streams(e, t, a, b):
    streams = heartbeat(e, t, a), heartbeat(e, t, b)
    check('then the stream', [len(s) for s in streams], [1, 1])
    seen = []
    for client, ((channel, version, _),) in zip((a, b), streams):
        token, sequence = checkpoint(e, t, client, channel)
        page, nxt = read_tunnel(e, t, client, channel, token)
        seen += [(r[0], r[1][0]) for r in page]
        refused('sequence', 'OTSSequenceNumberNotMatch', set_checkpoint, e, t, client, channel, nxt, sequence + 2)
        set_checkpoint(e, t, client, channel, nxt, sequence + 1)
        set_checkpoint(e, t, client, channel, nxt, sequence + 1)
        check('stored', checkpoint(e, t, client, channel), (nxt, sequence + 1))
    check('changes since it was made', seen, [(PUT, 3)])
    # a split: the parent is finished, then its children are handed out
    split(e, 'tun', 5)
    put(e, 'tun', [('k', 7)], [('a', 1)])
    parent = [(c, s[0]) for c, s in zip((a, b), streams)
              if 'finished' == read_tunnel(e, t, c, s[0][0], checkpoint(e, t, c, s[0][0])[0])[1]]
    check('one parent is closed', len(parent), 1)
    client, channel = parent[0]
    check('its children wait', sum(len(heartbeat(e, t, c)) for c in (a, b)), 2)
    finish_channel(e, t, client, channel[0], channel[1])
    now = [heartbeat(e, t, c) for c in (a, b, a)]
    check('children are handed out', (sorted((len(now[1]), len(now[2]))), channel[0] in [c[0] for n in now for c in n]), ([1, 2], False))
    got = []
    for c, held in ((a, now[2]), (b, now[1])):
        for one in held:
            got += keys_of(read_tunnel(e, t, c, one[0], checkpoint(e, t, c, one[0])[0])[0])
    check('their records', got, [7])
    tunnel_ends(e, t, a, b)


def tunnel_ends(e, t, a, b):
    e.call('tunnel/shutdown', (1, t), (2, b))
    refused('client is gone', 'OTSResourceGone', heartbeat, e, t, b)
    check('the other takes over', len(heartbeat(e, t, a)), 3)
    e.freeze(e.frozen_us + 301 * 1000000)
    refused('client was silent', 'OTSResourceGone', heartbeat, e, t, a)
    c = connect(e, t)
    held = heartbeat(e, t, c)
    check('a new one takes over', len(held), 3)
    e.call('tunnel/schedule', (1, t), (2, message((1, held[0][0]), (2, 0), (3, 3))))
    check('suspended', [x[2] for x in heartbeat(e, t, c) if x[0] == held[0][0]], [2])
    e.call('tunnel/schedule', (1, t), (2, message((1, held[0][0]), (2, 0), (3, 1))))
    rpo = e.call('tunnel/getrpo', (1, t))
    check('rpo', (len(json.loads(rpo[1][0])), sorted(json.loads(rpo[2][0]))), (6, ['BaseData', 'Stream']))
    d = e.call('tunnel/describe', (1, 'tun'), (2, 'both'))
    check('described', (text(fields(d[1][0]), 6), len(d[2])), ('ProcessStream', 6))
    e.command(op='tunnel_expire', tunnel=t)
    refused('expired', 'OTSTunnelExpired', heartbeat, e, t, c)
    e.call('tunnel/delete', (1, 'tun'), (2, 'both'))
    refused('deleted', 'OTSParameterInvalid', connect, e, t)
    # a window of the stream
    sid = stream_id(e, 'tun')
    base = e.frozen_us
    for i in range(5):
        e.freeze(base + i * 1000000)
        put(e, 'tun', [('k', 2)], [('a', i)])
    t = create_tunnel(e, 'tun', 'window', 2, message((2, base // 1000 + 1000), (3, base // 1000 + 3000)))
    c = connect(e, t)
    got = []
    for _ in range(3):
        for channel, version, status in heartbeat(e, t, c):
            got += finish_channel(e, t, c, channel, version)
    check('window', [r[2][0][1] for r in got], [1, 2])
    check('window: all channels are done', heartbeat(e, t, c), [])
    t = create_tunnel(e, 'tun', 'all', 2, message((1, 1)))
    check('from the oldest', len(e.call('tunnel/describe', (1, 'tun'), (2, 'all'))[2]), len(shards(e, sid)))
    e.control('faults', [{'api': 'tunnel/*', 'action': 'tunnel_unavailable', 'count': 1}, {'action': 'tunnel_unavailable', 'count': 1}])
    refused('planned failure', 'OTSTunnelServerUnavailable', connect, e, t)
    e.control('faults', [])


def replay(e):
    """The worker's own bytes, with our ids in place of the recorded ones"""
    with open(os.path.join(VECTORS, 'tunnel.json')) as f:
        cases = json.load(f)['cases']
    create_table(e, 't1', [('pk1', STRING), ('pk2', INTEGER)], 24)
    ids, sent = {}, 0
    for case in cases:
        body = bytes.fromhex(case['body_hex'])
        operation = case['operation'].lstrip('/')
        f = fields(body)
        members = []
        if operation in ('tunnel/create', 'tunnel/list', 'tunnel/describe', 'tunnel/delete'):
            answer = fields(e.raw('/' + operation, body)[2])
            check('replay ' + operation, e.raw('/tunnel/list', b'')[0], 200)
            if operation == 'tunnel/create':
                ids['tid-1'] = text(answer, 1)
            sent += 1
            continue
        for number, values in f.items():
            for v in values:
                if isinstance(v, bytes):
                    for old, new in ids.items():
                        if v == old.encode():
                            v = new.encode()
                    if operation == 'tunnel/heartbeat' and number == 3:
                        inner = fields(v)
                        v = message((1, ids[text(inner, 1)]), (2, ids['version'] + inner[2][0] - 1), (3, inner[3][0]))
                    if operation == 'tunnel/readrecords' and number == 4:
                        v = ids['token'].encode()
                members.append((number, v))
        answer = e.call(operation, *members)
        sent += 1
        if operation == 'tunnel/connect':
            ids['cid-1'] = text(answer, 1)
        if operation == 'tunnel/heartbeat' and 'ch-1' not in ids:
            c = fields(answer[1][0])
            ids['ch-1'], ids['version'] = text(c, 1), c[2][0]
        if operation == 'tunnel/getcheckpoint':
            ids['token'] = text(answer, 1)
        if operation == 'tunnel/readrecords':
            check('replay: a next token', 2 in answer, True)
            ids['token'] = text(answer, 2)
    check('replayed', sent == len(cases) and sent > 10, True)


def restart(directory):
    e = Emulator(BIN, '--data', directory)
    e.freeze(START_US)
    create_table(e, 'kept', [('k', INTEGER)], 24)
    for i in range(50):
        put(e, 'kept', [('k', i)], [('a', i)])
    split(e, 'kept', 25)
    put(e, 'kept', [('k', 30)], [('a', 1)])
    sid = stream_id(e, 'kept')
    before = shards(e, sid), [drain(e, sid, s[0])[0] for s in shards(e, sid)]
    it = iterator(e, sid, before[0][0][0])[0]
    _, it, _ = read(e, it, 20)
    t = create_tunnel(e, 'kept', 'stays', 2, message((1, 1)))
    c = connect(e, t)
    (channel, version, _), = heartbeat(e, t, c)
    _, token = read_tunnel(e, t, c, channel, checkpoint(e, t, c, channel)[0])
    set_checkpoint(e, t, c, channel, token, 1)
    check('stopped', e.stop(), 0)
    e = Emulator(BIN, '--data', directory, '--clock', str(START_US // 1000000 + 1))
    e.freeze(START_US + 1000000)
    check('shards and records are back', (shards(e, sid), [drain(e, sid, s[0])[0] for s in shards(e, sid)]), before)
    check('an iterator outlives it', keys_of(read(e, it)[0]), list(range(20, 50)))
    put(e, 'kept', [('k', 31)], [('a', 1)])
    check('and writing goes on', keys_of(drain(e, sid, before[0][2][0])[0]), [30, 31])
    refused('clients are gone', 'OTSResourceGone', heartbeat, e, t, c)
    c = connect(e, t)
    (channel, version, _), = heartbeat(e, t, c)
    check('checkpoint is back', checkpoint(e, t, c, channel), (token, 1))
    split(e, 'kept', 40)
    check('new shards have new ids', len({s[0] for s in shards(e, sid)}), 5)
    check('stopped', e.stop(), 0)


def volume(e):
    """A million records: memory and time stay sane, pages come whole"""
    e.freeze(START_US + 50 * HOUR)
    create_table(e, 'big', [('k', INTEGER)], 168)
    e.command(op='stream_generate', table='big', records=1000000, keys=1000, profile='mixed')
    sid = stream_id(e, 'big')
    it, n, pages = iterator(e, sid, shards(e, sid)[0][0])[0], 0, 0
    while True:
        a = e.call('GetStreamRecord', (1, it))
        if 1 not in a:
            break
        n, it, pages = n + len(a[1]), text(a, 2), pages + 1
    check('a million records', (n, pages), (1000000, 200))


def main():
    directory = tempfile.mkdtemp(prefix='mc-ots-')
    try:
        e = Emulator(BIN)
        for part in (lifecycle, records, pages, family, oddities, generated, transactions, tunnels, replay, volume):
            try:
                part(e)
            except Exception as x:
                import traceback
                traceback.print_exc()
                check('%s ran to its end' % part.__name__, repr(x), '')
                e.command(op='stream_set', page_records=5000, page_bytes=4194304, seek_early=0, iterator_steps=0, empty_every=0,
                          may_more_record=False, visible_after_ms=0, enabling_ms=0, shard_limit=100)
        check('stopped', e.stop(), 0)
        restart(directory)
    finally:
        for e in list(Emulator.running):
            e.proc.kill()
            e.proc.wait()
        shutil.rmtree(directory)
    print('emulator-ots-stream: %d passed, %d failed' % (passed, failed))
    sys.exit(failed > 0 or passed == 0)


main()
