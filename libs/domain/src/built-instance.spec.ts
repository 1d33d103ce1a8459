import { describe, expect, it } from '@jest/globals';
import type { NewEvent } from '@strongroom/contracts';
import { given } from './given.js';
import { instanceDecider } from './instance.js';

const instanceId = '01a215ed-2b0c-70b1-8cb2-3f01cdee807c';
const backupId = '01a215ed-2e1e-7057-ba0a-a76da3483220';
const datastore = { type: 'postgresql', version: '18' } as const;
const endpoint = { host: '127.0.0.1', port: 5, user: 'postgres', database: 'postgres', tls: 'disable' } as const;
const requested = {
  type: 'InstanceBuildRequested',
  data: { instanceId, name: 'restored', datastore, backupId },
} as const;
const built = {
  type: 'InstanceBuilt',
  data: { instanceId, name: 'restored', datastore, backupId, region: 'DFW', endpoint },
} as const;
const fault = { code: 'server-did-not-start', reason: 'It does not start.' };
const down = { type: 'InstanceServerDown', data: { instanceId, ...fault } } as const;
const up = { type: 'InstanceServerUp', data: { instanceId } } as const;

const having = (...events: NewEvent[]) => given(instanceDecider, events);

describe('a server that is built', () => {
  it('says why it is tried again, as long as it is being built', () => {
    const retryAt = '2026-11-24T00:00:05.000Z';
    const failed = { type: 'FailBuildAttempt', ...fault, retryAt } as const;
    expect(having(requested).when(failed).gives).toEqual([
      { type: 'InstanceBuildAttemptFailed', data: { instanceId, backupId, ...fault, retryAt } },
    ]);
    expect(having(requested, built).when(failed).gives).toEqual([]);
  });

  it('is called down once, and up once, and never before it was built', () => {
    const isDown = { type: 'TellServerDown', ...fault } as const;
    expect(having(requested).when(isDown).gives).toEqual([]);
    expect(having(requested, built).when(isDown).gives).toEqual([down]);
    expect(having(requested, built, down).when(isDown).gives).toEqual([]);
    expect(having(requested, built).when({ type: 'TellServerUp' }).gives).toEqual([]);
    expect(having(requested, built, down).when({ type: 'TellServerUp' }).gives).toEqual([up]);
    expect(having(requested, built, down, up).when(isDown).gives).toEqual([down]);
  });
});
