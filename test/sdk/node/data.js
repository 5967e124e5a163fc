// JSON lines to and from Tablestore with the unmodified Node.js SDK; ../README.md has the formats.
'use strict';
const readline = require('readline');
const { Long, client, fromNode, keyIn, keyOut, cellIn, anyway, scan } = require('./client');

async function write(c, tableName) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const row = JSON.parse(line);
    const params = { tableName, condition: anyway(), primaryKey: keyIn(row) };
    if (row.action === 'put') {
      await c.putRow(Object.assign(params, { attributeColumns: row.cells.map(cellIn) }));
    } else if (row.action === 'delete') {
      await c.deleteRow(params);
    } else {
      params.updateOfAttributeColumns = row.cells.map(cell => {
        switch (cell[3]) {
          case 'delete_all': return { DELETE_ALL: [cell[0]] };
          case 'delete_one': return { DELETE: [{ [cell[0]]: Long.fromString(cell[2]) }] };
          case 'increment': return { INCREMENT: [cellIn(cell)] };
          default: return { PUT: [cellIn(cell)] };
        }
      });
      await c.updateRow(params);
    }
  }
}

async function read(c, table, versions) {
  for await (const row of scan(c, table, versions))
    console.log(JSON.stringify({ key: keyOut(row.primaryKey),
      cells: row.attributes.map(a => [a.columnName, fromNode(a.columnValue), a.timestamp.toString(10), 'put']) }));
}

const [what, instance, table, versions] = process.argv.slice(3);
({ write, read })[what](client(instance), table, Number(versions || 1)).catch(e => {
  console.error(e);
  process.exit(1);
});
