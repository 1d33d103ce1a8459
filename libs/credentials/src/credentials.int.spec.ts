import { createCipheriv, randomBytes, randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { KeyRing } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { patience } from '../../../test/services/patience.js';
import { Credentials } from './credentials.js';
import type { Bound } from './sealed.js';

const endpoint = { host: 'db.example', port: 5432, user: 'backup', tls: 'verify-full' } as const;
const boundOf = (instanceId: string) => ({ accountId: 'acme', instanceId, endpoint });
const changedOf = (instanceId: string, credentialId: string) => ({ ...boundOf(instanceId), credentialId });

describe('the credentials of instances', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let credentials: Credentials;
  const password = 'correct horse battery staple';

  beforeAll(async () => {
    ({ database, dataSource } = await connectTestDatabase({ applicationName: 'credentials-spec' }));
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
    await expect(credentials.get(boundOf(instanceId))).resolves.toBeUndefined();
    await credentials.put(boundOf(instanceId), { password: 'the first' });
    await credentials.put(boundOf(instanceId), { password });
    await expect(credentials.get(boundOf(instanceId))).resolves.toEqual({ password });
    await credentials.remove(instanceId);
    await expect(credentials.get(boundOf(instanceId))).resolves.toBeUndefined();
    await expect(credentials.remove(instanceId)).resolves.toBeUndefined();
  });

  it('are several beside each other when they were changed, and each is given under its name', async () => {
    const instanceId = randomUUID();
    const [one, two] = [randomUUID(), randomUUID()];
    await credentials.put(boundOf(instanceId), { password });
    await credentials.add(changedOf(instanceId, one), { password: 'the second' });
    await credentials.add(changedOf(instanceId, two), { password: 'the third', clientKey: 'a key' });
    await expect(credentials.get(boundOf(instanceId))).resolves.toEqual({ password });
    await expect(credentials.get(changedOf(instanceId, one))).resolves.toEqual({ password: 'the second' });
    const third = { password: 'the third', clientKey: 'a key' };
    await expect(credentials.get(changedOf(instanceId, two))).resolves.toEqual(third);
    await expect(credentials.get(changedOf(randomUUID(), two))).resolves.toBeUndefined();
  });

  it('can not stand for each other, though they are of one instance', async () => {
    const instanceId = randomUUID();
    const [one, two] = [randomUUID(), randomUUID()];
    await credentials.add(changedOf(instanceId, one), { password: 'the old one' });
    await credentials.add(changedOf(instanceId, two), { password });
    await dataSource.query(
      `update changed_credential set ciphertext = (select ciphertext from changed_credential where credential_id = $1)
       where credential_id = $2`,
      [one, two],
    );
    const refusal = { code: 'credential-unreadable' };
    await expect(credentials.get(changedOf(instanceId, two))).rejects.toMatchObject(refusal);
  });

  it('lie in the database unreadable, and never twice the same', async () => {
    const instanceId = randomUUID();
    await credentials.put(boundOf(instanceId), { password });
    const first = await stored(instanceId);
    await credentials.put(boundOf(instanceId), { password });
    const second = await stored(instanceId);
    expect(first.toString('latin1')).not.toContain('horse');
    expect(second.equals(first)).toBe(false);
    expect(second.subarray(9, 21).equals(first.subarray(9, 21))).toBe(false);
  });

  it('can not be opened by another key, for another instance, or when a bit was changed', async () => {
    const [mine, another] = [randomUUID(), randomUUID()];
    await credentials.put(boundOf(mine), { password });
    const sealed = await stored(mine);
    const refusal = { code: 'credential-unreadable' };

    // Somebody may give this process the key.
    await expect(new Credentials(dataSource, randomBytes(32)).get(boundOf(mine))).rejects.toMatchObject({
      ...refusal,
      retryable: true,
    });

    const put =
      'insert into instance_credential (instance_id, ciphertext) values ($1, $2) on conflict (instance_id) do update set ciphertext = excluded.ciphertext';
    await dataSource.query(put, [another, sealed]);
    await expect(credentials.get(boundOf(another))).rejects.toMatchObject(refusal);

    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      await dataSource.query(put, [mine, changed]);
      await expect(credentials.get(boundOf(mine))).rejects.toMatchObject(refusal);
    }
    for (const length of [0, 1, 12, 28]) {
      await dataSource.query(put, [mine, sealed.subarray(0, length)]);
      await expect(credentials.get(boundOf(mine))).rejects.toMatchObject(refusal);
    }
  });

  it('are in no error: neither of a wrong key nor of a database that is away', async () => {
    const instanceId = randomUUID();
    await credentials.put(boundOf(instanceId), { password });
    const wrongKey: unknown = await new Credentials(dataSource, randomBytes(32))
      .get(boundOf(instanceId))
      .catch((error) => error);
    expect(wrongKey).toMatchObject({ message: expect.stringContaining(`instance ${instanceId}`) });
    await dataSource.query('alter table instance_credential rename to away');
    const noTable: unknown = await credentials.put(boundOf(instanceId), { password }).catch((error) => error);
    await dataSource.query('alter table away rename to instance_credential');
    expect(noTable).toBeInstanceOf(Error);
    for (const error of [wrongKey, noTable]) {
      expect(inspect(error, { depth: 10 })).not.toContain('horse');
    }
  });

  describe('are bound to where they may go', () => {
    const elsewhere: [string, Partial<Bound>][] = [
      ['account', { accountId: 'forger' }],
      ['host', { endpoint: { ...endpoint, host: 'forger.example' } }],
      ['port', { endpoint: { ...endpoint, port: 5433 } }],
      ['user', { endpoint: { ...endpoint, user: 'postgres' } }],
      ['mode of TLS', { endpoint: { ...endpoint, tls: 'disable' } }],
      ['authority', { endpoint: { ...endpoint, caCertificate: 'of the forger' } }],
    ];
    it.each(elsewhere)('and are not given for another %s, whatever an event says', async (_, forged) => {
      const [instanceId, credentialId] = [randomUUID(), randomUUID()];
      await credentials.put(boundOf(instanceId), { password });
      await credentials.add(changedOf(instanceId, credentialId), { password });
      const refusal = { code: 'credential-unreadable', retryable: false };
      await expect(credentials.get({ ...boundOf(instanceId), ...forged })).rejects.toMatchObject(refusal);
      await expect(credentials.get({ ...changedOf(instanceId, credentialId), ...forged })).rejects.toMatchObject(
        refusal,
      );
      await expect(
        credentials.get({ ...boundOf(instanceId), endpoint: { ...endpoint, caCertificate: null } }),
      ).resolves.toEqual({
        password,
      });
    });
  });

  describe('under several keys', () => {
    const [former, newer] = [randomBytes(32), randomBytes(32)];
    const under = (...keys: [Buffer, ...Buffer[]]) => new Credentials(dataSource, new KeyRing(keys));
    const idOf = (key: Buffer) => new KeyRing([key]).newest.id;
    beforeEach(() => dataSource.query('delete from instance_credential; delete from changed_credential'));

    /** As an older version has sealed it. */
    async function putFirst(instanceId: string, key: Buffer, credentialId?: string): Promise<void> {
      const nonce = randomBytes(12);
      const aad = Buffer.from(credentialId === undefined ? instanceId : `${instanceId}/${credentialId}`);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(aad);
      const text = Buffer.concat([cipher.update(JSON.stringify({ password }), 'utf8'), cipher.final()]);
      const bytes = Buffer.concat([Buffer.from([1]), nonce, cipher.getAuthTag(), text]);
      if (credentialId === undefined) {
        await dataSource.query('insert into instance_credential (instance_id, ciphertext) values ($1, $2)', [
          instanceId,
          bytes,
        ]);
      } else {
        const values = [credentialId, instanceId, bytes];
        await dataSource.query(
          'insert into changed_credential (credential_id, instance_id, ciphertext) values ($1, $2, $3)',
          values,
        );
      }
    }

    it('are opened by the key that has sealed them, and sealed by the first', async () => {
      const instanceId = randomUUID();
      await under(former).put(boundOf(instanceId), { password });
      await expect(under(newer, former).get(boundOf(instanceId))).resolves.toEqual({ password });
      await under(newer, former).put(boundOf(instanceId), { password });
      await expect(under(newer).get(boundOf(instanceId))).resolves.toEqual({ password });
      const refused = await under(former)
        .get(boundOf(instanceId))
        .catch((error: unknown) => error);
      expect(refused).toMatchObject({ retryable: true, message: expect.stringContaining(idOf(newer)) });
    });

    it('are sealed anew: the former key is not needed any more, and what can not be opened stays', async () => {
      const [one, two, three, spoilt, old] = [randomUUID(), randomUUID(), randomUUID(), randomUUID(), randomUUID()];
      const [changed, oldChanged] = [randomUUID(), randomUUID()];
      await under(former).put(boundOf(one), { password });
      await under(former).add(changedOf(two, changed), { password: 'the second', clientKey: 'a key' });
      await under(newer).put(boundOf(three), { password });
      await under(randomBytes(32)).put(boundOf(spoilt), { password });
      await putFirst(old, former);
      await putFirst(two, former);
      await putFirst(old, former, oldChanged);
      const inForce = new Map<string, Bound>([
        ...[one, three, spoilt].map((id) => [id, boundOf(id)] as const),
        [two, changedOf(two, changed)],
        [old, changedOf(old, oldChanged)],
      ]);
      const both = under(newer, former);
      const round = () => both.resealSome(undefined, async (id) => inForce.get(id));
      const { resealed, unreadable, next } = await round();
      expect([resealed.sort(), unreadable, next]).toEqual([[one, two, old].sort(), [spoilt], undefined]);
      for (const id of [one, three]) await expect(under(newer).get(boundOf(id))).resolves.toEqual({ password });
      await expect(under(newer).get(changedOf(two, changed))).resolves.toEqual({
        password: 'the second',
        clientKey: 'a key',
      });
      await expect(under(newer).get(changedOf(old, oldChanged))).resolves.toEqual({ password });
      await expect(both.get({ ...changedOf(old, oldChanged), accountId: 'forger' })).rejects.toMatchObject({
        retryable: false,
      });
      expect(await round()).toMatchObject({ resealed: [], unreadable: [spoilt] });
      const counted = await both.countByKey();
      expect([counted.get(idOf(newer)), counted.get(idOf(former)), counted.get('')]).toEqual([4, undefined, 2]);
    });

    it('are sealed anew wherever a process dies, and by several at once, and open at each moment', async () => {
      const ids = Array.from({ length: 8 }, () => randomUUID()).sort();
      for (const id of ids) await under(former).put(boundOf(id), { password: `of ${id}` });
      const ring = () => under(newer, former);
      const allOpen = async () => {
        for (const id of ids) await expect(ring().get(boundOf(id))).resolves.toEqual({ password: `of ${id}` });
      };
      for (let dies = 0; dies < ids.length; dies += 3) {
        const killed = ring().resealSome(undefined, async (id) => {
          if (id === ids[dies]) throw new Error('killed');
          return boundOf(id);
        });
        await expect(killed).rejects.toThrow('killed');
        await allOpen();
        expect((await ring().countByKey()).get(idOf(former))).toBe(ids.length - dies);
      }
      await Promise.all([1, 2, 3].map(() => ring().resealSome(undefined, async (id) => boundOf(id))));
      await allOpen();
      expect([...(await ring().countByKey())]).toEqual([[idOf(newer), ids.length]]);
    });

    it('are not lost when the key that has sealed them is missing for a while', async () => {
      const instanceId = randomUUID();
      await under(former).put(boundOf(instanceId), { password });
      const round = await under(newer).resealSome(undefined, async (id) => boundOf(id));
      expect(round).toMatchObject({ resealed: [], unreadable: [instanceId] });
      await expect(under(newer).get(boundOf(instanceId))).rejects.toMatchObject({ retryable: true });
      const again = await under(newer, former).resealSome(undefined, async (id) => boundOf(id));
      expect(again).toMatchObject({ resealed: [instanceId], unreadable: [] });
      await expect(under(newer).get(boundOf(instanceId))).resolves.toEqual({ password });
    });

    it('are left as they are when somebody has changed them meanwhile', async () => {
      const instanceId = randomUUID();
      await under(former).put(boundOf(instanceId), { password: 'the former' });
      await under(newer, former).resealSome(undefined, async (id) => {
        await under(former).put(boundOf(id), { password });
        return boundOf(id);
      });
      await expect(under(newer, former).get(boundOf(instanceId))).resolves.toEqual({ password });
    });
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
      await credentials.put(boundOf(randomUUID()), { password });
      const [left = ''] = await old(1);
      const removed = await credentials.removeOrphans(hour, async (some, until) => {
        expect(some).toEqual([left]);
        expect(Math.abs(Date.now() - hour - until.getTime())).toBeLessThan(60_000 * patience);
        await credentials.put(boundOf(left), { password });
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
      await credentials.put(boundOf(instanceId), { password });
      await credentials.put(boundOf(alone), { password });
      for (const credentialId of [former, inForce, brokenOff]) {
        await credentials.add(changedOf(instanceId, credentialId), { password });
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
      await credentials.put(boundOf(instanceId), { password });
      await credentials.add(changedOf(instanceId, change), { password });
      await age('instance_credential');
      await age('changed_credential');
      await credentials.add(changedOf(instanceId, newer), { password });
      expect(await credentials.removeReplaced(hour, async () => [])).toEqual([]);
      const removed = await credentials.removeReplaced(hour, async () => [{ instanceId, credentialId: null }]);
      expect(removed).toEqual([{ instanceId, credentialId: change }]);
      expect(await left(instanceId)).toEqual([newer, null].sort());
    });

    it('go with their instance', async () => {
      const instanceId = randomUUID();
      await credentials.add(changedOf(instanceId, randomUUID()), { password });
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
