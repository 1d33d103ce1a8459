/**
 * `--wait`: shows how far a backup and its copies are, until all have ended. On a terminal one line is drawn again; elsewhere there is a line for
 * each change, which is JSON with a `message_type` under `--json`.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ApiFault } from '@strongroom/client';
import {
  type BackupResource,
  getBackupsId,
  getInstancesIdBackups,
  isNotFetched,
  type ScheduleResource,
  whyNotFetched,
} from '@strongroom/contracts';
import { type Command, InvalidArgumentError } from 'commander';
import { AdvisedFault, IncompleteFault } from '../command-fault.js';
import { note, noteJson, noteNothing, noteOver } from '../output.js';
import type { PrintOptions } from './api-options.js';
import { showBackup } from './backup-fields.js';
import { sizeOf } from './printing.js';
import type { Session } from './session.js';

export interface WaitOptions extends PrintOptions {
  wait?: boolean;
  /** In seconds. */
  waitFor?: number;
}

const lookMs = 1_000;

export function ofWaiting(command: Command): Command {
  return command
    .option('--wait', 'wait until it and its copies are there, and end with 3 when a copy is not')
    .option('--wait-for <seconds>', 'wait so long at the most, and end with 3 after that', secondsArgument);
}

/** The newest backup that a schedule has asked for. @param after the backup that is not meant any more */
export async function newestRun(
  session: Session,
  { id, instance_id }: ScheduleResource,
  after?: string,
): Promise<BackupResource | undefined> {
  const { backups } = await session.ask(getInstancesIdBackups, { id: instance_id });
  const newest = backups.find(({ schedule_id }) => schedule_id === id);
  return newest?.id === after ? undefined : newest;
}

/**
 * Prints a backup that was asked for: at once, or with `--wait` when it has ended.
 * @param copyTo the regions that get a copy
 * @throws {IncompleteFault} when not all of it is there
 */
export async function waitFor(
  session: Session,
  asked: BackupResource,
  copyTo: readonly string[],
  options: WaitOptions,
): Promise<void> {
  const { id } = asked;
  if (!options.wait && options.waitFor === undefined) return showBackup({ backup: asked }, options);
  const begun = performance.now();
  const until = begun + (options.waitFor ?? Number.POSITIVE_INFINITY) * 1_000;
  const tell = teller(begun, options);
  let backup = asked;
  tell(backup);
  while (!hasEnded(backup, copyTo)) {
    if (performance.now() >= until) {
      noteNothing();
      throw new IncompleteFault(
        `Backup ${id} was not waited for any longer; it goes on.`,
        `See it: strongroom backup show ${id}`,
      );
    }
    await delay(lookMs, undefined, { signal: session.signal });
    backup = (await seen(session, id, options)) ?? backup;
    tell(backup);
  }
  noteNothing();
  showBackup({ backup }, options);
  if (backup.status !== 'COMPLETED')
    throw new AdvisedFault(
      `Backup ${id} failed: ${backup.fault?.message ?? 'no reason is known.'}`,
      `See why: strongroom explain ${id}`,
      undefined,
    );
  const without = backup.copies.filter(({ status }) => status === 'FAILED').map(({ region }) => region);
  if (without.length > 0)
    throw new IncompleteFault(
      `Backup ${id} has no copy in ${without.join(', ')}.`,
      `See why: strongroom explain ${id}`,
    );
}

/** The backup as it is now; undefined while the service is away, which ends nothing of what it does. */
async function seen(session: Session, id: string, { json }: PrintOptions): Promise<BackupResource | undefined> {
  try {
    return (await session.ask(getBackupsId, { id })).backup;
  } catch (error) {
    const isAway = error instanceof ApiFault ? error.retryable : isNotFetched(error);
    if (session.signal.aborted || !isAway) throw error;
    const message = `The service does not answer, and is asked again: ${whyNotFetched(error)}`;
    if (json) noteJson({ message_type: 'warning', message });
    else note(message);
    return undefined;
  }
}

/** A copy that failed in a way that passes is tried again. */
function hasEnded({ status, copies }: BackupResource, copyTo: readonly string[]): boolean {
  if (status !== 'COMPLETED') return status === 'FAILED' || status === 'DELETE_FAILED';
  const isOver = copies.every((copy) => copy.status === 'COMPLETED' || (copy.status === 'FAILED' && !copy.retry_at));
  return isOver && copyTo.every((region) => copies.some((copy) => copy.region === region));
}

function teller(begun: number, { json }: PrintOptions): (backup: BackupResource) => void {
  let before = '';
  const paces = new Paces();
  return ({ id, status, progress, attempt, fault, size_bytes, copies }) => {
    const of = copies.map((copy) => ({ region: copy.region, status: copy.status, progress: copy.progress }));
    const now = JSON.stringify([status, progress, attempt, fault, of]);
    const seconds = Math.round((performance.now() - begun) / 1_000);
    const paced = copies.map((copy, index) => ({
      ...of[index],
      ...paces.of({ ...copy, size_bytes: copy.size_bytes ?? size_bytes }, performance.now()),
    }));
    const left = status === 'BUILDING' && progress > 0 ? Math.ceil((seconds * (100 - progress)) / progress) : undefined;
    if (json) {
      if (now !== before)
        noteJson({
          message_type: 'status',
          backup_id: id,
          status,
          percent_done: progress,
          attempt,
          copies: paced,
          seconds_elapsed: seconds,
          ...(left !== undefined && { seconds_left: left }),
          ...(fault && { fault }),
        });
    } else {
      const parts = [`backup ${status} ${progress} %`, ...paced.map(inWords)];
      const line = `${parts.join(', ')}, ${seconds} s${left === undefined ? '' : `, ${left} s left`}`;
      if (process.stderr.isTTY) noteOver(line);
      else if (now !== before) note(line);
    }
    before = now;
  };
}

type CopyNow = Pick<BackupResource['copies'][number], 'region' | 'status' | 'progress' | 'size_bytes'>;
interface Pace {
  bytes_per_second?: number;
  seconds_left?: number;
}

/** How fast copies come, by what each has brought since it was seen first. */
export class Paces {
  private readonly first = new Map<string, { progress: number; atMs: number }>();

  /** @param nowMs by a clock that is never set @returns nothing until the copy was seen to go on */
  of({ region, status, progress, size_bytes }: CopyNow, nowMs: number): Pace {
    const first = this.first.get(region);
    if (!first || status !== 'COPYING' || progress < first.progress) {
      this.first.set(region, { progress, atMs: nowMs });
      return {};
    }
    const brought = progress - first.progress;
    const seconds = (nowMs - first.atMs) / 1_000;
    if (brought <= 0 || seconds <= 0) return {};
    const perSecond = brought / seconds;
    return {
      ...(size_bytes !== null && { bytes_per_second: Math.round((size_bytes / 100) * perSecond) }),
      seconds_left: Math.ceil((100 - progress) / perSecond),
    };
  }
}

function inWords({ region, status, progress, bytes_per_second, seconds_left }: Partial<CopyNow> & Pace): string {
  const rate = bytes_per_second === undefined ? '' : ` at ${sizeOf(bytes_per_second)}/s`;
  const left = seconds_left === undefined ? '' : `, ${seconds_left} s left`;
  return `${region} ${status} ${progress} %${rate}${left}`;
}

function secondsArgument(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a number of seconds.');
  return Number(text);
}
