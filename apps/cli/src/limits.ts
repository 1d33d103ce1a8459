/** Shows and sets the limits of transfers, in the services' database. */
import { KnownVaults, SetTransferLimits, transferCap, transferRate, transferScope } from '@strongroom/runtime';
import type { PrintOptions } from './api/api-options.js';
import { UsageFault } from './command-fault.js';
import { onDatabase } from './open-database.js';
import { note, say, sayJson } from './output.js';
import { regionOf } from './vault-options.js';

export interface SetOptions {
  atATime?: string;
  json?: boolean;
}

export interface UnsetOptions {
  /** Whether the number of transfers at a time is meant, and not the rate. */
  atATime?: boolean;
  json?: boolean;
}

const mebibyte = 1_048_576;

export function list({ json, plain }: PrintOptions): Promise<void> {
  return onLimits(async (limits) => {
    if (json) return sayLimits(limits);
    const { rates, caps } = await limits.read();
    if (plain) {
      for (const [scope, rate] of rates) say(`rate\t${scope}\t${rate ?? 'none'}`);
      for (const [region, cap] of caps) say(`at-a-time\t${region}\t${cap ?? 'none'}`);
      return;
    }
    if (rates.size + caps.size === 0)
      note(
        'No limit was set. Those of STRONGROOM_TRANSFER_LIMITS and STRONGROOM_TRANSFERS_AT_A_TIME count, where there are some.',
      );
    for (const [scope, rate] of rates) say(`${scope.padEnd(20)} ${shownRate(rate)}`);
    for (const [region, cap] of caps) say(`${region.padEnd(20)} ${shownCap(cap)}`);
  });
}

/** The limits that were set, as `--json` prints them, also after a change. Fields may be added, and none ever changes. */
async function sayLimits(limits: SetTransferLimits): Promise<void> {
  const { rates, caps } = await limits.read();
  sayJson({ bytesPerSecond: Object.fromEntries(rates), atATime: Object.fromEntries(caps) });
}

/** @throws {UsageFault} before anything is set, when one of the limits is none */
export function set(what: string, rate: string | undefined, { atATime, json }: SetOptions): Promise<void> {
  if (rate === undefined && atATime === undefined)
    throw new UsageFault(
      `No limit of ${what} is given.`,
      'Give MiB a second, or --at-a-time with a number of transfers.',
    );
  const rated = rate === undefined ? undefined : { scope: scopeOf(what), bytesPerSecond: rateOf(rate) };
  const capped = atATime === undefined ? undefined : { region: cappedRegion(what), cap: capOf(atATime) };
  return onLimits(async (limits, vaults) => {
    if (rated) {
      await limits.set(rated.scope, rated.bytesPerSecond);
      note(`${rated.scope} has ${shownRate(rated.bytesPerSecond)} from now on. The services take it within seconds.`);
    }
    if (capped) {
      await limits.setCap(capped.region, capped.cap);
      note(
        `${capped.region} has ${shownCap(capped.cap)} from now on. The services take it within seconds; what runs ends.`,
      );
    }
    const scope = rated?.scope ?? capped?.region ?? '';
    noteUnknown(scope, { unsetBy: rated ? scope : `${scope} --at-a-time`, known: await vaults.regions() });
    if (json) await sayLimits(limits);
  });
}

export function unset(what: string, { atATime = false, json }: UnsetOptions): Promise<void> {
  const unsets = atATime ? unsettingCap(cappedRegion(what)) : unsettingRate(scopeOf(what));
  return onLimits(async (limits) => {
    note(await unsets(limits));
    if (json) await sayLimits(limits);
  });
}

function unsettingRate(scope: string) {
  return async (limits: SetTransferLimits) =>
    (await limits.unset(scope)) ? `${scope} has the limit of the settings again.` : `No limit of ${scope} was set.`;
}

function unsettingCap(region: string) {
  return async (limits: SetTransferLimits) =>
    (await limits.unsetCap(region))
      ? `${region} has as many transfers at a time as the settings say again.`
      : `No number of transfers at a time was set for ${region}.`;
}

function regionsIn(scope: string): string[] {
  return scope === 'process' ? [] : scope.split(':');
}

/** A limit may be set before its region gets a vault. It is told, because nobody else notices a name that was mistyped. */
function noteUnknown(scope: string, { unsetBy, known }: { unsetBy: string; known: readonly string[] }): void {
  for (const region of regionsIn(scope).filter((each) => !known.includes(each)))
    note(
      `No service has had a vault of ${region}, so nothing is limited before one has. There are vaults of ${known.join(', ') || 'no region'}. Where it is mistyped: strongroom limits unset ${unsetBy}`,
    );
}

/** As for `--from`, small letters are as good. */
function scopeOf(what: string): string {
  const isProcess = what.toLowerCase() === 'process';
  const scope = transferScope(what) ?? transferScope(isProcess ? 'process' : what.toUpperCase());
  if (scope !== undefined) return scope;
  throw new UsageFault(`${what} can't be limited.`, 'Name a region as ORD, a pair of regions as DFW:ORD, or process.');
}

function cappedRegion(what: string): string {
  const region = regionOf(what);
  if (region !== undefined && scopeOf(what) === region) return region;
  throw new UsageFault(`${what} has no number of transfers at a time.`, 'Name a region as ORD.');
}

function rateOf(text: string): number | null {
  const rate = text === 'none' ? null : transferRate(text);
  if (rate !== undefined) return rate;
  throw new UsageFault(`${text} is no limit.`, 'Give a number of MiB a second from 0.001 to 1000000, or none.');
}

function capOf(text: string): number | null {
  const cap = text === 'none' ? null : transferCap(text);
  if (cap !== undefined) return cap;
  throw new UsageFault(`${text} is no number of transfers at a time.`, 'Give one from 1 to 1000, or none.');
}

function shownRate(rate: number | null): string {
  return rate === null ? 'no limit' : `${Number((rate / mebibyte).toFixed(3))} MiB a second`;
}

function shownCap(cap: number | null): string {
  return cap === null ? 'no limit of transfers at a time' : `${cap} transfers of a process at a time`;
}

function onLimits(work: (limits: SetTransferLimits, vaults: KnownVaults) => Promise<void>): Promise<void> {
  return onDatabase({ applicationName: 'strongroom-limits' }, (dataSource) =>
    work(new SetTransferLimits(dataSource), new KnownVaults(dataSource)),
  );
}
