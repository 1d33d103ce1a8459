/**
 * The URL of a webhook that sends mail: `smtps://user:password@host:465?from=…&to=…`, or `smtp://…` for a server that begins in clear and
 * has to offer STARTTLS. What is in it is checked here as a whole, so nothing of it can become a line of its own in a message.
 */
import { z } from 'zod';

export interface MailRoute {
  host: string;
  port: number;
  /** Whether TLS begins with the connection, with STARTTLS, or never. */
  tls: 'at-once' | 'starttls' | 'disable';
  login?: { user: string; password: string };
  from: string;
  to: string;
}

const ports: Record<string, number> = { 'smtp:': 587, 'smtps:': 465 };
const address = (name: string) => z.email({ error: `must have one address of mail as ${name}=NAME@HOST` }).max(254);
const query = z.strictObject(
  {
    from: address('from'),
    to: address('to'),
    tls: z.literal('disable', { error: 'may have tls=disable, and no other tls' }).optional(),
  },
  { error: ({ code }) => (code === 'unrecognized_keys' ? 'must have from, to and tls alone behind the ?' : undefined) },
);
const hostName = /^(\[[0-9a-f:.]+\]|[0-9a-z]([0-9a-z.-]*[0-9a-z])?)$/i;

export function isOfMail({ protocol }: { protocol: string }): boolean {
  return protocol in ports;
}

/** @throws {RangeError} that says how the URL has to be */
export function mailRouteOf(url: URL): MailRoute {
  const { protocol, hostname, port, username, password, pathname, hash } = url;
  if (!isOfMail(url)) throw new RangeError('must begin with smtps: or smtp:');
  if (!hostName.test(hostname)) throw new RangeError('must have the name or the address of a mail server');
  if (pathname !== '' && pathname !== '/') throw new RangeError('must have no path');
  if (hash !== '') throw new RangeError('must have no fragment');
  if ((username === '') !== (password === '')) throw new RangeError('must have both a user and a password, or neither');
  const given = [...url.searchParams];
  if (new Set(given.map(([name]) => name)).size < given.length) throw new RangeError('must name from and to once');
  const read = query.safeParse(Object.fromEntries(given));
  if (!read.success) throw new RangeError(read.error.issues[0]?.message ?? 'must have from and to');
  const { from, to, tls } = read.data;
  if (tls && protocol === 'smtps:') throw new RangeError('must begin with smtp: where tls is disabled');
  const begins = protocol === 'smtps:' ? 'at-once' : 'starttls';
  return {
    ...{ host: hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase(), port: Number(port) || (ports[protocol] ?? 0) },
    ...{ tls: tls ?? begins, from, to },
    ...(username !== '' && { login: { user: decoded(username), password: decoded(password) } }),
  };
}

function decoded(part: string): string {
  let text: string;
  try {
    text = decodeURIComponent(part);
  } catch {
    throw new RangeError('must have its user and password percent-encoded');
  }
  if (/\p{Cc}/u.test(text)) throw new RangeError('must have no control characters in its user and password');
  return text;
}
