/**
 * The settings of a server that is built from a backup. All of them are ours: nothing of the backup's configuration files is read. What the
 * server must be able to hold comes from its control file, within bounds. What must never change is on the command line, which
 * outranks every file that code of the backup could write.
 */

import { settingLine } from '../restore/configuration-text.js';
import type { ControlFile } from '../restore/control-file.js';
import { standAloneSettings } from '../restore/stand-alone-settings.js';

type Settings = Record<string, string | number>;

/** The server is asked for its own physical backups, by several connections at a time. */
const fewestSenders = 10;
/** The entries of the table of locks take memory from the start. */
const mostLocks = 1_048_576;
/** Server processes of its own, such as those of autovacuum. */
const ownProcesses = 40;
const usual: ControlFile['held'] = {
  connections: 100,
  workers: 8,
  walSenders: fewestSenders,
  preparedTransactions: 0,
  locksPerTransaction: 64,
  tracksCommits: false,
};

/** For the command line. @param major the server's version */
export function fixedSettings(major: number): Settings {
  return {
    ...standAloneSettings(major),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    unix_socket_group: '',
    bonjour: 'off',
    huge_pages: 'off',
    jit: 'off',
    jit_provider: 'llvmjit',
    ...(major >= 17 && { event_triggers: 'off', allow_alter_system: 'off' }),
    ...(major >= 18 && { oauth_validator_libraries: '' }),
  };
}

/** The whole configuration file. @param control undefined where it can't be read: the server then says what is wrong with it */
export function guestConfiguration(major: number, control: ControlFile | undefined): string {
  const lines = Object.entries({ ...ownSettings(major), ...heldSettings(control?.held ?? usual) });
  return [
    '# Written by Strongroom before each start. Nothing of the backup’s own configuration files is read.',
    ...lines.map(([name, value]) => settingLine(name, String(value))),
    '',
  ].join('\n');
}

function ownSettings(major: number): Settings {
  return {
    wal_level: 'replica',
    shared_buffers: '128MB',
    // In a folder of its own. In the memory that all servers share, one could take the room that each needs to start.
    dynamic_shared_memory_type: 'mmap',
    timezone: 'UTC',
    log_timezone: 'UTC',
    lc_messages: 'C',
    lc_monetary: 'C',
    lc_numeric: 'C',
    lc_time: 'C',
    // Incremental backups of the built server need it.
    ...(major >= 17 && { summarize_wal: 'on' }),
  };
}

function heldSettings(held: ControlFile['held']): Settings {
  const connections = within(held.connections, 20, 1_000);
  const prepared = within(held.preparedTransactions, 0, 1_000);
  const workers = within(held.workers, 8, 64);
  const senders = within(held.walSenders, fewestSenders, 64);
  const holders = connections + prepared + workers + senders + ownProcesses;
  return {
    max_connections: connections,
    max_worker_processes: workers,
    max_wal_senders: senders,
    max_prepared_transactions: prepared,
    max_locks_per_transaction: within(held.locksPerTransaction, 64, Math.max(64, Math.floor(mostLocks / holders))),
    track_commit_timestamp: held.tracksCommits ? 'on' : 'off',
  };
}

function within(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
