/**
 * Sends one message by SMTP over addresses that were judged. TLS verifies the certificate, and nothing is said in clear to a server that
 * offers no STARTTLS. There is one recipient, so a message is taken as a whole or not at all.
 */
import { connect, type LookupFunction, type Socket } from 'node:net';
import MailComposer from 'nodemailer/lib/mail-composer';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { MailRoute } from './mail-url.js';

export interface Mail {
  /** The same for each attempt, so that a mailbox can tell that it has the message. */
  id: string;
  at: Date;
  subject: string;
  text: string;
}

/** The server has answered a command with something else than a success. */
export class MailRefused extends Error {
  constructor(
    /** The code of the answer, from 400 to 599: RFC 5321, 4.2.1. */
    readonly code: number,
    /** What was answered, in our words alone. */
    message: string,
  ) {
    super(message);
  }
}

/** The server offers no STARTTLS. */
export class NoStartTls extends Error {}

/** A name of this machine would tell the customer's server more than it needs. */
const ownName = '[127.0.0.1]';
/** An answer that is longer is none of a mail server. */
const mostAnswerBytes = 16_384;
/** So long the server may take to close its side. */
const closeMs = 1_000;

/** @throws {MailRefused} {NoStartTls} the error of the connection; the signal's reason */
export async function sendMail(
  route: MailRoute,
  mail: Mail,
  { lookup, signal }: { lookup: LookupFunction; signal: AbortSignal },
): Promise<void> {
  const raw = await written(route, mail);
  const socket = await connected(route, lookup, signal);
  const { host, port, tls, login, from, to } = route;
  const session = new SMTPConnection({
    ...{ host, port, connection: socket, name: ownName, maxResponseSize: mostAnswerBytes, socketCloseTimeout: closeMs },
    ...{ secure: tls === 'at-once', requireTLS: tls === 'starttls', ignoreTLS: tls === 'disable' },
    tls: { minVersion: 'TLSv1.2', rejectUnauthorized: true },
  });
  const ended = new Promise<never>((_, reject) => {
    session.on('error', (error: unknown) => reject(told(error)));
    // What was answered to a command before that is told after it.
    session.once('end', () => setImmediate(() => reject(new Error('the mail server has ended the connection'))));
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    signal.throwIfAborted();
  });
  ended.catch(() => {});
  const step = (run: (done: (error?: unknown) => void) => void) =>
    Promise.race([
      ended,
      new Promise<void>((resolve, reject) => run((error) => (error ? reject(told(error)) : resolve()))),
    ]);
  let isTaken = false;
  try {
    await step((done) => session.connect(done));
    if (login) await step((done) => session.login({ user: login.user, pass: login.password }, done));
    await step((done) => session.send({ from, to: [to] }, raw, done));
    isTaken = true;
    session.quit();
  } finally {
    session.close();
    if (!isTaken) socket.destroy();
  }
}

function connected({ host, port }: MailRoute, lookup: LookupFunction, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = connect({ host, port, lookup });
    const abort = () => socket.destroy(new Error('given up'));
    signal.addEventListener('abort', abort, { once: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort);
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

function written({ from, to }: MailRoute, { id, at, subject, text }: Mail): Promise<Buffer> {
  const composed = new MailComposer({
    ...{ from: { name: 'Strongroom', address: from }, to: { name: '', address: to } },
    ...{ subject, text, date: at, messageId: `<${id}@${from.slice(from.lastIndexOf('@') + 1)}>` },
    // No mailbox answers it with a notice of absence: RFC 3834.
    headers: { 'webhook-id': id, 'auto-submitted': 'auto-generated' },
    ...{ disableFileAccess: true, disableUrlAccess: true },
  });
  return composed.compile().build();
}

/** What a server says is not told: it may be any text. */
function told(error: unknown): unknown {
  const code = Number(fieldOf(error, 'responseCode'));
  const command = fieldOf(error, 'command');
  if (command === 'STARTTLS' || fieldOf(error, 'code') === 'ETLS') return new NoStartTls('there is no STARTTLS');
  if (!(code >= 400)) return error;
  const verb = /^(EHLO|HELO|AUTH|MAIL FROM|RCPT TO|DATA)/.exec(command)?.[0];
  return new MailRefused(code, `The mail server has answered ${verb === undefined ? '' : `${verb} `}with ${code}.`);
}

/** A field that an error of a library or of Node may have; empty when it has none. */
export function fieldOf(error: unknown, name: string): string {
  if (typeof error !== 'object' || error === null) return '';
  const value: unknown = Reflect.get(error, name);
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
