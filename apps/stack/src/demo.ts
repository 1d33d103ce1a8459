/** The demo: register the demo database, schedule it with copies to two regions, run it now, and show what happens. */
import { setTimeout as delay } from 'node:timers/promises';
import { ApiFault, Client } from '@strongroom/client';
import { type BackupResource, getInstancesIdBackups, getSchedules, type ScheduleResource } from '@strongroom/contracts';
import { askingAgain } from './asking-again.js';
import type { StackFile } from './stack-file.js';
import { bar, ends, table } from './table.js';
import type { Terminal } from './terminal.js';

const copyTo = ['IAD', 'ORD'];
const slot = { day_of_week: 0, hour: 3, minute: 30 };
const lookMs = 200;
const longestStillMs = 600_000;
const isOver = (status: string) => status === 'COMPLETED' || status === 'FAILED';

/** @returns the backup and its copies when they have ended, or undefined when the signal came first */
export async function runDemo(
  file: StackFile,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<BackupResource | undefined> {
  const { api, accountId, tokens, homeRegion } = file.current;
  const asksAgain = askingAgain({ signal, onWait: (why) => terminal.draw([terminal.dim(`  ${why}; asking again …`)]) });
  const client = new Client({ baseUrl: api, accountId, token: tokens.admin, fetch: asksAgain });
  const instanceId = await instanceOf(file, client);
  const schedule = (await scheduleOf(client, instanceId)) ?? (await newSchedule(client, instanceId));
  const before = await newestRun(client, schedule);
  // A run that an earlier start left unfinished is shown to its end, and no new one is begun.
  const isLeft = before !== undefined && !hasEnded(before, schedule);
  if (!isLeft) await client.schedules.runNow(schedule.id);

  terminal.say('', `  ${titleOf(schedule, homeRegion, isLeft, terminal)}`, '');
  let shown = '';
  let movedAt = performance.now();
  while (!signal.aborted) {
    const backup = await newestRun(client, schedule);
    if (backup && (isLeft || backup.id !== before?.id)) {
      const progress = progressOf(backup, schedule, homeRegion, terminal);
      terminal.draw(progress);
      if (progress.join() !== shown) movedAt = performance.now();
      shown = progress.join();
      if (hasEnded(backup, schedule)) return backup;
    }
    if (performance.now() - movedAt > longestStillMs)
      throw new Error(
        `nothing has moved in the demo's backup for ${longestStillMs / 60_000} minutes: look into the logs`,
      );
    await delay(lookMs, undefined, { signal }).catch(() => {});
  }
  return undefined;
}

/** Prints the table of the backup and its copies, and what went wrong. */
export function report(backup: BackupResource, homeRegion: string, terminal: Terminal): void {
  terminal.settle();
  const home = { ...backup, region: homeRegion, verified: backup.status === 'COMPLETED' };
  const rows = [home, ...backup.copies].map(({ region, size_bytes, checksum, verified, started, completed }) => [
    backup.id,
    region,
    size_bytes === null ? '' : size_bytes.toLocaleString('en'),
    checksum ?? '',
    verified ? 'yes' : 'no',
    started && completed ? ((Date.parse(completed) - Date.parse(started)) / 1_000).toFixed(1) : '',
  ]);
  const columns = [
    { title: 'backup', shorten: ends(8, 4) },
    { title: 'region' },
    { title: 'bytes' },
    { title: 'SHA-256', shorten: ends(12, 0) },
    { title: 'verified' },
    { title: 'seconds' },
  ];
  const [head = '', rule = '', ...lines] = table(columns, rows, terminal.width);
  terminal.say('', terminal.bold(head), terminal.dim(rule), ...lines);
  for (const { fault } of [backup, ...backup.copies])
    if (fault) terminal.say(`  ${terminal.red('✗')} ${fault.message}`);
}

async function instanceOf(file: StackFile, client: Client): Promise<string> {
  const { instanceId: known, demo } = file.current;
  if (!demo) throw new Error('there is no demo database');
  const { host: address, hostname: host, port, password } = new URL(demo.postgres);
  const where = known === null ? undefined : await addressOf(client, known);
  if (known !== null && where === address) return known;
  if (known !== null && where !== undefined) {
    // Another program took the port, so the demo's server has another one. The old address has nothing to back up.
    const schedule = await scheduleOf(client, known);
    if (schedule) await client.schedules.delete(schedule.id);
  }
  const { id: instanceId } = await client.instances.register({
    name: 'demo-shop',
    datastore: { type: 'postgresql', version: '18' },
    connection: {
      host,
      port: Number(port),
      user: 'backup',
      password: decodeURIComponent(password),
      database: 'shop',
      tls: 'disable',
    },
  });
  file.change({ instanceId });
  return instanceId;
}

/** @returns `host:port` of a registered server, or undefined when there is no such instance */
async function addressOf(client: Client, instanceId: string): Promise<string | undefined> {
  try {
    const { hostname, port } = await client.instances.get(instanceId);
    return `${hostname}:${port}`;
  } catch (error) {
    if (error instanceof ApiFault && error.code === 'itemNotFound') return undefined;
    throw error;
  }
}

async function scheduleOf(client: Client, instanceId: string): Promise<ScheduleResource | undefined> {
  const { body } = await client.call(getSchedules, { query: { instance_id: instanceId } });
  return body.schedules[0];
}

/** @returns the schedule's newest backup; a backup that somebody took by hand is none of its runs */
async function newestRun(client: Client, { id, instance_id }: ScheduleResource): Promise<BackupResource | undefined> {
  const { body } = await client.call(getInstancesIdBackups, { id: instance_id });
  return body.backups.find(({ schedule_id }) => schedule_id === id);
}

function newSchedule(client: Client, instanceId: string): Promise<ScheduleResource> {
  return client.schedules.create({ action: 'backup', instance_id: instanceId, ...slot, copy_to: copyTo });
}

function hasEnded({ status, copies }: BackupResource, schedule: ScheduleResource): boolean {
  if (status !== 'COMPLETED') return isOver(status);
  return copies.length >= schedule.copy_to.length && copies.every((copy) => isOver(copy.status));
}

function titleOf(
  { id, copy_to }: ScheduleResource,
  homeRegion: string,
  isLeft: boolean,
  { bold, dim }: Terminal,
): string {
  const what = isLeft ? 'The run that was interrupted goes on' : 'The schedule runs now';
  return `${bold(`${what}: backup in ${homeRegion}, copies to ${copy_to.join(' and ')}`)}  ${dim(id)}`;
}

function progressOf(
  backup: BackupResource,
  { copy_to }: ScheduleResource,
  homeRegion: string,
  { dim, green, red }: Terminal,
): string[] {
  const line = (region: string, what: string, status: string, percent: number) => {
    const { full, empty, text } = bar(percent);
    const colour = status === 'COMPLETED' ? green : status === 'FAILED' ? red : dim;
    return `  ${region.padEnd(4)} ${what.padEnd(7)} ${full}${dim(empty)} ${text}  ${colour(status.toLowerCase())}`;
  };
  return [
    line(homeRegion, 'backup', backup.status, backup.progress),
    ...copy_to.map((region) => {
      const copy = backup.copies.find((each) => each.region === region);
      return line(region, 'copy', copy?.status ?? 'waiting', copy?.progress ?? 0);
    }),
  ];
}
