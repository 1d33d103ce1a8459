/** What a variable may be: each form is parsed, and a wrong value is told with what would be right. */
import { regionName } from '@strongroom/contracts';
import { z } from 'zod';

/** At most `requests` within each period of `seconds`. */
export interface RateLimit {
  /** The id of an operation, an HTTP method, or `*`. */
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
}

const secretBytes = 32;

function text(allowed: string) {
  return z.string({ error: allowed });
}

export function integer(least: number, most: number, note = '') {
  const allowed = `must be an integer from ${least} to ${most}${note}`;
  return text(allowed)
    .regex(/^\d{1,10}$/, { error: allowed, abort: true })
    .transform(Number)
    .refine((value) => value >= least && value <= most, { error: allowed });
}

/** Seconds with up to three decimals, parsed into milliseconds. */
export function seconds(least: number, most: number) {
  const allowed = `must be a number of seconds from ${least} to ${most}`;
  return text(allowed)
    .regex(/^\d{1,7}(\.\d{1,3})?$/, { error: allowed, abort: true })
    .transform((value) => Math.round(Number(value) * 1_000))
    .refine((ms) => ms >= least * 1_000 && ms <= most * 1_000, { error: allowed });
}

const postgresForm = 'must be like postgres://user:password@host:5432/database';
export const postgresUrl = text(postgresForm).refine(
  (value) => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    return url !== undefined && /^postgres(ql)?:$/.test(url.protocol) && url.hostname !== '' && url.pathname.length > 1;
  },
  { error: postgresForm },
);

export const brokersForm = 'must be like kafka-1:9092,kafka-2:9092';
export const brokerList = text(brokersForm)
  .transform((value) => value.split(',').map((broker) => broker.trim()))
  .refine((brokers) => brokers.every((broker) => /^([^\s:/]+|\[[0-9a-fA-F:]+\]):\d{1,5}$/.test(broker)), {
    error: brokersForm,
  });

const vaultsForm = 'must be like DFW=file:///var/lib/strongroom/DFW,IAD=file:///var/lib/strongroom/IAD';
export const vaultList = text(vaultsForm).transform((value, context) => {
  const vaults = new Map<string, URL>();
  for (const entry of value.split(',').map((part) => part.trim())) {
    const [, region = '', address = ''] = /^([^=]*)=(.*)$/.exec(entry) ?? [];
    if (!regionName.safeParse(region).success || !URL.canParse(address)) {
      context.addIssue(vaultsForm);
      return z.NEVER;
    }
    if (vaults.has(region)) {
      context.addIssue(`must name each region once, and names ${region} twice`);
      return z.NEVER;
    }
    vaults.set(region, new URL(address));
  }
  return vaults;
});

const keyForm = `must be ${secretBytes} bytes in base64`;
export const secretKey = text(keyForm)
  .regex(/^[A-Za-z0-9+/]+={0,2}$/, { error: keyForm, abort: true })
  .transform((value) => Buffer.from(value, 'base64'))
  .refine((key) => key.length === secretBytes, { error: keyForm });

const rateLimitsForm = 'must be off, or like GET=6000/60,postBackups=60/60: operation, method or *, requests, seconds';
export const defaultRateLimits = 'GET=12000/60,*=1200/60';
export const rateLimits = text(rateLimitsForm).transform((value, context) => {
  if (value === 'off') return [];
  const limits: RateLimit[] = [];
  for (const entry of value.split(',').map((part) => part.trim())) {
    const [, of = '', requests = '', seconds = ''] = /^(\*|[A-Za-z]+)=(\d{1,9})\/(\d{1,5})$/.exec(entry) ?? [];
    if (of === '' || Number(seconds) < 1) {
      context.addIssue(rateLimitsForm);
      return z.NEVER;
    }
    limits.push({ of, requests: Number(requests), seconds: Number(seconds) });
  }
  return limits;
});

export const defaultPageLimits: Readonly<PageLimits> = {
  backups: 20,
  schedules: 100,
  instances: 20,
  runs: 100,
  events: 100,
};
const pageLimit = new RegExp(`^(${Object.keys(defaultPageLimits).join('|')})=([1-9]\\d{0,2}|1000)$`);
const pageLimitsForm = `must be like backups=50,schedules=200, from 1 to 1000; there are ${Object.keys(defaultPageLimits).join(', ')}`;
/** What is not named keeps its default. */
export const pageLimits = text(pageLimitsForm).transform((value, context): PageLimits => {
  const given = value.split(',').map((entry) => pageLimit.exec(entry.trim()));
  if (given.some((limit) => limit === null)) {
    context.addIssue(pageLimitsForm);
    return z.NEVER;
  }
  return Object.assign(
    { ...defaultPageLimits },
    Object.fromEntries(given.map((limit) => [limit?.[1], Number(limit?.[2])])),
  );
});

const publicUrlForm = 'must be like https://backups.example.com, with a path behind it at most';
/** Without a slash at its end. */
export const publicUrl = text(publicUrlForm)
  .refine(
    (value) => {
      const url = URL.canParse(value) ? new URL(value) : undefined;
      return url !== undefined && /^https?:$/.test(url.protocol) && `${url.origin}${url.pathname}` === url.href;
    },
    { error: publicUrlForm, abort: true },
  )
  .transform((value) => new URL(value).href.replace(/\/+$/, ''));

export const tokensForm = 'must be the path of a JSON file of tokens';
export const tokensFile = text(tokensForm);

export const keystoneForm = 'must be like https://keystone.example.com:5000, without /v3';
export const keystoneUrl = text(keystoneForm)
  .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), { error: keystoneForm })
  .transform((value) => new URL(value));

const keystoneRolesForm = "must be like admin=admin,member=creator,reader=observer: Keystone's role, and ours";
export const defaultKeystoneRoles = 'admin=admin,member=creator,reader=observer';
export const keystoneRoles = text(keystoneRolesForm).transform((value, context) => {
  const pairs = value.split(',').map((entry) => /^([^=]+)=(admin|creator|observer)$/.exec(entry.trim()));
  if (pairs.some((pair) => pair === null)) {
    context.addIssue(keystoneRolesForm);
    return z.NEVER;
  }
  return new Map(pairs.map((pair) => [pair?.[1]?.toLowerCase() ?? '', pair?.[2] ?? '']));
});
