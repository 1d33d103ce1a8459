/**
 * A ledger for the measurement of explanations: accounts with one schedule each, one account with most of the events, and one schedule of that account
 * with a run for each thousand events. The ids are those that the service would make, so that the copies of a backup are found by their names.
 */
import { hash } from 'node:crypto';
import { copyId, scheduledBackupId } from '../dist/libs/domain/src/index.js';
import { stepsOf, writeEvents } from './history.mjs';

/** Schedules whose events are written beside each other, step by step. */
const atOnce = 1_000;
/** Of these, so many belong to accounts of their own. */
const alone = 200;
const runs = 4;
const steps = stepsOf(runs);
/** Each step has one event of each of these schedules, and a whole run of the long one. */
const typesOfRun = steps.slice(-6).map(({ type }) => type);
const beginAt = Date.UTC(2026, 0, 1);
const stepMs = 60_000;

function idOf(name) {
  const text = hash('md5', name, 'hex');
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-');
}

/** When an event of the schedules is, by its number among those of the ledger. */
const timeOf = (group, step) => new Date(beginAt + (group * steps.length + step) * stepMs);

export class ExplainedLedger {
  /** @param largeAccount the account with most of the events @param events how many there are at least */
  constructor(largeAccount, events) {
    this.largeAccount = largeAccount;
    this.groups = Math.max(1, Math.ceil(events / (steps.length * (atOnce + typesOfRun.length))));
    this.long = { scheduleId: idOf('schedule long'), instanceId: idOf('instance long') };
  }

  accountOf(number) {
    return number % atOnce < alone ? `small-${number}` : this.largeAccount;
  }

  /** How many schedules there are beside the long one. */
  get schedules() {
    return this.groups * atOnce;
  }

  /** What the ledger knows of a schedule, by its number. */
  schedule(number) {
    const [scheduleId, instanceId] = [idOf(`schedule ${number}`), idOf(`instance ${number}`)];
    const group = Math.floor(number / atOnce);
    const backups = Array.from({ length: runs }, (_, run) => this.#run(scheduleId, timeOf(group, 2 + run * 6)));
    return { accountId: this.accountOf(number), scheduleId, instanceId, backups };
  }

  /** What it knows of the schedule with many runs. */
  longSchedule() {
    const backups = Array.from({ length: this.groups * steps.length }, (_, run) =>
      this.#run(this.long.scheduleId, timeOf(0, run)),
    );
    return { accountId: this.largeAccount, ...this.long, backups };
  }

  #run(scheduleId, slotAt) {
    const backupId = scheduledBackupId(scheduleId, slotAt);
    return { backupId, copyId: copyId(backupId, 'IAD') };
  }

  /** Writes all of it. @param say takes how far it is */
  async write(client, say) {
    const long = this.longSchedule();
    const begin = timeOf(0, 0);
    await writeOf(client, 'InstanceRegistered', { of: [long], run: 0, at: begin });
    await writeOf(client, 'ScheduleCreated', { of: [long], run: 0, at: begin });
    for (let group = 0; group < this.groups; group += 1) {
      const of = Array.from({ length: atOnce }, (_, at) => this.schedule(group * atOnce + at));
      for (const [number, { type, backup }] of steps.entries()) {
        const at = timeOf(group, number);
        await writeOf(client, type, { of, run: backup, at });
        for (const each of typesOfRun)
          await writeOf(client, each, { of: [long], run: group * steps.length + number, at });
      }
      if (group % 10 === 9) say(`${group + 1} of ${this.groups} parts of the ledger are written`);
    }
    await pause(client, long, timeOf(this.groups, 0));
  }
}

/** Writes one event of each of the schedules, or of the run of each. */
async function writeOf(client, type, { of, run, at }) {
  await writeEvents(client, type, {
    rows: `select *, gen_random_uuid() as id, $6::timestamptz as at
      from unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[]) given(account, instance_id, schedule_id, backup_id, copy_id)`,
    values: [
      of.map(({ accountId }) => accountId),
      of.map(({ instanceId }) => instanceId),
      of.map(({ scheduleId }) => scheduleId),
      of.map(({ backups }) => backups[run].backupId),
      of.map(({ backups }) => backups[run].copyId),
      at,
    ],
  });
}

/** The schedule is paused, and then changed without running again. */
async function pause(client, { accountId, scheduleId, instanceId }, from) {
  for (const [at, { hour, reason }] of [{ hour: 3, reason: 'the disks are being moved' }, { hour: 4 }].entries()) {
    const definition = { dayOfWeek: 7, hour, minute: 30, fullBackupRetention: 2, copyTo: ['IAD'], paused: true };
    const context = { requestId: 'bench', correlationId: 'bench', causationId: null, actor: 'bench', reason };
    await client.query(
      `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
       values (gen_random_uuid(), $1, $2, 'schedule', 'ScheduleUpdated', $3, $4, $5, $6, $7)`,
      [
        ...[`schedule-${scheduleId}`, 2 + at, accountId, instanceId, new Date(from.getTime() + at * stepMs)],
        ...[{ scheduleId, instanceId, ...definition }, context],
      ],
    );
  }
}
