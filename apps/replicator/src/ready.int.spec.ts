import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { ReadyService } from '../../../test/services/ready-service.js';
import { replicatorModule } from './replicator.module.js';

let service: ReadyService;
beforeAll(async () => {
  service = await ReadyService.open('replicator', replicatorModule);
});
afterAll(() => service.close());

describe('a replicator', () => {
  it('is ready when jobs are looked for, and events are taken', () => service.isReady('database', 'jobs', 'feed'));

  it.each([
    ['jobs', 'job', 'jobs fails'],
    ['feed', 'feed_offset', 'news of the ledger fails'],
  ])('is not ready while %s are not looked for, and says so', async (name, table, told) => {
    await service.isNotReadyWithout(table, name, told);
    await service.isReady();
  });

  it('takes the limits of transfers that an operator sets while it runs', () => service.takesLimits());

  it('tells which limits of transfers it keeps to', () => service.tellsLimits());
});
