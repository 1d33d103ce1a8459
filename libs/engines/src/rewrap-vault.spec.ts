import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { allKeys, type KeysOf, messageOf } from '@strongroom/contracts';
import { chainHolder, type Identity, openKeys, type Recipient, readKeys } from '@strongroom/encryption';
import type { Vault } from '@strongroom/vault';
import { PassingVault } from '../../../test/vaults/passing-vault.js';
import { EncryptedScene, type SceneKey } from '../fixtures/encrypted-scene.js';
import { rewrapVault } from './rewrap-vault.js';

/** Kills the process after so many replacements. */
class EndingVault extends PassingVault {
  constructor(
    vault: Vault,
    private left: number,
  ) {
    super(vault);
  }

  override async replaceKeys(backupId: string, of: KeysOf, bytes: Buffer, tag: string): Promise<boolean> {
    if (this.left === 0) throw new Error('the process was killed');
    this.left -= 1;
    return super.replaceKeys(backupId, of, bytes, tag);
  }
}

describe('keys that are wrapped for others', () => {
  let scene: EncryptedScene;
  let vault: Vault;
  let next: SceneKey;
  beforeEach(async () => {
    scene = await EncryptedScene.open();
    next = scene.newKey('next');
    vault = await scene.vault('folder', 'DFW');
  });
  afterEach(() => scene.remove());

  const encryption = () => ({ ...scene.encryption, chainRecipients: [scene.chain.named(chainHolder)] });
  const rewrap = (identities: Identity[], to: Recipient, on = vault, failed: string[] = []) =>
    rewrapVault(on, {
      identities,
      recipientsOf: () => [to],
      failed: (_, error) => failed.push(messageOf(error)),
    });
  const opens = async (backupId: string, of: KeysOf, identity: Identity) => {
    const found = await vault.keys(backupId, of);
    return openKeys(found?.bytes ?? Buffer.alloc(0), [identity]).then(
      () => true,
      () => false,
    );
  };

  it('are opened by them and by no former holder, and the scheduler keeps what it needs', async () => {
    const { backupId, sha256 } = await scene.backUp(vault, {}, { encryption: encryption() });
    await scene.backUp(vault, {}, { encryption: undefined });
    expect(await rewrap([scene.owner], next.named('new safe'))).toEqual({ changed: 1, same: 0, clear: 1, failed: 0 });
    expect(await rewrap([next], next.named('new safe'))).toEqual({ changed: 0, same: 1, clear: 1, failed: 0 });
    for (const which of allKeys) {
      const holders = [await opens(backupId, which, next), await opens(backupId, which, scene.owner)];
      expect([which, ...holders]).toEqual([which, true, false]);
    }
    expect(await opens(backupId, 'chain', scene.chain)).toBe(true);
    expect(await opens(backupId, 'backup', scene.chain)).toBe(false);
    expect((await vault.verify(backupId)).sha256).toBe(sha256);
  });

  it('stay wrapped for the scheduler where a program keeps its key, if that program is known', async () => {
    const kept = await EncryptedScene.open('aes-gcm');
    try {
      const keptVault = await kept.vault('objects', 'DFW');
      const { owner, chain } = kept;
      const chainRecipients = [chain.named(chainHolder)];
      await kept.backUp(keptVault, {}, { encryption: { ...kept.encryption, chainRecipients } });
      const to = kept.newKey('next').named('new safe');
      const failed: string[] = [];
      expect(await rewrap([owner.identity], to, keptVault, failed)).toMatchObject({ failed: 1 });
      expect(failed[0]).toContain('--chain-recipient "command:/path/of/program chain"');
      const opening = [owner.identity, kept.newKey('next').identity, chain.identity];
      expect(await rewrap(opening, to, keptVault, failed)).toMatchObject({ changed: 1 });
      for await (const listed of keptVault.list()) {
        const found = await keptVault.keys(listed.backupId, 'chain');
        const { recipients } = readKeys(found?.bytes ?? Buffer.alloc(0));
        expect(recipients).toEqual([
          { id: 'command:next', name: 'new safe' },
          { id: 'command:chain', name: chainHolder },
        ]);
      }
    } finally {
      await kept.remove();
    }
  });

  it('come right after a kill at each point, by running it again with both keys', async () => {
    const ids: string[] = [];
    for (let count = 0; count < 2; count += 1)
      ids.push((await scene.backUp(vault, {}, { encryption: encryption() })).backupId);
    // Each run gets one replacement further: there are two of each of the two backups.
    for (const replaced of [0, 1, 1, 1]) {
      const killed = rewrap([scene.owner, next], next.named('new safe'), new EndingVault(vault, replaced));
      await expect(killed).rejects.toThrow('killed');
      for (const id of ids) {
        const holders = await Promise.all([scene.owner, next].map((identity) => opens(id, 'backup', identity)));
        expect(holders.filter((is) => is)).toHaveLength(1);
      }
    }
    const done = await rewrap([scene.owner, next], next.named('new safe'));
    expect(done).toMatchObject({ failed: 0 });
    for (const id of ids) for (const which of allKeys) expect(await opens(id, which, next)).toBe(true);
  });

  it('stay as they are where the key that is given does not open them, and the key that does is named', async () => {
    const { backupId } = await scene.backUp(vault, {}, { encryption: encryption() });
    const failed: string[] = [];
    expect(await rewrap([scene.stranger], next.named('new safe'), vault, failed)).toMatchObject({
      changed: 0,
      failed: 1,
    });
    expect(failed[0]).toContain('office safe');
    expect(await opens(backupId, 'backup', scene.owner)).toBe(true);
  });
});
