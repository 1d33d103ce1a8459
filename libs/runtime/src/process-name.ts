/** The name by which the events tell of a process. It says nothing of the host, and the log has it in the line of the start. */
import { randomBytes } from 'node:crypto';
import type { AppName } from './config.js';

/** @returns a name that no other process has, such as `scheduler-5f0c9a1b27de` */
export function processName(app: AppName): string {
  return `${app}-${randomBytes(6).toString('hex')}`;
}

const ofOlderVersion = /^(scheduler|replicator)-.+-\d+$/;

/** A name as a tenant may see it. Older versions named a process by its host and its pid. */
export function shownName(name: string): string {
  return ofOlderVersion.exec(name)?.[1] ?? name;
}
