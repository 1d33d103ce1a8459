/**
 * Asks a server whether it takes connections, without logging in: the first bytes of its answer say so. No session begins, so that no
 * code in the server's data runs for it. Source: https://www.postgresql.org/docs/current/protocol-flow.html
 */
import { connect } from 'node:net';

/** `none`: nothing that speaks the protocol answers. */
export type ServerAnswer = 'accepts' | 'starting' | 'none';

const patienceMs = 5_000;
const mostBytes = 8_192;
const protocol = 196_608;
const startingUp = '57P03';
/** The types of the two answers to a start: a request to prove who one is, and an error. */
const [authentication, failure] = ['R', 'E'];

export function answerOf(port: number, host = '127.0.0.1'): Promise<ServerAnswer> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: patienceMs });
    let said = Buffer.alloc(0);
    const end = (answer: ServerAnswer) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    // A server that sends a byte now and then is not waited for either.
    const timer = setTimeout(() => end('none'), patienceMs);
    socket.once('connect', () => socket.write(startup()));
    socket.on('data', (bytes: Buffer) => {
      said = Buffer.concat([said, bytes]).subarray(0, mostBytes);
      const answer = understood(said);
      if (answer) end(answer);
      else if (said.length === mostBytes) end('none');
    });
    for (const event of ['timeout', 'error', 'end', 'close']) socket.once(event, () => end('none'));
  });
}

function startup(): Buffer {
  // Nobody has this name. The server answers in the same way for names that it has not.
  const body = Buffer.from('user\0strongroom_asks\0database\0strongroom_asks\0\0', 'latin1');
  const head = Buffer.alloc(8);
  head.writeInt32BE(head.length + body.length, 0);
  head.writeInt32BE(protocol, 4);
  return Buffer.concat([head, body]);
}

/** Undefined as long as the message is not whole. */
function understood(said: Buffer): ServerAnswer | undefined {
  if (said.length < 5) return undefined;
  const type = said.toString('latin1', 0, 1);
  if (type === authentication) return 'accepts';
  if (type !== failure) return 'none';
  const length = said.readInt32BE(1);
  if (length < 4 || length + 1 > mostBytes) return 'none';
  if (said.length < length + 1) return undefined;
  const fields = said.toString('latin1', 5, length + 1).split('\0');
  // Any other refusal, such as that there is no such user, comes from a server that takes connections.
  return fields.includes(`C${startingUp}`) ? 'starting' : 'accepts';
}
