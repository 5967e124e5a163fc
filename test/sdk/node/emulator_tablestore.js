// Every API of the emulator's Tablestore that the unmodified Node.js SDK has.
'use strict';
const { ok, equal, control, sections } = require('./checks');
const { TableStore, Long, client, anyway, scan } = require('./client');

const C = client('demo');
const T = 'sdk_node';

// the SDK gives the status as the code and the error body as text
async function refused(name, code, call) {
  try {
    await call();
  } catch (e) {
    return ok(name, String(e.message).includes(code) && /requestId:.{8}/.test(e.message), e.code + ' ' + e.message + ', want ' + code);
  }
  return ok(name, false, 'was not refused');
}

const command = body => control('command', Object.assign({ service: 'tablestore' }, body));

const key = (k, n) => [{ k }, { n: typeof n === 'string' ? Long.fromString(n) : Long.fromNumber(n) }];
const plain = v => (v !== null && typeof v === 'object' && !Buffer.isBuffer(v) ? v.toString(10) : Buffer.isBuffer(v) ? v.toString('hex') : v);
const columns = row => (row && row.attributes ? row.attributes.map(a => [a.columnName, plain(a.columnValue)]) : null);
const expect = what => new TableStore.Condition(TableStore.RowExistenceExpectation[what], null);
const put = (k, n, attributeColumns, condition = anyway(), tableName = T) => C.putRow({ tableName, condition, primaryKey: key(k, n), attributeColumns });
const update = (k, n, updateOfAttributeColumns, condition = anyway()) => C.updateRow({ tableName: T, condition, primaryKey: key(k, n), updateOfAttributeColumns });
const get = async (k, n, more) => columns((await C.getRow(Object.assign({ tableName: T, primaryKey: key(k, n) }, more))).row);

async function make(tableName, maxVersions = 1, primaryKey = [{ name: 'k', type: 'STRING' }, { name: 'n', type: 'INTEGER' }]) {
  await C.createTable({ tableMeta: { tableName, primaryKey }, reservedThroughput: { capacityUnit: { read: 0, write: 0 } },
    tableOptions: { timeToLive: -1, maxVersions } });
}

async function tables() {
  await make(T, 3);
  const d = await C.describeTable({ tableName: T });
  equal('key', d.tableMeta.primaryKey.map(x => x.name), ['k', 'n']);
  equal('versions', d.tableOptions.maxVersions, 3);
  ok('listed', (await C.listTable()).tableNames.includes(T));
  const u = await C.updateTable({ tableName: T, tableOptions: { maxVersions: 5, timeToLive: -1 } });
  equal('updated', u.tableOptions.maxVersions, 5);
  await refused('twice', 'OTSObjectAlreadyExist', () => make(T));
  await refused('missing', 'OTSObjectNotExist', () => C.describeTable({ tableName: 'sdk_none' }));
  await make('sdk_node_gone');
  await C.deleteTable({ tableName: 'sdk_node_gone' });
  await refused('deleted', 'OTSObjectNotExist', () => C.deleteTable({ tableName: 'sdk_node_gone' }));
}

async function rows() {
  const values = [{ b: Buffer.from([0, 255]) }, { d: -1.5e-300 }, { e: '' }, { i: Long.fromString('9223372036854775807') }, { s: '中文 é 🎉\0' }, { t: true }];
  await put('values', '-9223372036854775808', values, expect('EXPECT_NOT_EXIST'));
  equal('every type', await get('values', '-9223372036854775808'),
    [['b', '00ff'], ['d', -1.5e-300], ['e', ''], ['i', '9223372036854775807'], ['s', '中文 é 🎉\0'], ['t', true]]);
  equal('some columns', await get('values', '-9223372036854775808', { columnsToGet: ['d', 'none'] }), [['d', -1.5e-300]]);
  equal('missing row', await get('values', 1), null);
  await put('empty', 1, []);
  equal('no columns', await get('empty', 1), []);
  await C.deleteRow({ tableName: T, condition: anyway(), primaryKey: key('empty', 1) });
  equal('deleted', await get('empty', 1), null);
  await refused('short key', 'OTSInvalidPK', () => C.getRow({ tableName: T, primaryKey: [{ k: 'a' }] }));
  await refused('wrong type', 'OTSInvalidPK', () => C.getRow({ tableName: T, primaryKey: [{ k: 'a' }, { n: 'b' }] }));
  await refused('too long a value', 'OTSParameterInvalid', () => put('big', 1, [{ x: 'x'.repeat(2097153) }]));
  await refused('a name in UTF-16 units', 'OTSParameterInvalid', () => put('name', 1, [{ é: 1 }]));
}

