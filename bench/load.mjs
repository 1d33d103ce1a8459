/**
 * A client of HTTP that costs little, so that the server is measured and not the client. Each connection sends its next request when it
 * has the answer to the one before. It reads answers with a Content-Length, as the API sends them.
 */
import { connect } from 'node:net';

const headEnd = Buffer.from('\r\n\r\n');

/**
 * @param url where the server listens
 * @param connections how many requests are on their way at a time
 * @param count how many requests are sent
 * @param requestOf the text of a request, by its number
 * @returns by status how many answers there were, the bodies of those that `keep` wants, and how long each took in milliseconds
 */
export async function load({ url, connections, count, requestOf, keep = () => false }) {
  const { hostname: host, port } = new URL(url);
  const statuses = {};
  const bodies = [];
  const took = [];
  let next = 0;
  const begun = performance.now();
  await Promise.all(
    Array.from(
      { length: Math.min(connections, count) },
      () =>
        new Promise((resolve, reject) => {
          const socket = connect({ host, port: Number(port), noDelay: true });
          let received = Buffer.alloc(0);
          let sentAt = 0;
          const send = () => {
            if (next >= count) {
              socket.end();
              return resolve();
            }
            sentAt = performance.now();
            socket.write(requestOf(next++));
          };
          socket.on('connect', send);
          socket.on('error', reject);
          socket.on('close', () => reject(new Error('the server closed the connection')));
          socket.on('data', (bytes) => {
            received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
            const head = received.indexOf(headEnd);
            if (head === -1) return;
            const text = received.toString('latin1', 0, head);
            const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
            const end = head + headEnd.length + length;
            if (received.length < end) return;
            const status = Number(text.slice(9, 12));
            took.push(performance.now() - sentAt);
            statuses[status] = (statuses[status] ?? 0) + 1;
            if (keep(status)) bodies.push(received.toString('utf8', head + headEnd.length, end));
            received = received.subarray(end);
            send();
          });
        }),
    ),
  );
  const seconds = (performance.now() - begun) / 1_000;
  return { statuses, bodies, seconds, perSecond: took.length / seconds, took: took.sort((a, b) => a - b) };
}

/** The text of a request with a JSON body. */
export function request(method, path, { token, key, body } = {}) {
  const text = body === undefined ? '' : JSON.stringify(body);
  return [
    `${method} ${path} HTTP/1.1`,
    'host: localhost',
    ...(token === undefined ? [] : [`x-auth-token: ${token}`]),
    ...(key === undefined ? [] : [`idempotency-key: ${key}`]),
    ...(body === undefined ? [] : ['content-type: application/json', `content-length: ${Buffer.byteLength(text)}`]),
    '',
    text,
  ].join('\r\n');
}

/** @param share of all, such as 0.99 */
export function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** The middle one, or what lies between the two in the middle. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(half)] : (sorted[half - 1] + sorted[half]) / 2;
}
