/** The maintained gophercloud reads instances and datastores, by its own Go packages. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { accountPath, deleteInstancesId, getBackupsId, getInstancesId, pathOf } from '@strongroom/contracts';
import { z } from 'zod';
import { type GoProgram, goProgram } from '../../../../test/services/go-program.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';

const run = promisify(execFile);
let gateway: Gateway;
let program: GoProgram | undefined;
beforeAll(async () => {
  program = await goProgram('gophercloud');
  gateway = await Gateway.open();
}, 300_000);
afterAll(async () => {
  await gateway.close();
  await program?.remove();
});

const named = z.object({ ID: z.string(), Name: z.string(), Links: z.array(z.object({ href: z.string() })) });
const understood = z.object({
  Instance: z.looseObject({}),
  Created: z.string(),
  Updated: z.string(),
  Pages: z.array(z.array(z.string())),
  Datastores: z.array(named.extend({ default_version: z.string(), Versions: z.array(named) })),
  Datastore: named,
  Versions: z.array(named),
  Version: named,
  Missing: z.string(),
  Deleted: z.boolean(),
});

describe('gophercloud', () => {
  it('reads an instance, pages of instances, datastores and versions, and deletes an instance', async () => {
    if (!program) return;
    const fields = { connection: { host: '192.0.2.7', port: 5432, user: 'backup', password: 'secret' } };
    const id = await gateway.register('admin', fields);
    for (let others = 0; others < 20; others += 1) await gateway.register();
    const backup = await gateway.backup(id);
    await gateway.run(backup, id, 'completed');
    const shown = z
      .object({ backup: z.looseObject({ datastore: z.object({ version_id: z.string() }) }) })
      .parse((await gateway.call(getBackupsId, { id: backup })).body).backup;
    const listed = await gateway.call(getInstancesId, { id });
    const { instance } = z
      .object({ instance: z.looseObject({ created: z.string(), updated: z.string() }) })
      .parse(listed.body);

    const url = gateway.url + pathOf({ path: accountPath }, { accountId });
    const { stdout } = await run(program.path, [url, gateway.tokenOf('admin'), id, shown.datastore.version_id]);
    const read = understood.parse(JSON.parse(stdout));
    expect(read.Instance).toMatchObject({
      ID: id,
      Name: 'orders',
      Status: 'ACTIVE',
      Hostname: '192.0.2.7',
      IP: ['192.0.2.7'],
      Addresses: [{ Type: 'public', Address: '192.0.2.7' }],
      Flavor: { ID: '0' },
      Volume: { Size: 0 },
      Fault: null,
      Datastore: { Type: 'postgresql', Version: '18' },
    });
    expect([read.Created, read.Updated]).toEqual([`${instance.created}Z`, `${instance.updated}Z`]);
    expect(read.Pages.map((page) => page.length)).toEqual([20, 1]);
    expect(new Set(read.Pages.flat()).size).toBe(21);
    expect(read.Datastores).toMatchObject([{ Name: 'postgresql', ID: read.Datastore.ID }]);
    expect(read.Datastores[0]?.default_version).toBe(read.Versions[0]?.ID);
    expect(read.Version).toMatchObject({ ID: shown.datastore.version_id, Name: '18' });
    expect(read.Versions).toContainEqual(read.Version);
    expect(read.Deleted).toBe(true);
    expect((await gateway.call(deleteInstancesId, { id })).status).toBe(404);
  }, 120_000);
});
