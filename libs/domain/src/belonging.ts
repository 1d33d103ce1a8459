/**
 * Whether what an executor brings together belongs together: one account, one instance, one backup, its region. The ledger
 * records nothing else. An executor looks again, because what it does with a server or a vault can't be undone.
 */
import { type EventData, Fault } from '@strongroom/contracts';
import { copyRequest } from './copy-request.js';
import { copyId } from './identities.js';

/** Things were named together that belong to different owners. Nothing was done with them, and no other attempt can help. */
export class ApartFault extends Fault<'belongs-elsewhere'> {
  override readonly name = 'ApartFault';

  /** @param what what does not belong, and to what; a client may see it, so it names no account */
  constructor(what: string) {
    super('belongs-elsewhere', false, `${what} Nothing was done with it.`);
  }
}

interface Owned {
  accountId: string;
  /** Left out where the thing may be of any instance of the account. */
  instanceId?: string;
}

/**
 * @param what names the thing and that to which it should belong, such as `Instance 1f… does not belong to backup 2a….`
 * @throws {ApartFault} when the account is another one, or the instance, where both have one
 */
export function mustBelong(what: string, thing: Owned, owner: Owned): void {
  const isOfInstance =
    thing.instanceId === undefined || owner.instanceId === undefined || thing.instanceId === owner.instanceId;
  if (thing.accountId !== owner.accountId || !isOfInstance) throw new ApartFault(what);
}

/** Whether the request is for the copy of that backup in that region: all that it says is what the backup says. */
export function isCopyOf(
  request: EventData<'CopyRequested'>,
  { backup, id }: { backup: EventData<'BackupCompleted'>; id: string },
): boolean {
  const { sourceRegion, ...wanted } = copyRequest(backup, request.region, request.sourceRegion);
  const told = new Map<string, unknown>(Object.entries(request));
  return request.copyId === id && Object.entries(wanted).every(([field, value]) => told.get(field) === value);
}

/** Whether the id is that of the copy of that backup in that region. */
export function isCopyId(id: string, { backupId, region }: { backupId: string; region: string }): boolean {
  return id === copyId(backupId, region);
}
