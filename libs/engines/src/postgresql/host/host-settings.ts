/**
 * The settings of its source that a server may not be able to start with on this machine: the memory, the locales and the
 * programs are others here. They are put in force only where it did not start with its source's. The file is read last, and an
 * earlier value of the same name is then not even looked at. `ALTER SYSTEM` changes them later, as usual.
 */
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { settingLine } from '../restore/configuration-text.js';

interface HostSetting {
  name: string;
  value: string;
  /** The first major version that knows it. Default: the oldest that is backed up. */
  since?: number;
}

const settings: readonly HostSetting[] = [
  { name: 'shared_buffers', value: '128MB' },
  { name: 'wal_buffers', value: '-1' },
  { name: 'huge_page_size', value: '0' },
  { name: 'min_dynamic_shared_memory', value: '0' },
  { name: 'shared_memory_type', value: 'mmap' },
  { name: 'dynamic_shared_memory_type', value: 'posix' },
  // Not above the limit of the stack that this machine has.
  { name: 'max_stack_depth', value: '2MB' },
  { name: 'lc_messages', value: 'C' },
  { name: 'lc_monetary', value: 'C' },
  { name: 'lc_numeric', value: 'C' },
  { name: 'lc_time', value: 'C' },
  { name: 'timezone', value: 'UTC' },
  { name: 'log_timezone', value: 'UTC' },
  { name: 'timezone_abbreviations', value: 'Default' },
  // What a build of PostgreSQL may lack, or a platform.
  { name: 'wal_compression', value: 'off' },
  { name: 'default_toast_compression', value: 'pglz' },
  { name: 'wal_sync_method', value: 'fdatasync' },
  { name: 'recovery_init_sync_method', value: 'fsync' },
  { name: 'wal_consistency_checking', value: '' },
  { name: 'effective_io_concurrency', value: '1' },
  { name: 'maintenance_io_concurrency', value: '10' },
  { name: 'oauth_validator_libraries', value: '', since: 18 },
];

const file = 'postgresql.auto.conf';
const mark = '# Put here for this machine, where the server did not start with the settings of its source:';

/**
 * Puts them at the end of the server's last file.
 * @param major the server's version
 * @returns their names; undefined when they were there already
 */
export async function fitToHost(directory: string, major: number): Promise<string[] | undefined> {
  const path = join(directory, file);
  const before = await readFile(path, 'latin1');
  if (before.includes(mark)) return undefined;
  const known = settings.filter(({ since = major }) => since <= major);
  const lines = known.map(({ name, value }) => settingLine(name, value));
  await appendFile(path, `${before === '' || before.endsWith('\n') ? '' : '\n'}${[mark, ...lines].join('\n')}\n`);
  return known.map(({ name }) => name);
}

/** The first words of each line: the time and the process. */
const beforeSeverity = /^.*?(?=\b(?:LOG|ERROR|FATAL|PANIC|DETAIL|HINT|WARNING|CONTEXT): )/;
const telling =
  /^(?:(?:ERROR|FATAL|PANIC|DETAIL|HINT|WARNING): |LOG: +(?:invalid|unrecognized|parameter|syntax|could not|.*configuration))/;
const mostChars = 1_200;

/** What of a server's log says why it did not start: whole lines, the last ones first to be kept. */
export function whyNotStarted(log: string): string {
  const lines = log
    .split('\n')
    .map((line) => line.trim().replace(beforeSeverity, '').replace(/: +/, ': '))
    .filter((line) => line !== '');
  const found = lines.filter((line) => telling.test(line));
  let room = mostChars;
  const kept: string[] = [];
  for (const line of (found.length > 0 ? found : lines.slice(-5)).reverse()) {
    if (kept.includes(line)) continue;
    room -= line.length + 1;
    if (room < 0) break;
    kept.unshift(line);
  }
  return kept.join(' ');
}
