#!/usr/bin/env python3
"""Requests of every Tablestore operation, bent: the emulator (built with ASan) must answer
each with a message that can be read, and go on.

    ots_fuzz.py mc-emulator [requests [seed]]
"""
import random
import sys
import time

from ots_client import (AUTO, BINARY, CONDITION, INF_MAX, INF_MIN, INTEGER, STRING, Emulator, create_table, fields, message,
                        put, row, rows, struct, variant)

COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 15000
rnd = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)

VALUES = [0, 1, -1, 2 ** 63 - 1, -2 ** 63, '', 'k1', 'x' * 1025, 'é', b'', b'\xff', 1.5, float('nan'), float('inf'), True,
          INF_MIN, INF_MAX, AUTO, None]
NAMES = ['k', 'n', 'b', 'a', '', '#', 'x' * 256, 'é', 'z']
OPS = [None, None, 1, 3, 4, 2, 9]


def key(k, n):
    return [('k', k), ('n', n), ('b', b'x')]


def single(name, comparator, value, rule=None):
    return message((1, 1), (2, message((1, comparator), (2, name), (3, variant(value)), (4, 1), (5, 1), (6, rule))))


def composite(operator, *subs):
    return message((1, 2), (2, message((1, operator), *[(2, s) for s in subs])))


FILTER = composite(2, single('a', 3, 5), composite(1, single('c', 1, 'text', message((1, 'a(.*)b'), (2, 0)))), single('d', 5, 2.5))
PAGE = message((1, 3), (2, message((1, 1), (2, 2))))
TIMES = message((1, 0), (2, 2 ** 62))
RETURNED = message((1, 2), (2, 'z'))
LOWEST = [('k', INF_MIN), ('n', INF_MIN), ('b', INF_MIN)]
HIGHEST = [('k', INF_MAX), ('n', INF_MAX), ('b', INF_MAX)]


def change(kind, r, condition=CONDITION, returned=None):
    return message((1, kind), (2, r), (3, condition), (4, returned))


