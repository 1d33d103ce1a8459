/**
 * What to do after an error that a command has not thrown itself but a library. Each table has every code of its faults, so that none ends a command
 * without it.
 */
import { EncryptionFault, type EncryptionFaultCode } from '@strongroom/encryption';
import { EngineFault, type EngineFaultCode } from '@strongroom/engines';
import { NotHeld, VaultFault, type VaultFaultCode } from '@strongroom/vault';
import type { Next } from './command-fault.js';

const whereWhole: Next = 'See in which regions it is whole: strongroom backup show BACKUP_ID';
const otherRegion: Next = 'Use the copy of another region: --from REGION';
const tryServer: Next = 'See what the server says: strongroom instance test INSTANCE_ID';
const again: Next = 'Run it again.';

const afterVault: Readonly<Record<VaultFaultCode, Next>> = {
  'vault-unavailable': `See whether the store answers: strongroom doctor --only vaults. ${otherRegion}`,
  'vault-full': 'Make room in the store, and run it again.',
  'vault-misconfigured': 'Give the vault: --vault REGION=URL',
  'object-missing': whereWhole,
  'object-altered': whereWhole,
  'object-unreadable': `Run it again. ${otherRegion}`,
  'upload-superseded': again,
  'copy-limit-reached': again,
  'object-locked': 'Wait until the store lets it go, and run it again.',
  'manifest-invalid': whereWhole,
  'manifest-newer': 'Install the version of Strongroom that has made the backup, or a newer one.',
};

const afterEncryption: Readonly<Record<EncryptionFaultCode, Next>> = {
  'key-missing': 'Give a file with such a key: --identity FILE',
  'key-invalid': 'See how keys are written: strongroom keys rewrap --help',
  'key-command-failed': 'Call that program by hand, and see what it says.',
  'algorithm-not-allowed': 'Use a Node.js that is not limited to FIPS 140.',
  'ciphertext-altered': whereWhole,
};

const afterEngine: Readonly<Record<EngineFaultCode, Next>> = {
  'server-unreachable': tryServer,
  'server-not-trusted': tryServer,
  'server-not-allowed': tryServer,
  'too-many-failed-logins': tryServer,
  'credentials-refused': tryServer,
  'backup-not-permitted': tryServer,
  'server-exhausted': tryServer,
  'server-data-damaged': tryServer,
  'version-unsupported': 'Install a version of Strongroom that knows this version of the server.',
  'backup-aborted-by-server': again,
  'server-stalled': again,
  'backup-limit-reached': 'Set that limit higher, where the backup is trusted.',
  'engine-process-ended': 'See that the machine has memory for it, and run it again.',
  'reader-stalled': again,
  'incremental-not-possible': 'Use a full backup.',
  'protocol-violation': tryServer,
  'restore-target-unusable': 'See how a place is given: strongroom restore --help',
  'backup-content-invalid': whereWhole,
  'server-did-not-start': 'Give the programs of its version: --programs DIRECTORY',
  cancelled: again,
};

export function nextAfter(error: unknown): Next {
  if (error instanceof NotHeld) return `See what the vault holds: strongroom list --from ${error.region}`;
  if (error instanceof VaultFault) return afterVault[error.code];
  if (error instanceof EncryptionFault) return afterEncryption[error.code];
  if (error instanceof EngineFault) return afterEngine[error.code];
  return 'See whether all is well: strongroom doctor';
}
