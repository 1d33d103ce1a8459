/**
 * A process with a proxy before a server of HTTP, which does to requests what a region does on a bad day: `node fault-proxy.mjs URL`. Its parent
 * is told its port, and tells it what to do from then on: `well`, `hang`, `busy`, `reset` or `crawl`.
 */
import { createServer, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const to = new URL(process.argv[2]);
/** A body that is reset ends here, and one that crawls comes so many bytes at a time. */
const cutAfter = 10_000;
const crawl = { bytes: 100, pauseMs: 100 };
const sockets = new Set();
let state = 'well';

async function give(told, answer) {
  answer.writeHead(told.statusCode, told.headers);
  if (state === 'reset') return answer.write((await firstOf(told)).subarray(0, cutAfter), () => answer.destroy());
  for await (const chunk of told) {
    if (state !== 'crawl') {
      if (!answer.write(chunk)) await new Promise((resolve) => answer.once('drain', resolve).once('close', resolve));
      continue;
    }
    for (let at = 0; at < chunk.length && !answer.destroyed; at += crawl.bytes) {
      answer.write(chunk.subarray(at, at + crawl.bytes));
      await delay(crawl.pauseMs);
    }
  }
  answer.end();
}

async function firstOf(told) {
  for await (const chunk of told) return chunk;
  return Buffer.alloc(0);
}

const server = createServer((asked, answer) => {
  if (state === 'hang') return void asked.resume();
  if (state === 'busy') return void asked.resume().once('end', () => answer.writeHead(503).end());
  // What is sent crawls and breaks as well.
  if (state === 'reset' && asked.method === 'PUT') return void asked.once('data', () => asked.socket.destroy());
  const { hostname, port } = to;
  const { method, url: path, headers } = asked;
  const far = request({ hostname, port, method, path, headers, agent: false }, (told) => {
    void give(told, answer).catch(() => answer.destroy());
  });
  far.on('error', () => answer.destroy());
  answer.on('close', () => far.destroy());
  asked.pipe(far);
});
server.on('connection', (socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
});
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
process.on('message', (next) => {
  state = next;
  // What hung in the state before is not to go on in the next one.
  for (const socket of sockets) socket.destroy();
  process.send({ state });
});
process.on('disconnect', () => process.exit(0));
