import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { nothing } from '../apps/api/fixtures/answers.js';
import { accountId, Gateway } from '../apps/api/fixtures/gateway.js';
import { WebhookReceiver } from '../apps/api/fixtures/webhook-receiver.js';
import { exitCodes } from '../apps/cli/src/exit-codes.js';
import { eventually } from './services/eventually.js';
import { documentInTest, runInTest } from './services/run-in-test.js';

let gateway: Gateway;
let folder: string;
let receiver: WebhookReceiver;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-webhook-commands-'));
  receiver = await WebhookReceiver.open();
  gateway = await Gateway.open();
  const place = ['--url', gateway.url, '--account', accountId];
  const signedIn = await runInTest(['login', ...place], {
    XDG_CONFIG_HOME: folder,
    STRONGROOM_TOKEN: gateway.tokenOf('admin'),
  });
  expect(signedIn).toMatchObject({ code: exitCodes.done });
});
afterAll(async () => {
  await gateway?.close();
  await receiver?.close();
  await rm(folder, { recursive: true, force: true });
});

const run = (args: readonly string[]) => runInTest(args, { XDG_CONFIG_HOME: folder });
const document = (...args: string[]) => documentInTest(args, { XDG_CONFIG_HOME: folder });

describe('a webhook', () => {
  const types = ['--types', 'InstanceRegistered'];
  let id: string;
  let secret: string;

  it('is created with a URL from a file, and its secret is printed once', async () => {
    const file = join(folder, 'url');
    await writeFile(file, `${receiver.urlOf('/of-the-command-line')}\n`);
    const create = ['webhook', 'create', '--name', 'on call', '--to-file', file, ...types];
    const request = await run([...create, '--dry-run']);
    expect(request).toMatchObject({ code: exitCodes.done, out: expect.stringContaining('"url":"(not shown)"') });
    const { webhook } = await document(...create);
    ({ id, secret } = webhook);
    const origin = new URL(receiver.urlOf('/')).origin;
    expect(webhook).toMatchObject({ name: 'on call', url_origin: origin, secret: expect.stringMatching(/^whsec_/) });
    expect(await run(['webhook', 'create', '--name', 'nowhere'])).toMatchObject({ code: exitCodes.usage });
    const wrong = await run(['webhook', 'create', '--name', 'x', '--to', 'https://10.0.0.1/']);
    expect(wrong).toMatchObject({ code: exitCodes.usage, err: expect.stringContaining('10.0.0.1') });
    const shown = [await run(['webhook', 'list']), await run(['webhook', 'show', id])];
    for (const { code, out } of shown) {
      expect({ code, out }).toMatchObject({
        code: exitCodes.done,
        out: expect.stringMatching(/on call.*InstanceReg/s),
      });
      expect(out).not.toMatch(/whsec_|of-the-command-line/);
    }
  });

  it('is changed, tried, and sent an event again', async () => {
    expect((await run(['webhook', 'update', id, '--name', 'by day', '--disable'])).code).toBe(exitCodes.done);
    expect((await document('webhook', 'show', id)).webhook).toMatchObject({ name: 'by day', enabled: false });
    expect((await run(['webhook', 'update', id, '--enable'])).code).toBe(exitCodes.done);
    expect((await run(['webhook', 'update', id])).code).toBe(exitCodes.usage);
    expect((await run(['webhook', 'update', id, '--enable', '--disable'])).code).toBe(exitCodes.usage);
    expect(await run(['webhook', 'test', id])).toMatchObject({ code: exitCodes.done });
    receiver.answers.set('/of-the-command-line', [{ status: 500 }]);
    const failed = await run(['webhook', 'test', id]);
    expect(failed).toMatchObject({ code: exitCodes.failed, out: expect.stringContaining('answered with 500') });

    await gateway.register('admin', { name: 'told of' });
    const delivered = async () => (await document('webhook', 'deliveries', id)).deliveries;
    await eventually(async () => expect(await delivered()).toMatchObject([{ state: 'delivered' }]), {
      withinMs: 30_000,
    });
    const [{ id: event }] = await delivered();
    expect(await run(['webhook', 'replay', id, event])).toMatchObject({ code: exitCodes.done });
    const ids = receiver.idsAt('/of-the-command-line').filter((each) => each === event);
    expect(ids).toHaveLength(2);
    expect((await run(['webhook', 'replay', id, nothing])).code).toBe(exitCodes.notFound);
  });

  it('gets a new secret, and is deleted when that is written', async () => {
    const rotated = await document('webhook', 'rotate', id);
    expect(rotated).toMatchObject({ secret: expect.stringMatching(/^whsec_/) });
    expect(rotated.secret).not.toBe(secret);
    const refused = await run(['webhook', 'delete', id]);
    expect(refused).toMatchObject({ code: exitCodes.usage, err: expect.stringContaining('Run it again with --yes') });
    expect(await run(['webhook', 'delete', id, '--yes'])).toMatchObject({ code: exitCodes.done, out: '' });
    const gone = await run(['webhook', 'show', id]);
    expect(gone).toMatchObject({ code: exitCodes.notFound, err: expect.stringContaining('strongroom webhook list') });
  });
});
