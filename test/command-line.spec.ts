import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json, text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getBackups, getBackupsId, getSchedulesId } from '@strongroom/contracts';
import { nothing } from '../apps/api/fixtures/answers.js';
import { accountId, Gateway } from '../apps/api/fixtures/gateway.js';
import { exitCodes } from '../apps/cli/src/exit-codes.js';
import { eventually } from './services/eventually.js';
import { documentInTest, runInTest } from './services/run-in-test.js';

const program = join(__dirname, '..', 'dist', 'apps', 'cli', 'src', 'main.js');

let gateway: Gateway;
let folder: string;
let instance: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-api-commands-'));
  gateway = await Gateway.open({ env: { STRONGROOM_DELETION_DELAY_SECONDS: '3600', STRONGROOM_BUILT_SERVERS: 'on' } });
  instance = await gateway.register();
});
afterAll(async () => {
  await gateway?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Runs the built program beside the test. */
function begin(args: readonly string[], more: Record<string, string> = {}) {
  const env = { PATH: process.env.PATH, XDG_CONFIG_HOME: folder, ...more };
  const child = spawn(process.execPath, [program, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]);
  return { child, ended: ended.then(([[code], out, err]) => ({ code, out, err })) };
}

const run = (args: readonly string[], more: Record<string, string> = {}) =>
  runInTest(args, { XDG_CONFIG_HOME: folder, ...more });
function urlOf(server: Server): string {
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/`;
}
const document = (...args: string[]) => documentInTest(args, { XDG_CONFIG_HOME: folder });

it('signs in with a token that is tried first, shown nowhere, and kept for its owner alone', async () => {
  const STRONGROOM_TOKEN = gateway.tokenOf('admin');
  const place = ['--url', gateway.url, '--account', accountId];
  const before = await begin(['schedule', 'list']).ended;
  expect(before).toMatchObject({ code: exitCodes.usage, err: expect.stringContaining('Run: strongroom login') });
  const refused = await run(['login', ...place], { STRONGROOM_TOKEN: 'no-token-of-anybody' });
  expect(refused).toMatchObject({
    code: exitCodes.credentials,
    out: '',
    err: expect.stringContaining('Sign in again:'),
  });
  const none = await run(['login', ...place]);
  expect(none).toMatchObject({
    code: exitCodes.usage,
    err: expect.stringContaining('--token-file or STRONGROOM_TOKEN'),
  });
  const { code, out, err } = await begin(['login', ...place], { STRONGROOM_TOKEN }).ended;
  expect({ code, out }).toEqual({ code: exitCodes.done, out: '' });
  const file = join(folder, 'strongroom', 'config.json');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readFile(file, 'utf8')).toContain(STRONGROOM_TOKEN);
  const listed = await begin(['profile', 'list', '--plain']).ended;
  expect(listed.out).toBe(`default\t${gateway.url}\t${accountId}\tyes\tfile\n`);
  const shown = { name: 'default', url: gateway.url, account: accountId, current: true, token_in: 'file' };
  for (const words of [
    ['login', ...place],
    ['profile', 'use', 'default'],
  ]) {
    const said = await begin([...words, '--json'], { STRONGROOM_TOKEN }).ended;
    expect({ words, ...JSON.parse(said.out) }).toEqual({ words, profiles: [shown] });
  }
  expect(err + listed.out + refused.err).not.toContain(STRONGROOM_TOKEN);
});

it('registers an instance, whose password comes from a file and is printed by nothing', async () => {
  const password = join(folder, 'password');
  await writeFile(password, 'open sesame\n');
  const server = ['--name', 'bills', '--host', '127.0.0.1', '--port', '1', '--user', 'backup', '--tls', 'disable'];
  const register = ['instance', 'register', ...server, '--datastore-version', '18'];
  expect(await run(register)).toMatchObject({ code: exitCodes.usage, err: expect.stringContaining('--password-file') });
  const request = await run([...register, '--password-file', password, '--dry-run']);
  expect(request).toMatchObject({ code: exitCodes.done, out: expect.stringContaining('"password":"(not shown)"') });
  const { instance: made } = await document(...register, '--password-file', password);
  expect(made).toMatchObject({ name: 'bills', connection: { user: 'backup' } });
  const test = await run(['instance', 'test', made.id]);
  expect(test).toMatchObject({ code: exitCodes.failed, out: expect.stringContaining('Full backups: not possible') });
  expect(test.err).toContain(`strongroom instance test ${made.id}`);
  await run(['instance', 'update', made.id, '--name', 'paid bills']);
  const { out } = await run(['instance', 'list', '--plain']);
  expect(out).toContain(`${made.id}\tpaid bills\tACTIVE\t127.0.0.1:1\t`);
  const { instances, links } = await document('instance', 'list', '--limit', '1');
  expect([instances.length, links.length]).toEqual([1, 1]);
  expect(await run(['instance', 'delete', made.id, '--yes'])).toMatchObject({ code: exitCodes.done });
});

describe('a schedule', () => {
  let id: string;

  it('is created, changed, paused and explained', async () => {
    const timing = ['--at', '14:30', '--full-on', 'sunday', '--copy-to', 'iad'];
    const { schedule } = await document('schedule', 'create', '--instance', instance, ...timing);
    expect(schedule).toMatchObject({ hour: 14, minute: 30, day_of_week: 0, copy_to: ['IAD'] });
    ({ id } = schedule);
    const wrong = await run(['schedule', 'update', id, '--keep-fulls', '10001']);
    expect(wrong).toMatchObject({ code: exitCodes.usage, err: expect.stringContaining('from 1 to 10000') });
    expect((await run(['schedule', 'update', id, '--at', '03:05'])).code).toBe(exitCodes.done);
    const preview = await run(['schedule', 'preview', id, '--at', '04:00']);
    expect(preview).toMatchObject({ code: exitCodes.done, err: expect.stringContaining('0 backups stay and 0 go') });
    expect(preview.out).toMatch(/^Runs to come:\nSLOT .*\n\S+T04:00:00\.000Z +full +none +\S/);
    const lines = (await run(['schedule', 'preview', id, '--copy-to', 'ORD', '--plain'])).out.split('\n');
    expect(lines).toContainEqual(expect.stringMatching(/^copies\tORD\tadded\t/));
    expect((await run(['schedule', 'preview', id])).code).toBe(exitCodes.usage);
    expect((await run(['schedule', 'pause', id, '--dry-run'])).out).toMatch(
      /^PUT .* \{"schedule":\{"paused":true\}\}\n$/,
    );
    expect(await document('schedule', 'list')).toEqual({
      schedules: [expect.objectContaining({ id, hour: 3, minute: 5, paused: false })],
      links: [],
    });
    const paused = await run(['schedule', 'pause', id, '--reason', 'the disks are being moved']);
    expect(paused).toMatchObject({ out: '', err: expect.stringContaining(`strongroom schedule resume ${id}`) });
    const { out } = await run(['schedule', 'show', id]);
    expect(out).toMatch(
      /AT \(UTC\) +03:05\n.*FULL ON +sunday\n.*COPIES TO +IAD\n.*STATE +paused\n.*PAUSED BECAUSE +the disks are being moved\n/s,
    );
    await run(['schedule', 'update', id, '--full-on', 'every-day']);
    expect((await run(['schedule', 'show', id])).out).toMatch(/FULL ON +every-day\n/);
    const why = await run(['explain', id]);
    expect(why.out).toMatch(/\(ScheduleCreated [0-9a-f-]+\)\n/);
    expect(why.out).toContain('is paused for this reason: The disks are being moved.');
    const { explanation } = await document('explain', id);
    expect(explanation).toMatchObject({ kind: 'schedule', definition: { paused: true } });
    const then = await run(['explain', id, '--as-of', '2001-01-01T00:00:00Z']);
    expect(then.code).toBe(exitCodes.notFound);
  });

  it('runs now, and a second time only when the first run has ended', async () => {
    await run(['schedule', 'resume', id]);
    const { backup } = await document('schedule', 'run', id);
    expect(backup).toMatchObject({ schedule_id: id, type: 'full' });
    const again = await run(['schedule', 'run', id]);
    expect(again).toMatchObject({
      code: exitCodes.busy,
      out: '',
      err: expect.stringMatching(
        /^strongroom: .* is still running\. .* Run it again later\. .* strongroom schedule list\n$/,
      ),
    });
    const early = await run(['backup', 'copy', backup.id, '--to', 'ORD']);
    expect(early).toMatchObject({ code: exitCodes.busy, err: expect.stringContaining('strongroom backup list') });
    expect((await run(['backup', 'delete', backup.id, '--yes'])).code).toBe(exitCodes.busy);
    expect((await run(['instance', 'restore', backup.id, '--name', 'early'])).code).toBe(exitCodes.busy);
    await gateway.run(backup.id, instance, 'completed');
    expect((await document('schedule', 'runs', id)).runs).toMatchObject([{ outcome: 'coming' }]);
  });

  it('is deleted when that is written, and by nobody who was not asked', async () => {
    const refused = await run(['schedule', 'delete', id]);
    expect(refused).toMatchObject({ code: exitCodes.usage, err: expect.stringContaining('Run it again with --yes') });
    expect((await gateway.call(getSchedulesId, { id })).status).toBe(200);
    expect(await run(['schedule', 'delete', id, '--yes'])).toMatchObject({ code: exitCodes.done, out: '' });
    const gone = await run(['schedule', 'show', id]);
    expect(gone).toMatchObject({ code: exitCodes.notFound, err: expect.stringContaining('strongroom schedule list') });
  });
});

describe('a file of schedules', () => {
  const names = ['first', 'second', 'third'];
  let file: string;
  /** Writes an entry for each instance. */
  const written = async (at: string, of: readonly string[] = names, more = '') => {
    const entries = of.map((name) => `  - {instance: ${name}, at: "${at}", full_on: sunday, copy_to: [iad]${more}}\n`);
    await writeFile(file, `schedules:\n${entries.join('') || '  []'}`);
  };
  const schedules = async () => (await document('schedule', 'export')).schedules;

  beforeAll(async () => {
    file = join(folder, 'schedules.yaml');
    for (const name of names) await gateway.register('admin', { name });
  });

  it('is compared as diff compares, and applied when that is written', async () => {
    await written('03:05', names, ', paused: true, pause_reason: new disks');
    const differs = await run(['diff', '-f', file, '--plain']);
    expect(differs).toMatchObject({ code: exitCodes.failed, err: `Have it so: strongroom apply -f ${file}\n` });
    expect(differs.out).toContain('create\tfirst\t-\tcopy_to\t-\t[IAD]\n');
    const refused = await run(['apply', '-f', file]);
    expect(refused).toMatchObject({ code: exitCodes.usage, err: expect.stringContaining('Run it again with --yes') });
    expect(await run(['apply', '-f', file, '--dry-run'])).toMatchObject({ code: exitCodes.failed });
    expect(await schedules()).toEqual([]);
    const { changes } = await document('apply', '-f', file, '--yes');
    expect(changes).toMatchObject(names.map((instance) => ({ change: 'create', instance, done: true })));
    const defined = {
      at: '03:05',
      full_on: 'sunday',
      keep_fulls: 2,
      copy_to: ['IAD'],
      paused: true,
      pause_reason: 'new disks',
    };
    expect(await schedules()).toEqual(names.map((name) => ({ instance: name, ...defined })));
    for (const words of [['diff'], ['apply', '--yes'], ['apply']])
      expect(await run([...words, '-f', file])).toMatchObject({ code: exitCodes.done, out: '' });
  });

  it('is what export writes', async () => {
    const { out } = await run(['schedule', 'export']);
    await writeFile(file, out);
    expect((await run(['diff', '-f', file, '--prune'])).code).toBe(exitCodes.done);
  });

  it('is applied to its end by the call after one that was killed', async () => {
    await written('04:15');
    const { child, ended } = begin(['apply', '-f', file, '--yes']);
    await once(child.stderr, 'data');
    child.kill('SIGKILL');
    await ended;
    expect(await run(['apply', '-f', file, '--yes'])).toMatchObject({ code: exitCodes.done });
    expect(await schedules()).toMatchObject(
      names.map((name) => ({ instance: name, at: '04:15', pause_reason: 'new disks' })),
    );
    expect((await run(['diff', '-f', file])).code).toBe(exitCodes.done);
  });

  it('deletes what it does not have only with --prune, and is refused as a whole when a line is wrong', async () => {
    await written('05:00', ['first', 'nobody']);
    const wrong = await run(['apply', '-f', file, '--prune', '--yes']);
    const place = `${file}:3:16: the account has no instance nobody`;
    expect(wrong).toMatchObject({ code: exitCodes.usage, out: '', err: expect.stringContaining(place) });
    await written('04:15', ['first']);
    const kept = await run(['apply', '-f', file, '--yes']);
    expect(kept).toMatchObject({ code: exitCodes.done, err: expect.stringContaining('--prune') });
    expect(await schedules()).toHaveLength(3);
    const asked = await run(['apply', '-f', file, '--prune']);
    expect(asked).toMatchObject({ code: exitCodes.usage, err: expect.stringContaining('2 schedules deleted') });
    expect((await run(['apply', '-f', file, '--prune', '--yes'])).code).toBe(exitCodes.done);
    expect(await schedules()).toMatchObject([{ instance: 'first' }]);
    await written('04:15', []);
    expect((await run(['apply', '-f', file, '--prune', '--yes'])).code).toBe(exitCodes.done);
  });

  it('that cannot be compared ends diff with more than 1', async () => {
    expect((await run(['diff', '-f', join(folder, 'none.yaml')])).code).toBe(exitCodes.usage);
    const away = await run(['diff', '-f', file, '--url', 'http://127.0.0.1:1'], { STRONGROOM_TOKEN: 'none' });
    expect(away).toMatchObject({ code: exitCodes.busy, err: expect.stringContaining('does not answer') });
    const broken = createServer((_, response) => response.writeHead(500).end()).listen(0, '127.0.0.1');
    await once(broken, 'listening');
    const failed = await run(['diff', '-f', file, '--url', urlOf(broken)], { STRONGROOM_TOKEN: 'none' });
    broken.close();
    expect(failed).toMatchObject({ code: exitCodes.incomplete, out: '' });
  });
});

describe('a backup', () => {
  const create = ['backup', 'create', '--name', 'nightly', '--json'];
  /** The backup that a command has asked for. */
  async function asked(name: string): Promise<string> {
    let id: string | undefined;
    await eventually(
      async () => {
        const { backups } = (await gateway.client().call(getBackups)).body;
        id = backups.find((backup) => backup.name === name)?.id;
        expect(id).toBeDefined();
      },
      { withinMs: 30_000 },
    );
    return id ?? '';
  }

  it('is waited for, with lines of JSON about it, and then printed', async () => {
    const { ended } = begin([...create, '--instance', instance, '--wait']);
    const id = await asked('nightly');
    await gateway.run(id, instance, 'completed');
    const { code, out, err } = await ended;
    expect({ code, document: JSON.parse(out) }).toMatchObject({
      code: 0,
      document: { backup: { id, status: 'COMPLETED' } },
    });
    const told = err
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(told.at(-1)).toMatchObject({ message_type: 'status', backup_id: id, status: 'COMPLETED' });
    const copied = await run(['backup', 'copy', id, '--to', 'ord']);
    expect(copied.err).toContain('The copy to ORD is asked for.');
    const shown = await run(['backup', 'show', id, '--plain']);
    expect(shown.out).toContain('COPIES\tORD PENDING\n');
    expect((await run(['backup', 'delete', id, '--yes'])).code).toBe(exitCodes.done);
    const { backups } = await document('backup', 'list', '--deleted');
    expect(backups).toMatchObject([{ id, deleted: { trigger: 'request' } }]);
    expect((await run(['backup', 'restore-deleted', id])).code).toBe(exitCodes.done);
    expect((await gateway.call(getBackupsId, { id })).status).toBe(200);
    const { instance: built } = await document('instance', 'restore', id, '--name', 'again');
    expect(built).toMatchObject({ name: 'again', status: 'BUILD' });
  });

  it('that fails ends the command with 1, and one that is not all there with 3', async () => {
    const failing = begin(['backup', 'create', '--name', 'doomed', '--instance', instance, '--wait']);
    await gateway.run(await asked('doomed'), instance, 'failed');
    const failed = await failing.ended;
    expect(failed).toMatchObject({
      code: exitCodes.failed,
      err: expect.stringContaining('See why: strongroom explain'),
    });
    const none = await run(['instance', 'restore', await asked('doomed'), '--name', 'never']);
    expect(none.code).toBe(exitCodes.failed);
    const late = begin([
      'backup',
      'create',
      '--name',
      'late',
      '--instance',
      instance,
      '--copy-to',
      'IAD',
      '--wait-for',
      '1',
    ]);
    await gateway.run(await asked('late'), instance, 'completed');
    expect(await late.ended).toMatchObject({
      code: exitCodes.incomplete,
      err: expect.stringContaining('See it: strongroom backup show'),
    });
  });
});

it("lists the regions, and sends a request of one's own", async () => {
  expect((await run(['region', 'list', '--plain'])).out).toBe(
    'DFW\tyes\tno\t-\t-\t0\t0 B/s\t-\nIAD\tno\tyes\t-\t-\t0\t0 B/s\t-\nORD\tno\tyes\t-\t-\t0\t0 B/s\t-\n',
  );
  expect(await document('region', 'list')).toEqual(await document('api', 'regions'));
  expect(await document('api', '/')).toMatchObject({ versions: [{ status: 'CURRENT' }] });
  const name = join(folder, 'name.json');
  await writeFile(name, '{"instance": {"name": "renamed"}}');
  const change = ['api', `instances/${instance}`, '--method', 'PATCH', '--body', name];
  expect(await run(change)).toMatchObject({ code: exitCodes.done, out: '' });
  expect((await document('instance', 'show', instance)).instance.name).toBe('renamed');
  await writeFile(name, '{"instance": {"connection": {"password": "open sesame"}}}');
  const shown = await run([...change, '--dry-run']);
  expect(shown).toMatchObject({ code: exitCodes.done, out: expect.stringContaining('"password":"(not shown)"') });
  const refused = await run(['api', `instances/${instance}`, '--method', 'DELETE']);
  expect(refused).toMatchObject({ code: exitCodes.usage, err: expect.stringContaining('--yes') });
  expect(await run(['api', `schedules/${nothing}`])).toMatchObject({ code: exitCodes.notFound, out: '' });
});

it('prints the events as they happen, until it is interrupted', async () => {
  const kinds = ['--type', 'ScheduleCreated', '--type', 'ScheduleDeleted'];
  const { out } = await run(['events', 'tail', '--since', 'start', ...kinds, '--limit', '2', '--json']);
  expect(
    out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).type),
  ).toEqual(['ScheduleCreated', 'ScheduleDeleted']);
  const { child, ended } = begin(['events', 'tail', '--since', 'start', '--plain']);
  await once(child.stdout, 'data');
  child.kill('SIGINT');
  const interrupted = await ended;
  expect(interrupted).toMatchObject({
    code: exitCodes.interrupted,
    out: expect.stringContaining('\tInstanceRegistered\t'),
  });
});

it('forwards the events since an instant, and goes on after what was taken', async () => {
  const taken: unknown[] = [];
  const receiver = createServer(async (request, response) => {
    taken.push(await json(request));
    response.writeHead(204).end();
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const url = urlOf(receiver);
  const all = (await run(['events', 'tail', '--since', 'start', '--limit', '4', '--json'])).out.trim().split('\n');
  const events = all.map((line) => JSON.parse(line));
  const forward = ['events', 'tail', '--forward-to', url, '--cursor', join(folder, 'taken'), '--limit', '2'];
  for (let call = 0; call < 2; call += 1)
    expect(await run([...forward, '--since', events[0].at])).toMatchObject({ code: exitCodes.done, out: '' });
  receiver.close();
  expect(taken).toEqual(events);
});

it('says who may do what is refused, and where nothing answers', async () => {
  const STRONGROOM_TOKEN = gateway.tokenOf('observer');
  const forbidden = await run(['schedule', 'delete', nothing, '--yes'], { STRONGROOM_TOKEN });
  expect(forbidden).toMatchObject({ code: exitCodes.credentials, err: expect.stringContaining('schedule.delete') });
  expect(forbidden.err).toContain('strongroom login --profile default');
  const away = await run(['region', 'list', '--url', 'http://127.0.0.1:1'], { STRONGROOM_TOKEN });
  expect(away).toMatchObject({
    code: exitCodes.busy,
    err: expect.stringContaining('http://127.0.0.1:1 does not answer:'),
  });
});
