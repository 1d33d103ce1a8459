/** What can break between Strongroom and a database server: a closed list that says of each whether another attempt can help. */
import { Fault } from '@strongroom/contracts';

export const engineFaultCodes = {
  /** Nothing answers at the endpoint, or the connection broke. */
  'server-unreachable': true,
  /** The connection can't be made as safe as it has to be: the server's certificate is not trusted, or is for another name. */
  'server-not-trusted': false,
  /** The operator does not let backups go to this address, or not with so little TLS. */
  'server-not-allowed': false,
  /** So many log-ins have failed there of late that none is tried now. */
  'too-many-failed-logins': true,
  /** The server refused the user, the password or the client certificate. */
  'credentials-refused': false,
  /** The user may not take backups, or the server is not set up for them. */
  'backup-not-permitted': false,
  /** The server has no connection, memory, disk or other place free for it now. */
  'server-exhausted': true,
  /** The server has found pages or files of its own that are damaged. */
  'server-data-damaged': false,
  /** The server's version can't be backed up. */
  'version-unsupported': false,
  /** The server said, during or after the transfer, that the backup is no good. */
  'backup-aborted-by-server': true,
  /** The server said nothing for longer than it may. */
  'server-stalled': true,
  /** The backup is larger, or takes longer or more memory, than the operator allows. */
  'backup-limit-reached': false,
  /** The process that took the backup was ended, by the system or by its own watchdog. */
  'engine-process-ended': true,
  /** The vault hangs: nobody took the server's bytes for longer than the server may be held back. */
  'reader-stalled': true,
  /** Nothing can be built on the parent, or the server takes no incrementals. A full backup is still possible. */
  'incremental-not-possible': false,
  /** The server sent what the protocol does not allow here. */
  'protocol-violation': false,
  /** The folder to restore into can't be used, or its disk is full. */
  'restore-target-unusable': false,
  /** The backup's content is not what its manifest says. */
  'backup-content-invalid': false,
  /** A server that was built from a backup does not start, or ended again. */
  'server-did-not-start': true,
  /** The caller ended it. */
  cancelled: false,
} as const;

export type EngineFaultCode = keyof typeof engineFaultCodes;

export class EngineFault extends Fault<EngineFaultCode> {
  override readonly name = 'EngineFault';

  constructor(code: EngineFaultCode, message: string, options?: { cause?: unknown }) {
    super(code, engineFaultCodes[code], message, options);
  }
}

/** The server is fit for a full backup, and the message advises to take one. */
export class IncrementalNotPossible extends EngineFault {
  constructor(
    /** A kebab word for programs, from a closed list of the engine's; the message is for people. */
    readonly ground: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super('incremental-not-possible', message, options);
  }
}
