// JSON lines to and from OSS with the unmodified Node.js SDK; ../README.md has the formats.
'use strict';
const readline = require('readline');
const { client, keys, uploads, multipart, append } = require('./oss_client');

async function write(c) {
  for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    const x = JSON.parse(line);
    const data = Buffer.from(x.data, 'base64');
    await { put: () => c.put(x.key, data), append: () => append(c, x.key, data, x.cut), multipart: () => multipart(c, x.key, data, x.cut) }[x.how]();
  }
}

async function read(c, prefix) {
  for (const key of await keys(c, prefix)) {
    const { content, res: { headers } } = await c.get(key);
    const meta = {};
    Object.keys(headers).filter(h => h.startsWith('x-oss-meta-')).forEach(h => (meta[h.slice(11)] = headers[h]));
    console.log(JSON.stringify({ key, data: content.toString('base64'), etag: headers.etag.replace(/"/g, ''), type: headers['x-oss-object-type'],
      content_type: headers['content-type'], meta }));
  }
}

async function open(c) {
  (await uploads(c)).forEach(u => console.log(JSON.stringify({ key: u.name })));
}

const [what, bucket, ...more] = process.argv.slice(2);
({ write, read, uploads: open })[what](client('V4', bucket), ...more).catch(e => {
  console.error(e);
  process.exit(1);
});
