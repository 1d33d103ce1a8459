import { expect, it } from '@jest/globals';
import type { RunResource } from '@strongroom/contracts';
import { calendarOf } from './calendar.js';

const run = (slot: string, fields: Partial<RunResource>): RunResource => ({
  id: slot,
  slot,
  outcome: 'ran',
  reason: null,
  made_full: null,
  type: 'full',
  full_because: null,
  fault: null,
  retry_at: null,
  failed_attempts: [],
  delays: [],
  not_deleted_because: null,
  backup_id: slot,
  backup_status: 'COMPLETED',
  copies: [],
  ...fields,
});
const now = new Date('2027-02-03T12:00:00Z');

it('has twelve months with their days, and the worst of a day with two slots', () => {
  const months = calendarOf(
    [
      run('2027-02-04T03:15:00.000Z', { outcome: 'coming' }),
      run('2027-02-03T03:15:00.000Z', { backup_status: 'BUILDING' }),
      run('2027-02-02T14:30:00.000Z', { backup_status: null, fault: { code: 'server-unreachable', message: 'away' } }),
      run('2027-02-02T03:15:00.000Z', { backup_status: null }),
      run('2027-02-01T03:15:00.000Z', { outcome: 'missed', backup_status: null }),
      run('2026-02-28T03:15:00.000Z', {}),
    ],
    now,
  );
  expect(months.map(({ name, days }) => `${name} ${days.length}`)).toEqual([
    ...['2027-02 28', '2027-01 31', '2026-12 31', '2026-11 30', '2026-10 31', '2026-09 30'],
    ...['2026-08 31', '2026-07 31', '2026-06 30', '2026-05 31', '2026-04 30', '2026-03 31'],
  ]);
  expect(months[0]?.days.slice(0, 4)).toEqual(['missed', 'failed', 'running', undefined]);
  expect(months.slice(1).flatMap(({ days }) => days.filter((day) => day !== undefined))).toEqual([]);
});
