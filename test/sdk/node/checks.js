// Counted checks; the lines are those of python/checks.py.  Control calls of the emulator.
'use strict';
const http = require('http');

function ok(name, condition, why) {
  console.log((condition ? 'ok ' + name : 'not ok ' + name + ': ' + why).replace(/\n/g, ' ').slice(0, 900));
}

function equal(name, got, want) {
  const [g, w] = [JSON.stringify(got), JSON.stringify(want)];
  ok(name, g === w, 'got ' + g + ', want ' + w);
}

// what: command or faults
function control(what, body) {
  return new Promise((done, fail) => {
    const r = http.request({ host: '127.0.0.1', port: process.env.MC_LOGHUB_PORT, path: '/__mc/' + what, method: 'POST' }, answer => {
      answer.resume();
      answer.on('end', () => (answer.statusCode === 200 ? done() : fail(new Error(JSON.stringify(body)))));
    });
    r.on('error', fail);
    r.end(JSON.stringify(body));
  });
}

// Groups of checks: an exception is one failed check, not the end of the program
async function sections(parts, ...given) {
  for (const part of parts) {
    try {
      await part(...given);
    } catch (e) {
      ok(part.name, false, e.stack);
    }
  }
}

module.exports = { ok, equal, control, sections };
