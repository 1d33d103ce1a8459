import { describe, expect, it } from '@jest/globals';
import type { ScheduleResource } from '@strongroom/contracts';
import { entryOf, type Found, namesOf, planOf } from './schedules-plan.js';

const [shop, bills, other] = ['1', '2', '3'].map((digit) => ({
  id: `01a215f5-0090-7120-90cc-00000000000${digit}`,
  name: `instance ${digit}`,
})) as [Found['instances'][number], Found['instances'][number], Found['instances'][number]];
const schedule = (instance: Found['instances'][number], more: Partial<ScheduleResource> = {}): ScheduleResource => ({
  action: 'backup',
  created: '2026-11-26T03:45:07',
  day_of_month: null,
  day_of_week: 0,
  full_backup_retention: 2,
  hour: 3,
  id: instance.id.replace('01a2', '77a2'),
  instance_id: instance.id,
  last_scheduled: null,
  minute: 5,
  month: null,
  next_run: null,
  running: 0,
  source: { id: instance.id, type: 'instance' },
  updated: '2026-11-26T03:45:07',
  copy_to: ['IAD', 'ORD'],
  paused: false,
  pause_reason: null,
  version: 1,
  ...more,
});
const found: Found = {
  instances: [shop, bills, other],
  schedules: [schedule(shop), schedule(bills)],
  regions: ['IAD', 'ORD'],
};
const entry = (instance: string, more = {}) => ({ instance, at: '03:05', full_on: 'sunday', place: 'f:1:1', ...more });

describe('the plan of a file', () => {
  it('changes what differs, makes what lacks, and leaves all else', () => {
    const entries = [entry(shop.name, { at: '04:00', copy_to: ['ORD', 'IAD'] }), entry(other.id, { paused: true })];
    const plan = planOf(entries, found, { prune: false });
    expect(plan).toMatchObject({
      changes: [
        { change: 'update', instance: shop, fields: [{ field: 'at', from: '03:05', to: '04:00' }] },
        {
          change: 'create',
          instance: other,
          fields: [{ field: 'at' }, { field: 'full_on' }, { field: 'paused', to: true }],
        },
      ],
      unchanged: 0,
      others: 1,
    });
  });

  it('is empty when the file was written from what is there', () => {
    const names = namesOf(found.instances);
    const entries = found.schedules.map((each) => ({ ...entryOf(each, names.get(each.instance_id) ?? ''), place: '' }));
    expect(planOf(entries, found, { prune: true })).toEqual({ changes: [], unchanged: 2, others: 0 });
  });

  it('deletes what the file does not have when that is asked for, and last of all', () => {
    const plan = planOf([entry(other.name)], found, { prune: true });
    expect(plan.changes.map(({ change, instance }) => [change, instance.id])).toEqual([
      ['create', other.id],
      ['delete', shop.id],
      ['delete', bills.id],
    ]);
  });

  it('is refused for an instance that is not there, that has two entries, or whose name has two meanings', () => {
    const twins = { ...found, instances: [shop, bills, { ...other, name: bills.name }] };
    const entries = [
      entry(shop.name),
      entry(shop.id, { place: 'f:5:9' }),
      entry('nobody', { place: 'f:7:9' }),
      entry(bills.name, { place: 'f:9:9', copy_to: ['SYD'] }),
    ];
    const said = () => planOf(entries, twins, { prune: false });
    expect(said).toThrow(/f:5:9: instance .* has an entry already, at f:1:1/);
    expect(said).toThrow(/f:7:9: the account has no instance nobody/);
    expect(said).toThrow(
      `f:9:9: the account has several instances ${bills.name}. Write the id of one of them: ${bills.id}`,
    );
    expect(said).toThrow(/f:9:9: SYD takes no copies here. IAD, ORD would/);
    expect(namesOf(twins.instances).get(bills.id)).toBe(bills.id);
    expect(namesOf(twins.instances).get(shop.id)).toBe(shop.name);
  });
});
