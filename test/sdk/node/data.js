// JSON lines to and from Tablestore with the unmodified Node.js SDK; ../README.md has the formats.
'use strict';
const readline = require('readline');
const { Long, client, fromNode, keyIn, keyOut, cellIn, condition, scan } = require('./client');

// The parameters of PutRow, UpdateRow or DeleteRow for a change
function change(row) {
  const params = { condition: condition(row.expect), primaryKey: keyIn(row) };
  if (row.action === 'put') params.attributeColumns = row.cells.map(cellIn);
  if (row.action === 'update') {
    params.updateOfAttributeColumns = row.cells.map(cell => {
      switch (cell[3]) {
        case 'delete_all': return { DELETE_ALL: [cell[0]] };
        case 'delete_one': return { DELETE: [{ [cell[0]]: Long.fromString(cell[2]) }] };
        case 'increment': return { INCREMENT: [cellIn(cell)] };
        default: return { PUT: [cellIn(cell)] };
      }
    });
  }
  return params;
}

async function apply(c, tableName, row) {
  if (row.action !== 'batch') return c[row.action + 'Row'](Object.assign({ tableName }, change(row)));
  const rows = row.rows.map(x => {
    const { updateOfAttributeColumns, ...params } = change(x);
    return Object.assign({ type: x.action.toUpperCase() }, params, updateOfAttributeColumns ? { attributeColumns: updateOfAttributeColumns } : {});
  });
  const failed = (await c.batchWriteRow({ tables: [{ tableName, rows }] })).tables.find(x => !x.isOk);
  if (failed) throw new Error(failed.errorCode);
}

async function write(c, table, report) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let failed = null;
    try {
      await apply(c, table, JSON.parse(line));
    } catch (e) {
      if (!report) throw e;
      failed = (String(e.message).match(/OTS\w+/) || [e.name])[0];
    }
    if (report) console.log(JSON.stringify(failed));
  }
}

function print(row) {
  console.log(JSON.stringify(row && row.primaryKey && row.primaryKey.length ? { key: keyOut(row.primaryKey),
    cells: (row.attributes || []).map(a => [a.columnName, fromNode(a.columnValue), a.timestamp.toString(10), 'put']) } : null));
}

async function read(c, table, versions) {
  for await (const row of scan(c, table, Number(versions || 1))) print(row);
}

async function get(c, tableName, versions) {
  for await (const line of readline.createInterface({ input: process.stdin }))
    print((await c.getRow({ tableName, primaryKey: keyIn(JSON.parse(line)), maxVersions: Number(versions) })).row);
}

async function batch(c, tableName, versions) {
  const primaryKey = [];
  for await (const line of readline.createInterface({ input: process.stdin })) primaryKey.push(keyIn(JSON.parse(line)));
  (await c.batchGetRow({ tables: [{ tableName, primaryKey, maxVersions: Number(versions) }] })).tables[0].forEach(print);
}

const [what, instance, table, option] = process.argv.slice(3);
({ write, read, get, batch })[what](client(instance), table, option).catch(e => {
  console.error(e);
  process.exit(1);
});
