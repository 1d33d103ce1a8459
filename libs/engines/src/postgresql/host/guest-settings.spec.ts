import { describe, expect, it } from '@jest/globals';
import { settingLines } from '../restore/configuration-text.js';
import type { ControlFile } from '../restore/control-file.js';
import { fixedSettings, guestConfiguration } from './guest-settings.js';

const control = (held: Partial<ControlFile['held']>): ControlFile => ({
  blockSize: 8_192,
  segmentBlocks: 131_072,
  hasChecksums: true,
  held: {
    connections: 100,
    workers: 8,
    walSenders: 10,
    preparedTransactions: 0,
    locksPerTransaction: 64,
    tracksCommits: false,
    ...held,
  },
});
const configured = (held: Partial<ControlFile['held']>) =>
  new Map(settingLines(guestConfiguration(18, control(held))).map(({ name, value }) => [name, value]));

describe('the configuration of a built server', () => {
  it('has what its source was set to hold', () => {
    const found = configured({
      connections: 300,
      preparedTransactions: 12,
      locksPerTransaction: 128,
      tracksCommits: true,
    });
    expect(Object.fromEntries(found)).toMatchObject({
      max_connections: '300',
      max_prepared_transactions: '12',
      max_locks_per_transaction: '128',
      track_commit_timestamp: 'on',
      wal_level: 'replica',
    });
  });

  it('never has more than this machine is to hold, nor nonsense, whatever the file says', () => {
    const most = 2_147_483_647;
    const found = configured({
      connections: most,
      preparedTransactions: most,
      locksPerTransaction: most,
      workers: most,
      walSenders: -1,
    });
    expect(Object.fromEntries(found)).toMatchObject({
      max_connections: '1000',
      max_prepared_transactions: '1000',
      max_worker_processes: '64',
      max_wal_senders: '10',
    });
    expect(Number(found.get('max_locks_per_transaction'))).toBeLessThan(1_000);
  });

  it('runs no command, loads nothing and follows nobody, which no file of the server can change', () => {
    expect(fixedSettings(18)).toMatchObject({
      archive_mode: 'off',
      archive_command: '',
      archive_library: '',
      restore_command: '',
      recovery_end_command: '',
      archive_cleanup_command: '',
      primary_conninfo: '',
      shared_preload_libraries: '',
      session_preload_libraries: '',
      local_preload_libraries: '',
      dynamic_library_path: '$libdir',
      extension_control_path: '$system',
      oauth_validator_libraries: '',
      external_pid_file: '',
      logging_collector: 'off',
      jit: 'off',
      jit_provider: 'llvmjit',
      ssl: 'off',
      event_triggers: 'off',
      allow_alter_system: 'off',
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
    });
  });
});
