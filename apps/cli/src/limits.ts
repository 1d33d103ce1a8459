/** Shows and sets the limits of transfers, in the services' database. */
import { createDataSource } from '@strongroom/database';
import { SetTransferLimits, transferRate, transferScope } from '@strongroom/runtime';
import { databaseUrl } from './database-options.js';
import { say, sayJson } from './output.js';
import { UsageFault } from './vault-options.js';

const mebibyte = 1_048_576;

export function list({ json = false }: { json?: boolean }): Promise<void> {
  return onLimits(async (limits) => {
    const set = await limits.read();
    if (json) return sayJson(Object.fromEntries(set));
    if (set.size === 0) say('No limit was set. Those of STRONGROOM_TRANSFER_LIMITS count, where there are some.');
    for (const [scope, rate] of set) say(`${scope.padEnd(20)} ${shown(rate)}`);
  });
}

export function set(what: string, rate: string): Promise<void> {
  const scope = scopeOf(what);
  const bytesPerSecond = rate === 'none' ? null : transferRate(rate);
  if (bytesPerSecond === undefined)
    throw new UsageFault(`${rate} is no limit. Give a number of MiB a second from 0.001 to 1000000, or none.`);
  return onLimits(async (limits) => {
    await limits.set(scope, bytesPerSecond);
    say(`${scope} has ${shown(bytesPerSecond)} from now on. The services take it within seconds.`);
  });
}

export function unset(what: string): Promise<void> {
  const scope = scopeOf(what);
  return onLimits(async (limits) => {
    const wasSet = await limits.unset(scope);
    say(wasSet ? `${scope} has the limit of the settings again.` : `No limit of ${scope} was set.`);
  });
}

function scopeOf(what: string): string {
  const scope = transferScope(what);
  if (scope !== undefined) return scope;
  throw new UsageFault(`${what} can't be limited. Name a region as ORD, a pair of regions as DFW:ORD, or process.`);
}

function shown(rate: number | null): string {
  return rate === null ? 'no limit' : `${Number((rate / mebibyte).toFixed(3))} MiB a second`;
}

async function onLimits(work: (limits: SetTransferLimits) => Promise<void>): Promise<void> {
  const options = { url: databaseUrl(), applicationName: 'strongroom-limits' };
  const dataSource = await createDataSource(options).initialize();
  try {
    await work(new SetTransferLimits(dataSource));
  } finally {
    await dataSource.destroy();
  }
}
