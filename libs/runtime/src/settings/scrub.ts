/** How what lies in the vaults is read again, and which regions copies come from. */
import { regionName } from '@strongroom/contracts';
import { integer, mustBe, parsedText } from './forms.js';
import type { Setting } from './setting.js';

/** How fast a vault is read by the scrub, in bytes a second; 0: not at all. */
export interface ScrubRate {
  usual: number;
  /** By region, where it is another one. */
  byRegion: ReadonlyMap<string, number>;
}

export function scrubRateOf({ usual, byRegion }: ScrubRate, region: string): number {
  return byRegion.get(region) ?? usual;
}

const mib = 1_048_576;
const mostMib = 1_048_576;
const rateForm = `MiB a second from 0 to ${mostMib} for every vault, with those of single regions behind them, like 16,IAD=4,ORD=0`;

export const scrubRate = {
  name: 'STRONGROOM_SCRUB_MIB_PER_SECOND',
  meaning:
    'How fast what lies in a vault is read again at the most, to see whether it is still what was backed up. `IAD=4` is the rate of one region alone, in place of the first one. With 0 a vault is not read: that is a pause, and what was missed is read later.',
  form: parsedText(rateForm, rateIn),
  usedBy: ['replicator'],
  default: '16',
} satisfies Setting<ScrubRate>;

export const scrubEvery = {
  name: 'STRONGROOM_SCRUB_DAYS',
  meaning:
    'After how many days a backup is read again in each region that holds it. What was verified longest ago comes first. With 0 the vaults are read again and again, as fast as `STRONGROOM_SCRUB_MIB_PER_SECOND` allows.',
  form: integer(0, 3_650),
  usedBy: ['replicator'],
  default: '30',
} satisfies Setting<number>;

/** By target, the regions that copies come from, in that order. */
export type CopySourceOrder = ReadonlyMap<string, readonly string[]>;

const orderForm =
  'regions with those that their copies come from first, like ORD=IAD>DFW,IAD=ORD: a copy to ORD comes from IAD, else from DFW';

export const copySources = {
  name: 'STRONGROOM_COPY_SOURCES',
  meaning:
    'For each region, the regions that its copies come from where they can, in that order. Without it, and behind those that are named, the region comes first from which copies have come fastest.',
  form: parsedText(orderForm, orderIn),
  usedBy: ['replicator'],
} satisfies Setting<CopySourceOrder>;

function rateIn(value: string): ScrubRate | string {
  const [usual = '', ...others] = value.split(',').map((part) => part.trim());
  const byRegion = new Map<string, number>();
  for (const other of others) {
    const [region = '', rate = '', ...more] = other.split('=');
    const bytes = bytesIn(rate);
    if (!regionName.safeParse(region).success || bytes === undefined || more.length > 0 || byRegion.has(region)) {
      return mustBe(rateForm);
    }
    byRegion.set(region, bytes);
  }
  const bytes = bytesIn(usual);
  return bytes === undefined ? mustBe(rateForm) : { usual: bytes, byRegion };
}

function bytesIn(text: string): number | undefined {
  if (!/^\d{1,7}$/.test(text) || Number(text) > mostMib) return undefined;
  return Number(text) * mib;
}

function orderIn(value: string): CopySourceOrder | string {
  const order = new Map<string, readonly string[]>();
  for (const part of value.split(',').map((each) => each.trim())) {
    const [region = '', named = '', ...more] = part.split('=');
    const sources = named.split('>');
    const isRight = [region, ...sources].every((each) => regionName.safeParse(each).success);
    const isTwice = order.has(region) || new Set([region, ...sources]).size !== sources.length + 1;
    if (!isRight || isTwice || more.length > 0) return mustBe(orderForm);
    order.set(region, sources);
  }
  return order;
}
