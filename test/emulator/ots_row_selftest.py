#!/usr/bin/env python3
"""Self-test of mc-emulator's Tablestore part: rows, versions, conditions, filters, scans,
batches.  Standard library only.
usage: ots_row_selftest.py MC_EMULATOR VECTOR_DIR
"""
import json
import os
import random
import sys

from ots_client import (AUTO, BINARY, CONDITION, INF_MAX, INF_MIN, INTEGER, STRING, Emulator, Failure, cell, crc8, create_table, delete,
                        fields, get, message, put, row, rows, scan, update)
from ots_judge import (AND, DAY, DELETE_ALL, DELETE_ONE, EQ, EXIST, GE, GT, INCREMENT, INVALID, LE, LT, NE, NOT, NOT_EXIST, NOW, OR,
                       START_US, answer_is_signed, batch, both, cells_of, check, error, meta, pagination, plain, read, refused, results,
                       run, signed, single, verdict)

BIN, VECTORS = sys.argv[1], sys.argv[2]


def broken_rows(e):
    create_table(e, 'broken', [('k', STRING)])
    good = row([('k', 'a')], [('c', 1)])

    def send_row(b, op='PutRow'):
        return e.call(op, (1, 'broken'), (2, b), (3, CONDITION))
    send_row(good)
    for i in range(len(good)):
        for bit in (1, 128):
            bad = bytearray(good)
            bad[i] ^= bit
            try:
                send_row(bytes(bad))
                check('byte %d altered' % i, 'accepted', 'refused')
            except Failure as f:
                check('byte %d altered' % i, (f.status, f.code in (INVALID, 'OTSInvalidPK')), (400, True))
    for n in range(len(good)):
        try:
            send_row(good[:n])
            check('cut at %d' % n, 'accepted', 'refused')
        except Failure as f:
            check('cut at %d' % n, f.code, INVALID)
    send_row(good + bytes(7))
    refused("Cell data broken, has more data in cell, but they can't be parsed.", send_row, good + b'\0\1')
    refused('Cell data broken, mismatch header, actual: 118 , expect: 117.', send_row, b'\x76' + good[1:])
    refused('Cell data broken, PK is empty.', send_row, b'\x75\0\0\0\x09\0')
    refused('Invalid row: missing checksum.', send_row, good[:-2])
    refused('Cell data broken, checksum is mismatch, %d :%d :' % (good[-1] ^ 1, good[-1]), send_row, good[:-1] + bytes([good[-1] ^ 1]))
    one = cell('c', 1)
    refused('Cell data broken, cell is not end with checksum[0x0A] tag.', send_row, good.replace(one[0], one[0][:-2]))
    refused('Invalid request of put row: find cells without values.', send_row, row([('k', 'a')], [('c',)]))
    refused('OpType cannot be given for column name:c in PutRow.', send_row, row([('k', 'a')], [('c', 1, INCREMENT)]))
    refused('Duplicated attribute column name with primary key column: k.', send_row, row([('k', 'a')], [('k', 1)]))
    refused("NaN can't be set to double value.", send_row, row([('k', 'a')], [('c', float('nan'))]))
    refused("Infinity can't be set to double value.", send_row, row([('k', 'a')], [('c', float('-inf'))]))
    refused("Invalid column name: '#'.", send_row, row([('k', 'a')], [('#', 1)]))
    refused("Invalid column name: '%s'." % ('a' * 256), send_row, row([('k', 'a')], [('a' * 256, 1)]))
    refused("The length of primary key column: 'k' exceeds the MaxLength:1024 with CurrentLength:1025.", send_row, row([('k', 'a' * 1025)]))
    refused("The length of attribute column: 'c' exceeds the MaxLength:2097152 with CurrentLength:2097153.", send_row, row([('k', 'a')], [('c', bytes(2097153))]))
    refused('The number of attribute columns exceeds the limit, limit count: 1024, column count: 1025.', send_row,
            row([('k', 'a')], [('c%d' % i, 1) for i in range(1025)]))
    send_row(row([('k', 'a' * 1024)], [('c%d' % i, 1) for i in range(1024)]))
    send_row(row([('k', 'b')], [('c', bytes(2097152))]))
    refused('OTSOutOfRowSizeLimit', send_row, row([('k', 'a')], [('c', bytes(2097152)), ('d', bytes(2097152))]))
    for op, want in ((INF_MIN, 'VT_INF_MIN is an invalid type for the primary key.'), (INF_MAX, 'VT_INF_MAX is an invalid type for the primary key.')):
        refused(want, send_row, row([('k', op)]))
    refused('Invalid request of delete row: missing RowDeleteMarker in request.', send_row, row([('k', 'a')]), 'DeleteRow')
    refused('Invalid delete row request: unexpected cells in request.', send_row, row([('k', 'a')], [('c', 1)], delete=True), 'DeleteRow')
    refused(INVALID, send_row, row([('k', 'a')], delete=True))
    refused('Invalid update row request: missing cells in request.', send_row, row([('k', 'a')]), 'UpdateRow')
    refused('Timestamp must be given when type is DELETE_ONE_VERSION.', send_row, row([('k', 'a')], [('c', None, DELETE_ONE)]), 'UpdateRow')
    refused('Timestamp cannot be given when type is DELETE_ALL_VERSION.', send_row, row([('k', 'a')], [('c', None, DELETE_ALL, 5)]), 'UpdateRow')
    refused('Column value cannot be given when type is DELETE_ONE_VERSION,DELETE_ALL_VERSION.', send_row, row([('k', 'a')], [('c', 1, DELETE_ALL)]), 'UpdateRow')
    refused(INVALID, send_row, row([('k', 'a')], [('c', 'x', INCREMENT)]), 'UpdateRow')
    refused(INVALID, send_row, row([('k', 'a')], [('c', 1, INCREMENT), ('c', 2)]), 'UpdateRow')
    for ts in (-1, (2 ** 63 - 1) // 1000):
        refused('Timestamp must be in range [0, INT64_MAX/1000).', send_row, row([('k', 'a')], [('c', 1, None, ts)]))
    for ts in (NOW - DAY - 1, NOW + DAY, 5):
        refused('Invalid timestamp. Cell:c.', send_row, row([('k', 'a')], [('c', 1, None, ts)]))
    for ts in (NOW - DAY, NOW + DAY - 1):
        send_row(row([('k', 'a')], [('c', 1, None, ts)]))
    bad_utf8 = b'\x75\0\0\0\x01' + cell('k', 'a')[0]
    raw = b'\x03\x04\x01\0\0\0c\x05\x06\0\0\0\x03\x01\0\0\0\xff'
    crc = crc8(crc8(0, b'c'), raw[12:])
    refused('Value of column c must be UTF8 encoding.', send_row,
            bad_utf8 + b'\x02' + raw + b'\x0a' + bytes([crc]) + b'\x09' + bytes([crc8(crc8(crc8(0, [cell('k', 'a')[1]]), [crc]), [0])]))
    for members in (((1, 'broken'), (2, good)), ((1, 'broken'), (3, CONDITION)), ((1, 'broken'), (2, good), (3, message((1, 3))))):
        refused('Parse PBMessage from RawString failed.', e.call, 'PutRow', *members)
    check('half a message', error(signed(e, '/PutRow', b'\x0a\x05ab')), '400 %s Parse PBMessage from RawString failed.' % INVALID)


def keys(e):
    create_table(e, 'keys', [('PK1', INTEGER), ('PK2', STRING), ('PK3', BINARY)])
    good = [('PK1', 1), ('PK2', ''), ('PK3', b'\0\xff')]
    put(e, 'keys', good, [('é', 'ü')])
    check('a row with odd bytes', plain(get(e, 'keys', good)), [('é', 'ü')])
    for call in (put, delete, get):
        refused('OTSInvalidPK Validate PK size fail. Input: 2, Meta: 3.', call, e, 'keys', good[:2])
        refused('OTSInvalidPK Validate PK name fail. Input: PK2, Meta: PK1.', call, e, 'keys', [('PK2', 1), ('PK1', ''), ('PK3', b'')])
        refused('OTSInvalidPK Validate PK type fail. Input: VT_STRING, Meta: VT_INTEGER.', call, e, 'keys', [('PK1', '1'), ('PK2', ''), ('PK3', b'')])
        refused('OTSInvalidPK Validate PK type fail. Input: VT_BLOB, Meta: VT_STRING.', call, e, 'keys', [('PK1', 1), ('PK2', b''), ('PK3', b'')])
    refused('Attribute column cannot be given while reading data.', e.call, 'GetRow', (1, 'keys'), (2, row(good, [('c', 1)])), (5, 1))
    refused("PKAutoIncr can't be used for read operations.", get, e, 'keys', [('PK1', AUTO), ('PK2', ''), ('PK3', b'')])
    check('an absent row', get(e, 'keys', [('PK1', 2), ('PK2', ''), ('PK3', b'')]), None)
    a = e.call('GetRow', (1, 'keys'), (2, row([('PK1', 2), ('PK2', ''), ('PK3', b'')])), (5, 1))
    check('is present and empty', (a[2], fields(fields(a[1][0])[1][0])), ([b''], {1: [1], 2: [0]}))
    delete(e, 'keys', good)
    delete(e, 'keys', good)
    check('deleted', get(e, 'keys', good), None)


def order(e):
    create_table(e, 'order', [('s', STRING), ('b', BINARY), ('i', INTEGER)])
    texts = ['', '\0', '\0\0', '\0a', 'a', 'a\0', 'a\0b', 'a\x01', 'aa', 'b', 'é', '￿', '😀']
    numbers = [-2 ** 63, -1, 0, 1, 255, 256, 2 ** 63 - 1]
    want = []
    for t in texts:
        for b in (b'', b'\0', b'\0\xff', b'\xff'):
            want += [(t, b, i) for i in numbers]
    shuffled = want[:]
    random.Random(4).shuffle(shuffled)
    for at in range(0, len(shuffled), 200):
        batch(e, 'order', [(1, row(list(zip('sbi', k)))) for k in shuffled[at:at + 200]])
    low, high = [(c, INF_MIN) for c in 'sbi'], [(c, INF_MAX) for c in 'sbi']
    got = [tuple(v for _, v in r[0]) for r in scan(e, 'order', low, high)]
    check('key order', got, sorted(want, key=lambda k: (k[0].encode(), k[1], k[2])))
    back = rows(e.call('GetRange', (1, 'order'), (2, 1), (5, 1), (7, row(high)), (8, row(low)))[2][0])
    check('and back', [tuple(v for _, v in r[0]) for r in back], got[::-1])
    for _ in range(200):
        rnd = random.Random(_)
        a, b = rnd.choice(got), rnd.choice(got)
        if a < b:
            inside = [tuple(v for _, v in r[0]) for r in scan(e, 'order', list(zip('sbi', a)), list(zip('sbi', b)))]
            check('range %d' % _, inside, [k for k in got if got.index(a) <= got.index(k) < got.index(b)])


def versions(e):
    create_table(e, 'ver', [('k', INTEGER)], versions=3)
    k = [('k', 1)]
    put(e, 'ver', k, [('c', i, None, NOW + i) for i in range(5)] + [('d', 'x')])
    check('newest versions first, the rest gone', cells_of(read(e, 'ver', k, versions=10)),
          [('c', 4, NOW + 4), ('c', 3, NOW + 3), ('c', 2, NOW + 2), ('d', 'x', NOW)])
    check('one version', cells_of(read(e, 'ver', k)), [('c', 4, NOW + 4), ('d', 'x', NOW)])

    def ranged(*members, versions=None):
        a = e.call('GetRow', (1, 'ver'), (2, row(k)), (4, message(*members)), (5, versions))
        r = rows(a[2][0])
        return cells_of(r[0]) if r else None
    check('a time range', ranged((1, NOW + 2), (2, NOW + 4)), [('c', 3, NOW + 3), ('c', 2, NOW + 2)])
    check('newest within it', ranged((1, NOW), (2, NOW + 4), versions=1), [('c', 3, NOW + 3), ('d', 'x', NOW)])
    check('one instant', ranged((3, NOW + 3)), [('c', 3, NOW + 3)])
    check('nothing in range leaves the key', ranged((1, 5), (2, 6)), [])
    check('open end', len(ranged((1, 0), (2, 2 ** 63 - 1))), 4)
    refused(INVALID, ranged, (3, NOW), versions=1)
    refused(INVALID, ranged, (3, NOW), (1, 1), (2, 2))
    refused('Start and end time must be given at the same time.', ranged, (1, NOW))
    refused(INVALID, ranged, (1, NOW), (2, NOW))
    refused('No version condition is specified while querying row.', e.call, 'GetRow', (1, 'ver'), (2, row(k)))
    refused('The maximum versions cannot be less than or equal to 0.', read, e, 'ver', k, versions=0)
    update(e, 'ver', k, [('c', 'same time', None, NOW + 4), ('d', None, DELETE_ONE, NOW), ('c', None, DELETE_ONE, NOW + 9)])
    check('same version replaced, one deleted', cells_of(read(e, 'ver', k, versions=9)),
          [('c', 'same time', NOW + 4), ('c', 3, NOW + 3), ('c', 2, NOW + 2)])
    update(e, 'ver', k, [('c', 7), ('c', None, DELETE_ALL), ('e', 1)])
    check('put, then delete all', plain(read(e, 'ver', k)), [('e', 1)])
    update(e, 'ver', k, [('e', None, DELETE_ALL), ('e', 2)])
    check('delete all, then put', plain(read(e, 'ver', k)), [('e', 2)])
    update(e, 'ver', k, [('e', None, DELETE_ALL)])
    check('no columns left, the row is there', plain(read(e, 'ver', k)), [])
    update(e, 'ver', [('k', 2)], [('e', None, DELETE_ALL)])
    check('only deletions make no row', read(e, 'ver', [('k', 2)]), None)
    put(e, 'ver', [('k', 3)])
    check('a row of a key only', plain(read(e, 'ver', [('k', 3)])), [])
    put(e, 'ver', k, [('z', True), ('y', 1.5), ('x', b'\0'), ('w', ''), ('v', -2 ** 63)])
    check('put replaces the row; columns by name', plain(read(e, 'ver', k)), [('v', -2 ** 63), ('w', ''), ('x', b'\0'), ('y', 1.5), ('z', True)])
    e.call('UpdateTable', (1, 'ver'), (3, message((2, 1))))
    check('fewer versions at once', len(read(e, 'ver', k, versions=5)[1]), 5)


def expiry(e):
    create_table(e, 'ttl', [('k', INTEGER)], versions=5, ttl=86400)
    e.call('UpdateTable', (1, 'ttl'), (3, message((5, 10 * 86400))))
    refused('Invalid timestamp. Cell:c.', put, e, 'ttl', [('k', 1)], [('c', 1, None, NOW - DAY - 1)])
    put(e, 'ttl', [('k', 1)], [('a', 1, None, NOW - DAY), ('b', 2, None, NOW)])
    put(e, 'ttl', [('k', 2)], [('a', 1, None, NOW - DAY)])
    put(e, 'ttl', [('k', 3)])
    e.freeze(START_US + 1000)
    check('an old cell is gone', plain(read(e, 'ttl', [('k', 1)])), [('b', 2)])
    check('a row of old cells is gone', read(e, 'ttl', [('k', 2)]), None)
    refused('OTSConditionCheckFail', put, e, 'ttl', [('k', 2)], [], message((1, 1)))
    check('from scans too', [r[0][0][1] for r in scan(e, 'ttl', [('k', INF_MIN)], [('k', INF_MAX)])], [1, 3])
    update(e, 'ttl', [('k', 1)], [('a', 5, INCREMENT)])
    check('nothing old is counted on', dict(plain(read(e, 'ttl', [('k', 1)])))['a'], 5)
    e.freeze(START_US)


def conditions(e):
    create_table(e, 'cond', [('k', INTEGER)])
    k, expect, never = [('k', 1)], message((1, 1)), message((1, 2))
    refused('OTSConditionCheckFail Condition check failed.', put, e, 'cond', k, [('c', 1)], expect)
    put(e, 'cond', k, [('c', 1)], never)
    refused('OTSConditionCheckFail', put, e, 'cond', k, [('c', 2)], never)
    refused('OTSConditionCheckFail', update, e, 'cond', k, [('c', 2)], never)
    refused('OTSConditionCheckFail', delete, e, 'cond', [('k', 2)], expect)
    refused('OTSConditionCheckFail', delete, e, 'cond', k, never)
    a = signed(e, '/PutRow', message((1, 'cond'), (2, row(k)), (3, never)))
    check('403 is signed', (a[0], answer_is_signed('/PutRow', a)), (403, True))

    def when(f, existence=0):
        return message((1, existence), (2, f))
    update(e, 'cond', k, [('c', 5)], when(single(EQ, 'c', 1)))
    refused('OTSConditionCheckFail', update, e, 'cond', k, [('c', 6)], when(single(EQ, 'c', 1)))
    refused('OTSConditionCheckFail', put, e, 'cond', [('k', 9)], [], when(single(EQ, 'c', 1)))
    put(e, 'cond', [('k', 9)], [], when(single(EQ, 'c', 1, missing=False)))
    refused(INVALID, put, e, 'cond', k, [], when(pagination(0, 1)))
    check('kept', plain(read(e, 'cond', k)), [('c', 5)])
    delete(e, 'cond', k, when(single(GT, 'c', 4), 1))
    check('deleted on a condition', read(e, 'cond', k), None)


def increments(e):
    create_table(e, 'inc', [('k', INTEGER)])
    k = [('k', 1)]

    def inc(n, column='n', returns=None, key=k):
        return e.call('UpdateRow', (1, 'inc'), (2, row(key, [(column, n, INCREMENT)])), (3, CONDITION), (4, returns))
    inc(5)
    a = inc(-7, returns=message((1, 2), (2, 'n')))
    got = rows(a[2][0])[0]
    check('after modify', (got[0], cells_of(got)), ([('k', 1)], [('n', -2, NOW)]))
    update(e, 'inc', k, [('s', 'x'), ('n', 2 ** 63 - 1)])
    refused(INVALID, inc, 1)
    refused(INVALID, inc, 1, 's')
    refused(INVALID, inc, 1, returns=message((1, 2), (2, 's')))
    refused(INVALID, inc, 1, returns=message((1, 2)))
    refused(INVALID, inc, 1, returns=message((1, 1), (2, 'n')))
    check('unchanged', plain(read(e, 'inc', k)), [('n', 2 ** 63 - 1), ('s', 'x')])


def auto_increment(e):
    cu = (2, message((1, message((1, 0), (2, 0)))))
    e.call('CreateTable', (1, meta('auto', [('p', STRING, None), ('n', INTEGER, 1)])), cu, (3, message((1, -1), (2, 1))))
    key = [('p', 'a'), ('n', AUTO)]
    seen = []
    for _ in range(20):
        a = e.call('PutRow', (1, 'auto'), (2, row(key, [('c', 1)])), (3, CONDITION), (4, message((1, 1))))
        r = rows(a[2][0])[0]
        check('only the key is returned', (r[1], r[0][0]), ([], ('p', 'a')))
        seen.append(r[0][1][1])
    check('rising numbers', (seen, len(set(seen))), (sorted(seen), 20))
    check('stored', len(scan(e, 'auto', [('p', 'a'), ('n', INF_MIN)], [('p', 'a'), ('n', INF_MAX)])), 20)
    refused('Invalid expect:EXPECT_EXIST when modify row with pk auto increment.', put, e, 'auto', key, [], message((1, 1)))
    refused("Can't set condition when modify row with pk auto increment.", put, e, 'auto', key, [], message((1, 0), (2, single(EQ, 'c', 1))))
    refused('Invalid row to delete which with pk auto increment.', delete, e, 'auto', key)
    update(e, 'auto', [('p', 'a'), ('n', seen[3])], [('c', 2)])
    check('by its number', plain(get(e, 'auto', [('p', 'a'), ('n', seen[3])])), [('c', 2)])
    create_table(e, 'noauto', [('p', STRING), ('n', INTEGER)])
    refused('OTSInvalidPK Validate PK type fail. Input: VT_AUTO_INCREMENT, Meta: VT_INTEGER.', put, e, 'noauto', key)


def filters(e):
    create_table(e, 'fil', [('k', INTEGER)], versions=3)
    values = {'i': 5, 'd': 5.0, 's': 'ab', 'b': b'ab', 't': True}
    put(e, 'fil', [('k', 1)], [(n, v, None, NOW) for n, v in values.items()])
    put(e, 'fil', [('k', 2)], [('i', 1, None, NOW - 1), ('i', 9, None, NOW)])

    def passes(f, key=1, columns=()):
        return read(e, 'fil', [('k', key)], (7, f), *[(3, c) for c in columns]) is not None
    less = {'i': 4, 'd': 4.5, 's': 'aa', 'b': b'aa', 't': False}
    for n, v in values.items():
        lower = less[n]
        check('comparisons of ' + n, [passes(single(op, n, v)) for op in range(1, 7)], [True, False, False, True, False, True])
        check('with less ' + n, [passes(single(op, n, lower)) for op in range(1, 7)], [False, True, True, True, False, False])
        for m, other in values.items():
            if m != n:
                check('%s against the type of %s' % (n, m), passes(single(EQ, n, other)), False)
    check('shorter first', passes(single(GT, 's', 'a')), True)
    check('missing, filtered', passes(single(NE, 'none', 1)), False)
    check('missing, passed', passes(single(EQ, 'none', 1, missing=False)), True)
    check('not requested, so missing', (passes(single(EQ, 'i', 5), columns=['s']), passes(single(EQ, 'i', 5), columns=['s', 'i'])), (False, True))
    check('key columns', (passes(single(LT, 'k', 2)), passes(single(LT, 'k', 1))), (True, False))
    check('newest only', passes(single(EQ, 'i', 1), 2), False)
    check('one version is read', passes(single(EQ, 'i', 1, latest=False), 2), False)
    check('any version', read(e, 'fil', [('k', 2)], (7, single(EQ, 'i', 1, latest=False)), versions=2) is not None, True)
    yes, no = single(EQ, 'i', 5), single(EQ, 'i', 6)
    check('composites', [passes(x) for x in (both(AND, yes, yes), both(AND, yes, no), both(OR, no, yes), both(OR, no, no), both(NOT, no), both(NOT, yes),
                                            both(AND, both(NOT, no), both(OR, no, yes)))], [True, False, True, False, True, False, True])
    bad = 'Invalid AND/OR operator: the number of sub-filters must be more than 1.'
    refused(bad, passes, both(AND, yes))
    refused(bad, passes, both(OR, yes))
    refused('Invalid NOT operator: the number of sub-filters must be 1.', passes, both(NOT, yes, yes))
    check('31 leaves', passes(both(OR, *[yes] * 31)), True)
    refused('The count of filter exceeds the max:32.', passes, both(OR, *[yes] * 32))
    deep = yes
    for _ in range(31):
        deep = both(NOT, deep)
    check('a chain of 32', passes(deep), False)
    refused('The count of filter exceeds the max:32.', passes, both(NOT, deep))
    for b in (b'x', message((1, 1)), message((1, 4), (2, b'')), single(9, 'i', 1), single(EQ, 'i', 1)[:-3], message((1, 1), (2, message((1, 1), (2, 'i'), (3, b'\0'), (4, 1), (5, 1))))):
        refused('Deserialize filter failed.', passes, b)
    refused("The length of attribute column: 's' exceeds the MaxLength:2097152 with CurrentLength:2097153.", passes, single(EQ, 's', 'a' * 2097153))
    windows = [plain(read(e, 'fil', [('k', 1)], (7, pagination(o, n)))) for o, n in ((0, 2), (1, 2), (4, 9), (5, 1))]
    check('pagination', windows, [[('b', b'ab'), ('d', 5.0)], [('d', 5.0), ('i', 5)], [('t', True)], []])
    refused('Offset in ColumnPaginationFilter must be greater than or equal to 0.', passes, pagination(-1, 1))
    refused('Limit in ColumnPaginationFilter must be greater than 0.', passes, pagination(0, 0))
    refused(INVALID, passes, both(NOT, pagination(0, 1)))
    put(e, 'fil', [('k', 3)], [('r', 't1:17,t2=x')])

    def rule(regex, cast=None):
        return message((1, regex), (2, cast))
    check('a regex with a cast', [passes(single(op, 'r', 17, rule=rule('t1:([0-9]+),', 0)), 3) for op in (EQ, GT, LE)], [True, False, True])
    check('as text', passes(single(EQ, 'r', 'x', rule=rule('t2=(.)', 3)), 3), True)
    check('as double', passes(single(GE, 'r', 16.5, rule=rule('t1:([0-9]+)', 1)), 3), True)
    check('no group', passes(single(EQ, 'r', 't2', rule=rule('t2', 3)), 3), True)
    check('no match', (passes(single(EQ, 'r', 1, rule=rule('t9:([0-9]+)', 0)), 3), passes(single(EQ, 'r', 1, missing=False, rule=rule('t9:([0-9]+)', 0)), 3)), (False, True))
    check('exist', [passes(single(op, 'r', 0, rule=rule(x, 0)), 3) for op, x in ((EXIST, 't1:([0-9]+)'), (EXIST, 't2=(.)'), (NOT_EXIST, 't9'), (NOT_EXIST, 't1:([0-9]+)'))],
          [True, False, True, False])
    refused(INVALID, passes, single(EQ, 'r', 1, rule=rule('(', 0)))
    recorded = json.load(open(os.path.join(VECTORS, 'filters.json')))['cases']
    for c in recorded:
        f = bytes.fromhex(c['filter_message_hex']) if 'filter_message_hex' in c else message((1, c['filter_type']), (2, bytes.fromhex(c['inner_hex'])))
        try:
            passes(f)
            check(c['name'], True, True)
        except Failure as x:
            check(c['name'], x.message, '')


def columns(e):
    create_table(e, 'col', [('k', INTEGER)])
    for i in range(6):
        put(e, 'col', [('k', i)], [('a', i)] + ([('b', i)] if i % 2 else []) + [('c%d' % j, j) for j in range(3)])

    def some(*names, key=2, more=()):
        return read(e, 'col', [('k', key)], *[(3, n) for n in names], *more)
    check('some columns', plain(some('b', 'a', 'c1', key=1)), [('a', 1), ('b', 1), ('c1', 1)])
    check('none of them: no row', some('b'), None)
    check('but with a key column', plain(some('b', 'k')), [])
    check('only a key column', plain(some('k')), [])
    low, high = [('k', INF_MIN)], [('k', INF_MAX)]
    got = rows(e.call('GetRange', (1, 'col'), (2, 0), (5, 1), (3, 'b'), (7, row(low)), (8, row(high)))[2][0])
    check('scans leave them out', [(r[0][0][1], plain(r)) for r in got], [(1, [('b', 1)]), (3, [('b', 3)]), (5, [('b', 5)])])
    check('a slice of columns', plain(some(more=((8, 'b'), (9, 'c2')))), [('c0', 0), ('c1', 1)])
    refused('The number of columns from the request exceeds the limit, limit count: 1024, column count: 1025.', some, *['x%d' % i for i in range(1025)])
    refused("Invalid column name: '#a'.", some, '#a')


def ranges(e):
    create_table(e, 'ran', [('k', INTEGER), ('l', STRING)])
    for i in range(10):
        put(e, 'ran', [('k', i // 2), ('l', 'ab'[i % 2])], [('c', i)])

    def page(begin, end, direction=0, limit=None, *more):
        a = e.call('GetRange', (1, 'ran'), (2, direction), (5, 1), (6, limit), (7, row(list(zip('kl', begin)))), (8, row(list(zip('kl', end)))), *more)
        following = rows(a[3][0])[0][0] if 3 in a else None
        return [r[1][0][1] for r in rows(a[2][0])], following and tuple(v for _, v in following)
    lo, hi = (INF_MIN, INF_MIN), (INF_MAX, INF_MAX)
    check('all', page(lo, hi), (list(range(10)), None))
    check('all, back', page(hi, lo, 1), (list(range(9, -1, -1)), None))
    check('begin is in, end is not', page((1, 'a'), (3, 'b')), ([2, 3, 4, 5, 6], None))
    check('and back', page((3, 'b'), (1, 'a'), 1), ([7, 6, 5, 4, 3], None))
    check('one prefix', page((2, INF_MIN), (2, INF_MAX)), ([4, 5], None))
    check('after a prefix', page((2, INF_MAX), (4, INF_MIN)), ([6, 7], None))
    check('a limit', page(lo, hi, 0, 3), ([0, 1, 2], (1, 'b')))
    check('a limit, back', page(hi, lo, 1, 3), ([9, 8, 7], (3, 'a')))
    check('a limit that is just enough', page((3, 'a'), (4, 'a'), 0, 2), ([6, 7], None))
    check('on from the next key', page((1, 'b'), hi, 0, 3), ([3, 4, 5], (3, 'a')))
    for begin, end in ((hi, lo), ((1, 'a'), (1, 'a')), ((1, 'b'), (1, 'a')), ((INF_MIN, 'a'), (INF_MIN, 'b'))):
        refused('Begin key must less than end key in FORWARD', page, begin, end)
    for begin, end in ((lo, hi), ((1, 'a'), (1, 'a'))):
        refused('Begin key must more than end key in BACKWARD', page, begin, end, 1)
    for limit in (0, -1):
        refused('The limit must be greater than 0.', page, lo, hi, 0, limit)
    refused('OTSInvalidPK Validate PK size fail. Input: 1, Meta: 2.', page, (INF_MIN,), hi)
    refused('Parse PBMessage from RawString failed.', e.call, 'GetRange', (1, 'ran'), (5, 1), (7, row([('k', 1)])), (8, row([('k', 2)])))
    none = (10, single(EQ, 'c', -1))
    e.command(op='set', page_rows=4)
    check('scanned rows end a page', page(lo, hi), ([0, 1, 2, 3], (2, 'a')))
    check('an empty page with a next key', page(lo, hi, 0, None, none), ([], (2, 'a')))
    check('a full page ends the range too', page((3, 'a'), hi), ([6, 7, 8, 9], None))
    e.command(op='set', page_rows=5000, page_bytes=30)
    check('bytes end a page', page(lo, hi)[1] is not None, True)
    e.command(op='set', page_bytes=4194304)
    check('limit counts what is returned', page(lo, hi, 0, 1, (10, single(GE, 'c', 4))), ([4], (2, 'b')))
    a = e.call('GetRange', (1, 'ran'), (2, 0), (3, 'c'), (5, 1), (7, row(list(zip('kl', lo)))), (8, row(list(zip('kl', hi)))), (16, 0))
    check('no key columns if not wanted', a[2][0][4:6], b'\x01\x02')
    put(e, 'ran', [('k', 7), ('l', '')], [('c', 99)])
    check('a write is seen after a page was kept', page(lo, hi)[0], list(range(10)) + [99])
    e.command(op='create_table', instance='demo', table='big', keys=[{'name': 'k', 'type': 'INTEGER'}])
    e.command(op='generate', instance='demo', table='big', rows=10000, seed=3, columns=[{'name': 'v', 'kind': 'mod', 'size': 7}])
    for keep in (0, 3, 8):
        begin, pages, seen = [('k', INF_MIN)], 0, 0
        while begin:
            a = e.call('GetRange', (1, 'big'), (2, 0), (5, 1), (7, row(begin)), (8, row([('k', INF_MAX)])), (10, single(LT, 'v', keep)))
            pages, seen = pages + 1, seen + len(rows(a[2][0]))
            begin = rows(a[3][0])[0][0] if 3 in a else None
        check('10000 rows are two pages, filter below %d' % keep, (pages, seen == 0, seen == 10000), (2, keep == 0, keep == 8))
    first = e.raw('/GetRange', message((1, 'big'), (2, 0), (5, 1), (7, row([('k', 0)])), (8, row([('k', 2000)]))))
    again = e.raw('/GetRange', message((1, 'big'), (2, 0), (5, 1), (7, row([('k', 0)])), (8, row([('k', 2000)]))))
    check('a kept page is the same', (first[2] == again[2], len(rows(fields(first[2])[2][0]))), (True, 2000))


def batches(e):
    create_table(e, 'bat', [('k', INTEGER)])
    never = message((1, 2))

    def key(i):
        return [('k', i)]
    check('three kinds', batch(e, 'bat', [(1, row(key(1), [('c', 1)])), (2, row(key(2), [('c', 2)])), (3, row(key(3), delete=True))]), ['OK'] * 3)
    check('one fails', batch(e, 'bat', [(1, row(key(1)), never), (1, row(key(4)), never)]), ['OTSConditionCheckFail', 'OK'])
    check('its row is as it was', plain(get(e, 'bat', key(1))), [('c', 1)])
    check('a wrong key is its row\'s', batch(e, 'bat', [(1, row([('x', 1)])), (1, row([('k', '1')])), (1, row(key(5)))]), ['OTSInvalidPK', 'OTSInvalidPK', 'OK'])
    check('a missing table too', batch(e, 'missing', [(1, row(key(1)))]), ['OTSObjectNotExist'])
    check('a time out of reach too', batch(e, 'bat', [(1, row(key(1), [('c', 1, None, 5)])), (1, row(key(6)))]), ['OTSParameterInvalid', 'OK'])
    check('in order', batch(e, 'bat', [(1, row(key(7), [('c', 1)])), (2, row(key(7), [('d', 2)])), (3, row(key(7), delete=True)), (1, row(key(7), [('e', 3)]))]), ['OK'] * 4)
    check('as the last one left it', plain(get(e, 'bat', key(7))), [('e', 3)])
    refused('Repeated rows do not support row exist expectation check in BatchModify.', batch, e, 'bat', [(1, row(key(8)), never), (1, row(key(8)))])
    refused('Repeated rows do not support row condition check in BatchModify.', batch, e, 'bat',
            [(1, row(key(8))), (1, row(key(8)), message((1, 0), (2, single(EQ, 'c', 1))))])
    refused(INVALID, batch, e, 'bat', [(2, row(key(8), [('n', 1, INCREMENT)])), (2, row(key(8), [('n', 1, INCREMENT)]))])
    check('nothing was written', get(e, 'bat', key(8)), None)
    refused('Rows count exceeds the upper limit: 200.', batch, e, 'bat', [(1, row(key(i))) for i in range(201)])
    check('200 rows', batch(e, 'bat', [(1, row(key(i))) for i in range(200)]), ['OK'] * 200)
    refused('No row is specified in BatchWriteRow.', e.call, 'BatchWriteRow')
    refused("No operation is specified for table: 'bat'.", e.call, 'BatchWriteRow', (1, message((1, 'bat'))))
    two = message((1, 'bat'), (2, message((1, 1), (2, row(key(1))), (3, CONDITION))))
    refused('Duplicated table name: bat.', e.call, 'BatchWriteRow', (1, two), (1, two))
    exact = 4194304 - 2 * (len('k') + 8 + len('c'))
    check('exactly 4 MB', batch(e, 'bat', [(1, row(key(1), [('c', bytes(2097152))])), (1, row(key(2), [('c', bytes(exact - 2097152))]))]), ['OK'] * 2)
    refused('The total data size of BatchWriteRow request exceeds the limit, limit size: 4194304, data size: 4194305.', batch, e, 'bat',
            [(1, row(key(1), [('c', bytes(2097152))])), (1, row(key(2), [('cc', bytes(exact - 2097152))]))])
    create_table(e, 'sizes', [('pk', STRING)])
    three = [(1, row([('pk', 'v' * 97 + str(i))], [('k' * 50, 'a' * n, None, NOW)])) for i, n in enumerate((1397945, 1397943, 1397943))]
    refused('The total data size of BatchWriteRow request exceeds the limit, limit size: 4194304, data size: 4194305.', batch, e, 'sizes', three)
    refused(INVALID, batch, e, 'bat', [(1, row(key(1))), (1, row(key(2))[:-1])])
    refused(INVALID, batch, e, 'bat', [(1, row(key(1))), (1, row(key(2), [('c', float('inf'))]))])
    create_table(e, 'atom', [('p', STRING), ('k', INTEGER)])

    def pk(p, i):
        return [('p', p), ('k', i)]
    check('all of it', batch(e, 'atom', [(1, row(pk('a', i), [('c', i)])) for i in range(3)], atomic=1), ['OK'] * 3)
    refused('OTSConditionCheckFail', batch, e, 'atom', [(1, row(pk('a', 7))), (1, row(pk('a', 1)), never)], atomic=1)
    check('or none', get(e, 'atom', pk('a', 7)), None)
    check('of two partition keys', batch(e, 'atom', [(1, row(pk('a', 41))), (1, row(pk('b', 1)))], atomic=1), ['OTSDataOutOfRange'] * 2)
    check('nor one of them', (get(e, 'atom', pk('a', 41)), get(e, 'atom', pk('b', 1))), (None, None))
    batch_get(e)


def batch_get(e):
    def ask(*tables):
        return e.call('BatchGetRow', *[(1, message((1, t), *[(2, k) for k in ks], (6, 1), *more)) for t, ks, more in tables])
    ks = [row([('k', i)]) for i in (5, 900, 6)]
    a = ask(('bat', ks, ()), ('missing', ks[:1], ()))
    first, second = fields(a[1][0]), fields(a[1][1])
    got = [fields(r) for r in first[2]]
    check('in order, absent is empty', [(f[1][0], len(rows(f[4][0]))) for f in got], [(1, 1), (1, 0), (1, 1)])
    check('a missing table', results({1: [a[1][1]]}) + [second[1][0]], ['OTSObjectNotExist', b'missing'])
    check('a wrong key', results(ask(('bat', [row([('x', 1)]), ks[0]], ()))), ['OTSInvalidPK', 'OK'])
    refused('Rows count exceeds the upper limit: 100.', ask, ('bat', [ks[0]] * 101, ()))
    check('100 rows', len(results(ask(('bat', [ks[0]] * 100, ())))), 100)
    refused('No row specified in the request of BatchGetRow.', e.call, 'BatchGetRow')
    refused('Duplicated table name: bat.', ask, ('bat', ks, ()), ('bat', ks, ()))
    refused('Deserialize filter failed.', ask, ('bat', ks, ((8, b'x'),)))
    refused('No version condition is specified while querying row.', e.call, 'BatchGetRow', (1, message((1, 'bat'), (2, ks[0]))))


def main():
    e = Emulator(BIN)
    try:
        e.freeze(START_US)
        run(e, (broken_rows, keys, order, versions, expiry, conditions, increments, auto_increment, filters, columns, ranges, batches))
        check('stopped', e.stop(), 0)
    finally:
        for e in list(Emulator.running):
            e.proc.kill()
            e.proc.wait()
    verdict('emulator-ots-row')


main()
