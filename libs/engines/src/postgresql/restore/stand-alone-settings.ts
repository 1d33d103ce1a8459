/**
 * The settings of its source that do not hold for a restored server: they act on the source's other systems, or name files
 * and libraries of the source's machine. A server does not start on a setting that its version does not know.
 */
interface StandAloneSetting {
  name: string;
  value: string;
  /** The first major version that knows it. Default: the oldest that is backed up. */
  since?: number;
  /** The last major version that knows it. Default: the newest. */
  until?: number;
}

const settings: readonly StandAloneSetting[] = [
  // Its subscriptions are its source's: an apply worker would take the publisher's replication slot away from the source.
  { name: 'max_logical_replication_workers', value: '0' },
  // Only the source may write its archive.
  { name: 'archive_mode', value: 'off' },
  { name: 'archive_command', value: '' },
  { name: 'archive_library', value: '' },
  { name: 'archive_cleanup_command', value: '' },
  // It follows nobody, and recovers to the end of its backup.
  { name: 'primary_conninfo', value: '' },
  { name: 'primary_slot_name', value: '' },
  { name: 'restore_command', value: '' },
  { name: 'recovery_end_command', value: '' },
  { name: 'recovery_target', value: '' },
  { name: 'recovery_target_lsn', value: '' },
  { name: 'recovery_target_name', value: '' },
  { name: 'recovery_target_time', value: '' },
  { name: 'recovery_target_xid', value: '' },
  { name: 'promote_trigger_file', value: '', until: 15 },
  { name: 'sync_replication_slots', value: 'off', since: 17 },
  // Standbys that it does not have would hold up each commit, and what it decodes.
  { name: 'synchronous_standby_names', value: '' },
  { name: 'synchronized_standby_slots', value: '', since: 17 },
  // The libraries may be missing here. Some of them start work that is the source's, such as timed jobs.
  { name: 'shared_preload_libraries', value: '' },
  { name: 'session_preload_libraries', value: '' },
  { name: 'local_preload_libraries', value: '' },
  { name: 'dynamic_library_path', value: '$libdir' },
  { name: 'extension_control_path', value: '$system', since: 18 },
  // Certificates, logs and pid files lie where the source keeps them.
  { name: 'ssl', value: 'off' },
  { name: 'logging_collector', value: 'off' },
  { name: 'log_destination', value: 'stderr' },
  { name: 'external_pid_file', value: '' },
  { name: 'huge_pages', value: 'try' },
  { name: 'io_method', value: 'worker', since: 18 },
];

/** Settings for a server that is started by hand. A server host sets the addresses of its servers itself. */
const addresses: readonly StandAloneSetting[] = [
  // The source's addresses are its machine's, and its clients look for it there.
  { name: 'listen_addresses', value: 'localhost' },
  { name: 'unix_socket_directories', value: '/tmp' },
  { name: 'unix_socket_group', value: '' },
  { name: 'bonjour', value: 'off' },
];

/** For a server's command line, which overrides its files and `ALTER SYSTEM`. @param version major */
export function standAloneSettings(version: number): Record<string, string> {
  return ofVersion(settings, version);
}

/** For a server's files, with the addresses where it listens. @param version major */
export function standAloneInFiles(version: number): Record<string, string> {
  return ofVersion([...settings, ...addresses], version);
}

function ofVersion(all: readonly StandAloneSetting[], version: number): Record<string, string> {
  const known = all.filter(({ since = version, until = version }) => since <= version && version <= until);
  return Object.fromEntries(known.map(({ name, value }) => [name, value]));
}
