import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isRefusal, postBackupsIdAction } from '@strongroom/contracts';
import { backupDecider } from '@strongroom/domain';
import { commandOn, executeTogether } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import { accountId, Gateway } from '../../fixtures/gateway.js';

const day = 86_400_000;
const ids = new RandomIds();
const context = { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' };
const rounds = 6;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open({ env: { STRONGROOM_DELETION_DELAY_SECONDS: '604800' } });
});
afterAll(() => gateway.close());

/** A full backup and one that is built on it, both deleted. */
async function deletedChain(): Promise<{ instance: string; full: string; child: string }> {
  const instance = await gateway.register();
  const full = await gateway.backup(instance);
  await gateway.run(full, instance, 'completed');
  const child = await gateway.backup(instance, { parent_id: full });
  await gateway.run(child, instance, 'completed');
  await gateway.client().backups.delete(full);
  return { instance, full, child };
}

/** What the scheduler does when the time of the chain has come. @returns whether the removal was asked for */
async function remove({ instance: instanceId, full, child }: Awaited<ReturnType<typeof deletedChain>>) {
  const now = new Date(Date.now() + 8 * day);
  const outcome = await executeTogether(
    { ledger: gateway.ledger, ids },
    [full, child].map((id) => {
      const command = { type: 'BeginRemoval', backupId: id, trigger: 'request', now } as const;
      return commandOn(backupDecider, { id, accountId, instanceId, context }, command);
    }),
  );
  return !isRefusal(outcome);
}
const act = (id: string, body: object) => gateway.call(postBackupsIdAction, { id, body });
const newestOf = async (id: string) => (await gateway.ledger.readStream(`backup-${id}`)).at(-1)?.type;

describe('at the moment of its removal a chain', () => {
  it('is brought back as a whole, or not at all', async () => {
    for (let round = 0; round < rounds; round += 1) {
      const chain = await deletedChain();
      const [isRemoved, restored] = await Promise.all([remove(chain), act(chain.child, { 'restore-deleted': {} })]);
      expect([isRemoved, restored.status]).toEqual(isRemoved ? [true, 404] : [false, 202]);
      const newest = isRemoved ? 'BackupDeletionRequested' : 'BackupDeletionReverted';
      expect([await newestOf(chain.full), await newestOf(chain.child)]).toEqual([newest, newest]);
    }
  });

  it('is held, or its removal has begun, and never both', async () => {
    for (let round = 0; round < rounds; round += 1) {
      const chain = await deletedChain();
      const [isRemoved, held] = await Promise.all([remove(chain), act(chain.child, { hold: { reason: 'case' } })]);
      expect([isRemoved, held.status]).toEqual(isRemoved ? [true, 404] : [false, 202]);
    }
  });
});
