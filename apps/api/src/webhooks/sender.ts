/**
 * Sends one message to the URL of a customer, by HTTP or as mail. The host is looked up once, its addresses are judged as those of instances are, and only
 * these are dialled. No redirect is followed, and no more of an answer is read than its head and some bytes.
 */
import { type IncomingMessage, request as requestInClear } from 'node:http';
import { request as requestWithTls } from 'node:https';
import { isIPv6, type LookupFunction } from 'node:net';
import { retryAfterMs } from '@strongroom/contracts';
import { EngineFault, type Reach } from '@strongroom/engines';
import { endpointOf } from './endpoint.js';
import { fieldOf, MailRefused, NoStartTls, sendMail } from './mail.js';
import { isOfMail, mailRouteOf } from './mail-url.js';

/** What became of one request. */
export interface SendOutcome {
  /** `refused` says no to this message, and `later` nothing of it. `gone` wants no further one. */
  means: 'taken' | 'refused' | 'later' | 'gone';
  /** That of HTTP; null when there was no answer, and for mail. */
  status: number | null;
  /** Null when the message was taken. The message tells nothing of other machines of the network. */
  fault: { code: string; message: string } | null;
  durationMs: number;
  /** How long the receiver wants to be left alone. */
  retryAfterMs?: number | undefined;
}

export interface Message {
  accountId: string;
  url: URL;
  /** That of the event, the same for each attempt. */
  id: string;
  at: Date;
  /** What mail is headed with. */
  subject: string;
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** What is read of the body of an answer before the connection is cut. */
const mostBodyBytes = 16_384;
const longestBodyMs = 1_000;

/** These say that another time may be better: too early, too much at once, or too slow. */
const passing: readonly number[] = [408, 425, 429];

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
      const lookup = lookupOf(addresses);
      if (isOfMail(url)) {
        const { id, at, subject, body: text } = message;
        await sendMail(mailRouteOf(url), { id, at, subject, text }, { lookup, signal });
        return { means: 'taken', status: null, fault: null, durationMs: durationMs() };
      }
      const { status, retryAfterMs } = await post(message, lookup, signal);
      const means = meaningOf(status);
      const code = status >= 300 && status <= 399 ? 'redirect' : 'answered';
      const fault = means === 'taken' ? null : { code, message: answeredWith(status) };
      return { means, status, fault, durationMs: durationMs(), retryAfterMs };
    } catch (error) {
      stopping?.throwIfAborted();
      const fault = inTime.aborted
        ? { code: 'timeout', message: `There was no answer within ${withinMs / 1_000} s.` }
        : faultOf(error);
      // RFC 5321, 4.2.1: from 500 on, the same message is not wanted another time either.
      const means = error instanceof MailRefused && error.code >= 500 ? 'refused' : 'later';
      return { means, status: null, fault, durationMs: durationMs() };
    }
  }
}

/** What an answer of HTTP says of the message. */
export function meaningOf(status: number): SendOutcome['means'] {
  if (status >= 200 && status <= 299) return 'taken';
  if (status === 410) return 'gone';
  return status >= 500 || passing.includes(status) ? 'later' : 'refused';
}

/** Dials what was judged, whatever the name leads to by now. */
function lookupOf(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  return (_, { all: wantsAll }, callback) => {
    const [first] = all;
    if (wantsAll) callback(null, all);
    else callback(null, first?.address ?? '', first?.family);
  };
}

function answeredWith(status: number): string {
  if (status >= 300 && status <= 399) return `The URL was answered with ${status}. No redirect is followed.`;
  return `The URL was answered with ${status}.`;
}

function post(
  { url, headers, body }: Message,
  lookup: LookupFunction,
  signal: AbortSignal,
): Promise<{ status: number; retryAfterMs: number | undefined }> {
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
  if (error instanceof MailRefused) return { code: 'answered', message: error.message };
  if (error instanceof NoStartTls) {
    return { code: 'no-tls', message: 'The mail server offers no STARTTLS, and nothing is sent to it in clear.' };
  }
  // A session of SMTP has a code of its own, and keeps that of the connection beside it.
  const code = fieldOf(error, 'originalCode') || fieldOf(error, 'code');
  if (code === 'ENOTFOUND') return { code: 'unreachable', message: 'The host of the URL has no address.' };
  if (/CERT|ALTNAME|LEAF_SIGNATURE/.test(code)) {
    return { code: 'certificate', message: `The certificate of the host can't be verified (${code}).` };
  }
  return { code: 'unreachable', message: 'The host of the URL can not be reached.' };
}
