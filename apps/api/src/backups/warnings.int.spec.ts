import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { getBackupsId } from '@strongroom/contracts';
import { Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(() => gateway.close());

it('a backup of a server that warned while it gave it is good, and shows the warnings', async () => {
  const instanceId = await gateway.register();
  const id = await gateway.backup(instanceId);
  const said = 'WARNING: skipping special file "./pipe"';
  await gateway.run(id, instanceId, 'completed', { lineage: id, facts: { systemId: '1', warnings: [{ said }] } });
  const { body } = await gateway.call(getBackupsId, { id });
  expect(body).toMatchObject({ backup: { status: 'COMPLETED', warnings: [said] } });
});
