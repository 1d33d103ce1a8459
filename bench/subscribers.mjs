/**
 * Subscribers of live streams, in a process of their own. It is forked by streams.mjs: `open` has it open streams, `wait` answers when
 * each has been told so many events, with a digest of the ids that it was told, and `close` ends them.
 */
import { createHash } from 'node:crypto';
import { connect } from 'node:net';

const idLine = Buffer.from('\nid: ');
const idLength = 36;
const lineFeed = 10;
let streams = [];

class Subscriber {
  events = 0;
  rest = Buffer.alloc(0);
  digest = createHash('md5');
  begun = new Promise((resolve) => {
    this.begin = resolve;
  });

  constructor({ host, port, path, token }) {
    this.socket = connect({ host, port });
    this.socket.write(
      `GET ${path} HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\nX-Auth-Token: ${token}\r\n\r\n`,
    );
    this.socket.on('data', (bytes) => this.take(bytes));
    this.socket.on('error', (error) => this.begin(error));
    this.socket.on('close', () => this.begin(new Error(`a stream was closed: ${this.rest.toString()}`)));
  }

  take(bytes) {
    let text = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    for (let at = text.indexOf(idLine); at !== -1; at = text.indexOf(idLine)) {
      const end = at + idLine.length + idLength;
      if (text.length < end + 2) break;
      // The first id of a stream is that of the place where it begins: an empty line follows. A part may end after any byte.
      if (text[end + 1] !== lineFeed) {
        this.events += 1;
        this.digest.update(text.subarray(at + idLine.length, end));
      }
      this.begin();
      text = text.subarray(at + idLine.length);
    }
    if (this.events === 0 && text.includes('\nid: 0\n')) this.begin();
    this.rest = Buffer.from(text.subarray(Math.max(0, text.length - 64)));
  }
}

const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function open({ host, port, wanted }) {
  streams = wanted.map((each) => new Subscriber({ host, port, ...each }));
  for (const each of streams) {
    const error = await each.begun;
    if (error) throw error;
  }
}

/** @returns for each stream how many events it was told, and the digest of their ids; or what was there when the time was over */
async function wait({ counts, withinMs }) {
  const end = performance.now() + withinMs;
  while (performance.now() < end && streams.some(({ events }, at) => events < counts[at])) await delay(5);
  return streams.map(({ events, digest }) => ({ events, digest: digest.copy().digest('hex') }));
}

const does = {
  open,
  wait,
  close: () => {
    for (const { socket } of streams) socket.removeAllListeners('close').destroy();
    streams = [];
  },
};

process.on('message', async ({ asked, ...given }) => {
  try {
    process.send({ result: (await does[asked](given)) ?? null });
  } catch (error) {
    process.send({ error: String(error) });
  }
});
process.on('disconnect', () => process.exit());
