/**
 * What the console knows of the account. It is read once, page by page, and then kept up to date by the stream of events: an event says what has
 * changed, and that is read again. Requests do not grow with schedules times regions.
 */
import type { EventResource, InstanceResource, ScheduleResource } from '@strongroom/contracts';
import { call, pagesOf, Refused } from './api/call.js';
import { listen } from './api/live.js';
import {
  getBackups,
  getBackupsId,
  getInstances,
  getInstancesId,
  getRegions,
  getSchedules,
  getSchedulesId,
} from './api/operations.js';
import { type KnownBackup, knownBackup } from './restorable.js';

export type Region = { name: string; home: boolean; outage: { message: string; since: string } | null };

export interface Known {
  regions: readonly Region[];
  schedules: ReadonlyMap<string, ScheduleResource>;
  instances: ReadonlyMap<string, Pick<InstanceResource, 'id' | 'name'>>;
  /** By instance, the newest first. */
  backups: ReadonlyMap<string, readonly KnownBackup[]>;
  /** `schedules` and `backups` say what is being read; `done` is kept up to date from then on. */
  reading: 'schedules' | 'backups' | 'done';
  /** Whether the backups were read to the end of the list. */
  isAllRead: boolean;
  isLive: boolean;
  /** Why something could not be read; null when all went well. */
  problem: string | null;
}

const nothingKnown: Known = {
  regions: [],
  schedules: new Map(),
  instances: new Map(),
  backups: new Map(),
  reading: 'schedules',
  isAllRead: false,
  isLive: false,
  problem: null,
};

/** No more pages of a list are read. An account with more backups says in each cell what these pages tell. */
const mostPages = 50;
/** Events that come close together are read for together. */
const togetherMs = 250;
/** So many changed backups are read one by one. More are read from the list. */
const mostSingle = 10;

export class Account {
  known = nothingKnown;
  private readonly changed = { schedule: new Set<string>(), instance: new Set<string>(), backup: new Set<string>() };
  private readonly stop: () => void;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private working: Promise<void> = Promise.resolve();
  private isEnded = false;

  /** @param told is called whenever something is known anew @param signedOut is called when the session is over */
  constructor(
    readonly id: string,
    private readonly told: () => void,
    private readonly signedOut: () => void,
    private readonly isResolved: (known: Known) => boolean,
  ) {
    // It listens before it reads, so that nothing lies between.
    this.stop = listen(id, {
      event: (event) => this.heard(event),
      reset: () => this.work(() => this.readAll()),
      live: (isLive) => this.learn({ isLive }),
    });
    this.work(() => this.readAll());
  }

  end(): void {
    this.isEnded = true;
    this.stop();
    clearTimeout(this.timer);
  }

  /** Reads a schedule again that was changed here. */
  scheduleChanged(id: string): void {
    this.changed.schedule.add(id);
    this.readSoon();
  }

  private heard({ subject: { kind, id }, data, instance_id }: EventResource): void {
    if (kind === 'copy') {
      const backupId = typeof data === 'object' && data !== null && 'backupId' in data ? data.backupId : undefined;
      if (typeof backupId === 'string') this.changed.backup.add(backupId);
    } else this.changed[kind].add(id);
    // A schedule tells its last run and whether it runs.
    if (kind === 'backup') {
      for (const schedule of this.known.schedules.values()) {
        if (schedule.instance_id === instance_id) this.changed.schedule.add(schedule.id);
      }
    }
    this.readSoon();
  }

