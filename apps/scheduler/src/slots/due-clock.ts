/** The clock that says which slots are due. */
import { readFileSync } from 'node:fs';
import { hostname, uptime } from 'node:os';
import type { Clock, Logger, Metrics } from '@strongroom/runtime';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { type Known, type SteadyReading, SteadyTime } from './steady-time.js';

export interface DueTime {
  now: Date;
  /** Whether clocks contradict each other: no slot may be called missed then. */
  isInDoubt: boolean;
  /** How long the time was in doubt lately, in milliseconds. A slot may be late by this much more. */
  doubtMs: number;
  /**
   * Whether some clock is wrong, though perhaps not the time told here. The timers that such a clock may have set are
   * then checked.
   */
  isSuspect: boolean;
  /** When schedulers were last seen before now, where this clock has looked that up: at its start, and after a pause. */
  seenAt?: Date | undefined;
}

/** Asks the database for its time, perhaps together with something else. */
export type AskTime = (manager: EntityManager) => Promise<Date>;

export abstract class DueClock {
  /** @param ask how the database is asked, by a clock that asks it. Default: for its time alone */
  abstract now(manager: EntityManager, ask?: AskTime): Promise<Date>;

  /** The time, and how far it can be relied on. By default a clock relies on itself. */
  async time(manager: EntityManager, ask?: AskTime): Promise<DueTime> {
    return { now: await this.now(manager, ask), isInDoubt: false, doubtMs: 0, isSuspect: false };
  }
}

/** The time that slots go by, for others that must not be early. */
export interface SlotTime {
  /** Undefined when it was not read lately. */
  latest(): Pick<DueTime, 'now' | 'isInDoubt'> | undefined;
}

const askForTimeAlone: AskTime = async (manager) => {
  const rows: unknown = await manager.query('select clock_timestamp() as now');
  const [row] = z.array(z.object({ now: z.date() })).parse(rows);
  if (!row) throw new Error('the database gave no time');
  return row.now;
};

export class DatabaseDueClock extends DueClock {
  now(manager: EntityManager, ask = askForTimeAlone): Promise<Date> {
    return ask(manager);
  }
}

export interface SteadyDueClockParts {
  database: DueClock;
  process: Clock;
  /** Milliseconds since the host was booted. */
  uptimeMs: () => number;
  /** Names the boot that the time counts from. Undefined when the boot is not known. */
  boot: string | undefined;
  catchUpMs: number;
  metrics: Metrics;
  log: Logger;
}

const keepEachMs = 60_000;
/** What was read longer ago says nothing of a clock that has jumped since. */
const freshForMs = 60_000;
/** How far the time may have moved, slowly, since it was written down. */
const longestSlewMs = 60_000;
/** A host that is gone for this long is forgotten. */
const keptForMs = 30 * 86_400_000;
/** A host that has told nothing new for this long does not count. */
const toldForMs = 3 * keepEachMs;
const tellings = z.array(z.object({ boot: z.string(), seenAtMs: z.number() }));
const kept = z.array(z.object({ bootedAtMs: z.number().nullable(), seenAtMs: z.number().nullable() })).length(1);

const seen = z.array(z.object({ seenAtMs: z.number().nullable() })).length(1);

/** The steady time of this host's schedulers, which outlives each of them. */
export class SteadyDueClock extends DueClock implements SlotTime {
  private steady: SteadyTime | undefined;
  private keptAt: { uptimeMs: number; bootedAtMs: number } | undefined;
  /** The time since boot when this process read the time last. */
  private readAtMs: number | undefined;
  private problem: SteadyReading['problem'] = 'none';
  private last: { nowMs: number; uptimeMs: number; isInDoubt: boolean } | undefined;
  /** What each other host told last, and when that was new, by the boot of that host. */
  private readonly told = new Map<string, { seenAtMs: number; uptimeMs: number | undefined }>();
  private readonly disagreement;

  constructor(private readonly parts: SteadyDueClockParts) {
    super();
    this.disagreement = parts.metrics.gauge({
      name: 'strongroom_clock_disagreement_seconds',
      help: 'By how far the worse of the database’s clock and this process’s differs from the time that slots are judged by.',
    });
  }

  async now(manager: EntityManager, ask?: AskTime): Promise<Date> {
    return (await this.time(manager, ask)).now;
  }

  override async time(manager: EntityManager, ask?: AskTime): Promise<DueTime> {
    const { database, process, uptimeMs, catchUpMs } = this.parts;
    const seenAt = await this.seenAfterPause(manager, uptimeMs());
    this.steady ??= new SteadyTime(catchUpMs, await this.before(manager, uptimeMs()));
    const databaseMs = (await database.now(manager, ask)).getTime();
    const own = { databaseMs, processMs: process.now().getTime(), uptimeMs: uptimeMs() };
    const times = { ...own, othersMs: await this.others(manager, own.uptimeMs) };
    const { nowMs, isInDoubt, doubtMs, disagreementMs, problem } = this.steady.read(times);
    this.disagreement.set(disagreementMs / 1_000);
    this.tell(problem, disagreementMs);
    await this.keep(manager, times.uptimeMs);
    this.last = { nowMs, uptimeMs: own.uptimeMs, isInDoubt };
    return { now: new Date(nowMs), isInDoubt, doubtMs, isSuspect: isInDoubt || problem !== 'none', seenAt };
  }

