import { expect, it } from '@jest/globals';
import { type AskedBy, askedWork } from '@strongroom/domain';
import { replicatorJobs } from '../apps/replicator/src/replicator-jobs.js';
import { schedulerJobs } from '../apps/scheduler/src/scheduler-jobs.js';

/** Kinds of jobs that events add and that no app does, or that an app hears of in another way than the ledger. */
function unmatched(asked: Record<string, AskedBy>): string[] {
  const kinds = [...schedulerJobs, ...replicatorJobs];
  return Object.entries(asked)
    .filter(([name, queuedBy]) => !kinds.some((kind) => kind.kind === name && kind.queuedBy === queuedBy))
    .map(([name]) => name);
}

it('each kind of work that an event asks for is done by an app, and is queued by the same events there', () => {
  expect(unmatched(askedWork)).toEqual([]);
  expect(unmatched({ ...askedWork, drill: askedWork.backup, copy: { ...askedWork.copy } })).toEqual(['copy', 'drill']);
});
