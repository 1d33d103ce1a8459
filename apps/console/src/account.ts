/**
 * What the console knows of the account. It is read once, page by page, and then kept up to date by the stream of events: an event says what has
 * changed, and that is read again. Requests do not grow with schedules times regions.
 */
import type {
  EventResource,
  InstanceResource,
  RegionResource,
  RestorableResource,
  ScheduleResource,
} from '@strongroom/contracts';
import { call, messageOf, pagesOf, Refused } from './api/call.js';
import { listen } from './api/live.js';
import { getInstances, getRegions, getRestorable, getSchedules } from './api/operations.js';

export interface Known {
  /** The home region first. */
  regions: readonly RegionResource[];
  /** What can be restored, by schedule. */
  restorable: ReadonlyMap<string, RestorableResource>;
  schedules: ReadonlyMap<string, ScheduleResource>;
  /** One of the instances, when there is no schedule. */
  anInstance: Pick<InstanceResource, 'id' | 'name'> | null;
  /** What was heard since the page was opened, the newest first, no more than are shown. */
  events: readonly EventResource[];
  /** What is being read for the first time; `done` is kept up to date from then on. */
  reading: 'restorable' | 'schedules' | 'done';
  isLive: boolean;
  /** Why something could not be read; null when all went well. */
  problem: string | null;
}

const nothingKnown: Known = {
  regions: [],
  restorable: new Map(),
  schedules: new Map(),
  anInstance: null,
  events: [],
  reading: 'restorable',
  isLive: false,
  problem: null,
};

/** No more pages of a list are read. */
export const mostPages = 50;
/** So many rows are asked for at first, which is more than a screen shows: a large page is there later. */
const firstRows = 20;
/** So many of the events that were heard are kept. */
const mostEvents = 500;
/** Events that come close together are read for together. */
const togetherMs = 250;
/** What could not be read is read again after this time. */
const againMs = 5_000;
/** So many changed instances are read one by one. For more, the lists are read. */
const mostSingle = 10;

export class Account {
  known = nothingKnown;
  /** The instances of which something has changed since it was read. */
  private readonly changed = new Set<string>();
  /** Whether everything is to be read: nothing was yet, or events were missed. */
  private isAllUnread = true;
  private readonly stop: () => void;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private working: Promise<void> = Promise.resolve();
  private isEnded = false;

  /** @param told is called whenever something is known anew @param signedOut is called when the session is over */
  constructor(
    readonly id: string,
    private readonly told: () => void,
    private readonly signedOut: () => void,
  ) {
    // It listens before it reads, so that nothing lies between.
    this.stop = listen(id, {
      event: (event) => this.heard(event),
      reset: () => {
        this.isAllUnread = true;
        this.work(() => this.readUnread());
      },
      live: (isLive) => this.learn({ isLive }),
    });
    this.work(() => this.readUnread());
  }

  end(): void {
    this.isEnded = true;
    this.stop();
    clearTimeout(this.timer);
  }

  /** Reads what belongs to an instance again, because something of it was changed here. */
  instanceChanged(id: string): void {
    this.changed.add(id);
    this.readSoon(togetherMs);
  }

  private heard(event: EventResource): void {
    this.learn({ events: [event, ...this.known.events].slice(0, mostEvents) });
    // Whoever shows webhooks reads them.
    if (event.subject.kind !== 'webhook') this.instanceChanged(event.instance_id);
  }

  private readSoon(afterMs: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.work(() => this.readUnread());
    }, afterMs);
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
        else this.learn({ problem: messageOf(error) });
      }
    });
  }

  private async readAll(): Promise<void> {
    const parts = { accountId: this.id };
    // The first rows need both, so nobody waits for one of them before the other is asked for.
    const regions = this.readRegions();
    await Promise.all([regions, this.readLists(regions)]);
    if (this.known.restorable.size === 0) {
      const { instances } = await call(getInstances, { parts, query: { limit: 1 } });
      this.learn({ anInstance: instances[0] ?? null });
    }
    this.learn({ reading: 'done' });
  }

  private async readRegions(): Promise<void> {
    const { regions } = await call(getRegions, { parts: { accountId: this.id } });
    this.learn({ regions: homeFirst(regions) });
  }

  /** @param before what must be known before anything of the lists is shown */
  private async readLists(before?: Promise<void>): Promise<void> {
    const parts = { accountId: this.id };
    const restorable = new Map<string, RestorableResource>();
    for await (const page of pagesOf(getRestorable, { parts }, mostPages, firstRows)) {
      await before;
      for (const each of page.restorable) restorable.set(each.id, each);
      if (this.known.reading !== 'done') this.learn({ restorable: new Map(restorable) });
    }
    this.learn({ restorable, ...(this.known.reading !== 'done' && { reading: 'schedules' }) });
    const schedules = new Map<string, ScheduleResource>();
    for await (const page of pagesOf(getSchedules, { parts }, mostPages)) {
      for (const schedule of page.schedules) schedules.set(schedule.id, schedule);
    }
    this.learn({ schedules });
  }

  /** What could not be read stays noted, and is read again. */
  private async readUnread(): Promise<void> {
    const ids = [...this.changed];
    const isAll = this.isAllUnread;
    // An event that comes while they are read notes its instance anew.
    this.changed.clear();
    this.isAllUnread = false;
    try {
      if (isAll) await this.readAll();
      else if (ids.length > mostSingle) await this.readLists();
      else for (const id of ids) await this.readInstance(id);
    } catch (error) {
      for (const id of ids) this.changed.add(id);
      this.isAllUnread ||= isAll;
      this.readSoon(againMs);
      throw error;
    }
  }

  private async readInstance(id: string): Promise<void> {
    const asked = { parts: { accountId: this.id }, query: { instance_id: id } };
    const { restorable } = await call(getRestorable, asked);
    const { schedules } = await call(getSchedules, asked);
    this.learn({
      restorable: replaced(this.known.restorable, id, restorable),
      schedules: replaced(this.known.schedules, id, schedules),
    });
  }

  private learn(news: Partial<Known>): void {
    if (this.isEnded) return;
    this.known = { ...this.known, ...news };
    this.told();
  }
}

/** The regions by name, the home region first. */
export function homeFirst(regions: readonly RegionResource[]): RegionResource[] {
  return [...regions].sort((a, b) => Number(b.home) - Number(a.home) || (a.name < b.name ? -1 : 1));
}

/** The map with these in the place of what belongs to the instance. */
function replaced<T extends { id: string; instance_id: string }>(
  map: ReadonlyMap<string, T>,
  instanceId: string,
  found: readonly T[],
): Map<string, T> {
  const others = [...map].filter(([, { instance_id }]) => instance_id !== instanceId);
  return new Map([...others, ...found.map((each) => [each.id, each] as const)]);
}
