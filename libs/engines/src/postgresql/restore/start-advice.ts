/** Says how to start a server on a restored folder, with a command that works as it is printed. */
import { dirname } from 'node:path';
import { quoted } from './held-folder.js';

export interface StartAdvice {
  directory: string;
  /** Where its tablespaces lie. */
  outside: readonly string[];
  /** Such as `18.4`. */
  version: string;
  /** False when the source kept its settings elsewhere, so that the backup does not have them. */
  hasSettings: boolean;
  /** Whether the restore has written settings with which a server starts. */
  standsAlone: boolean;
}

/** Lines for people; the last one is the command. */
export function startAdvice({ directory, outside, version, hasSettings, standsAlone }: StartAdvice): string[] {
  const settings = hasSettings ? [] : [takeSettingsOver(standsAlone), ''];
  const major = version.split('.')[0];
  const start = `postgres -D ${quoted(directory)}`;
  // The folder belongs to root then, and PostgreSQL does not run as root.
  if (process.getuid?.() !== 0) {
    return [...settings, `Start a server of version ${major} on it, as the user who owns the folder:`, `  ${start}`];
  }
  const beside = `${directory}.tablespaces`;
  const folders = new Set([directory, ...outside.map((path) => (dirname(path) === beside ? beside : path))]);
  return [
    ...settings,
    `Start a server of version ${major} on it. PostgreSQL does not run as root: the folder must belong to the user who runs it, such as postgres:`,
    `  chown -R postgres: ${[...folders].map(quoted).join(' ')} && runuser -u postgres -- ${start}`,
  ];
}

function takeSettingsOver(standsAlone: boolean): string {
  const advice =
    'The server kept its settings elsewhere, as Debian does in /etc/postgresql: copy what you need of its postgresql.conf, pg_hba.conf and pg_ident.conf into those in the folder, but not data_directory, hba_file, ident_file and external_pid_file.';
  return standsAlone ? advice : `${advice} It does not start without them.`;
}
