/** How a process of a service is reached, and what it says. */
import { Networks, networkIn } from '../addresses.js';
import { type ForwardedHeader, forwardedHeaders } from '../client-address.js';
import { anyText, integer, mustBe, oneOf, parsedText, text } from './forms.js';
import { appNames, type Setting } from './setting.js';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export const httpHost = {
  name: 'STRONGROOM_HTTP_HOST',
  meaning:
    'The address that the service listens on. `0.0.0.0` is every address of the host, and the default in the image.',
  form: text('an address or the name of a host'),
  usedBy: appNames,
  default: '127.0.0.1',
} satisfies Setting<string>;

export const httpPort = {
  name: 'STRONGROOM_HTTP_PORT',
  meaning:
    'The port that the service listens on. The API serves its operations there, and says at `/health/live` and `/health/ready` no more than whether it is well. The scheduler and the replicator serve their health there with every detail, and their metrics at `/metrics`: their port is for operators alone. In the image the default is 8779 for every service.',
  form: integer(0, 65_535, '; 0 takes any free port'),
  usedBy: appNames,
  default: { api: '8779', scheduler: '8780', replicator: '8781' },
} satisfies Setting<number>;

export const privateHost = {
  name: 'STRONGROOM_PRIVATE_HOST',
  meaning:
    'The address at which the API serves what is for operators alone: its metrics, and its health with every detail. `0.0.0.0` is every address of the host, and the default in the image.',
  form: text('an address or the name of a host'),
  usedBy: ['api'],
  default: '127.0.0.1',
} satisfies Setting<string>;

export const privatePort = {
  name: 'STRONGROOM_PRIVATE_PORT',
  meaning:
    'The port at which the API serves `/metrics`, `/health/live` and `/health/ready` to operators. Clients must not reach it. Without it, the port is ten above that of `STRONGROOM_HTTP_PORT`, so 8789 by default.',
  form: integer(0, 65_535, '; 0 takes any free port'),
  usedBy: ['api'],
} satisfies Setting<number>;

const publicUrlForm = 'like https://backups.example.com, with a path behind it at most';

export const publicUrl = {
  name: 'STRONGROOM_PUBLIC_URL',
  meaning:
    'Where clients reach the API, such as the address of a proxy that ends TLS. The links in its answers begin with it. Without it, they begin with the address that the request names.',
  form: {
    says: publicUrlForm,
    schema: anyText(publicUrlForm)
      .refine(isPublicUrl, { error: mustBe(publicUrlForm), abort: true })
      .transform((value) => new URL(value).href.replace(/\/+$/, '')),
  },
  usedBy: ['api'],
} satisfies Setting<string>;

const proxiesForm =
  'addresses or networks with commas between them, like 10.0.0.4,10.1.0.0/24, and none of every address';

export const trustedProxies = {
  name: 'STRONGROOM_TRUSTED_PROXIES',
  meaning:
    'The proxies in front of the API. A request that comes through one of them has the address that the proxy tells; limits, log and audit go by it. Anybody else is not believed. Without it, the address of a client is that of its connection.',
  form: parsedText(proxiesForm, (value) => {
    const found = value.split(',').map((each) => networkIn(each.trim()));
    const right = found.flatMap((network) => (network && network[1] > 0 ? [network] : []));
    return right.length === found.length ? new Networks(right) : mustBe(proxiesForm);
  }),
  usedBy: ['api'],
} satisfies Setting<Networks>;

export const forwardedHeader = {
  name: 'STRONGROOM_FORWARDED_HEADER',
  meaning:
    'The header in which those proxies tell the address of a client. They must add to it, or replace it. The other header is not read, because a proxy may pass on what a client has written there.',
  form: oneOf(forwardedHeaders),
  usedBy: ['api'],
  default: 'x-forwarded-for',
} satisfies Setting<ForwardedHeader>;

export const logLevel = {
  name: 'STRONGROOM_LOG_LEVEL',
  meaning:
    'Entries of a lower level are not logged. The log is on the standard output, as JSON with one entry on each line.',
  form: oneOf(logLevels),
  usedBy: appNames,
  default: 'info',
} satisfies Setting<LogLevel>;

export const supervised = {
  name: 'STRONGROOM_SUPERVISED',
  meaning:
    'With 1, the process ends when its standard input closes. So it never outlives the program that has started it.',
  form: oneOf(['0', '1']),
  usedBy: appNames,
  default: '0',
} satisfies Setting<string>;

function isPublicUrl(value: string): boolean {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url !== undefined && /^https?:$/.test(url.protocol) && `${url.origin}${url.pathname}` === url.href;
}