  /** It asks nothing, so that whoever decides the slots misses no news of it. */
  latest(): Pick<DueTime, 'now' | 'isInDoubt'> | undefined {
    if (!this.last) return undefined;
    const passedMs = this.parts.uptimeMs() - this.last.uptimeMs;
    if (passedMs < 0 || passedMs > freshForMs) return undefined;
    return { now: new Date(this.last.nowMs + passedMs), isInDoubt: this.last.isInDoubt };
  }

  /** When a scheduler of any host last wrote down the time. It is asked for when this process has not looked for a while. */
  private async seenAfterPause(manager: EntityManager, uptimeMs: number): Promise<Date | undefined> {
    const isPause = this.readAtMs === undefined || uptimeMs - this.readAtMs >= keepEachMs;
    this.readAtMs = uptimeMs;
    if (!isPause) return undefined;
    const rows: unknown = await manager.query('select max(seen_at_ms) as "seenAtMs" from steady_time');
    const [{ seenAtMs } = { seenAtMs: null }] = seen.parse(rows);
    return seenAtMs === null ? undefined : new Date(seenAtMs);
  }

  /** What an earlier process wrote down. A time since boot that has become shorter counts from another moment. */
  private async before(manager: EntityManager, uptimeMs: number): Promise<Known> {
    const rows: unknown = await manager.query(
      `select (select booted_at_ms from steady_time where boot = $1 and seen_at_ms - booted_at_ms <= $2) as "bootedAtMs",
         (select max(seen_at_ms) from steady_time) as "seenAtMs"`,
      [this.parts.boot ?? null, uptimeMs + longestSlewMs],
    );
    const [{ bootedAtMs, seenAtMs } = { bootedAtMs: null, seenAtMs: null }] = kept.parse(rows);
    return { bootedAtMs: bootedAtMs ?? undefined, seenAtMs: seenAtMs ?? undefined };
  }

  /** Other hosts are asked only while a clock is wrong. A host that is sure of its time tells a later one each minute. */
  private async others(manager: EntityManager, uptimeMs: number): Promise<number[]> {
    if (this.problem === 'none') return [];
    const rows: unknown = await manager.query(
      'select boot, seen_at_ms as "seenAtMs" from steady_time where boot is distinct from $1',
      [this.parts.boot ?? null],
    );
    return tellings.parse(rows).flatMap(({ boot, seenAtMs }) => {
      const before = this.told.get(boot);
      const isNews = before !== undefined && seenAtMs > before.seenAtMs;
      if (!before || isNews) this.told.set(boot, { seenAtMs, uptimeMs: isNews ? uptimeMs : undefined });
      const newsMs = this.told.get(boot)?.uptimeMs;
      return newsMs !== undefined && uptimeMs - newsMs < toldForMs ? [seenAtMs + uptimeMs - newsMs] : [];
    });
  }

  private async keep(manager: EntityManager, uptimeMs: number): Promise<void> {
    const { boot } = this.parts;
    const { bootedAtMs, seenAtMs } = this.steady?.known ?? {};
    if (boot === undefined || bootedAtMs === undefined) return;
    const isFresh = this.keptAt && uptimeMs - this.keptAt.uptimeMs < keepEachMs;
    if (isFresh && Math.abs((this.keptAt?.bootedAtMs ?? 0) - bootedAtMs) < 1_000) return;
    await manager.query(
      `with gone as (delete from steady_time where boot <> $1 and seen_at_ms < $3::float8 - ${keptForMs})
       insert into steady_time (boot, booted_at_ms, seen_at_ms) values ($1, $2, $3)
       on conflict (boot) do update set booted_at_ms = excluded.booted_at_ms, seen_at_ms = excluded.seen_at_ms`,
      [boot, bootedAtMs, seenAtMs],
    );
    this.keptAt = { uptimeMs, bootedAtMs };
  }

  private tell(problem: SteadyReading['problem'], disagreementMs: number): void {
    if (problem === this.problem) return;
    this.problem = problem;
    const seconds = Math.round(disagreementMs / 1_000);
    if (problem === 'none') this.parts.log.info('the clocks agree again');
    else this.parts.log.error({ problem, seconds }, sentences[problem]);
  }
}

const sentences: Record<Exclude<SteadyReading['problem'], 'none'>, string> = {
  'database-clock':
    'the clock of the ledger’s database is wrong: slots go by the time since boot; set that clock right',
  'process-clock': 'the clock of this host is wrong: slots go by the time since boot; set that clock right',
  'both-wrong':
    'the clocks of the ledger’s database and of this host are wrong together, as another host tells: slots go by the time since boot; set them right',
  'both-jumped':
    'all clocks have jumped: the earlier time counts and no slot is called missed until it is known which is right',
  'clocks-disagree':
    'the clocks contradict each other: the earlier time counts and no slot is called missed; set them right',
};

/** The id that Linux gives to the boot, with the name of the host: a container may count its time from its own start. */
export function bootOfHost(): string | undefined {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${hostname()}`;
  } catch {
    // Other systems have no such id: each start finds its time anew.
    return undefined;
  }
}

export function uptimeOfHostMs(): number {
  return uptime() * 1_000;
}
