import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { aboutItself } from '../../../../../test/services/hostile-servers.js';
import { ScriptedServer } from '../../../../../test/services/scripted-server.js';
import { RunnerWorld } from '../../../fixtures/runner-world.js';
import { BackupAttempt } from './backup-attempt.js';

/** What a database does not store, or a terminal does not show. */
const quoted = aboutItself.filter(([what]) => /\\u00(00|1b|9b)/.test(what));

describe('what a hostile server says of itself', () => {
  let world: RunnerWorld;
  beforeAll(async () => {
    world = await RunnerWorld.create();
  }, 120_000);
  afterAll(() => world.remove());

  it('is recorded as the reason of one failed backup, however it says it', async () => {
    expect(quoted.length).toBeGreaterThan(2);
    for (const [what, { script, code }] of quoted) {
      const server = await ScriptedServer.start(script);
      try {
        const customer = { host: '127.0.0.1', port: server.port, user: 'backup', password: 'secret' };
        const backupId = await world.request(await world.register(customer));
        const parts = { ...world, vaults: { regions: ['DFW'] } };
        const performed = await new BackupAttempt(parts, world.job('backup', backupId), world.hold()).perform();
        const last = (await world.ledger.readStream(streamOf('backup', backupId))).at(-1);
        const reason = last?.type === 'BackupFailed' ? last.data.reason : '';
        expect([what, performed, last]).toMatchObject([what, 'finished', { type: 'BackupFailed', data: { code } }]);
        expect(reason.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
      } finally {
        await server.stop();
      }
    }
  }, 120_000);
});
