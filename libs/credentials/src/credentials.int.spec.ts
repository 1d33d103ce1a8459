import { randomBytes, randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createDataSource, migrate } from '@strongroom/database';
import type { DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { Credentials } from './credentials.js';

describe('the credentials of instances', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let credentials: Credentials;
  const password = 'correct horse battery staple';

  beforeAll(async () => {
    database = await createTestDatabase();
    dataSource = await createDataSource({ url: database.url, applicationName: 'credentials-spec' }).initialize();
    await migrate(dataSource);
    credentials = new Credentials(dataSource, randomBytes(32));
  });
  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  const stored = async (instanceId: string): Promise<Buffer> => {
    const [row] = await dataSource.query('select ciphertext from instance_credential where instance_id = $1', [
      instanceId,
    ]);
    return row.ciphertext;
  };

  it('are given back as they were put, until they are replaced or removed', async () => {
    const instanceId = randomUUID();
    await expect(credentials.get({ instanceId })).resolves.toBeUndefined();
    await credentials.put(instanceId, { password: 'the first' });
    await credentials.put(instanceId, { password });
    await expect(credentials.get({ instanceId })).resolves.toEqual({ password });
    await credentials.remove(instanceId);
    await expect(credentials.get({ instanceId })).resolves.toBeUndefined();
    await expect(credentials.remove(instanceId)).resolves.toBeUndefined();
  });

  it('are several beside each other when they were changed, and each is given under its name', async () => {
    const instanceId = randomUUID();
    const [one, two] = [randomUUID(), randomUUID()];
    await credentials.put(instanceId, { password });
    await credentials.add({ instanceId, credentialId: one }, { password: 'the second' });
    await credentials.add({ instanceId, credentialId: two }, { password: 'the third', clientKey: 'a key' });
    await expect(credentials.get({ instanceId })).resolves.toEqual({ password });
    await expect(credentials.get({ instanceId, credentialId: one })).resolves.toEqual({ password: 'the second' });
    const third = { password: 'the third', clientKey: 'a key' };
    await expect(credentials.get({ instanceId, credentialId: two })).resolves.toEqual(third);
    await expect(credentials.get({ instanceId: randomUUID(), credentialId: two })).resolves.toBeUndefined();
  });

  it('can not stand for each other, though they are of one instance', async () => {
    const instanceId = randomUUID();
    const [one, two] = [randomUUID(), randomUUID()];
    await credentials.add({ instanceId, credentialId: one }, { password: 'the old one' });
    await credentials.add({ instanceId, credentialId: two }, { password });
    await dataSource.query(
      `update changed_credential set ciphertext = (select ciphertext from changed_credential where credential_id = $1)
       where credential_id = $2`,
      [one, two],
    );
    const refusal = { code: 'credential-unreadable' };
    await expect(credentials.get({ instanceId, credentialId: two })).rejects.toMatchObject(refusal);
  });

  it('lie in the database unreadable, and never twice the same', async () => {
    const instanceId = randomUUID();
    await credentials.put(instanceId, { password });
    const first = await stored(instanceId);
    await credentials.put(instanceId, { password });
    const second = await stored(instanceId);
    expect(first.toString('latin1')).not.toContain('horse');
    expect(second.equals(first)).toBe(false);
    expect(second.subarray(1, 13).equals(first.subarray(1, 13))).toBe(false);
  });

  it('can not be opened by another key, for another instance, or when a bit was changed', async () => {
    const [mine, another] = [randomUUID(), randomUUID()];
    await credentials.put(mine, { password });
    const sealed = await stored(mine);
    const refusal = { code: 'credential-unreadable', retryable: false };

    await expect(new Credentials(dataSource, randomBytes(32)).get({ instanceId: mine })).rejects.toMatchObject(refusal);

    const put =
      'insert into instance_credential (instance_id, ciphertext) values ($1, $2) on conflict (instance_id) do update set ciphertext = excluded.ciphertext';
    await dataSource.query(put, [another, sealed]);
    await expect(credentials.get({ instanceId: another })).rejects.toMatchObject(refusal);

    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      await dataSource.query(put, [mine, changed]);
      await expect(credentials.get({ instanceId: mine })).rejects.toMatchObject(refusal);
    }
    for (const length of [0, 1, 12, 28]) {
      await dataSource.query(put, [mine, sealed.subarray(0, length)]);
      await expect(credentials.get({ instanceId: mine })).rejects.toMatchObject(refusal);
    }
  });

  it('are in no error: neither of a wrong key nor of a database that is away', async () => {
    const instanceId = randomUUID();
    await credentials.put(instanceId, { password });
    const wrongKey: unknown = await new Credentials(dataSource, randomBytes(32))
      .get({ instanceId })
      .catch((error) => error);
    expect(wrongKey).toMatchObject({ message: expect.stringContaining(`instance ${instanceId}`) });
    await dataSource.query('alter table instance_credential rename to away');
    const noTable: unknown = await credentials.put(instanceId, { password }).catch((error) => error);
    await dataSource.query('alter table away rename to instance_credential');
    expect(noTable).toBeInstanceOf(Error);
    for (const error of [wrongKey, noTable]) {
      expect(inspect(error, { depth: 10 })).not.toContain('horse');
    }
  });

  describe('of instances that need none', () => {
    const old = async (count: number) => {
      const rows: { id: string }[] = await dataSource.query(
        `insert into instance_credential (instance_id, ciphertext, stored_at)
         select gen_random_uuid(), 'sealed', now() - interval '2 hours' from generate_series(1, $1) returning instance_id as id`,
        [count],
      );
      return rows.map(({ id }) => id);
    };
    const hour = 3_600_000;
    const kept = async (): Promise<number> =>
      (await dataSource.query('select count(*)::int as kept from instance_credential'))[0].kept;
    beforeEach(() => dataSource.query('delete from instance_credential'));

    it('are removed in steps of a thousand, and the others are kept', async () => {
      const instanceIds = await old(2_500);
      const needed = new Set(instanceIds.slice(0, 1_200));
      const asked: number[] = [];
      const removed = await credentials.removeOrphans(hour, async (some) => {
        asked.push(some.length);
        return some.filter((id) => !needed.has(id));
      });
      expect(asked).toEqual([1_000, 1_000, 500]);
      expect(removed.sort()).toEqual(instanceIds.slice(1_200).sort());
      expect(await kept()).toBe(1_200);
    });

    it('are kept when they were stored recently, also while the instances are being checked', async () => {
      await credentials.put(randomUUID(), { password });
      const [left = ''] = await old(1);
      const removed = await credentials.removeOrphans(hour, async (some, until) => {
        expect(some).toEqual([left]);
        expect(Math.abs(Date.now() - hour - until.getTime())).toBeLessThan(60_000);
        await credentials.put(left, { password });
        return some;
      });
      expect(removed).toEqual([]);
      expect(await kept()).toBe(2);
    });
  });

  describe('that were changed', () => {
    const hour = 3_600_000;
    const age = (table: string) => dataSource.query(`update ${table} set stored_at = now() - interval '2 hours'`);
    const left = async (instanceId: string): Promise<unknown> => {
      const rows: { id: string | null }[] = await dataSource.query(
        `select null::uuid as id from instance_credential where instance_id = $1
         union all select credential_id from changed_credential where instance_id = $1`,
        [instanceId],
      );
      return rows.map(({ id }) => id).sort();
    };
    beforeEach(async () => {
      await dataSource.query('delete from instance_credential');
      await dataSource.query('delete from changed_credential');
    });

    it('are removed when another is in force, and those of changes that broke off', async () => {
      const [instanceId, alone] = [randomUUID(), randomUUID()];
      const [former, inForce, brokenOff] = [randomUUID(), randomUUID(), randomUUID()];
      await credentials.put(instanceId, { password });
      await credentials.put(alone, { password });
      for (const credentialId of [former, inForce, brokenOff]) {
        await credentials.add({ instanceId, credentialId }, { password });
      }
      await age('instance_credential');
      await age('changed_credential');
      const removed = await credentials.removeReplaced(hour, async (ids) => {
        expect(ids).toEqual([instanceId]);
        return [{ instanceId, credentialId: inForce }];
      });
      expect(removed.map(({ credentialId }) => credentialId).sort()).toEqual([former, brokenOff, null].sort());
      expect(await left(instanceId)).toEqual([inForce]);
      expect(await left(alone)).toEqual([null]);
    });

    it('are kept while they are new, and while nobody knows which is in force', async () => {
      const instanceId = randomUUID();
      const [change, newer] = [randomUUID(), randomUUID()];
      await credentials.put(instanceId, { password });
      await credentials.add({ instanceId, credentialId: change }, { password });
      await age('instance_credential');
      await age('changed_credential');
      await credentials.add({ instanceId, credentialId: newer }, { password });
      expect(await credentials.removeReplaced(hour, async () => [])).toEqual([]);
      const removed = await credentials.removeReplaced(hour, async () => [{ instanceId, credentialId: null }]);
      expect(removed).toEqual([{ instanceId, credentialId: change }]);
      expect(await left(instanceId)).toEqual([newer, null].sort());
    });

    it('go with their instance', async () => {
      const instanceId = randomUUID();
      await credentials.add({ instanceId, credentialId: randomUUID() }, { password });
      await age('changed_credential');
      expect(await credentials.removeOrphans(hour, async (ids) => ids)).toEqual([instanceId]);
      expect(await left(instanceId)).toEqual([]);
    });
  });

  it.each([0, 16, 31, 33])('need a key of 32 bytes: one of %d is refused', (length) => {
    expect(() => new Credentials(dataSource, Buffer.alloc(length))).toThrow(
      expect.objectContaining({ code: 'key-invalid', message: expect.stringContaining(`not ${length}`) }),
    );
  });
});
