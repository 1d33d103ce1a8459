/** Where the URL of a webhook leads. What is judged here is judged again at each delivery, when the host has been looked up. */
import type { WebhookFormat } from '@strongroom/contracts';
import type { Reach } from '@strongroom/engines';
import { HttpFault } from '../edge/http-fault.js';
import { isOfMail, mailRouteOf } from './mail-url.js';

/** The part of an endpoint that the judge of addresses asks for. */
export function endpointOf(url: URL) {
  const { host, port, isSecure } = isOfMail(url) ? ofMail(url) : ofHttp(url);
  return { host, port, user: '-', database: '-', tls: isSecure ? ('verify-full' as const) : ('disable' as const) };
}

function ofMail(url: URL) {
  const { host, port, tls } = mailRouteOf(url);
  return { host, port, isSecure: tls !== 'disable' };
}

function ofHttp({ protocol, hostname, port }: URL) {
  const isSecure = protocol === 'https:';
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? (isSecure ? 443 : 80) : Number(port),
    isSecure,
  };
}

/** The scheme, host and port: what is no secret of a URL. */
export function originOf(url: URL): string {
  return isOfMail(url) ? `${url.protocol}//${url.host.toLowerCase()}` : url.origin;
}

/** Whether a webhook of this format may have a URL of this scheme. */
export function goTogether(format: WebhookFormat, url: { protocol: string }): boolean {
  return (format === 'email') === isOfMail(url);
}

/** @throws {HttpFault} badRequest when nothing is sent to such a URL, as far as that is known without looking up its host */
export function judgedUrl(text: string, format: WebhookFormat, reach: Pick<Reach, 'whyNot'>): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const scheme: Scheme = format === 'email' ? mail : http;
  scheme.mustBe(url);
  const why = reach.whyNot(endpointOf(url));
  if (why?.field === 'host') throw refused(why.why);
  if (why) throw refused(scheme.inClear);
  return url;
}

interface Scheme {
  /** @throws {HttpFault} */
  mustBe: (url: URL | undefined) => asserts url is URL;
  /** What is said of a URL that would be sent to without TLS. */
  inClear: string;
}

const http: Scheme = {
  mustBe(url) {
    if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) throw refused('must be a URL with https.');
    if (url.username !== '' || url.password !== '') throw refused('must have no user and no password.');
    if (url.hash !== '') throw refused('must have no fragment.');
  },
  inClear: 'must begin with https: events are sent in clear to no other machine.',
};

const mail: Scheme = {
  mustBe(url) {
    if (!url) throw refused('must be a URL with smtps: or smtp:, such as smtps://mail.example.com?from=A@B&to=C@D.');
    try {
      mailRouteOf(url);
    } catch (error) {
      if (error instanceof RangeError) throw refused(`${error.message}.`);
      throw error;
    }
  },
  inClear: 'must not have tls=disable: mail is sent in clear to no other machine.',
};

function refused(why: string): HttpFault {
  return new HttpFault('badRequest', `webhook.url: ${why}`);
}
