import { createServer, type Socket } from 'node:net';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { Reach } from '@strongroom/engines';
import { Networks } from '@strongroom/runtime/light';
import type { SMTPServerOptions } from 'smtp-server';
import { CertificateAuthority } from '../../../../test/services/certificates.js';
import { headerOf, MailServer, password } from '../../fixtures/mail-server.js';
import { WebhookSender } from './sender.js';

const servers: MailServer[] = [];
const open = async (options?: SMTPServerOptions) => {
  const server = await MailServer.open(options);
  servers.push(server);
  return server;
};
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

const people = 'from=strongroom@example.com&to=dba@example.com';
const inClear = `${people}&tls=disable`;
const id = 'a1a7c1a0-6f0e-4d7c-8a8a-1c5d6c7f9e21';
const text = 'A backup has failed.\n';
function send(url: string, { body = text, withinMs = 20_000, addresses = ['127.0.0.1'] } = {}) {
  const networks = new Networks([['127.0.0.0', 8]]);
  const reach = new Reach({
    customers: { networks, minTls: 'disable' },
    lookup: () => Promise.resolve(addresses),
  });
  const at = new Date('2026-11-24T00:00:00Z');
  const message = { accountId: 'acme', url: new URL(url), id, at, subject: 'Strongroom: Backup failed', headers: {} };
  return new WebhookSender(reach).send({ ...message, body }, withinMs);
}

const authority = CertificateAuthority.create('an authority that nobody trusts');
const { certificate: cert, key } = authority.issue({ name: 'mail', hosts: ['mail.example.com', '127.0.0.1'] });

describe('a message by mail', () => {
  it('has one recipient, words of ours as its subject, and the same id at each attempt', async () => {
    const server = await open();
    const login = `backup%40example.com:${encodeURIComponent(password)}@`;
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const outcome = await send(server.urlOf(inClear, { login, host: 'mail.example.com' }));
      expect(outcome).toMatchObject({ means: 'taken', status: null, fault: null });
    }
    const [first, second] = server.taken;
    expect(first).toMatchObject({
      from: 'strongroom@example.com',
      to: ['dba@example.com'],
      user: 'backup@example.com',
    });
    expect(first?.raw).toContain(`\r\n\r\n${text.trimEnd()}\r\n`);
    const headers = ['subject', 'message-id', 'webhook-id', 'auto-submitted'];
    const read = [first, second].map((mail) => headers.map((name) => headerOf(mail ?? { raw: '' }, name)));
    expect(read[0]).toEqual(['Strongroom: Backup failed', `<${id}@example.com>`, id, 'auto-generated']);
    expect(read[1]).toEqual(read[0]);
  });

  it('is one message to one recipient, whatever its text is', async () => {
    const server = await open();
    const body = 'Übung\r\nBcc: all@example.com\r\n\r\n.\r\nRCPT TO:<all@example.com>\r\n.\r\nQUIT\r\n';
    expect(await send(server.urlOf(inClear), { body })).toMatchObject({ means: 'taken' });
    expect(server.taken).toHaveLength(1);
    expect(server.taken[0]?.to).toEqual(['dba@example.com']);
    expect(headerOf(server.taken[0] ?? { raw: '' }, 'bcc')).toBeUndefined();
  });

  it.each([
    [421, 'later'],
    [450, 'later'],
    [452, 'later'],
    [550, 'refused'],
    [554, 'refused'],
  ])('that is answered with %d is %s, and nothing is told of the words of the server', async (code, means) => {
    const server = await open();
    server.answers.push(code);
    const outcome = await send(server.urlOf(inClear));
    expect(outcome).toMatchObject({ means, status: null, fault: { code: 'answered' } });
    expect(outcome.fault?.message).toMatch(new RegExp(`^The mail server has answered (RCPT TO )?with ${code}\\.$`));
    expect(server.taken).toEqual([]);
  });

  it('is refused when the password is wrong', async () => {
    const server = await open();
    const outcome = await send(server.urlOf(inClear, { login: 'user:wrong@' }));
    expect(outcome).toMatchObject({ means: 'refused', fault: { message: expect.stringContaining('AUTH with 535') } });
  });

  it('is not sent in clear, and no password is, to a server that offers no STARTTLS', async () => {
    const server = await open();
    const outcome = await send(server.urlOf(people, { login: `user:${encodeURIComponent(password)}@` }));
    expect(outcome).toMatchObject({ means: 'later', fault: { code: 'no-tls' } });
    expect([server.taken, server.logins]).toEqual([[], []]);
  });

  it.each([
    ['smtp', { cert, key }],
    ['smtps', { cert, key, secure: true }],
  ])('is not sent by %s to a server whose certificate nobody vouches for', async (scheme, options) => {
    const server = await open(options);
    const outcome = await send(server.urlOf(people, { scheme, host: 'mail.example.com', login: 'user:word@' }));
    expect(outcome).toMatchObject({ means: 'later', fault: { code: 'certificate' } });
    expect([server.taken, server.logins]).toEqual([[], []]);
  });

  it('goes nowhere when its host leads where nothing may lead, and does not tell where that is', async () => {
    const outcome = await send(`smtps://mail.example.com?${people}`, { addresses: ['10.0.0.1'] });
    expect(outcome).toMatchObject({ means: 'later', fault: { code: 'not-allowed' } });
    expect(outcome.fault?.message).not.toContain('10.0.0.1');
    expect(await send(`smtp://127.0.0.1:1?${people}`)).toMatchObject({ fault: { code: 'unreachable' } });
  });
});

describe('a mail server', () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    const [greeting] = answers.splice(0, 1);
    if (greeting) socket.write(greeting);
  });
  const answers: string[] = [];
  const url = async () => {
    if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return `smtp://127.0.0.1:${typeof address === 'object' ? address?.port : ''}?${inClear}`;
  };
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([
    ['says nothing', ''],
    ['says hello and no more', '220 mail.example.com\r\n'],
  ])('that %s is given up in time', async (_, greeting) => {
    answers.push(greeting);
    const outcome = await send(await url(), { withinMs: 300 });
    expect(outcome).toMatchObject({ means: 'later', fault: { code: 'timeout' } });
  });

  it('that never ends its answer, or is none, is not listened to for long', async () => {
    answers.push(`220-${'x'.repeat(100_000)}\r\n`, 'SSH-2.0-OpenSSH_9.2\r\n');
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const outcome = await send(await url());
      expect([outcome.means, outcome.fault?.code]).toEqual(['later', 'unreachable']);
    }
  });
});
