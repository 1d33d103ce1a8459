import { describe, expect, it } from '@jest/globals';
import { backupResponse, eventResource, instanceResponse } from '@strongroom/contracts';
import { parseAnswer } from './answer.js';

const id = '44b277eb-39be-4921-be31-3d61b43651d7';
const at = '2026-11-14T14:30:00.000Z';
/** As the first version of the service answered. */
const older = {
  ...{ id, name: 'by hand', description: null, status: 'COMPLETED', created: at, updated: at, instance_id: id },
  ...{
    source: { id, type: 'instance' },
    parent_id: null,
    size: 5,
    size_bytes: 5_000_000_000,
    locationRef: 'strongroom://DFW/x',
  },
  ...{
    datastore: { type: 'postgresql', version: '18', version_id: id },
    is_automated: 0,
    type: 'full',
    schedule_id: null,
  },
  ...{ checksum: 'a', progress: 100, fault: null, started: at, completed: at },
  copies: [
    {
      ...{ id, region: 'IAD', source_region: 'DFW', status: 'FAILED', progress: 0, attempt: 1, size_bytes: null },
      ...{ checksum: null, verified: false, locationRef: null, fault: { code: 'vault-full', message: 'Full.' } },
      ...{ retry_at: null, created: at, updated: at, started: null, completed: null },
    },
  ],
};

describe('an answer of an older service', () => {
  it('is understood: what was added since is null, or an empty list, or what the contract says', () => {
    const [copy] = older.copies;
    expect(parseAnswer(backupResponse, { backup: older })).toEqual({
      backup: {
        ...older,
        ...{
          made_full: null,
          full_because: null,
          lineage: null,
          another_server: null,
          encrypted_for: null,
          warnings: [],
          attempt: 0,
        },
        ...{ retry_at: null, retry_until: null, failed_attempts: [], delays: [], not_deleted_because: null },
        ...{ deleted: null, hold: null, keep_until: null, whole_in: [], verified_at: null, verified_by: null },
        restore_tests: [],
        copies: [
          {
            ...copy,
            ...{ fault: { code: 'vault-full', message: 'Full.', since: null }, waits_for: null },
            ...{ verified_at: null, verified_by: null, state: null },
          },
        ],
      },
    });
    const instance = {
      ...{ id, name: 'orders', status: 'ACTIVE', datastore: { type: 'postgresql', version: '18' } },
      ...{ flavor: { id: '0', links: [] }, volume: { size: 0 }, hostname: 'db', port: 5432, schedule: null },
      ...{ created: '2026-11-14T14:30:00', updated: '2026-11-14T14:30:00' },
    };
    expect(parseAnswer(instanceResponse, { instance })).toMatchObject({
      instance: { ...instance, operating_status: 'UNKNOWN', connection: null, lineages: [], links: [], warning: null },
    });
    const event = {
      ...{ id, type: 'BackupHeld', at, subject: { kind: 'backup', id }, version: 1, instance_id: id, data: {} },
      ...{ request_id: 'r', correlation_id: 'r', causation_id: null, actor: 'jane' },
    };
    expect(parseAnswer(eventResource, event)).toEqual({
      ...event,
      ...{ actor_details: null, reason: null, client_request_id: null, client_correlation_id: null },
    });
  });

  it('may have a value of a newer one beside', () => {
    const backup = { ...older, status: 'PAUSED' };
    expect(parseAnswer(backupResponse, { backup })).toMatchObject({ backup: { status: 'PAUSED', hold: null } });
  });

  it.each(['id', 'name', 'created', 'source'])(
    'is none of the contract without what every service answers, such as %s',
    (name) => {
      expect(() => parseAnswer(backupResponse, { backup: { ...older, [name]: undefined } })).toThrow();
    },
  );

  it.each([undefined, null, 'text', [], { backup: null }, { backup: [] }])('is none of the contract as %j', (body) => {
    expect(() => parseAnswer(backupResponse, body)).toThrow();
  });
});
