/** What an account may have, and how much and how often it may ask. */
import { isOfAccount, operations } from '@strongroom/contracts';
import { integer, mustBe, parsedText } from './forms.js';
import type { AppName, Setting } from './setting.js';

/** At most `requests` within each period of `seconds`. */
export interface RateLimit {
  /** The name of an operation, an HTTP method, or `*`. */
  of: string;
  requests: number;
  seconds: number;
}

/** The most items of a page, by what is listed. */
export interface PageLimits {
  backups: number;
  schedules: number;
  instances: number;
  runs: number;
  events: number;
  audit: number;
  webhooks: number;
  deliveries: number;
}

const usedBy: readonly AppName[] = ['api'];

export const mostSchedules = {
  name: 'STRONGROOM_MAX_SCHEDULES',
  meaning: 'How many schedules an account may have.',
  form: integer(0, 10_000_000),
  usedBy,
  default: '10000',
} satisfies Setting<number>;

export const mostWebhooks = {
  name: 'STRONGROOM_MAX_WEBHOOKS',
  meaning: 'How many webhooks an account may have.',
  form: integer(0, 10_000),
  usedBy,
  default: '20',
} satisfies Setting<number>;

const rateLimitsForm = 'off, or like GET=6000/60,postBackups=60/60: operation, method or *, requests, seconds';

export const rateLimits = {
  name: 'STRONGROOM_RATE_LIMITS',
  meaning:
    'How many requests an account may make to one operation in so many seconds, counted over all processes. An operation has the limit of its own name, else that of its method, else that of `*`. The names are the `operationId`s of `/openapi.json`.',
  form: parsedText(rateLimitsForm, rateLimitsOf),
  usedBy,
  default: 'GET=12000/60,*=1200/60',
} satisfies Setting<RateLimit[]>;

export const mostConnections = {
  name: 'STRONGROOM_MAX_CONNECTIONS',
  meaning:
    'How many connections an API process serves at a time. A client that comes when there are so many is answered 503 and may come again.',
  form: integer(10, 1_000_000),
  usedBy,
  default: '2000',
} satisfies Setting<number>;

export const mostConnectionsOfAddress = {
  name: 'STRONGROOM_MAX_CONNECTIONS_PER_ADDRESS',
  meaning:
    'How many of these connections one address may have, and how many requests at a time; of IPv6, all addresses of one network of 64 bits together. What is more is answered 503. A proxy of `STRONGROOM_TRUSTED_PROXIES` may have any number of connections, and the requests are counted of the clients that it tells. With 0 there is no limit.',
  form: integer(0, 1_000_000),
  usedBy,
  default: '1000',
} satisfies Setting<number>;

export const mostStreams = {
  name: 'STRONGROOM_MAX_STREAMS',
  meaning:
    'How many live streams of events an API process serves at a time, of all accounts together. `STRONGROOM_QUOTAS` has how many of one account.',
  form: integer(1, 1_000_000),
  usedBy,
  default: '1000',
} satisfies Setting<number>;

export const mostWrongTokens = {
  name: 'STRONGROOM_WRONG_TOKENS_PER_MINUTE',
  meaning:
    'How many requests with a wrong token one address may make in a minute. More are answered 413, and no token of that address is looked up in Keystone until the minute is over. A token that is known to be right is let in nevertheless. Behind a proxy that is not in `STRONGROOM_TRUSTED_PROXIES`, all clients have the address of the proxy. With 0 there is no limit.',
  form: integer(0, 1_000_000),
  usedBy,
  default: '300',
} satisfies Setting<number>;

const defaultPageLimits: Readonly<PageLimits> = {
  backups: 20,
  schedules: 100,
  instances: 20,
  runs: 100,
  events: 100,
  audit: 100,
  webhooks: 100,
  deliveries: 100,
};
const lists = Object.keys(defaultPageLimits);
const pageLimit = new RegExp(`^(${lists.join('|')})=([1-9]\\d{0,2}|1000)$`);
const pageLimitsForm = `like backups=50,schedules=200, from 1 to 1000; there are ${lists.join(', ')}`;

export const pageLimits = {
  name: 'STRONGROOM_PAGE_LIMITS',
  meaning:
    'How many items a page of each list has, at most and when a request does not say. A list that is not named keeps its default.',
  form: parsedText(pageLimitsForm, pageLimitsOf),
  usedBy,
  default: Object.entries(defaultPageLimits)
    .map(([list, limit]) => `${list}=${limit}`)
    .join(','),
} satisfies Setting<PageLimits>;

/** What a limit may be of: a limit of anything else would limit nothing. */
const limitedOperations = operations.filter(isOfAccount).map(({ name }) => name);
const limited = new Set(['*', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', ...limitedOperations]);

function rateLimitsOf(value: string): RateLimit[] | string {
  if (value === 'off') return [];
  const limits: RateLimit[] = [];
  for (const entry of value.split(',').map((part) => part.trim())) {
    const [, of = '', requests = '', seconds = ''] = /^(\*|[A-Za-z]+)=(\d{1,9})\/(\d{1,5})$/.exec(entry) ?? [];
    if (of === '' || Number(seconds) < 1) return mustBe(rateLimitsForm);
    if (!limited.has(of))
      return `must name what there is: ${of} is neither a method nor an operation of an account; the operations are ${limitedOperations.join(', ')}`;
    limits.push({ of, requests: Number(requests), seconds: Number(seconds) });
  }
  return limits;
}

function pageLimitsOf(value: string): PageLimits | string {
  const given = value.split(',').map((entry) => pageLimit.exec(entry.trim()));
  if (given.some((limit) => limit === null)) return mustBe(pageLimitsForm);
  const named = Object.fromEntries(given.map((limit) => [limit?.[1], Number(limit?.[2])]));
  return { ...defaultPageLimits, ...named };
}
