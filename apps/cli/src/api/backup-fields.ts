/** How a backup is shown. */
import type { BackupResource, CopyResource, RestoreTest } from '@strongroom/contracts';
import type { PrintOptions } from './api-options.js';
import { type Column, printOne, sizeOf } from './printing.js';

export const backupColumns: readonly Column<BackupResource>[] = [
  { title: 'BACKUP', of: ({ id }) => id },
  { title: 'NAME', of: ({ name }) => name },
  { title: 'TYPE', of: ({ type }) => type },
  { title: 'STATUS', of: ({ status }) => status },
  { title: 'CREATED', of: ({ created }) => created },
  { title: 'SIZE', of: ({ size_bytes }) => sizeOf(size_bytes) },
  { title: 'WHOLE IN', of: ({ whole_in }) => whole_in.join(',') },
];

const fields: readonly Column<BackupResource>[] = [
  ...backupColumns,
  { title: 'INSTANCE', of: ({ instance_id }) => instance_id },
  { title: 'SCHEDULE', of: ({ schedule_id }) => schedule_id },
  { title: 'PARENT', of: ({ parent_id }) => parent_id },
  { title: 'DESCRIPTION', of: ({ description }) => description },
  { title: 'COMPLETED', of: ({ completed }) => completed },
  { title: 'VERIFIED', of: ({ verified_at }) => verified_at },
  { title: 'SHA-256', of: ({ checksum }) => checksum },
  {
    title: 'ENCRYPTED FOR',
    of: ({ encrypted_for }) => (encrypted_for === null ? '(not encrypted)' : encrypted_for.join(', ')),
  },
  { title: 'COPIES', of: ({ copies }) => copies.map(copyInShort).join(', ') },
  { title: 'RESTORE TESTED', of: ({ restore_tests }) => restore_tests.map(testInShort).join(', ') },
  { title: 'ON HOLD', of: ({ hold }) => hold?.reason },
  {
    title: 'DELETED',
    of: ({ deleted }) => deleted && `${deleted.at} by ${deleted.by}; bytes go at ${deleted.bytes_go_at}`,
  },
  { title: 'WARNINGS', of: ({ warnings }) => warnings.join('; ') },
  { title: 'FAULT', of: ({ fault }) => fault?.message },
];

function copyInShort({ region, status, state, progress }: CopyResource): string {
  if (state === 'LOST') return `${region} LOST`;
  return status === 'COPYING' ? `${region} ${status} ${progress} %` : `${region} ${status}`;
}

function testInShort({ region, outcome, at, seconds, by }: RestoreTest): string {
  return `${region} ${outcome} ${at} after ${seconds} s, by ${by}`;
}

export function showBackup(document: { backup: BackupResource }, options: PrintOptions): void {
  printOne(document, document.backup, fields, options);
}
