/** How much may be transferred at a time. */
import { regionName } from '@strongroom/contracts';
import { mustBe, parsedText } from './forms.js';
import type { Setting } from './setting.js';

/** Bytes a second, by what they limit. */
export type FirstTransferLimits = ReadonlyMap<string, number>;

const mebibyte = 1_048_576;
const form =
  'like ORD=20,DFW:ORD=12.5,process=100, each a number of MiB a second from 0.001 to 1000000, of a region, of a pair of regions or of the process';

export const transferLimits = {
  name: 'STRONGROOM_TRANSFER_LIMITS',
  meaning:
    'How many MiB a second may be read from vaults and written to them. `ORD=20` limits the vault of a region: all that the processes of the deployment read there and write there, for backups, copies, verifications and restores. `DFW:ORD=20` limits what all copies bring from one region to another. `process=20` limits each process by itself. `strongroom limits` changes a limit while everything runs, and what it sets counts before this setting. Without a limit nothing waits.',
  form: parsedText(form, limitsOf),
  usedBy: ['scheduler', 'replicator'],
} satisfies Setting<FirstTransferLimits>;

/** How many transfers at a time, by region. */
export type TransfersAtATime = ReadonlyMap<string, number>;

const capsForm = 'like ORD=4,DFW=8, each a number of transfers from 1 to 1000 of a region';

export const transfersAtATime = {
  name: 'STRONGROOM_TRANSFERS_AT_A_TIME',
  meaning:
    'How many transfers of one process may move bytes in the vault of a region at a time: backups made there, copies from and to it, and what is read there again. `ORD=4` is for a disk that gets slow when many read and write at once. Where a region allows more than one, copies to one other region never take all permits, and neither does anything else of one kind. `strongroom limits` changes the number while everything runs, and what it sets counts before this setting. A region that is not named has no such limit, beside STRONGROOM_BACKUP_CONCURRENCY and STRONGROOM_COPY_CONCURRENCY.',
  form: parsedText(capsForm, capsOf),
  usedBy: ['scheduler', 'replicator'],
} satisfies Setting<TransfersAtATime>;

/** The name of what a limit is of, in its one form; undefined when it names nothing. */
export function transferScope(text: string): string | undefined {
  if (text === 'process') return text;
  const parts = text.split(':');
  const isRight = parts.length <= 2 && parts.every((part) => regionName.safeParse(part).success);
  return isRight && new Set(parts).size === parts.length ? text : undefined;
}

/** @param text MiB a second; @returns bytes a second, or undefined when it is no such number */
export function transferRate(text: string): number | undefined {
  const rate = /^\d{1,7}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  return rate >= 0.001 && rate <= 1_000_000 ? Math.round(rate * mebibyte) : undefined;
}

/** @returns undefined when it is no number of transfers that there may be at a time */
export function transferCap(text: string): number | undefined {
  return /^([1-9]\d{0,2}|1000)$/.test(text) ? Number(text) : undefined;
}

function limitsOf(text: string): FirstTransferLimits | string {
  return numbersByName(text, transferScope, transferRate) ?? mustBe(form);
}

function capsOf(text: string): TransfersAtATime | string {
  const region = (name: string) => (regionName.safeParse(name).success ? name : undefined);
  return numbersByName(text, region, transferCap) ?? mustBe(capsForm);
}

/** Reads a list like `A=1,B=2`. @returns undefined when a name or a number is none, or a name is there twice */
function numbersByName(
  text: string,
  nameOf: (text: string) => string | undefined,
  numberOf: (text: string) => number | undefined,
): Map<string, number> | undefined {
  const found = new Map<string, number>();
  for (const part of text.split(',')) {
    const [left = '', right = '', ...more] = part.trim().split('=');
    const name = nameOf(left);
    const number = numberOf(right);
    if (name === undefined || number === undefined || more.length > 0 || found.has(name)) return undefined;
    found.set(name, number);
  }
  return found;
}