  private readSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.work(() => this.readChanged());
    }, togetherMs);
  }

  /** One after the other, so that what was read last is what is known. */
  private work(task: () => Promise<void>): void {
    this.working = this.working.then(async () => {
      if (this.isEnded) return;
      try {
        await task();
        if (this.known.problem !== null) this.learn({ problem: null });
      } catch (error) {
        if (error instanceof Refused && error.status === 401) this.signedOut();
        else this.learn({ problem: error instanceof Refused ? error.message : String(error) });
      }
    });
  }

  private async readAll(): Promise<void> {
    const accountId = this.id;
    const { regions } = await call(getRegions, { parts: { accountId } });
    this.learn({ regions: [...regions].sort((a, b) => Number(b.home) - Number(a.home) || (a.name < b.name ? -1 : 1)) });
    const instances = new Map<string, Pick<InstanceResource, 'id' | 'name'>>();
    for await (const page of pagesOf(getInstances, accountId, mostPages)) {
      for (const { id, name } of page.instances) instances.set(id, { id, name });
    }
    const schedules = new Map<string, ScheduleResource>();
    for await (const page of pagesOf(getSchedules, accountId, mostPages)) {
      for (const schedule of page.schedules) schedules.set(schedule.id, schedule);
      this.learn({ instances, schedules: new Map(schedules) });
    }
    this.learn({ reading: 'backups' });
    await this.readBackups();
    this.learn({ reading: 'done' });
  }

  /** Reads the list from its newest backup on, until all is told that is shown. */
  private async readBackups(): Promise<void> {
    const all: KnownBackup[] = [];
    let isMore = false;
    for await (const page of pagesOf(getBackups, this.id, mostPages)) {
      all.push(...page.backups.map(knownBackup));
      isMore = page.links.length > 0;
      this.learn({ backups: byInstance(all), isAllRead: !isMore });
      if (this.isResolved(this.known)) return;
    }
  }

  private async readChanged(): Promise<void> {
    const [schedules, instances, backups] = [this.changed.schedule, this.changed.instance, this.changed.backup].map(
      taken,
    );
    if (backups && backups.length > mostSingle) await this.readFromList(backups);
    else for (const id of backups ?? []) await this.readBackup(id);
    for (const id of instances ?? []) {
      const found = await thereOrGone(call(getInstancesId, { parts: { accountId: this.id, id } }));
      this.learn({ instances: replaced(this.known.instances, id, found?.instance) });
    }
    for (const id of schedules ?? []) {
      const found = await thereOrGone(call(getSchedulesId, { parts: { accountId: this.id, id } }));
      this.learn({ schedules: replaced(this.known.schedules, id, found?.schedule) });
    }
  }

  private async readBackup(id: string): Promise<void> {
    const found = await thereOrGone(call(getBackupsId, { parts: { accountId: this.id, id } }));
    this.put([id], found ? [knownBackup(found.backup)] : []);
  }

  /** The newest pages have what has changed lately. What they do not have is read alone. */
  private async readFromList(ids: readonly string[]): Promise<void> {
    const missing = new Set(ids);
    const pages = Math.ceil(ids.length / mostSingle);
    for await (const page of pagesOf(getBackups, this.id, pages)) {
      const read = page.backups.map(knownBackup);
      this.put(
        read.map(({ id }) => id),
        read,
      );
      for (const { id } of read) missing.delete(id);
      if (missing.size === 0) return;
    }
    for (const id of missing) await this.readBackup(id);
  }

  private put(ids: readonly string[], read: readonly KnownBackup[]): void {
    const instead = new Set(ids);
    const others = [...this.known.backups.values()].flat().filter(({ id }) => !instead.has(id));
    this.learn({ backups: byInstance([...others, ...read]) });
  }

  private learn(news: Partial<Known>): void {
    if (this.isEnded) return;
    this.known = { ...this.known, ...news };
    this.told();
  }
}

function taken(ids: Set<string>): string[] {
  const all = [...ids];
  ids.clear();
  return all;
}

function replaced<T>(map: ReadonlyMap<string, T>, id: string, value: T | undefined): Map<string, T> {
  const copy = new Map(map);
  if (value === undefined) copy.delete(id);
  else copy.set(id, value);
  return copy;
}

/** @returns undefined when it is not there any more */
async function thereOrGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return undefined;
    throw error;
  }
}

function byInstance(backups: readonly KnownBackup[]): Map<string, KnownBackup[]> {
  const found = new Map<string, KnownBackup[]>();
  const newestFirst = [...backups].sort((a, b) => (a.createdAt < b.createdAt ? 1 : a.createdAt > b.createdAt ? -1 : 0));
  for (const backup of newestFirst) {
    const list = found.get(backup.instanceId);
    if (list) list.push(backup);
    else found.set(backup.instanceId, [backup]);
  }
  return found;
}
