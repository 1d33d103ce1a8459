/** The job of telling anew why the backups of an instance are kept that have had their time. It deletes nothing. */
import { askedWork } from '@strongroom/domain';
import type { JobKind } from '@strongroom/runtime';
import type { SchedulerParts } from '../../scheduler-parts.js';
import { Retention } from './retention.js';

export const retentionReasonsJob: JobKind<SchedulerParts> = {
  kind: 'retention-reasons',
  queuedBy: askedWork['retention-reasons'],
  concurrency: () => 2,
  async perform(parts, { id, accountId }) {
    await parts.views.catchUp(accountId);
    await new Retention(parts).tellReasons(accountId, id);
    return 'finished';
  },
};
