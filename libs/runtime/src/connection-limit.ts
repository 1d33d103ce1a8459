/**
 * A cap on the connections of an HTTP server, of all clients and of each address. One beyond it is answered 503 and closed, and far
 * beyond it none is taken at all: neither costs more than a moment, whatever the client does.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { type ClientAddresses, clientNetworkOf } from './client-address.js';
import { Counts } from './counts.js';
import type { Logger } from './log.js';

export interface ConnectionLimits {
  most: number;
  /** Of one address, which is no listed proxy. 0: no limit. */
  mostOfAddress: number;
  addresses: Pick<ClientAddresses, 'isProxy' | 'of'>;
  log: Logger;
}

/** So many connections beyond the limit may be waiting for their refusal to be sent. */
const beingRefused = 100;
const longestRefusalMs = 1_000;
const saidEachMs = 60_000;
const ofAll = refusal('This process has as many connections as it serves. Try again.');
const ofAddress = refusal('Your address has as many connections as this process serves of one. Try again.');

/** To be called when everything else that listens for connections is there: it sees none that is refused. */
export function limitConnections(server: Server, { most, mostOfAddress, addresses, log }: ConnectionLimits): void {
  let open = 0;
  const byClient = new Counts();
  const saidAt = new Map<string, number>();
  server.maxConnections = most + beingRefused;
  const say = (setting: string, address?: string) => {
    if (performance.now() - (saidAt.get(setting) ?? Number.NEGATIVE_INFINITY) < saidEachMs) return;
    saidAt.set(setting, performance.now());
    log.warn({ most, mostOfAddress, address }, `connections are refused: there are as many as ${setting} allows`);
  };
  server.on('drop', () => say('STRONGROOM_MAX_CONNECTIONS'));
  const serving = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const address = addresses.of({ socket, headers: {} });
    const client = addresses.isProxy(address) ? undefined : clientNetworkOf(address);
    open += 1;
    if (client !== undefined) byClient.add(client);
    socket.once('close', () => {
      open -= 1;
      if (client !== undefined) byClient.remove(client);
    });
    const isOver = open > most;
    const isOverOfAddress = mostOfAddress > 0 && client !== undefined && byClient.of(client) > mostOfAddress;
    if (!isOver && !isOverOfAddress) {
      for (const serve of serving) Reflect.apply(serve, server, [socket]);
      return;
    }
    say(isOver ? 'STRONGROOM_MAX_CONNECTIONS' : 'STRONGROOM_MAX_CONNECTIONS_PER_ADDRESS', address);
    const over = setTimeout(() => socket.destroy(), longestRefusalMs);
    socket.once('close', () => clearTimeout(over));
    // What the client sends is read, or its end of the connection might be reset before it has read the answer.
    socket.on('error', () => {}).resume();
    socket.end(isOver ? ofAll : ofAddress);
  });
}

function refusal(message: string): string {
  const body = JSON.stringify({ serviceUnavailable: { code: 503, message } });
  return [
    'HTTP/1.1 503 Service Unavailable',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Retry-After: 5',
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
