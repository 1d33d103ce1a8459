/** The demo: register the demo database, schedule it with copies to two regions, run it now, and show what happens. */
import { setTimeout as delay } from 'node:timers/promises';
import { ApiClient, type BackupSeen } from './api-client.js';
import type { StackFile } from './stack-file.js';
import { bar, bold, dim, draw, green, red, say, settle, table } from './terminal.js';

const copyTo = ['IAD', 'ORD'];
const lookMs = 200;
const longestMs = 300_000;
const terminalStates = ['COMPLETED', 'FAILED'];

/** @returns the backup as it ended */
export async function runDemo(file: StackFile, signal: AbortSignal): Promise<BackupSeen | undefined> {
  const { api, accountId, tokens, homeRegion } = file.current;
  const client = new ApiClient(`${api}/v1.0/${accountId}`, tokens.admin);
  const instanceId = await instanceOf(file, client);
  const scheduleId = (await client.scheduleOf(instanceId)) ?? (await newSchedule(client, instanceId));
  const before = await client.newestBackup(instanceId);
  // One that an earlier start left running is shown to its end in place of a new one.
  if (!before || terminalStates.includes(before.status)) await client.runNow(scheduleId);

  say();
  say(bold(`  Schedule ${scheduleId} runs now: backup in ${homeRegion}, copies to ${copyTo.join(' and ')}`));
  const deadline = performance.now() + longestMs;
  while (!signal.aborted) {
    const backup = await client.newestBackup(instanceId);
    if (backup && (backup.id !== before?.id || !terminalStates.includes(before.status))) {
      draw(progressOf(backup, homeRegion));
      if (isOver(backup)) return backup;
    }
    if (performance.now() > deadline)
      throw new Error(`the demo's backup did not end within ${longestMs / 60_000} minutes; look into the logs`);
    await delay(lookMs, undefined, { signal }).catch(() => {});
  }
  return undefined;
}

/** The table of backup and copies, and whether all went well. */
export function report(backup: BackupSeen, homeRegion: string): void {
  settle();
  say();
  const rows = [{ ...backup, region: homeRegion, verified: backup.status === 'COMPLETED' }, ...backup.copies].map(
    ({ region, size_bytes, checksum, verified, started, completed }) => [
      backup.id,
      region,
      size_bytes === null ? '' : size_bytes.toLocaleString('en'),
      checksum ?? '',
      verified ? 'yes' : 'no',
      started && completed ? ((Date.parse(completed) - Date.parse(started)) / 1_000).toFixed(1) : '',
    ],
  );
  for (const line of table(['backup', 'region', 'bytes', 'SHA-256', 'verified', 'seconds'], rows)) say(line);
  for (const { fault } of [backup, ...backup.copies]) if (fault) say(`  ${red('✗')} ${fault.message}`);
}

async function instanceOf(file: StackFile, client: ApiClient): Promise<string> {
  const { instanceId: known, demo } = file.current;
  if (!demo) throw new Error('there is no demo database');
  const { hostname: host, port, password } = new URL(demo.postgres);
  // Registered before, and still where it was: another port than then, and it is another instance.
  if (known && (await client.portOfInstance(known)) === Number(port)) return known;
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

function newSchedule(client: ApiClient, instanceId: string): Promise<string> {
  return client.createSchedule({
    action: 'backup',
    instance_id: instanceId,
    day_of_week: 0,
    hour: 3,
    minute: 30,
    copy_to: copyTo,
  });
}

function isOver({ status, copies }: BackupSeen): boolean {
  if (status === 'FAILED') return true;
  return (
    status === 'COMPLETED' &&
    copies.length === copyTo.length &&
    copies.every((copy) => terminalStates.includes(copy.status))
  );
}

function progressOf(backup: BackupSeen, homeRegion: string): string[] {
  const line = (what: string, status: string, percent: number) => {
    const shown =
      status === 'COMPLETED'
        ? green(status.toLowerCase())
        : status === 'FAILED'
          ? red(status.toLowerCase())
          : dim(status.toLowerCase());
    return `  ${what.padEnd(12)} ${bar(percent)}  ${shown}`;
  };
  return [
    line(`${homeRegion}  backup`, backup.status, backup.progress),
    ...copyTo.map((region) => {
      const copy = backup.copies.find((each) => each.region === region);
      return line(`${region}  copy`, copy?.status ?? 'waiting', copy?.progress ?? 0);
    }),
  ];
}