async function versions() {
  const now = Date.now();
  const at = (i, v) => ({ PUT: [{ a: v, timestamp: Long.fromNumber(now - 1000 * i) }] });
  for (let i = 0; i < 4; i++) await update('versions', 1, [at(i, 'v' + i)]);
  equal('all', await get('versions', 1, { maxVersions: 9 }), [['a', 'v0'], ['a', 'v1'], ['a', 'v2'], ['a', 'v3']]);
  equal('time range', await get('versions', 1, { maxVersions: 9, timeRange: { startTime: String(now - 2000), endTime: String(now) } }), [['a', 'v1'], ['a', 'v2']]);
  await update('versions', 1, [{ DELETE: [{ a: Long.fromNumber(now - 1000) }] }, { PUT: [{ b: 'new' }] }]);
  equal('one deleted', await get('versions', 1, { maxVersions: 9 }), [['a', 'v0'], ['a', 'v2'], ['a', 'v3'], ['b', 'new']]);
  await update('versions', 1, [{ DELETE_ALL: ['a'] }]);
  equal('all deleted', await get('versions', 1, { maxVersions: 9 }), [['b', 'new']]);
}

async function conditions() {
  await refused('expects a row', 'OTSConditionCheckFail', () => put('cond', 1, [], expect('EXPECT_EXIST')));
  await put('cond', 1, [{ a: Long.fromNumber(5) }, { s: 'text' }], expect('EXPECT_NOT_EXIST'));
  await refused('expects none', 'OTSConditionCheckFail', () => put('cond', 1, [], expect('EXPECT_NOT_EXIST')));
  const one = (name, value, op, pass = true) => new TableStore.SingleColumnCondition(name, value, TableStore.ComparatorType[op], pass);
  const composite = (op, ...sub) => {
    const c = new TableStore.CompositeCondition(TableStore.LogicalOperator[op]);
    sub.forEach(x => c.addSubCondition(x));
    return c;
  };
  const five = Long.fromNumber(5);
  const table = [[one('a', five, 'EQUAL'), true], [one('a', five, 'NOT_EQUAL'), false], [one('a', five, 'GREATER_THAN'), false],
    [one('a', five, 'GREATER_EQUAL'), true], [one('a', Long.fromNumber(6), 'LESS_THAN'), true], [one('a', 5, 'EQUAL'), false],
    [one('none', five, 'EQUAL'), true], [one('none', five, 'EQUAL', false), false],
    [composite('AND', one('a', five, 'EQUAL'), one('s', 'text', 'EQUAL')), true], [composite('OR', one('s', 'x', 'EQUAL'), one('s', 'y', 'EQUAL')), false],
    [composite('NOT', one('s', 'x', 'EQUAL')), true]];
  for (const [i, [condition, passes]] of table.entries()) {
    equal('filter ' + i, (await get('cond', 1, { columnFilter: condition })) !== null, passes);
    const call = () => update('cond', 1, [{ PUT: [{ hit: String(i) }] }], new TableStore.Condition(TableStore.RowExistenceExpectation.EXPECT_EXIST, condition));
    if (passes) await call();
    else await refused('condition ' + i, 'OTSConditionCheckFail', call);
  }
  equal('the last that passed', (await get('cond', 1))[1], ['hit', '10']);
}

async function counters() {
  const params = { tableName: T, condition: anyway(), primaryKey: key('counter', 1), updateOfAttributeColumns: [{ INCREMENT: [{ c: Long.fromNumber(7) }] }],
    returnContent: { returnType: TableStore.ReturnType.AfterModify, returnColumns: ['c'] } };
  await C.updateRow(params);
  equal('new value', columns((await C.updateRow(params)).row), [['c', '14']]);
  await make('sdk_node_auto', 1, [{ name: 'k', type: 'STRING' }, { name: 'id', type: 'INTEGER', option: 'AUTO_INCREMENT' }]);
  let last = -1n;
  for (let i = 0; i < 3; i++) {
    const { row } = await C.putRow({ tableName: 'sdk_node_auto', condition: anyway(), primaryKey: [{ k: 'a' }, { id: TableStore.PK_AUTO_INCR }],
      attributeColumns: [], returnContent: { returnType: TableStore.ReturnType.Primarykey } });
    const id = BigInt(row.primaryKey[1].value.toString(10));
    ok('auto-increment rises', id > last, id);
    last = id;
  }
}

