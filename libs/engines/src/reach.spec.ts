import { describe, expect, it } from '@jest/globals';
import type { Endpoint } from '@strongroom/contracts';
import { Networks } from '@strongroom/runtime';
import { Reach, type ReachOptions } from './reach.js';

const never = new AbortController().signal;
const nothing = new Networks([]);
const names: Record<string, string[]> = {
  'db.example.com': ['93.184.216.34'],
  'two.example.com': ['93.184.216.34', '2606:2800:220:1::1'],
  'mixed.example.com': ['93.184.216.34', '10.0.0.5'],
  'inner.example.com': ['10.0.0.5'],
  'here.example.com': ['127.0.0.1'],
  'mapped.example.com': ['::ffff:127.0.0.1'],
  database: ['10.0.0.9'],
  localhost: ['::1', '127.0.0.1'],
  // What the system makes of such a name.
  '2130706433': ['127.0.0.1'],
  '127.1': ['127.0.0.1'],
};

function reach(more: Partial<ReachOptions> = {}): Reach {
  const lookup = async (host: string) => {
    const found = names[host];
    if (!found) throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' });
    return found;
  };
  return new Reach({ customers: { networks: nothing }, lookup, ofThisMachine: () => ['10.0.0.2'], ...more });
}

const at = (host: string, more: Partial<Endpoint> = {}) => ({
  endpoint: { host, port: 5432, user: 'u', database: 'd', tls: 'verify-full', ...more } as Endpoint,
});

