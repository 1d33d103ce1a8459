/**
 * What has to change so that the schedules of an account are as a file says. It is made from what is there now, so a plan that was carried
 * out in part is followed by one that has the rest.
 */
import type { InstanceResource, ScheduleResource } from '@strongroom/contracts';
import { type PlacedEntry, type ScheduleEntry, wrong } from './schedules-file.js';
import { days } from './timing-options.js';

const fieldNames = ['at', 'full_on', 'keep_fulls', 'copy_to', 'paused', 'pause_reason'] as const;
export type Field = (typeof fieldNames)[number];
export type FieldValue = string | number | boolean | string[];

interface Differing {
  instance: Pick<InstanceResource, 'id' | 'name'>;
  /** Of a new schedule: all that the file has. Of one that goes: none. */
  fields: { field: Field; from: FieldValue | null; to: FieldValue }[];
}

export type PlannedChange =
  | (Differing & { change: 'create'; entry: ScheduleEntry; schedule?: undefined })
  | (Differing & { change: 'update'; entry: ScheduleEntry; schedule: ScheduleResource })
  | (Differing & { change: 'delete'; schedule: ScheduleResource });

export interface Plan {
  changes: PlannedChange[];
  /** The schedules that are as the file says. */
  unchanged: number;
  /** The schedules that the file does not have, and that stay. */
  others: number;
}

/** What is there now. */
export interface Found {
  instances: readonly Pick<InstanceResource, 'id' | 'name'>[];
  schedules: readonly ScheduleResource[];
  /** The regions that take copies. */
  regions: readonly string[];
}

/**
 * @param prune whether schedules go that the file does not have
 * @throws {UsageFault} naming with its place what the account does not have, or what the file has twice
 */
export function planOf(entries: readonly PlacedEntry[], found: Found, { prune }: { prune: boolean }): Plan {
  const matched = matchedWith(entries, found);
  const byInstance = new Map(found.schedules.map((schedule) => [schedule.instance_id, schedule]));
  const planned = matched.map(({ entry, instance }) => plannedOf(entry, instance, byInstance.get(instance.id)));
  const named = new Set(matched.map(({ instance }) => instance.id));
  const others = found.schedules.filter(({ instance_id }) => !named.has(instance_id));
  const changes = planned.filter(({ fields }) => fields.length > 0);
  return {
    changes: [...changes, ...(prune ? others.map((schedule) => deletionOf(schedule, found)) : [])],
    unchanged: planned.length - changes.length,
    others: prune ? 0 : others.length,
  };
}

/** A schedule as the file has it. @param name the name of its instance, or its id where the name does not tell it */
export function entryOf(schedule: ScheduleResource, name: string): ScheduleEntry {
  const { pause_reason, ...definition } = definitionOf(schedule);
  return { instance: name, ...definition, ...(pause_reason !== null && { pause_reason }) };
}

/** The names by which a file tells the instances apart: the id stands for a name that several have, or that is another's id. */
export function namesOf(instances: Found['instances']): Map<string, string> {
  const ids = new Set(instances.map(({ id }) => id));
  const counts = new Map<string, number>();
  for (const { name } of instances) counts.set(name, (counts.get(name) ?? 0) + 1);
  const isClear = (name: string) => counts.get(name) === 1 && !ids.has(name.toLowerCase());
  return new Map(instances.map(({ id, name }) => [id, isClear(name) ? name : id]));
}

function matchedWith(entries: readonly PlacedEntry[], { instances, regions }: Found) {
  const byId = new Map(instances.map((each) => [each.id, each]));
  const byName = groupedByName(instances);
  const problems: string[] = [];
  const places = new Map<string, string>();
  const matched = entries.flatMap((entry) => {
    const { place, instance: name, copy_to = [] } = entry;
    const own = byId.get(name);
    const candidates = own ? [own] : (byName.get(name) ?? []);
    const [instance] = candidates;
    const unknown = copy_to.filter((region) => !regions.includes(region));
    if (unknown.length > 0)
      problems.push(`${place}: ${unknown.join(', ')} takes no copies here. ${listOf(regions)} would.`);
    if (!instance) {
      problems.push(`${place}: the account has no instance ${name}. See what there is: strongroom instance list`);
      return [];
    }
    if (candidates.length > 1) {
      const ids = candidates.map(({ id }) => id).join(', ');
      problems.push(`${place}: the account has several instances ${name}. Write the id of one of them: ${ids}`);
      return [];
    }
    const before = places.get(instance.id);
    if (before !== undefined) problems.push(`${place}: instance ${name} has an entry already, at ${before}.`);
    places.set(instance.id, place);
    return [{ entry, instance }];
  });
  if (problems.length > 0) throw wrong(problems);
  return matched;
}

function groupedByName(instances: Found['instances']): Map<string, Pick<InstanceResource, 'id' | 'name'>[]> {
  const grouped = new Map<string, Pick<InstanceResource, 'id' | 'name'>[]>();
  for (const each of instances) grouped.set(each.name, [...(grouped.get(each.name) ?? []), each]);
  return grouped;
}

function listOf(regions: readonly string[]): string {
  return regions.length > 0 ? regions.join(', ') : 'No region';
}

function plannedOf(
  entry: PlacedEntry,
  instance: PlannedChange['instance'],
  schedule: ScheduleResource | undefined,
): PlannedChange {
  const now = schedule && definitionOf(schedule);
  const fields = fieldNames.flatMap((field) => {
    const to = entry[field];
    const from = now?.[field] ?? null;
    return to === undefined || isSame(from, to) ? [] : [{ field, from, to }];
  });
  return schedule
    ? { change: 'update', instance, entry, schedule, fields }
    : { change: 'create', instance, entry, fields };
}

function deletionOf(schedule: ScheduleResource, { instances }: Found): PlannedChange {
  const { instance_id: id } = schedule;
  const instance = instances.find((each) => each.id === id) ?? { id, name: id };
  return { change: 'delete', instance, schedule, fields: [] };
}

function definitionOf(schedule: ScheduleResource) {
  const { hour, minute, day_of_week, full_backup_retention, copy_to, paused, pause_reason } = schedule;
  const two = (number: number) => String(number).padStart(2, '0');
  return {
    at: `${two(hour)}:${two(minute)}`,
    full_on: days[day_of_week] ?? String(day_of_week),
    keep_fulls: full_backup_retention,
    copy_to,
    paused,
    pause_reason,
  };
}

/** The order of the regions means nothing. */
function isSame(one: FieldValue | null, other: FieldValue): boolean {
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((each) => other.includes(each));
  return one === other;
}
