/** What an account may have at a time, and how much of it. */
import { accountId } from '@strongroom/contracts';
import { mustBe, parsedText } from './forms.js';
import type { Setting } from './setting.js';

/** What there are quotas of. */
export const quotaKinds = ['instances', 'built-servers', 'stored-gib', 'backups', 'copies', 'streams'] as const;
export type QuotaKind = (typeof quotaKinds)[number];

/** A quota: the usual number, and that of single accounts. null is no limit. */
export interface Quota {
  usual: number | null;
  byAccount: ReadonlyMap<string, number | null>;
}

export type Quotas = Readonly<Record<QuotaKind, Quota>>;

export function quotaOf({ usual, byAccount }: Quota, account: string): number | null {
  return byAccount.has(account) ? (byAccount.get(account) ?? null) : usual;
}

const form = `like instances=500,stored-gib=2000, with those of single accounts like acme:instances=5000; there are ${quotaKinds.join(', ')}; 0 is no limit`;
const usualQuotas: Readonly<Record<QuotaKind, number>> = {
  instances: 10_000,
  'built-servers': 16,
  'stored-gib': 0,
  backups: 16,
  copies: 0,
  streams: 20,
};
const most = 10_000_000;

export const quotas = {
  name: 'STRONGROOM_QUOTAS',
  meaning:
    'What an account may have. `instances` counts its registered and built instances, and `built-servers` those that Strongroom runs. `stored-gib` is the size of its backups and copies in all regions, the deleted ones that are still there too, and those that are being made. `backups` is how many are made at a time, over all processes, and `copies` how many are made at a time to each region: the others wait. `streams` are the live streams of events at one API process. With 0 there is no limit. A quota that is not named keeps its default, and `acme:instances=5000` is that of the account `acme` alone.',
  form: parsedText(form, quotasOf),
  usedBy: ['api', 'scheduler', 'replicator'],
  default: quotaKinds.map((kind) => `${kind}=${usualQuotas[kind]}`).join(','),
} satisfies Setting<Quotas>;

function quotasOf(text: string): Quotas | string {
  const usual = new Map<QuotaKind, number | null>();
  const own = new Map<QuotaKind, Map<string, number | null>>();
  for (const part of text.split(',')) {
    const [, account, name, digits] = /^\s*(?:([^:=]+):)?([a-z-]+)=(\d{1,8})\s*$/.exec(part) ?? [];
    const kind = quotaKinds.find((each) => each === name);
    const number = Number(digits);
    if (kind === undefined || number > most) return mustBe(form);
    const ofKind = own.get(kind) ?? new Map<string, number | null>();
    const isTwice = account === undefined ? usual.has(kind) : ofKind.has(account);
    if (isTwice || (account !== undefined && !accountId.safeParse(account).success)) return mustBe(form);
    if (account === undefined) usual.set(kind, number || null);
    else own.set(kind, ofKind.set(account, number || null));
  }
  const quota = (kind: QuotaKind): Quota => ({
    usual: usual.get(kind) ?? (usual.has(kind) ? null : usualQuotas[kind] || null),
    byAccount: own.get(kind) ?? new Map(),
  });
  return {
    instances: quota('instances'),
    'built-servers': quota('built-servers'),
    'stored-gib': quota('stored-gib'),
    backups: quota('backups'),
    copies: quota('copies'),
    streams: quota('streams'),
  };
}
