import { afterAll, beforeAll } from '@jest/globals';
import { HttpProxy } from '../../../../test/services/http-proxy.js';
import { describeWithMoto, describeWithVersity, type S3Server } from '../../../../test/services/s3-servers.js';
import { objectScene } from '../../fixtures/object-scene.js';
import { s3StoreAt } from '../../fixtures/s3-store-at.js';
import type { VaultScene } from '../../fixtures/vault-scene.js';
import { vaultContract } from '../vault.contract.js';

/** What a store says of an object that it has moved to an archive. */
const archived =
  '<?xml version="1.0" encoding="UTF-8"?><Error><Code>InvalidObjectState</Code><Message>It is in an archive.</Message></Error>';

describeWithVersity('in a bucket of Versity S3 Gateway', vaultsIn);
describeWithMoto('in a bucket of Moto', vaultsIn);

function vaultsIn(start: () => Promise<S3Server>): void {
  let server: S3Server;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());

  vaultContract('S3', async (region): Promise<VaultScene> => {
    const proxy = await HttpProxy.before(server.url);
    const url = server.vaultUrl(`${await server.bucket()}/${region}`, { endpoint: proxy.url });
    const bad = new Set<string>();
    let isAway = false;
    proxy.fault = ({ method, path }) => {
      if (isAway) return 'reset';
      const isBad = method === 'GET' && [...bad].some((key) => path.includes(`/${key}?`));
      return isBad ? { answer: { status: 403, body: archived } } : undefined;
    };
    return objectScene(region, {
      store: s3StoreAt(url, { region }),
      breakObject: async (key) => void bad.add(key),
      takeAway: async () => {
        isAway = true;
      },
      bringBack: async () => {
        isAway = false;
      },
      remove: () => proxy.close(),
    });
  });
}
