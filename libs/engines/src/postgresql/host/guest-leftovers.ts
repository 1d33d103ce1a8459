/**
 * Ends what runs on the data of a guest. Of a guest with a user of its own, the folder tells which process was started last, in a file that
 * the guest can't write; everything else of its user is a stray. Any process can look like a server on somebody's data.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  clearAwayOf,
  descendantNamed,
  endAllOf,
  endProcess,
  endServersOn,
  identityOf,
  pidOf,
  type SystemUser,
} from '@strongroom/server-processes';
import { readHead } from './guests-files.js';

export interface GuestProcesses {
  folder: string;
  data: string;
  user: SystemUser | undefined;
  /** Whether the user has nothing but this server. */
  isAlone: boolean;
}

const runningName = 'running';
const mostOfIdentity = 256;
const graceMs = 20_000;

/** @param identity of the process that was started */
export function noteRunning({ folder, user, isAlone }: GuestProcesses, identity: string | undefined): void {
  if (user && isAlone) writeFileSync(join(folder, runningName), identity ?? '');
}

/** Ends whatever an earlier process has left running on the folder or for the user. */
export async function endLeftovers(guest: GuestProcesses): Promise<void> {
  if (!guest.user || !guest.isAlone) return endServersOn(guest.data);
  const pid = await noted(guest);
  const server = pid && (descendantNamed(pid, 'postgres') ?? pid);
  const identity = server && identityOf(server);
  if (identity) await endProcess(identity, { what: 'a built server', signal: 'SIGINT', graceMs });
  await endAllOf(guest.user);
}

/**
 * Ends what code of the data has left running, unless another process of ours has started a server there meanwhile.
 * @param pid of the server that has ended
 */
export async function endStrays(guest: GuestProcesses, pid: number): Promise<void> {
  if (!guest.user || !guest.isAlone) return;
  const running = await noted(guest);
  if (running === undefined || running === pid) await endAllOf(guest.user);
}

/** Removes what the user has left outside of its folder. Nothing of it runs any more. */
export async function clearAway({ user, isAlone }: Pick<GuestProcesses, 'user' | 'isAlone'>): Promise<void> {
  if (user && isAlone) await clearAwayOf(user);
}

/** The process that was started last; undefined when it does not run any more. */
async function noted({ folder }: GuestProcesses): Promise<number | undefined> {
  const text = await readHead(join(folder, runningName), mostOfIdentity);
  return text && pidOf(text.toString('utf8'));
}
