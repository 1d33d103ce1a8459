/** How a server is started on a restored folder: a command that works as it is printed. */
import { dirname } from 'node:path';
import { quoted } from './held-folder.js';

export interface StartAdvice {
  directory: string;
  /** Of its tablespaces. */
  outside: readonly string[];
  /** Such as `18.4`. */
  version: string;
  /** Whether the folder belongs to root, as whom PostgreSQL does not run. */
  isRoot: boolean;
}

export function startAdvice({ directory, outside, version, isRoot }: StartAdvice): string[] {
  const major = version.split('.')[0];
  const start = `postgres -D ${quoted(directory)}`;
  if (!isRoot) return [`Start a server of version ${major} on it, as the user who owns the folder:`, `  ${start}`];
  const beside = `${directory}.tablespaces`;
  const folders = new Set([directory, ...outside.map((path) => (dirname(path) === beside ? beside : path))]);
  return [
    `Start a server of version ${major} on it. PostgreSQL does not run as root: the folder must belong to the user who runs it, such as postgres:`,
    `  chown -R postgres: ${[...folders].map(quoted).join(' ')} && runuser -u postgres -- ${start}`,
  ];
}
