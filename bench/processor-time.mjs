/** The processors' time of processes, which a busy machine changes far less than it changes how long something takes. */
import { readdirSync, readFileSync } from 'node:fs';
import { median } from './load.mjs';

/** @returns of all threads of a process, in microseconds; 0 when it is gone */
export function processorTimeOf(pid) {
  let nanoseconds = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0]);
    }
  } catch {
    // The process or one of its threads has ended meanwhile.
  }
  return nanoseconds / 1_000;
}

/** @returns by the name of the application, the time of its sessions so far, in microseconds. Sessions that have ended are left out */
export async function processorTimeOfSessions(client) {
  const { rows } = await client.query(
    `select pid, application_name as name from pg_stat_activity where application_name <> ''`,
  );
  const found = {};
  for (const { pid, name } of rows) found[name] = (found[name] ?? 0) + processorTimeOf(pid);
  return found;
}

/**
 * The time of each app and of its sessions with PostgreSQL.
 * @param pids of the apps, by name
 * @returns in microseconds, such as `{ api: 1000, 'api in PostgreSQL': 500 }`
 */
export async function processorTimes(client, pids) {
  const times = Object.fromEntries(Object.entries(pids).map(([app, pid]) => [app, processorTimeOf(pid)]));
  for (const [name, time] of Object.entries(await processorTimeOfSessions(client))) {
    const app = /^strongroom-(\w+)$/.exec(name)?.[1];
    if (app && app in pids) times[`${app} in PostgreSQL`] = time;
  }
  return times;
}

/** What has been used since, for each of `count`, in whole microseconds. */
export function usedSince(before, after, count) {
  return Object.fromEntries(
    Object.entries(after).map(([name, time]) => [
      name,
      Math.max(0, Math.round((time - (before[name] ?? time)) / count)),
    ]),
  );
}

/** The middle of some rounds for each name, in microseconds. */
export function middleOf(rounds) {
  return Object.fromEntries(
    Object.keys(rounds[0] ?? {}).map((name) => [name, median(rounds.map((times) => times[name] ?? 0))]),
  );
}

/** In words: `api 300, its sessions in PostgreSQL 120; …`. */
export function inWords(used) {
  return Object.entries(used)
    .map(([name, time]) => `${name} ${time}`)
    .join(', ');
}
