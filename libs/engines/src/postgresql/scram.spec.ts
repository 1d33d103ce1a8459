/** What a server may try with a login by SCRAM, to learn the password or to be taken for another one. */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Endpoint } from '@strongroom/contracts';
import { CertificateAuthority } from '../../../../test/services/certificates.js';
import { ScriptedServer } from '../../../../test/services/scripted-server.js';
import * as protocol from '../../../../test/services/server-messages.js';
import type { Login } from '../engine.js';
import { ServerConnection } from './connection.js';

const never = new AbortController().signal;
const authority = CertificateAuthority.create('authority of the server');
const certified = authority.issue({ name: 'db', hosts: ['127.0.0.1'] });
const password = 'sesame';
const salt = Buffer.from('0123456789abcdef');

const says = (kind: number, text: string) => {
  const body = Buffer.alloc(4);
  body.writeInt32BE(kind);
  return protocol.message('R', Buffer.concat([body, Buffer.from(text)]));
};
const asks = (mechanisms: readonly string[]) => says(10, `${mechanisms.map((each) => `${each}\0`).join('')}\0`);
const letsIn = Buffer.concat([says(0, ''), protocol.ready()]);
const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();

interface Ways {
  mechanisms?: readonly string[];
  /** What the server says first. */
  first?: (clientNonce: string) => string;
  /** What it says when it has the proof of the password. @param right what a server would say that knows the password */
  last?: (right: string) => Buffer;
}

/** A server that knows the password, and does something otherwise. */
class ScramServer {
  private bare = '';
  private first = '';

  constructor(private readonly ways: Ways = {}) {}

  readonly login = (_: unknown, socket: Socket) =>
    socket.write(asks(this.ways.mechanisms ?? ['SCRAM-SHA-256'])) || true;

  readonly loginAnswer = (said: Buffer, socket: Socket) => {
    const text = said.toString('latin1');
    if (this.bare === '') {
      this.bare = text.slice(text.indexOf('n=*'));
      this.first = (this.ways.first ?? firstWith(4_096))(this.bare.slice('n=*,r='.length));
      return socket.write(says(11, this.first)) || true;
    }
    const [withoutProof = ''] = text.split(',p=');
    const iterations = Number(/i=(\d+)$/.exec(this.first)?.[1]);
    const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
    const signature = hmac(hmac(salted, 'Server Key'), `${this.bare},${this.first},${withoutProof}`);
    const right = `v=${signature.toString('base64')}`;
    return socket.write(this.ways.last?.(right) ?? Buffer.concat([says(12, right), letsIn])) || true;
  };
}

const firstWith = (iterations: number | string) => (clientNonce: string) =>
  `r=${clientNonce}more,s=${salt.toString('base64')},i=${iterations}`;

describe('a server that asks by SCRAM', () => {
  let server: ScriptedServer | undefined;
  let told: Login[] = [];
  afterEach(() => server?.stop());

  async function open(ways: Ways, secured: Partial<Endpoint> = { tls: 'disable' }): Promise<ServerConnection> {
    told = [];
    const { login, loginAnswer } = new ScramServer(ways);
    server = await ScriptedServer.start({ login, loginAnswer, ...(secured.tls !== 'disable' && { tls: certified }) });
    const place = { host: '127.0.0.1', port: server.port, user: 'backup', database: 'shop' };
    const endpoint = { ...place, tls: 'disable' as const, ...secured };
    const instanceId = '6f1c2b0a-0000-4000-8000-000000000001';
    const target = { instanceId, endpoint, password, onLogin: (login: Login) => void told.push(login) };
    return ServerConnection.open(target, 'sql', { connectMs: 10_000, answerMs: 10_000, signal: never });
  }
  /** Whether the server got something from which the password can be guessed. */
  const gotProof = () => server?.passwords.some((said) => said.includes(',p='));
  const verified = { tls: 'verify-full', caCertificate: authority.certificate } as const;
  const bound = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'];

  it.each<[string, Ways, Partial<Endpoint>]>([
    ['without TLS', {}, { tls: 'disable' }],
    ['with a binding over TLS that is not verified', { mechanisms: bound }, { tls: 'require' }],
    ['with few iterations where it is verified', { first: firstWith(1) }, verified],
    ['with many iterations', { first: firstWith(150_000) }, verified],
  ])('lets us in %s, and that is told', async (_, ways, secured) => {
    (await open(ways, secured)).destroy();
    expect(told).toEqual([{ is: 'asked' }, { is: 'let-in', address: '127.0.0.1' }]);
  });

  it.each<[string, Ways, Partial<Endpoint>]>([
    ['few', { first: firstWith(1) }, { tls: 'disable' }],
    ['few', { first: firstWith(4_095), mechanisms: bound }, { tls: 'require' }],
    // The client counts the last number.
    ['many and then few', { first: firstWith('4096,i=1') }, { tls: 'disable' }],
  ])(
    'and is not verified, with %s iterations, gets nothing from which the password is easy to guess',
    async (_, ways, secured) => {
      const refused = open(ways, secured);
      await expect(refused).rejects.toMatchObject({ code: 'server-not-trusted', retryable: false });
      await expect(refused).rejects.toThrow(/not sent.*iterations.*scram_iterations/);
      expect(gotProof()).toBe(false);
    },
  );

  it.each([2 ** 31 - 1, 2 ** 31, 10 ** 11])(
    'with %d iterations costs us nothing, and is told what to change',
    async (count) => {
      const refused = open({ first: firstWith(count) }, verified);
      await expect(refused).rejects.toMatchObject({ code: 'backup-not-permitted', retryable: false });
      await expect(refused).rejects.toThrow(`${count} iterations of SCRAM, and at most 1000000`);
      expect(gotProof()).toBe(false);
    },
  );

  it.each<[string, (nonce: string) => string]>([
    ['another nonce than ours', () => firstWith(4_096)('another')],
    ['no nonce of its own', (nonce) => firstWith(4_096)(nonce).replace('more', '')],
    ['no number of iterations', (nonce) => firstWith(4_096)(nonce).replace(/,i=.*/, '')],
    ['a wrong number of iterations', firstWith('0x1000')],
    ['no iterations', firstWith(0)],
  ])('with %s gets no proof of the password', async (_, first) => {
    await expect(open({ first }, verified)).rejects.toMatchObject({ name: 'EngineFault' });
    expect(gotProof()).toBe(false);
  });

  const wrong = `v=${createHash('sha256').update('somebody else').digest('base64')}`;
  it.each<[string, Ways['last']]>([
    ['proves it wrong', () => Buffer.concat([says(12, wrong), letsIn])],
    ['does not prove it', () => letsIn],
    ['does not prove it, nor says that we are in', () => protocol.ready()],
    ['asks once more and does not prove it', () => Buffer.concat([asks(['SCRAM-SHA-256']), letsIn])],
  ])('and lets us in, but %s that it knows the password, is not trusted', async (_, last) => {
    for (const secured of [{ tls: 'disable' }, verified] as const) {
      const refused = open(last ? { last } : {}, secured);
      await expect(refused).rejects.toMatchObject({ code: 'server-not-trusted', retryable: false });
      expect(told).not.toContainEqual(expect.objectContaining({ is: 'let-in' }));
      await server?.stop();
    }
  });

  it('does not get the proof without a binding, where its certificate is not verified', async () => {
    await expect(open({}, { tls: 'require' })).rejects.toThrow('SCRAM-SHA-256-PLUS');
    expect(told).toEqual([]);
  });
});