async function batches() {
  const list = [];
  for (let i = 0; i < 100; i++)
    list.push({ type: 'PUT', condition: i === 50 ? expect('EXPECT_EXIST') : anyway(), primaryKey: key('batch', i), attributeColumns: [{ v: Long.fromNumber(i) }] });
  const result = await C.batchWriteRow({ tables: [{ tableName: T, rows: list }] });
  equal('one of them fails', result.tables.filter(x => !x.isOk).map(x => x.errorCode), ['OTSConditionCheckFail']);
  const got = await C.batchGetRow({ tables: [{ tableName: T, primaryKey: [3, 50, 1].map(n => key('batch', n)) }] });
  equal('in order, one is missing', got.tables[0].map(columns), [[['v', '3']], null, [['v', '1']]]);
}

async function ranges() {
  await make('sdk_node_range');
  for (let start = 0; start < 6000; start += 200) {
    const list = [];
    for (let i = start; i < start + 200; i++)
      list.push({ type: 'PUT', condition: anyway(), primaryKey: key('k' + String(Math.floor(i / 10)).padStart(4, '0'), i), attributeColumns: [{ v: i }] });
    await C.batchWriteRow({ tables: [{ tableName: 'sdk_node_range', rows: list }] });
  }
  for (const direction of [TableStore.Direction.FORWARD, TableStore.Direction.BACKWARD]) {
    const seen = [];
    for await (const row of scan(C, 'sdk_node_range', 1, direction)) seen.push(row.attributes[0].columnValue);
    if (direction === TableStore.Direction.BACKWARD) seen.reverse();
    ok(direction + ': all in order', seen.length === 6000 && seen.every((v, i) => v === i), seen.length);
  }
  const page = await C.getRange({ tableName: 'sdk_node_range', direction: 'FORWARD', inclusiveStartPrimaryKey: key('k0001', 15), exclusiveEndPrimaryKey: key('k0002', 25), limit: 7 });
  equal('limit', [page.rows.length, page.nextStartPrimaryKey.map(k => plain(k.value))], [7, ['k0002', '22']]);
  await refused('begin behind end', 'OTSParameterInvalid', () => C.getRange({ tableName: 'sdk_node_range', direction: 'FORWARD',
    inclusiveStartPrimaryKey: key('b', 1), exclusiveEndPrimaryKey: key('a', 1) }));
}

async function transactions() {
  await command({ op: 'create_table', table: 'sdk_node_txn', replace: true, local_txn: true, keys: [{ name: 'k', type: 'STRING' }, { name: 'n', type: 'INTEGER' }] });
  const begin = async () => (await C.startLocalTransaction({ tableName: 'sdk_node_txn', primaryKey: [{ k: 'a' }] })).transactionId;
  const read = async transactionId => columns((await C.getRow({ tableName: 'sdk_node_txn', primaryKey: key('a', 1), transactionId })).row);
  const write = transactionId => C.putRow({ tableName: 'sdk_node_txn', condition: anyway(), primaryKey: key('a', 1), attributeColumns: [{ v: 'x' }], transactionId });
  let transactionId = await begin();
  await write(transactionId);
  equal('seen inside only', [await read(transactionId), await read()], [[['v', 'x']], null]);
  await C.abortTransaction({ transactionId });
  equal('aborted', await read(), null);
  transactionId = await begin();
  await write(transactionId);
  await C.commitTransaction({ transactionId });
  equal('committed', await read(), [['v', 'x']]);
}

async function errors() {
  await refused('wrong secret', 'OTSAuthFailed', () => client('demo', 'wrong').listTable());
  await refused('unknown instance', 'OTSAuthFailed', () => client('nowhere').listTable());
}

sections([tables, rows, versions, conditions, counters, batches, ranges, transactions, errors]).then(() => process.exit(0));
