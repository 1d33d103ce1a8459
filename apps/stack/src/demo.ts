/** The demo: register the demo database, schedule it with copies to two regions, run it now, and show what happens. */
import { setTimeout as delay } from 'node:timers/promises';
import type { BackupResource } from '@strongroom/contracts';
import { ApiClient, type ScheduleSeen } from './api-client.js';
import type { StackFile } from './stack-file.js';
import { bar, ends, table } from './table.js';
import type { Terminal } from './terminal.js';

const copyTo = ['IAD', 'ORD'];
const slot = { day_of_week: 0, hour: 3, minute: 30 };
const lookMs = 200;
const longestMs = 300_000;
const isOver = (status: string) => status === 'COMPLETED' || status === 'FAILED';

/** @returns the backup as it ended with its copies; undefined when the signal came first */
export async function runDemo(
  file: StackFile,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<BackupResource | undefined> {
  const { api, accountId, tokens, homeRegion } = file.current;
  const client = new ApiClient(`${api}/v1.0/${accountId}`, tokens.admin);
  const instanceId = await instanceOf(file, client);
  const schedule = (await client.scheduleOf(instanceId)) ?? (await newSchedule(client, instanceId));
  const before = await client.newestRun(instanceId, schedule.id);
  // One that an earlier start left running is shown to its end in place of a new one.
  const isLeft = before !== undefined && !hasEnded(before, schedule);
  if (!isLeft) await client.runNow(schedule.id);

  terminal.say('', `  ${titleOf(schedule, homeRegion, isLeft, terminal)}`, '');
  const deadline = performance.now() + longestMs;
  while (!signal.aborted) {
    const backup = await client.newestRun(instanceId, schedule.id);
    if (backup && (isLeft || backup.id !== before?.id)) {
      terminal.draw(progressOf(backup, schedule, homeRegion, terminal));
      if (hasEnded(backup, schedule)) return backup;
    }
    if (performance.now() > deadline)
      throw new Error(`the demo's backup did not end within ${longestMs / 60_000} minutes: look into the logs`);
    await delay(lookMs, undefined, { signal }).catch(() => {});
  }
  return undefined;
}

/** The table of backup and copies, and what went wrong if something did. */
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

async function instanceOf(file: StackFile, client: ApiClient): Promise<string> {
  const { instanceId: known, demo } = file.current;
  if (!demo) throw new Error('there is no demo database');
  const { host: address, hostname: host, port, password } = new URL(demo.postgres);
  const where = known === null ? undefined : await client.addressOfInstance(known);
  if (known !== null && where === address) return known;
  if (known !== null && where !== undefined) {
    // Its port was taken by another program: where it was, there is nothing to back up any more.
    const schedule = await client.scheduleOf(known);
    if (schedule) await client.deleteSchedule(schedule.id);
  }
  const instanceId = await client.registerInstance({
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

function newSchedule(client: ApiClient, instanceId: string): Promise<ScheduleSeen> {
  return client.createSchedule({ action: 'backup', instance_id: instanceId, ...slot, copy_to: copyTo });
}

function hasEnded({ status, copies }: BackupResource, schedule: ScheduleSeen): boolean {
  if (status !== 'COMPLETED') return isOver(status);
  return copies.length >= schedule.copy_to.length && copies.every((copy) => isOver(copy.status));
}

function titleOf({ id, copy_to }: ScheduleSeen, homeRegion: string, isLeft: boolean, { bold, dim }: Terminal): string {
  const what = isLeft ? 'The run that was interrupted goes on' : 'The schedule runs now';
  return `${bold(`${what}: backup in ${homeRegion}, copies to ${copy_to.join(' and ')}`)}  ${dim(id)}`;
}

function progressOf(
  backup: BackupResource,
  { copy_to }: ScheduleSeen,
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
