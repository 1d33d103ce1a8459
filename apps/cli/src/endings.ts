/**
 * Which code an error ends a command with. The tables have every fault and every refusal of the API's contract, so a new one is not forgotten.
 */
import { ApiFault, type ApiFaultCode } from '@strongroom/client';
import { type FaultType, faultCodes, isNotFetched, type RefusalCode, refusalCodes } from '@strongroom/contracts';
import { EncryptionFault } from '@strongroom/encryption';
import { EngineFault } from '@strongroom/engines';
import { NotHeld, VaultFault } from '@strongroom/vault';
import { CommanderError } from 'commander';
import {
  AdvisedFault,
  CredentialFault,
  IncompleteFault,
  Interrupted,
  MissingFault,
  UsageFault,
} from './command-fault.js';
import { type Ending, exitCodes } from './exit-codes.js';

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
  if (error instanceof ApiFault) return endingOfAnswer(error);
  if (error instanceof VaultFault) return endingOfVault(error);
  if (error instanceof EncryptionFault) return error.code === 'ciphertext-altered' ? 'altered' : 'credentials';
  if (error instanceof EngineFault) return endingOfEngine(error);
  // What gets no answer now may get one later.
  return isNotFetched(error) ? 'busy' : 'failed';
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

type Ends = Exclude<Ending, 'done' | 'interrupted'>;

const endingOfFault: Readonly<Record<ApiFaultCode, Ends>> = {
  badRequest: 'usage',
  unauthorized: 'credentials',
  forbidden: 'credentials',
  itemNotFound: 'notFound',
  badMethod: 'usage',
  conflict: 'busy',
  preconditionFailed: 'failed',
  // A quota that is used up: time alone does not help.
  overLimit: 'failed',
  badMediaType: 'usage',
  unprocessableEntity: 'failed',
  instanceFault: 'failed',
  notImplemented: 'failed',
  serviceUnavailable: 'busy',
  'foreign-answer': 'failed',
};

/** What is in the way ends by itself, or it does not, or the fault that stands with it says enough. */
const endingOfRefusal: Readonly<Record<RefusalCode, Ends | 'as its fault'>> = {
  'instance-unknown': 'as its fault',
  'instance-exists': 'as its fault',
  'instance-being-built': 'busy',
  'instance-build-failed': 'as its fault',
  'instance-unchanged': 'as its fault',
  'instance-built-here': 'as its fault',
  'lineage-unknown': 'as its fault',
  'schedule-unknown': 'as its fault',
  'schedule-exists-for-instance': 'as its fault',
  'schedule-unchanged': 'as its fault',
  'schedule-quota-reached': 'as its fault',
  'instance-quota-reached': 'as its fault',
  'built-server-quota-reached': 'as its fault',
  'backup-unknown': 'as its fault',
  'backup-exists': 'as its fault',
  'backup-running-for-instance': 'busy',
  'backup-already-ended': 'as its fault',
  'backup-still-running': 'busy',
  'backup-not-yet-completed': 'busy',
  // A backup that has failed is a 409 to whoever builds a server from it, and never completes.
  'backup-not-completed': 'failed',
  'backup-on-hold': 'as its fault',
  'deletion-not-due': 'as its fault',
  'second-person-needed': 'as its fault',
  'attempt-superseded': 'as its fault',
  'slot-already-decided': 'as its fault',
  'copy-exists': 'as its fault',
  'copy-unknown': 'as its fault',
  'copy-already-ended': 'as its fault',
  'copy-deleted': 'as its fault',
  'copy-not-there': 'as its fault',
  'webhook-unknown': 'as its fault',
  'webhook-unchanged': 'as its fault',
  'webhook-quota-reached': 'as its fault',
  'changed-meanwhile': 'as its fault',
  'key-in-use': 'as its fault',
};

/** Whoever says when to ask again, and a proxy that says that the service is away, is busy whatever else the answer says. */
export function endingOfAnswer({ code, retryable, refusal }: ApiFault): Ends {
  if (retryable) return 'busy';
  const known = refusalCodes.find((each) => each === refusal);
  const ending = known === undefined ? 'as its fault' : endingOfRefusal[known];
  return ending === 'as its fault' ? endingOfFault[code] : ending;
}

/** Each answer with the code that it ends a command with, for the pages. The refusals are those that end it otherwise than their fault does. */
export const answerList: readonly { answer: string; code: number }[] = [
  { answer: 'any with `Retry-After`, and 502, 503, 504', code: exitCodes.busy },
  ...(Object.keys(faultCodes) as FaultType[])
    .filter((type) => type !== 'serviceUnavailable')
    .map((type) => ({ answer: `${faultCodes[type]} \`${type}\``, code: exitCodes[endingOfFault[type]] })),
  ...refusalCodes.flatMap((code) => {
    const ending = endingOfRefusal[code];
    return ending === 'as its fault' ? [] : [{ answer: `the refusal \`${code}\``, code: exitCodes[ending] }];
  }),
  { answer: 'what the contract does not have', code: exitCodes[endingOfFault['foreign-answer']] },
];
