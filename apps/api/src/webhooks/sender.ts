/**
 * Sends one message to the URL of a customer. The host is looked up once, its addresses are judged as those of instances are, and only
 * these are dialled. No redirect is followed, and no more of an answer is read than its head and some bytes.
 */
import { type IncomingMessage, request as requestInClear } from 'node:http';
import { request as requestWithTls } from 'node:https';
import { isIPv6, type LookupFunction } from 'node:net';
import { retryAfterMs } from '@strongroom/contracts';
import { EngineFault, type Reach } from '@strongroom/engines';

/** What became of one request. */
export interface SendOutcome {
  /** Null when there was no answer. */
  status: number | null;
  /** Null when the message was taken: any status from 200 to 299. The message tells nothing of other machines of the network. */
  fault: { code: string; message: string } | null;
  durationMs: number;
  /** How long the receiver wants to be left alone. */
  retryAfterMs?: number | undefined;
}

export interface Message {
  accountId: string;
  url: URL;
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** What is read of the body of an answer before the connection is cut. */
const mostBodyBytes = 16_384;
const longestBodyMs = 1_000;

/** The part of an endpoint that the judge of addresses asks for. */
export function endpointOf({ protocol, hostname, port }: URL) {
  const isSecure = protocol === 'https:';
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? (isSecure ? 443 : 80) : Number(port),
    user: '-',
    database: '-',
    tls: isSecure ? ('verify-full' as const) : ('disable' as const),
  };
}

export class WebhookSender {
  constructor(private readonly reach: Pick<Reach, 'addressesOf'>) {}

  /** @param withinMs for all of it. @throws the reason of the signal, and nothing else: a failure is an outcome */
  async send(message: Message, withinMs: number, stopping?: AbortSignal): Promise<SendOutcome> {
    const since = performance.now();
    const inTime = AbortSignal.timeout(withinMs);
    const signal = AbortSignal.any([inTime, ...(stopping ? [stopping] : [])]);
    const durationMs = () => Math.round(performance.now() - since);
    try {
      const { accountId, url } = message;
      const addresses = await this.reach.addressesOf({ accountId, endpoint: endpointOf(url) }, signal);
      const { status, retryAfterMs } = await post(message, addresses, signal);
      const isTaken = status >= 200 && status <= 299;
      const fault = { code: status >= 300 && status <= 399 ? 'redirect' : 'answered', message: answeredWith(status) };
      return { status, fault: isTaken ? null : fault, durationMs: durationMs(), retryAfterMs };
    } catch (error) {
      stopping?.throwIfAborted();
      const fault = inTime.aborted
        ? { code: 'timeout', message: `There was no answer within ${withinMs / 1_000} s.` }
        : faultOf(error);
      return { status: null, fault, durationMs: durationMs() };
    }
  }
}

function answeredWith(status: number): string {
  if (status >= 300 && status <= 399) return `The URL was answered with ${status}. No redirect is followed.`;
  return `The URL was answered with ${status}.`;
}

function post(
  { url, headers, body }: Message,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<{ status: number; retryAfterMs: number | undefined }> {
  const all = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  const lookup: LookupFunction = (_, { all: wantsAll }, callback) => {
    const [first] = all;
    if (wantsAll) callback(null, all);
    else callback(null, first?.address ?? '', first?.family);
  };
  const { host, port } = endpointOf(url);
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? requestWithTls : requestInClear;
    const sent = send({
      ...{ host, port, lookup, signal, agent: false, method: 'POST' },
      path: `${url.pathname}${url.search}`,
      headers: { 'user-agent': 'Strongroom', ...headers, 'content-length': Buffer.byteLength(body) },
    });
    sent.on('error', reject);
    sent.on('response', (answer) => {
      const told = {
        status: answer.statusCode ?? 0,
        retryAfterMs: retryAfterMs(answer.headers['retry-after'], Date.now()),
      };
      passOver(answer, () => {
        sent.destroy();
        resolve(told);
      });
    });
    sent.end(body);
  });
}

/** Reads the body for a while, so that a polite server is not cut off, and keeps nothing of it. */
function passOver(answer: IncomingMessage, done: () => void): void {
  let bytes = 0;
  const timer = setTimeout(done, longestBodyMs);
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > mostBodyBytes) done();
  });
  answer.on('error', () => {});
  answer.on('close', () => {
    clearTimeout(timer);
    done();
  });
}

/** A private network is not to be mapped by what is told of it, so a connection that fails is told in one way. */
function faultOf(error: unknown): { code: string; message: string } {
  if (error instanceof EngineFault && error.code === 'server-not-allowed') {
    const message =
      'The URL leads to an address that this deployment does not connect to, or without TLS. Its operator can allow private networks with STRONGROOM_CUSTOMER_NETWORKS.';
    return { code: 'not-allowed', message };
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOTFOUND') return { code: 'unreachable', message: 'The host of the URL has no address.' };
  if (code.includes('CERT') || code.includes('ALTNAME')) {
    return { code: 'certificate', message: `The certificate of the host can't be verified (${code}).` };
  }
  return { code: 'unreachable', message: 'The host of the URL can not be reached.' };
}
