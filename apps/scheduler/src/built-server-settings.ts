/**
 * What makes a restored server one of its own: which of its source's settings do not hold for it, because they act on the
 * source's other systems, or name files and libraries of the source's machine.
 */
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Given on the command line: whatever its files say, and `ALTER SYSTEM` has said, these hold. */
export const ownSettings = {
  // Its subscriptions are its source's: an apply worker would take the publisher's slot away from it.
  max_logical_replication_workers: 0,
  // Where the source archives is not its place to write.
  archive_mode: 'off',
  primary_conninfo: '',
  primary_slot_name: '',
  restore_command: '',
  sync_replication_slots: 'off',
  // Standbys that it does not have would hold up each commit.
  synchronous_standby_names: '',
  // They need not be here; and what some of them start, such as jobs by the clock, is the source's to do.
  shared_preload_libraries: '',
  session_preload_libraries: '',
  local_preload_libraries: '',
  dynamic_library_path: '$libdir',
  // Certificates, logs and pid files lie where the source keeps them.
  ssl: 'off',
  logging_collector: 'off',
  log_destination: 'stderr',
  external_pid_file: '',
  huge_pages: 'try',
} as const;

/** Its backup may be of a standby, or lack settings that are kept elsewhere. Before its first start. */
export async function makeItsOwn(directory: string): Promise<void> {
  for (const signal of ['standby.signal', 'recovery.signal']) await rm(join(directory, signal), { force: true });
  const settings = join(directory, 'postgresql.conf');
  if (!existsSync(settings)) await writeFile(settings, '');
}
