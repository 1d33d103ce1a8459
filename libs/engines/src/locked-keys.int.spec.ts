import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { openVaults } from '@strongroom/vault';
import { describeWithVersity, type S3Server } from '../../../test/services/s3-servers.js';
import { EncryptedScene } from '../fixtures/encrypted-scene.js';
import { rewrapVault } from './rewrap-vault.js';

describeWithVersity('the keys of a backup in a bucket with locks', (start) => {
  let server: S3Server;
  let scene: EncryptedScene;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    scene = await EncryptedScene.open();
  });
  afterEach(() => scene.remove());

  it('are locked for as long as the backup, also after they were wrapped for others', async () => {
    const bucket = await server.bucket({ locks: true });
    const url = server.vaultUrl(bucket, { lock: 'compliance' });
    const vault = openVaults(new Map([['DFW', url]])).of('DFW');
    await vault.identify();
    const { backupId } = await scene.backUp(vault);
    const until = new Date((Math.ceil(Date.now() / 1_000) + 3_600) * 1_000);
    expect(await vault.keepUntil(backupId, until)).toBe(true);

    const owner = scene.newKey('next').named('new safe');
    const rewrapped = await rewrapVault(vault, {
      identities: [scene.owner],
      recipientsOf: () => [owner],
      failed: (_, error) => {
        throw error;
      },
    });
    expect(rewrapped).toMatchObject({ changed: 1, failed: 0 });
    expect(await vault.keptUntil(backupId)).toEqual(until);
    const client = server.client();
    for (const name of ['keys.age', 'chain-keys.age']) {
      const Key = `${await vault.locationOf(backupId)}/${name}`;
      const told = await client.send(new HeadObjectCommand({ Bucket: bucket, Key }));
      expect([name, told.ObjectLockRetainUntilDate]).toEqual([name, until]);
    }
    client.destroy();
    await expect(vault.verify(backupId)).resolves.toBeDefined();
  });
});