def seeds(e):
    """A good request of every operation, and the transaction they name."""
    create_table(e, 't', [('k', STRING), ('n', INTEGER), ('b', BINARY)], stream_hours=24, columns=['a', 'c'], versions=3, local_txn=True)
    for i in range(30):
        put(e, 't', key('k%d' % (i % 4), i), [('a', i), ('c', 'text'), ('d', 1.5), ('e', True), ('f', b'bin')])
    stream = fields(e.call('ListStream', (1, 't'))[1][0])[1][0]
    shard = fields(e.call('DescribeStream', (1, stream))[6][0])[1][0]
    iterator = e.call('GetShardIterator', (1, stream), (2, shard))[1][0]
    tunnel = e.call('tunnel/create', (1, message((1, 't'), (3, 'tun'), (4, 3))))[1][0]
    client = e.call('tunnel/connect', (1, tunnel), (2, message((1, 60), (2, 'x'))))[1][0]
    channel = fields(e.call('tunnel/heartbeat', (1, tunnel), (2, client))[1][0])[1][0]
    token = e.call('tunnel/getcheckpoint', (1, tunnel), (2, client), (3, channel))[1][0]
    txn = e.call('StartLocalTransaction', (1, 't'), (2, row([('k', 'k1')])))[1][0]
    meta = message((1, 'new'), (2, message((1, 'p'), (2, 1))), (2, message((1, 'q'), (2, 1), (3, 1))), (3, message((1, 'd'), (2, 1))))
    us = int(time.time() * 1e6)
    requests = [
        ('GetRow', (1, 't'), (2, row(key('k1', 1))), (3, 'a'), (3, 'k'), (4, TIMES), (5, 2), (7, FILTER), (8, 'a'), (9, 'z'), (11, txn)),
        ('GetRange', (1, 't'), (2, 0), (3, 'a'), (4, TIMES), (5, 2), (6, 7), (7, row(LOWEST)), (8, row(HIGHEST)), (10, FILTER), (16, 0)),
        ('GetRange', (1, 't'), (2, 1), (5, 1), (7, row(HIGHEST)), (8, row(LOWEST)), (10, PAGE)),
        ('GetRange', (1, 't'), (2, 0), (5, 1), (7, row(key('k1', INF_MIN))), (8, row(key('k1', INF_MAX))), (14, txn)),
        ('BatchGetRow', (1, message((1, 't'), (2, row(key('k1', 1))), (2, row(key('k2', 2))), (4, 'a'), (5, TIMES), (6, 1), (8, FILTER)))),
        ('PutRow', (1, 't'), (2, row(key('k3', 7), [('a', 1), ('c', 'x' * 50, None, us // 1000), ('z', 2.5)])),
         (3, message((1, 0), (2, FILTER))), (4, message((1, 1))), (5, txn)),
        ('UpdateRow', (1, 't'), (2, row(key('k3', 8), [('a', 1), ('z', 5, 4), ('c', None, 1), ('d', None, 3, us // 1000)])),
         (3, message((1, 0))), (4, RETURNED)),
        ('DeleteRow', (1, 't'), (2, row(key('k3', 9), delete=True)), (3, message((1, 0)))),
        ('BatchWriteRow', (1, message((1, 't'), (2, change(1, row(key('k0', 100), [('a', 1)]))),
                                      (2, change(2, row(key('k0', 101), [('z', 1, 4)]), returned=RETURNED)),
                                      (2, change(3, row(key('k0', 102), delete=True))))), (3, 1)),
        ('CreateTable', (1, meta), (2, message((1, message((1, 0), (2, 0))))), (3, message((1, -1), (2, 1))),
         (4, message((1, variant(INF_MIN)), (2, variant(5)))), (4, message((1, variant(5)), (2, variant(INF_MAX)))),
         (5, message((1, 1), (2, 24), (3, 'c'))), (8, 1)),
        ('UpdateTable', (1, 't'), (2, message((1, message((1, 0), (2, 0))))), (3, message((1, -1), (2, 3), (5, 86400)))),
        ('DescribeTable', (1, 't')), ('ListTable',), ('DeleteTable', (1, 'new')),
        ('AddDefinedColumn', (1, 't'), (2, message((1, 'dd'), (2, 1)))), ('DeleteDefinedColumn', (1, 't'), (2, 'dd')),
        ('ComputeSplitPointsBySize', (1, 't'), (2, 1), (3, 1 << 20), (4, 10)),
        ('ListStream', (1, 't')), ('DescribeStream', (1, stream), (2, shard), (3, 2)),
        ('GetShardIterator', (1, stream), (2, shard), (3, us)), ('GetStreamRecord', (1, iterator), (2, 3), (3, 't')),
        ('StartLocalTransaction', (1, 't'), (2, row([('k', 'k2')]))), ('CommitTransaction', (1, txn)), ('AbortTransaction', (1, txn)),
        ('tunnel/create', (1, message((1, 't'), (3, 'tun2'), (4, 2), (5, message((1, 1), (2, 5), (3, 6)))))),
        ('tunnel/delete', (1, 't'), (2, 'tun2')), ('tunnel/list', (1, 't')), ('tunnel/describe', (1, 't'), (2, 'tun')),
        ('tunnel/connect', (1, tunnel), (2, message((1, 60)))),
        ('tunnel/heartbeat', (1, tunnel), (2, client), (3, message((1, channel), (2, 1), (3, 1)))),
        ('tunnel/shutdown', (1, tunnel), (2, 'nobody')), ('tunnel/getcheckpoint', (1, tunnel), (2, client), (3, channel)),
        ('tunnel/readrecords', (1, tunnel), (2, client), (3, channel), (4, token)),
        ('tunnel/checkpoint', (1, tunnel), (2, client), (3, channel), (4, token), (5, 1)),
        ('tunnel/getrpo', (1, tunnel)), ('tunnel/getrpobyoffset', (1, tunnel)),
        ('tunnel/schedule', (1, tunnel), (3, message((1, channel), (2, 1), (3, 1)))),
    ]
    return [(r[0], message(*r[1:])) for r in requests], txn


def odd_row():
    """Well-formed bytes (checksums right) of a row that mostly may not be."""
    k = [(n, rnd.choice(VALUES) if rnd.random() < .3 else v) for n, v in key('k%d' % rnd.randrange(5), rnd.randrange(40))]
    if rnd.random() < .2:
        k = k[:rnd.randrange(4)]
    if rnd.random() < .1:
        k.append((rnd.choice(NAMES), 1))
    stamps = [None, None, 0, -1, 1700000000000, 2 ** 63 - 1, -2 ** 63, int(time.time() * 1000)]
    cells = [(rnd.choice(NAMES), rnd.choice(VALUES), rnd.choice(OPS), rnd.choice(stamps)) for _ in range(rnd.choice([0, 0, 1, 3]))]
    return row(k, cells, rnd.random() < .2)


def odd_request(operation, txn):
    condition = message((1, rnd.choice([0, 0, 1, 2, 3, -1])), (2, rnd.choice([None, FILTER, PAGE, b'', b'\x00'])))
    returned = rnd.choice([None, RETURNED, message((1, 1)), message((1, 9)), b''])
    if operation in ('PutRow', 'UpdateRow', 'DeleteRow'):
        return message((1, 't'), (2, odd_row()), (3, condition), (4, returned), (5, rnd.choice([None, txn, b'zz'])))
    if operation == 'BatchWriteRow':
        changes = [(2, change(rnd.randrange(5), odd_row(), condition, returned)) for _ in range(rnd.randrange(6))]
        return message((1, message((1, 't'), *changes)), (3, rnd.randrange(2)))
    if operation == 'GetRange':
        return message((1, 't'), (2, rnd.randrange(3)), (5, rnd.choice([0, 1, -1, 2 ** 31])), (6, rnd.choice([None, 0, -1, 1, 2 ** 31])),
                       (7, odd_row()), (8, odd_row()), (4, rnd.choice([None, TIMES, message((1, 5)), message((3, -1))])),
                       (10, rnd.choice([None, FILTER, PAGE])))
    if operation == 'GetRow':
        return message((1, 't'), (2, odd_row()), (5, 1), (7, rnd.choice([None, FILTER, PAGE])))
    if operation == 'BatchGetRow':
        return message((1, message((1, 't'), *[(2, odd_row()) for _ in range(rnd.randrange(5))], (6, 1))))
    if operation == 'StartLocalTransaction':
        return message((1, 't'), (2, odd_row()))
    return None


def bend(data):
    d = bytearray(data)
    for _ in range(rnd.choice([1, 1, 1, 2, 4, 8])):
        if not d:
            d += rnd.randbytes(rnd.randrange(20))
            continue
        i, how = rnd.randrange(len(d)), rnd.randrange(10)
        if how < 3:
            d[i] ^= 1 << rnd.randrange(8)
        elif how < 5:
            d[i] = rnd.choice([0, 1, 0x7f, 0x80, 0xff, 5, 9, 0xb])
        elif how == 5:
            del d[i:]
        elif how == 6:
            del d[i:i + rnd.randrange(1, 9)]
        elif how == 7:
            d[i:i] = rnd.randbytes(rnd.randrange(1, 6))
        elif how == 8:
            j = rnd.randrange(len(d))
            d[i:i] = d[j:j + rnd.randrange(40)]
        else:
            d[i:i + 4] = struct.pack('<I', rnd.choice([0, 0xffffffff, 0x7fffffff, 0x80000000, len(d)]))
    return bytes(d)


def judge(operation, status, head, body):
    """What is wrong with the answer, or None"""
    try:
        f = fields(body)
        if status != 200:
            f[1][0].decode() + f[2][0].decode()
        elif operation in ('GetRow', 'GetRange'):
            rows(f[2][0])
    except Exception as x:
        return repr(x)
    if status >= 500 or 'authorization' not in head:
        return 'status %d, %r' % (status, head)
    return None


def main():
    e = Emulator(sys.argv[1])
    requests, txn = seeds(e)
    passed = failed = 0
    while passed + failed < COUNT:
        operation, good = rnd.choice(requests)
        body = (odd_request(operation, txn) if rnd.random() < .4 else None) or bend(good)
        try:
            wrong = judge(operation, *e.raw('/' + operation, body))
        except Exception as x:
            print('FAIL /%s %s: no answer, %r' % (operation, body.hex(), x))
            failed += 1
            break
        if wrong:
            print('FAIL /%s %s: %s' % (operation, body.hex(), wrong))
        passed, failed = passed + (not wrong), failed + bool(wrong)
    code = e.stop()
    if code != 0:
        print('FAIL the emulator ended with %d' % code)
        failed += 1
    print('emulator-ots-fuzz: %d passed, %d failed' % (passed, failed))
    sys.exit(failed > 0)


main()
