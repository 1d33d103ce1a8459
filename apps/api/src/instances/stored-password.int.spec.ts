import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getInstancesId, patchInstancesId } from '@strongroom/contracts';
import { allOf } from '../../../../test/services/all-of.js';
import { CertificateAuthority } from '../../../../test/services/certificates.js';
import { eventually } from '../../../../test/services/eventually.js';
import { fullFaultOf } from '../../fixtures/answers.js';
import { type As, Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(() => gateway.close());

const authority = CertificateAuthority.create('authority').certificate;
const other = CertificateAuthority.create('other').certificate;
const server = { host: '127.0.0.1', port: 1, user: 'backup', password: 'open sesame' };
const registered = () =>
  gateway.register('admin', { connection: { ...server, tls: 'verify-full', ca_certificate: authority } });
const change = (id: string, connection: object, as: As) =>
  gateway.call(patchInstancesId, { id, as, body: { instance: { connection, verify: false } } });

describe('the stored password of an instance', () => {
  it.each([
    ['another host', { host: 'localhost' }],
    ['another port', { port: 2 }],
    ['less TLS', { tls: 'verify-ca' }],
    ['another authority', { ca_certificate: other }],
    ['every authority that the service trusts', { ca_certificate: '' }],
  ])('is not sent by %s at the wish of somebody who could not read it', async (_, connection) => {
    const id = await registered();
    const before = await gateway.call(getInstancesId, { id });
    const refused = await change(id, connection, 'creator');
    expect(fullFaultOf(refused)).toEqual([403, 'forbidden', expect.stringContaining('instance.lead-elsewhere')]);
    expect((await gateway.call(getInstancesId, { id })).body).toEqual(before.body);
    expect((await change(id, { ...connection, password: server.password }, 'creator')).status).toBe(202);
    expect((await change(await registered(), connection, 'admin')).status).toBe(202);
  });

  it('may go by more TLS, and to another database as another user of the same server', async () => {
    const id = await registered();
    expect((await change(id, { tls: 'verify-ca' }, 'admin')).status).toBe(202);
    for (const connection of [{ tls: 'verify-full' }, { database: 'template1' }, { user: 'another' }]) {
      expect((await change(id, connection, 'creator')).status).toBe(202);
    }
  });

  it('is in the audit with who wanted it elsewhere', async () => {
    await change(await registered(), { port: 2 }, 'creator');
    await eventually(
      async () => {
        const refused = (await allOf(gateway.client().audit.list())).filter(({ type }) => type === 'RequestsRefused');
        expect(refused).toContainEqual(
          expect.objectContaining({
            actor: 'creator',
            data: expect.objectContaining({ because: 'missing-right', rights: ['instance.lead-elsewhere'] }),
          }),
        );
      },
      { withinMs: 20_000 },
    );
  });
});
