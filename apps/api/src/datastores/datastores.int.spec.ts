import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  accountPath,
  getBackups,
  getBackupsId,
  getDatastores,
  getDatastoresId,
  getDatastoresIdVersions,
  getDatastoresIdVersionsVersion,
  getDatastoresVersionsId,
  type Operation,
  pathOf,
} from '@strongroom/contracts';
import { z } from 'zod';
import { faultOf, nothing } from '../../fixtures/answers.js';
import { type As, accountId, Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(() => gateway.close());

const version = z.object({
  id: z.string(),
  name: z.string(),
  links: z.array(z.object({ rel: z.string(), href: z.string() })),
});
const datastore = version.extend({ default_version: z.string(), versions: z.array(version) });
const one = z.object({ datastore });
const oneVersion = z.object({ version: version.extend({ datastore: z.string(), version: z.string() }) });

const get = async (operation: Operation, id = '', as: As = 'admin') => (await gateway.call(operation, { id, as })).body;
const versionOf = (id: string, name: string) => gateway.call(getDatastoresIdVersionsVersion, { id, version: name });

describe('a datastore', () => {
  it('is listed with the versions that backups are taken of, and is found by its name and by its id', async () => {
    const { datastores } = z.object({ datastores: z.array(datastore) }).parse(await get(getDatastores));
    expect(datastores).toHaveLength(1);
    const [postgresql] = datastores;
    expect(postgresql?.versions.map(({ name }) => name)).toEqual(['18', '17', '16', '15']);
    expect(postgresql?.default_version).toBe(postgresql?.versions[0]?.id);
    for (const asked of ['postgresql', postgresql?.id ?? '']) {
      expect(one.parse(await get(getDatastoresId, asked)).datastore).toEqual(postgresql);
    }
    expect(await get(getDatastores, '', 'observer')).toEqual({ datastores });
  });

  it('of another kind is a 404, and so is a version that nobody has', async () => {
    for (const operation of [getDatastoresId, getDatastoresIdVersions, getDatastoresVersionsId]) {
      expect(faultOf(await gateway.call(operation, { id: 'oracle' }))).toEqual([404, 'itemNotFound']);
    }
    expect(faultOf(await versionOf('postgresql', '8.1'))).toEqual([404, 'itemNotFound']);
    expect(faultOf(await versionOf('oracle', '18'))).toEqual([404, 'itemNotFound']);
    // A name alone may belong to several datastores.
    expect(faultOf(await gateway.call(getDatastoresVersionsId, { id: '18' }))).toEqual([404, 'itemNotFound']);
    expect(faultOf(await gateway.call(getDatastoresVersionsId, { id: nothing }))).toEqual([404, 'itemNotFound']);
  });

  it('links to itself', async () => {
    const { links, versions } = one.parse(await get(getDatastoresId, 'postgresql')).datastore;
    for (const [self, bookmark] of [links, ...versions.map((each) => each.links)]) {
      const { pathname } = new URL(self?.href ?? '');
      expect((await gateway.request('GET', pathname)).status).toBe(200);
      expect(new URL(bookmark?.href ?? '').pathname).toBe(
        pathname.replace(pathOf({ path: accountPath }, { accountId }), ''),
      );
    }
  });
});

describe('a version of a datastore', () => {
  it('that an instance or a backup has is listed for its account alone, with the id that the backup shows', async () => {
    const instance = await gateway.register('admin', { datastore: { type: 'postgresql', version: '16.4' } });
    const backup = await gateway.backup(instance);
    const shown = z.object({ backup: z.looseObject({ datastore: z.object({ version_id: z.string() }) }) });
    const { version_id } = shown.parse(await get(getBackupsId, backup)).backup.datastore;
    const listed = z.object({ versions: z.array(version.loose()) });
    const { versions } = listed.parse(await get(getDatastoresIdVersions, 'postgresql'));
    expect(versions.map(({ name }) => name)).toEqual(['18', '17', '16', '15', '16.4']);
    const found = versions.find(({ id }) => id === version_id);
    expect(found).toMatchObject({ name: '16.4', version: '16.4' });
    const byId = oneVersion.parse(await get(getDatastoresVersionsId, version_id)).version;
    expect(byId).toEqual(found);
    expect((await versionOf('postgresql', '16.4')).body).toEqual({ version: byId });
    expect((await versionOf(byId.datastore, version_id)).body).toEqual({ version: byId });
    expect(await get(getDatastoresIdVersions, 'postgresql', 'other')).toMatchObject({ versions: { length: 4 } });
  });
});

describe('the filter of the list of backups', () => {
  it('takes the id of a datastore as it takes the name', async () => {
    const { id } = one.parse(await get(getDatastoresId, 'postgresql')).datastore;
    const list = (datastore: string) => gateway.call(getBackups, { query: { datastore } });
    const byName = await list('postgresql');
    expect(byName).toMatchObject({ status: 200, body: { backups: [{}] } });
    expect((await list(id)).body).toEqual(byName.body);
    expect(faultOf(await list(nothing))).toEqual([404, 'itemNotFound']);
  });
});
