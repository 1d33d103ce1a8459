/**
 * Connects to a host that may have several addresses. The next address is tried when the one before has failed or has said
 * nothing for a quarter of a second. The slow ones are waited for all the same, so a dead address beside a distant one does no
 * harm. The first that answers is taken.
 */
import { lookup as lookupAddresses } from 'node:dns/promises';
import { Socket } from 'node:net';
import { messageOf } from '@strongroom/contracts';

export interface DialOptions {
  /** How long it may take, in milliseconds, with the look-up of the name. */
  withinMs: number;
  signal: AbortSignal;
  /** Default: the system's own way. */
  lookup?: (host: string) => Promise<{ address: string; family: number }[]>;
  /** Makes the socket for an address. */
  socketFor?: (address: string) => Socket;
}

const staggerMs = 250;

/** Nothing answered at any of the addresses. */
export class NoAnswer extends Error {
  readonly code = 'ETIMEDOUT';
}

/**
 * @returns a connected socket, which belongs to the caller
 * @throws the error of the look-up; the one error, or an `AggregateError`, when every address fails;
 *   `NoAnswer` when the time is over; the signal's reason
 */
export async function dial(host: string, port: number, options: DialOptions): Promise<Socket> {
  const { withinMs, signal, lookup = allAddresses, socketFor = () => new Socket() } = options;
  signal.throwIfAborted();
  let addresses: string[] = [];
  let giveUp: (error: unknown) => void = () => {};
  const sockets = new Set<Socket>();
  const timers = new Set<NodeJS.Timeout>();
  const ended = new Promise<never>((_, reject) => {
    giveUp = reject;
  });
  const timedOut = () => giveUp(new NoAnswer(noAnswer(host, addresses, withinMs)));
  const aborted = () => giveUp(signal.reason);
  timers.add(setTimeout(timedOut, withinMs));
  signal.addEventListener('abort', aborted, { once: true });
  let taken: Socket | undefined;
  try {
    addresses = [...new Set((await Promise.race([lookup(host), ended])).map(({ address }) => address))];
    taken = await Promise.race([connectAny(addresses, { port, socketFor, sockets, timers }), ended]);
    return taken;
  } finally {
    ended.catch(() => {});
    signal.removeEventListener('abort', aborted);
    for (const timer of timers) clearTimeout(timer);
    for (const socket of sockets) if (socket !== taken) socket.destroy();
  }
}

interface Dialling {
  port: number;
  socketFor: (address: string) => Socket;
  /** Gets every socket that is made. */
  sockets: Set<Socket>;
  timers: Set<NodeJS.Timeout>;
}

function connectAny(addresses: readonly string[], { port, socketFor, sockets, timers }: Dialling): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const errors: Error[] = [];
    let tried = 0;
    const tryNext = () => {
      const address = addresses[tried];
      if (address === undefined) return;
      tried += 1;
      const socket = socketFor(address);
      sockets.add(socket);
      const timer = setTimeout(tryNext, staggerMs);
      timers.add(timer);
      socket.once('connect', () => resolve(socket));
      // It stays after the connection is there: between two readers an error must not end the process.
      socket.on('error', (error) => {
        errors.push(error);
        clearTimeout(timer);
        if (errors.length < addresses.length) tryNext();
        else reject(errors.length === 1 ? error : new AggregateError(errors, errors.map(messageOf).join(', ')));
      });
      socket.connect({ host: address, port });
    };
    tryNext();
  });
}

function allAddresses(host: string): Promise<{ address: string; family: number }[]> {
  return lookupAddresses(host, { all: true });
}

function noAnswer(host: string, addresses: readonly string[], withinMs: number): string {
  const seconds = withinMs / 1_000;
  if (addresses.length === 0) return `the name ${host} was not looked up within ${seconds} s`;
  return `nothing answered at ${addresses.join(' or ')} within ${seconds} s`;
}
