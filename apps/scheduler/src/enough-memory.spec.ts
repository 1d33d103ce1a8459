import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '@strongroom/runtime';
import { neededMemory, warnOfMemory } from './enough-memory.js';

const mebibyte = 1_048_576;
const config = { engineMemoryBytes: 256 * mebibyte, backupConcurrency: 2, restoreConcurrency: 2 };

describe('the memory of a scheduler', () => {
  it('is enough for itself and for each process that may run at a time', () => {
    expect(neededMemory(config)).toBe(1_024 * mebibyte);
    expect(neededMemory({ ...config, instancesFolder: '/servers' })).toBe(1_536 * mebibyte);
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
    const compose = readFileSync(join(__dirname, '..', '..', '..', 'docker-compose.yml'), 'utf8');
    const [, scheduler = ''] = /^ {2}scheduler:\n((?: {4}.*\n)+)/m.exec(compose) ?? [];
    const [, limit] = /mem_limit: (\d+)m\n/.exec(scheduler) ?? [];
    const [, engine] = /STRONGROOM_ENGINE_MEMORY_MIB: '(\d+)'/.exec(scheduler) ?? [];
    const given = loadConfig('scheduler', {
      STRONGROOM_DATABASE_URL: 'postgres://ledger@127.0.0.1/ledger',
      STRONGROOM_FEED: 'embedded',
      STRONGROOM_VAULTS: 'DFW=file:///vaults/DFW',
      STRONGROOM_SECRET_KEY: Buffer.alloc(32).toString('base64'),
      STRONGROOM_ENGINE_MEMORY_MIB: engine,
      STRONGROOM_INSTANCES_DIR: '/servers',
    });
    expect(Number(limit) * mebibyte).toBeGreaterThanOrEqual(neededMemory(given));
  });
});
