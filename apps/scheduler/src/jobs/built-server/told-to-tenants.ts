/**
 * What tenants are told when a server can't be built or has ended: the sentences of faults, and fixed ones of ours. What the server or
 * the system has said may be a stranger's text, a file's content or a path of this machine. It goes to the log alone.
 */
import { Fault } from '@strongroom/contracts';
import { CredentialFault } from '@strongroom/credentials';
import { ApartFault } from '@strongroom/domain';
import { EngineFault, type HostedServer } from '@strongroom/engines';
import { codeOf, VaultFault } from '@strongroom/vault';

const told = {
  unusable:
    'The folder for built servers (STRONGROOM_INSTANCES_DIR of the scheduler) can not be used. The operator finds the reason in the log of the scheduler.',
  unexpected: 'The work at the server broke off. The operator finds the reason in the log of the scheduler.',
  ended: 'The server has ended by itself. The operator finds the reason in the log of the server.',
};
/** What the system says of a folder that can't be used. */
const unusable = new Set([
  'ENOENT',
  'EEXIST',
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOTDIR',
  'ENOSPC',
  'EDQUOT',
  'ELOOP',
  'ENAMETOOLONG',
]);

/** Others, such as those of a service, name programs, users and processes of this machine. */
const sentencesForTenants = [EngineFault, VaultFault, ApartFault, CredentialFault];

/** The fault of a server that has ended, for tenants; how it has ended is for the log. */
export async function endedByItself({ ended }: HostedServer): Promise<EngineFault> {
  return new EngineFault('server-did-not-start', told.ended, { cause: new Error(`the server ${await ended}`) });
}

/** What a tenant is told of an error: the sentence of a fault, and nothing of the system or of a path of this machine. */
export function forTenant(error: unknown): unknown {
  if (error instanceof Fault && error.told !== error.message) return error;
  const isOfFolder = error instanceof EngineFault && error.code === 'restore-target-unusable';
  if (isOfFolder || (!(error instanceof Fault) && unusable.has(codeOf(error)))) {
    return new EngineFault('restore-target-unusable', told.unusable, { cause: error });
  }
  return sentencesForTenants.some((kind) => error instanceof kind) ? error : new UnexpectedFault(error);
}

class UnexpectedFault extends Fault<'unexpected'> {
  constructor(cause: unknown) {
    super('unexpected', true, told.unexpected, { cause });
  }
}
