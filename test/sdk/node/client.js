// The Tablestore SDK for Node.js, pointed at the emulator, and canonical rows (../README.md) to and from what it uses.
'use strict';
const TableStore = require('tablestore');

const { Long } = TableStore;
const ENDPOINT = 'http://127.0.0.1:' + process.env.MC_TABLESTORE_PORT;
const INFINITE = { INF_MIN: TableStore.INF_MIN, INF_MAX: TableStore.INF_MAX, AUTO_INCREMENT: TableStore.PK_AUTO_INCR };

function client(instance, secret) {
  const c = new TableStore.Client({ endpoint: ENDPOINT, instancename: instance, accessKeyId: process.env.MC_KEY_ID,
    secretAccessKey: secret || process.env.MC_KEY_SECRET, stsToken: process.env.MC_KEY_TOKEN || null, maxRetries: 3 });
  return new Proxy({}, {
    get: (_, name) => params => new Promise((done, fail) => c[name](params || {}, (error, data) => (error ? fail(error) : done(data))))
  });
}

function toNode([type, text]) {
  switch (type) {
    case 'INTEGER': return Long.fromString(text);
    case 'DOUBLE': return Buffer.from(text, 'hex').readDoubleBE(0);
    case 'BOOLEAN': return text === 'true';
    case 'BINARY': return Buffer.from(text, 'hex');
    case 'STRING': return text;
    default: return INFINITE[type];
  }
}

function fromNode(v) {
  if (Buffer.isBuffer(v)) return ['BINARY', v.toString('hex')];
  if (typeof v === 'number') {
    const bits = Buffer.alloc(8);
    bits.writeDoubleBE(v);
    return ['DOUBLE', bits.toString('hex')];
  }
  if (typeof v === 'boolean') return ['BOOLEAN', String(v)];
  return typeof v === 'string' ? ['STRING', v] : ['INTEGER', v.toString(10)];
}

const keyIn = row => row.key.map(([name, value]) => ({ [name]: toNode(value) }));
const keyOut = key => key.map(k => [k.name, fromNode(k.value)]);

function cellIn([name, value, version]) {
  const cell = { [name]: toNode(value) };
  if (version !== null) cell.timestamp = Long.fromString(version);
  return cell;
}

// expect: exist, not_exist or nothing
function condition(expect) {
  return new TableStore.Condition(TableStore.RowExistenceExpectation[expect ? 'EXPECT_' + expect.toUpperCase() : 'IGNORE'], null);
}

const anyway = () => condition();

async function* scan(c, tableName, versions, direction) {
  const { tableMeta } = await c.describeTable({ tableName });
  const bound = value => tableMeta.primaryKey.map(k => ({ [k.name]: value }));
  const backward = direction === TableStore.Direction.BACKWARD;
  let start = bound(backward ? TableStore.INF_MAX : TableStore.INF_MIN);
  while (start) {
    const page = await c.getRange({ tableName, direction: direction || TableStore.Direction.FORWARD, maxVersions: versions,
      inclusiveStartPrimaryKey: start, exclusiveEndPrimaryKey: bound(backward ? TableStore.INF_MIN : TableStore.INF_MAX) });
    yield* page.rows;
    start = page.nextStartPrimaryKey && page.nextStartPrimaryKey.length ? page.nextStartPrimaryKey.map(k => ({ [k.name]: k.value })) : null;
  }
}

module.exports = { TableStore, Long, client, toNode, fromNode, keyIn, keyOut, cellIn, condition, anyway, scan };
