/** The codes that the command line ends with: each has one meaning, for scripts, and never gets another. */
import { ApiFault } from '@strongroom/client';
import { Fault, isNotFetched } from '@strongroom/contracts';
import { EncryptionFault } from '@strongroom/encryption';
import { EngineFault } from '@strongroom/engines';
import { NotHeld, VaultFault } from '@strongroom/vault';
import { CommanderError } from 'commander';
import { UsageFault } from './usage-fault.js';

export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  incomplete: 3,
  notFound: 10,
  busy: 11,
  credentials: 12,
  altered: 13,
  interrupted: 130,
} as const;
type Ending = keyof typeof exitCodes;

const meaningOf: Readonly<Record<Ending, string>> = {
  done: 'It was done.',
  failed: 'It could not be done, or what was asked for is not so.',
  usage: 'The call was wrong. Nothing was done.',
  incomplete: 'Some of it was done, and the rest could not be done or was not waited for.',
  notFound: 'There is no such thing.',
  busy: 'Something else is in the way, or the service is away. The same call may do it later.',
  credentials: 'A token, a password or a key is missing, is wrong, or does not allow it.',
  altered: 'What was read is not what was stored.',
  interrupted: 'It was interrupted.',
};

/** Every code with its meaning, for the pages. */
export const exitCodeList = (Object.keys(exitCodes) as Ending[]).map((ending) => ({
  code: exitCodes[ending],
  meaning: meaningOf[ending],
}));

/** The codes in one line, as the help shows them. */
export const codesInShort = (Object.keys(exitCodes) as Ending[])
  .map((ending) => `${exitCodes[ending]} ${ending === 'notFound' ? 'not found' : ending}`)
  .join(', ');

/** The user has ended the command by a signal. */
export class Interrupted extends Fault<'interrupted'> {
  override readonly name = 'Interrupted';

  constructor(signal: string) {
    super('interrupted', false, `It was ended by ${signal}.`);
  }
}

/** A token, or the file that keeps it, cannot be used. */
export class CredentialFault extends Fault<'credential-unusable'> {
  override readonly name = 'CredentialFault';

  constructor(message: string, options?: { cause?: unknown }) {
    super('credential-unusable', false, message, options);
  }
}

/** What a command is to work on is not there. */
export class MissingFault extends Fault<'missing'> {
  override readonly name = 'MissingFault';

  constructor(message: string) {
    super('missing', false, message);
  }
}

/** Some of the work was done. */
export class IncompleteFault extends Fault<'incomplete'> {
  override readonly name = 'IncompleteFault';

  constructor(message: string) {
    super('incomplete', true, message);
  }
}

/** An error with what to do next in its message. It ends the command as its cause does. */
export class AdvisedFault extends Fault<'advised'> {
  override readonly name = 'AdvisedFault';

  constructor(message: string, cause: unknown) {
    super('advised', cause instanceof Fault && cause.retryable, message, { cause });
  }
}

export function exitCodeOf(error: unknown): number {
  return exitCodes[endingOf(error)];
}

function endingOf(error: unknown): Ending {
  if (error instanceof AdvisedFault) return endingOf(error.cause);
  if (error instanceof CommanderError) return error.exitCode === 0 ? 'done' : 'usage';
  if (error instanceof UsageFault) return 'usage';
  if (error instanceof Interrupted) return 'interrupted';
  if (error instanceof CredentialFault) return 'credentials';
  if (error instanceof MissingFault) return 'notFound';
  if (error instanceof IncompleteFault) return 'incomplete';
  if (error instanceof ApiFault) return endingOfApi(error);
  if (error instanceof VaultFault) return endingOfVault(error);
  if (error instanceof EncryptionFault) return error.code === 'ciphertext-altered' ? 'altered' : 'credentials';
  if (error instanceof EngineFault) return endingOfEngine(error);
  // What gets no answer now may get one later.
  return isNotFetched(error) ? 'busy' : 'failed';
}

function endingOfApi({ status, retryable }: ApiFault): Ending {
  if (status === 400) return 'usage';
  if (status === 401 || status === 403) return 'credentials';
  if (status === 404) return 'notFound';
  // A quota that is used up is a 413 too, but time alone does not help there.
  if (status === 409 || retryable) return 'busy';
  return 'failed';
}

function endingOfVault(error: VaultFault): Ending {
  // A backup without one that it is built on is there, and that one is not.
  if (error instanceof NotHeld || error.cause instanceof NotHeld) return 'notFound';
  const { code } = error;
  // A backup that the vault holds, without one of its objects, is not what was stored.
  return code === 'object-altered' || code === 'object-missing' || code === 'manifest-invalid' ? 'altered' : 'failed';
}

function endingOfEngine({ code }: EngineFault): Ending {
  if (code === 'cancelled') return 'interrupted';
  return code === 'backup-content-invalid' ? 'altered' : 'failed';
}