describe('an instance', () => {
  it.each(['db.example.com', 'two.example.com', '93.184.216.34', '[2606:2800:220:1::1]'])(
    'leads to the public address of %s, and that address is told',
    async (host) => {
      const bare = host.replace(/[[\]]/g, '');
      expect(await reach().addressesOf(at(host), never)).toEqual(names[host] ?? [bare]);
    },
  );

  it.each([
    '127.0.0.1',
    'localhost',
    '::1',
    '[::1]',
    '2130706433',
    '127.1',
    '0.0.0.0',
    '::',
    '10.0.0.5',
    '172.16.0.1',
    '192.168.0.1',
    'fd00::1',
    '169.254.169.254',
    'fe80::1',
    '224.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:a00:5',
    '64:ff9b::7f00:1',
    '::127.0.0.1',
    '2002:a9fe:a9fe::1',
    '2001:0:1:2:3:4:5601:5601',
    'fe80::1%eth0',
    '255.255.255.255',
    '100.64.0.1',
    '100.100.100.200',
    'fd00:ec2::254',
    'inner.example.com',
    'here.example.com',
    'mapped.example.com',
    // One address that is not allowed is enough.
    'mixed.example.com',
  ])('does not lead to %s', async (host) => {
    const refused = reach().addressesOf(at(host), never);
    await expect(refused).rejects.toMatchObject({ code: 'server-not-allowed', retryable: false });
    await expect(refused).rejects.toThrow('STRONGROOM_CUSTOMER_NETWORKS');
  });

  it('leads to private networks that the operator allows, and never to what belongs to nobody or to a cloud', async () => {
    const networks = new Networks([
      ['10.0.0.0', 24],
      ['127.0.0.0', 8],
      ['169.254.0.0', 16],
    ]);
    const allowing = reach({ customers: { networks } });
    for (const host of ['10.0.0.5', 'inner.example.com', '::ffff:10.0.0.5', '127.0.0.1', 'mixed.example.com']) {
      expect((await allowing.addressesOf(at(host), never)).length).toBeGreaterThan(0);
    }
    for (const host of ['10.0.1.5', '169.254.169.254', '0.0.0.0', '::ffff:169.254.169.254', '::1']) {
      await expect(allowing.addressesOf(at(host), never)).rejects.toMatchObject({ code: 'server-not-allowed' });
    }
  });

  it('never leads to the services of the deployment, by whatever name or address', async () => {
    const networks = new Networks([
      ['10.0.0.0', 8],
      ['127.0.0.0', 8],
      ['::1', 128],
    ]);
    const ownServices = [
      { host: 'database', port: 5432 },
      { host: '127.0.0.1', port: 9092 },
    ];
    const own = reach({ customers: { networks }, ownServices });
    for (const [host, port] of [
      ['database', 5432],
      ['10.0.0.9', 5432],
      ['::ffff:10.0.0.9', 5432],
      ['127.0.0.1', 9092],
      ['127.0.0.2', 9092],
      ['localhost', 9092],
      // Of this machine: the broker may listen on each of its addresses.
      ['10.0.0.2', 9092],
    ] as const) {
      await expect(own.addressesOf(at(host, { port }), never)).rejects.toMatchObject({ code: 'server-not-allowed' });
    }
    for (const [host, port] of [
      ['10.0.0.9', 5433],
      ['10.0.0.8', 5432],
      ['127.0.0.1', 5432],
    ] as const) {
      expect(await own.addressesOf(at(host, { port }), never)).toEqual([host]);
    }
  });

  it('never leads to a service of the deployment by another way of writing its IPv6 address', async () => {
    const networks = new Networks([['fd12::', 16]]);
    const own = reach({ customers: { networks }, ownServices: [{ host: 'fd12::5', port: 5432 }] });
    for (const host of [
      'fd12::5',
      'FD12::5',
      'fd12:0:0::5',
      'fd12:0000:0:0:0:0:0:0005',
      'fd12::5%eth0',
      'fd12::0.0.0.5',
    ]) {
      await expect(own.addressesOf(at(host), never)).rejects.toMatchObject({ code: 'server-not-allowed' });
    }
  });

  it('never leads to a database of the deployment on the loopback interface that the services reach by its socket', async () => {
    const customers = { networks: new Networks([['127.0.0.0', 8]]) };
    const own = reach({ customers, ownServices: [{ host: '/var/run/postgresql', port: 5432 }] });
    await expect(own.addressesOf(at('127.0.0.1'), never)).rejects.toMatchObject({ code: 'server-not-allowed' });
    expect(await own.addressesOf(at('127.0.0.1', { port: 5433 }), never)).toHaveLength(1);
  });

  it('never leads to a service of the deployment that has moved, at its former address or at its new one', async () => {
    let where = ['93.184.216.34'];
    const lookup = async (host: string) => (host === 'database' ? where : ['93.184.216.35']);
    const own = reach({ lookup, ownServices: [{ host: 'database', port: 5432 }] });
    expect(await own.addressesOf(at('moved.example.com'), never)).toEqual(['93.184.216.35']);
    where = ['93.184.216.35'];
    for (const host of ['moved.example.com', 'database', '93.184.216.34']) {
      await expect(own.addressesOf(at(host), never)).rejects.toMatchObject({ code: 'server-not-allowed' });
    }
  });

  it('leads nowhere while nobody can say where a service of the deployment is', async () => {
    let code: string | undefined = 'EAI_AGAIN';
    const lookup = async (host: string) => {
      if (host === 'database' && code) throw Object.assign(new Error(`getaddrinfo ${code} database`), { code });
      return ['93.184.216.34'];
    };
    const own = reach({ lookup, ownServices: [{ host: 'database', port: 5432 }] });
    await expect(own.addressesOf(at('db.example.com'), never)).rejects.toThrow('EAI_AGAIN');
    expect(await own.addressesOf(at('db.example.com', { port: 5433 }), never)).toHaveLength(1);
    // Nobody is at a name that has no address.
    code = 'ENOTFOUND';
    expect(await own.addressesOf(at('db.example.com'), never)).toHaveLength(1);
    code = undefined;
    await expect(own.addressesOf(at('db.example.com'), never)).rejects.toMatchObject({ code: 'server-not-allowed' });
    // Once it was found somewhere, it counts as there.
    code = 'EAI_AGAIN';
    await expect(own.addressesOf(at('db.example.com'), never)).rejects.toMatchObject({ code: 'server-not-allowed' });
  });

  it('leads to few of the addresses that its name has, all of which are judged', async () => {
    const many = Array.from({ length: 4_000 }, (_, at) => `93.184.${at >> 8}.${at & 255}`);
    const lookup = async (host: string) => (host === 'many.example.com' ? many : [...many, '10.0.0.5']);
    expect(await reach({ lookup }).addressesOf(at('many.example.com'), never)).toEqual(many.slice(0, 16));
    await expect(reach({ lookup }).addressesOf(at('mixed.example.com'), never)).rejects.toThrow('10.0.0.5');
  });

  it('leads nowhere by a name without an address', async () => {
    const asked = reach({ lookup: async () => [] }).addressesOf(at('empty.example.com'), never);
    await expect(asked).rejects.toThrow('has no address');
  });

  it('has its name looked up once, and leads nowhere else afterwards', async () => {
    let asked = 0;
    const turns = [['93.184.216.34'], ['127.0.0.1']];
    const rebinding = reach({ lookup: async () => turns[asked++] ?? [] });
    expect(await rebinding.addressesOf(at('rebinding.example.com'), never)).toEqual(['93.184.216.34']);
    expect(asked).toBe(1);
  });

  it('has TLS off the loopback interface, and as much as the operator asks for everywhere', async () => {
    const networks = new Networks([['127.0.0.0', 8]]);
    const usual = reach({ customers: { networks } });
    await expect(usual.addressesOf(at('db.example.com', { tls: 'disable' }), never)).rejects.toThrow(
      /tls "require" at the least.*"disable"/,
    );
    expect(await usual.addressesOf(at('db.example.com', { tls: 'require' }), never)).toHaveLength(1);
    expect(await usual.addressesOf(at('127.0.0.1', { tls: 'disable' }), never)).toHaveLength(1);
    const strict = reach({ customers: { networks, minTls: 'verify-full' } });
    for (const host of ['db.example.com', '127.0.0.1']) {
      await expect(strict.addressesOf(at(host, { tls: 'verify-ca' }), never)).rejects.toThrow('"verify-full"');
    }
    const plain = reach({ customers: { networks, minTls: 'disable' } });
    expect(await plain.addressesOf(at('db.example.com', { tls: 'disable' }), never)).toHaveLength(1);
  });

  it('that Strongroom built leads to the loopback interface, and nowhere else', async () => {
    const built = { isBuiltHere: true };
    const addressesOf = (host: string) => reach().addressesOf({ ...at(host, { tls: 'disable' }), ...built }, never);
    expect(await addressesOf('127.0.0.1')).toEqual(['127.0.0.1']);
    await expect(addressesOf('10.0.0.5')).rejects.toMatchObject({ code: 'server-not-allowed' });
  });

  it('is refused at its registration where its address or its TLS can never be right', () => {
    const usual = reach();
    expect(usual.whyNot({ host: '127.0.0.1', tls: 'verify-full' })).toMatchObject({ field: 'host' });
    expect(usual.whyNot({ host: '[fe80::1]', tls: 'verify-full' })).toMatchObject({ field: 'host' });
    expect(usual.whyNot({ host: 'db.example.com', tls: 'disable' })).toMatchObject({ field: 'tls' });
    expect(usual.whyNot({ host: '93.184.216.34', tls: 'disable' })).toMatchObject({ field: 'tls' });
    // Where a name leads is seen when it is dialled.
    expect(usual.whyNot({ host: 'inner.example.com', tls: 'verify-full' })).toBeUndefined();
    expect(usual.whyNot({ host: 'localhost', tls: 'disable' })).toBeUndefined();
  });

  it('is not waited for when it is called off while its name is looked up', async () => {
    const calledOff = new AbortController();
    const slow = reach({ lookup: () => new Promise<never>(() => {}) });
    const asked = slow.addressesOf(at('db.example.com'), calledOff.signal);
    calledOff.abort(new Error('called off'));
    await expect(asked).rejects.toThrow('called off');
  });
});
