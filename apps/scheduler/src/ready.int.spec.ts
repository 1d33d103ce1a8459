import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { ReadyService } from '../../../test/services/ready-service.js';
import { schedulerModule } from './scheduler.module.js';

let service: ReadyService;
beforeAll(async () => {
  service = await ReadyService.open('scheduler', schedulerModule);
});
afterAll(() => service.close());

describe('a scheduler', () => {
  it('is ready when slots and jobs are looked for, and events are taken', () =>
    service.isReady('database', 'slots', 'jobs', 'feed'));

  it.each([
    ['slots', 'slot_timer', 'slot dispatcher fails'],
    ['jobs', 'job', 'jobs fails'],
    ['feed', 'feed_offset', 'news of the ledger fails'],
  ])('is not ready while %s are not looked for, and says so', async (name, table, told) => {
    await service.isNotReadyWithout(table, name, told);
    await service.isReady();
  });

  it('takes the limits of transfers that an operator sets while it runs', () => service.takesLimits());
});
