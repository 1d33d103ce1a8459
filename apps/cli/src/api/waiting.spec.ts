import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Client } from '@strongroom/client';
import { type BackupResource, backupResource } from '@strongroom/contracts';
import { IncompleteFault } from '../command-fault.js';
import { Session } from './session.js';
import { Paces, waitFor } from './waiting.js';

const connection = { url: 'http://127.0.0.1:1', account: 'acme', token: 'secret', profile: undefined };
const at = '2026-11-26T03:45:08.177Z';
const asked: BackupResource = {
  ...{ id: '01a215f5-024d-71e2-8f62-5d8c74389f2c', name: 'nightly', description: null, status: 'NEW' },
  ...{ created: at, updated: at, instance_id: 'orders', source: { id: 'orders', type: 'instance' }, parent_id: null },
  ...{ size: null, size_bytes: null, locationRef: null, whole_in: [], verified_at: null, verified_by: null },
  restore_tests: [],
  ...{ datastore: { type: 'postgresql', version: '18', version_id: '18' }, is_automated: 0, type: 'full' },
  ...{ schedule_id: null, checksum: null, made_full: null, full_because: null, lineage: null, another_server: null },
  ...{ encrypted_for: null, warnings: [], progress: 0, attempt: 0, fault: null, retry_at: null, retry_until: null },
  ...{ failed_attempts: [], delays: [], not_deleted_because: null, deleted: null, hold: null, keep_until: null },
  ...{ started: null, completed: null, copies: [] },
};
const copy = {
  ...{ id: 'copy', region: 'IAD', source_region: 'DFW', status: 'FAILED', progress: 0, attempt: 3, size_bytes: null },
  ...{ checksum: null, verified: false, verified_at: null, verified_by: null, state: 'OWED', locationRef: null },
  ...{ fault: null, retry_at: null, waits_for: null, created: at, updated: at, started: null, completed: null },
};

/** A session with a service that answers so, one time after the other, and is away where there is no answer. */
function sessionOf(...answers: (Partial<Record<keyof BackupResource, unknown>> | undefined)[]): Session {
  const fetch = async () => {
    const next = answers.shift();
    if (next === undefined) throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });
    const backup = backupResource.parse({ ...asked, ...next });
    return new Response(JSON.stringify({ backup }), { headers: { 'content-type': 'application/json' } });
  };
  const client = new Client({ baseUrl: connection.url, accountId: connection.account, fetch });
  return new Session(client, connection, 'backup', { input: false }, new AbortController().signal);
}

const said = { out: '', err: '' };
beforeEach(() => {
  Object.assign(said, { out: '', err: '' });
  for (const [stream, kind] of [
    ['stdout', 'out'],
    ['stderr', 'err'],
  ] as const)
    jest.spyOn(process[stream], 'write').mockImplementation((text) => {
      said[kind] += String(text);
      return true;
    });
});
afterEach(() => {
  jest.restoreAllMocks();
});

describe('to wait for a backup', () => {
  it('goes on while the service is away, and says so', async () => {
    const session = sessionOf(undefined, { status: 'COMPLETED', progress: 100 });
    await waitFor(session, asked, [], { wait: true, json: true });
    const told = said.err
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(told).toMatchObject([
      { message_type: 'status', status: 'NEW' },
      { message_type: 'warning', message: expect.stringContaining('ECONNREFUSED') },
      { message_type: 'status', status: 'COMPLETED', percent_done: 100 },
    ]);
    expect(JSON.parse(said.out)).toMatchObject({ backup: { status: 'COMPLETED' } });
  });

  it('is not over while a copy is tried again, and ends as incomplete when it has failed for good', async () => {
    const completed = { status: 'COMPLETED', progress: 100 };
    const again = { ...completed, copies: [{ ...copy, retry_at: at }] };
    const waited = waitFor(sessionOf(again, { ...completed, copies: [copy] }), asked, ['IAD'], { wait: true });
    await expect(waited).rejects.toBeInstanceOf(IncompleteFault);
    await expect(waited).rejects.toThrow('has no copy in IAD. See why: strongroom explain');
    expect(said.out).toContain('COPIES');
  });

  it('does not begin without being asked for', async () => {
    await waitFor(sessionOf(), asked, ['IAD'], {});
    expect(said.out).toContain('NEW');
  });
});

describe('a copy that comes', () => {
  const coming = (progress: number) => ({ region: 'IAD', status: 'COPYING', progress, size_bytes: 1_000 }) as const;

  it('has the rate and the seconds that are left by what it has brought since it was seen first', () => {
    const paces = new Paces();
    expect(paces.of(coming(10), 5_000)).toEqual({});
    expect(paces.of(coming(10), 6_000)).toEqual({});
    expect(paces.of(coming(30), 7_000)).toEqual({ bytes_per_second: 100, seconds_left: 7 });
    expect(paces.of({ ...coming(30), size_bytes: null }, 7_000)).toEqual({ seconds_left: 7 });
  });

  it('is measured anew when it begins again', () => {
    const paces = new Paces();
    paces.of(coming(50), 0);
    expect(paces.of(coming(5), 1_000)).toEqual({});
    expect(paces.of(coming(15), 2_000)).toEqual({ bytes_per_second: 100, seconds_left: 9 });
    expect(paces.of({ ...coming(100), status: 'COMPLETED' }, 3_000)).toEqual({});
  });
});
