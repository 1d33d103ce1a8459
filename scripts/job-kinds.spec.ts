import { describe, expect, it } from '@jest/globals';
import { replicatorJobs } from '../apps/replicator/src/replicator-jobs.js';
import { schedulerJobs } from '../apps/scheduler/src/scheduler-jobs.js';
import { type AskedBy, askedWork } from '../libs/domain/src/index.js';
import type { JobKind } from '../libs/runtime/src/index.js';

type Kind = Pick<JobKind<never>, 'kind' | 'queuedBy'>;

/** What is wrong between the descriptors and the work that events ask for: a job of another name would never be done. */
function mismatches(kinds: readonly Kind[], asked: Readonly<Record<string, AskedBy>> = askedWork): string[] {
  return Object.entries(asked).flatMap(([name, askedBy]) => {
    const descriptors = kinds.filter(({ kind }) => kind === name);
    const others = kinds.filter(({ kind, queuedBy }) => kind !== name && queuedBy === askedBy);
    return [
      ...(descriptors.length === 1 ? [] : [`askedWork.${name} has ${descriptors.length} descriptors`]),
      ...descriptors
        .filter(({ queuedBy }) => queuedBy !== askedBy)
        .map(() => `${name} is not queued by askedWork.${name}`),
      ...others.map(({ kind }) => `${kind} is queued by askedWork.${name}`),
    ];
  });
}

describe('the work that events ask for', () => {
  it('has one descriptor for each kind, in the list of one app', () => {
    expect(mismatches([...schedulerJobs, ...replicatorJobs])).toEqual([]);
  });

  it.each<[string, Kind[], string[]]>([
    ['no descriptor', [], ['askedWork.plan has 0 descriptors']],
    [
      'one whose kind is misspelt',
      [{ kind: 'plam', queuedBy: askedWork.plan }],
      ['askedWork.plan has 0 descriptors', 'plam is queued by askedWork.plan'],
    ],
    [
      "one with another kind's events",
      [{ kind: 'plan', queuedBy: askedWork.copy }],
      ['plan is not queued by askedWork.plan'],
    ],
  ])('is found with %s', (_, kinds, told) => {
    expect(mismatches(kinds, { plan: askedWork.plan })).toEqual(told);
  });
});
