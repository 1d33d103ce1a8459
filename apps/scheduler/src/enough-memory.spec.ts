import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '@strongroom/runtime';
import { neededMemory, warnOfMemory } from './enough-memory.js';

const mebibyte = 1_048_576;
const config = { engineMemoryBytes: 256 * mebibyte, backupConcurrency: 2, restoreConcurrency: 2, mostBuiltServers: 4 };

describe('the memory of a scheduler', () => {
  it('is enough for itself, for each process that may run at a time, and for each built server', () => {
    expect(neededMemory(config)).toBe(1_024 * mebibyte);
    expect(neededMemory({ ...config, instancesFolder: '/servers' })).toBe((1_536 + 4 * 256) * mebibyte);
  });

  it('is warned of when its container has less, and the warning says what to do', () => {
    const said: string[] = [];
    const log = { warn: (text: unknown) => void said.push(String(text)) };
    for (const enough of [0, 1_024 * mebibyte, 2 ** 64]) warnOfMemory(config, log, enough);
    expect(said).toEqual([]);
    warnOfMemory(config, log, 512 * mebibyte);
    expect(said).toEqual([expect.stringMatching(/has 512 MiB .* need 1024 MiB .* STRONGROOM_ENGINE_MEMORY_MIB/)]);
  });

  it('is in the containers of Compose, also when they build servers', () => {
    const usual = schedulerIn('docker-compose.yml');
    const building = schedulerIn(join('docker', 'compose.built-servers.yml'));
    expect(limitOf(usual)).toBeGreaterThanOrEqual(neededMemory(configOf(usual)));
    const needed = neededMemory(configOf(usual, building));
    expect(needed).toBeGreaterThan(neededMemory(configOf(usual)));
    expect(limitOf(building)).toBeGreaterThanOrEqual(needed);
  });

  it('and the number of processes in these containers are enough when every built server has all that it may have', () => {
    const building = schedulerIn(join('docker', 'compose.built-servers.yml'));
    const { mostBuiltServers, guests } = configOf(building);
    const [, pids] = /pids_limit: (\d+)\n/.exec(building) ?? [];
    expect(Number(pids)).toBeGreaterThanOrEqual(mostBuiltServers * guests.mostProcesses + 512);
  });
});

function schedulerIn(file: string): string {
  const compose = readFileSync(join(__dirname, '..', '..', '..', file), 'utf8');
  return /^ {2}scheduler:\n((?: {4}.*\n)+)/m.exec(compose)?.[1] ?? '';
}

/** Where the limit is a variable, its usual value counts. */
function limitOf(scheduler: string): number {
  return Number(/mem_limit: (?:\$\{\w+:-)?(\d+)m\}?\n/.exec(scheduler)?.[1]) * mebibyte;
}

function configOf(...schedulers: string[]) {
  const given = schedulers.flatMap((text) => [...text.matchAll(/^ {6}(STRONGROOM_\w+): '?(?:\$\{\w+:-)?([^'}\n]+)/gm)]);
  return loadConfig('scheduler', {
    ...Object.fromEntries(given.map(([, name = '', value]) => [name, value])),
    STRONGROOM_DATABASE_URL: 'postgres://ledger@127.0.0.1/ledger',
    STRONGROOM_FEED: 'embedded',
    STRONGROOM_VAULTS: 'DFW=file:///vaults/DFW',
    STRONGROOM_SECRET_KEY: Buffer.alloc(32).toString('base64'),
    STRONGROOM_SECRET_KEY_FILE: undefined,
    // The keys of backups are files in the container.
    STRONGROOM_RECIPIENTS: 'none',
    STRONGROOM_RECIPIENTS_FILE: undefined,
    STRONGROOM_CHAIN_KEY_FILE: undefined,
    STRONGROOM_RESTORE_KEY_FILE: undefined,
  });
}
