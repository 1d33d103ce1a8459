import { spawnSync } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '@strongroom/server-processes';
import { folderForStack, Launcher } from '../apps/stack/fixtures/launcher.js';
import { recordedPages, stepsOf, whatStays, withOutputs } from '../scripts/recorded-session.js';
import { patienceNow } from './services/patience.js';

const root = join(__dirname, '..');
const cli = join(root, 'dist', 'apps', 'cli', 'src', 'main.js');
const isRecording = process.env.STRONGROOM_RECORD_SESSION === '1';
const between = '-- the next command --';
/** Where `npm start` serves, as the page says. */
const usualPort = 8779;

/** What the page calls otherwise than it is here. A longer text comes before one that is a part of it. */
type Names = readonly (readonly [onPage: string, here: string])[];

/** Runs the commands in one shell, one after the other. @returns what each of them has printed */
function outputsOf(commands: readonly string[], names: Names, folder: string): string[] {
  const here = (text: string) => names.reduce((before, [onPage, is]) => before.replaceAll(onPage, is), text);
  const onPage = (text: string) => names.reduce((before, [said, is]) => before.replaceAll(is, said), text);
  const script = [
    `strongroom() { node '${cli}' "$@"; }`,
    ...commands.flatMap((command) => [`{ ${here(command)}`, `} 2>&1; printf '%s\\n' '${between}'`]),
  ].join('\n');
  const timeout = Math.ceil(120_000 * patienceNow({ measured: true }));
  const env = { PATH: process.env.PATH, HOME: join(folder, 'home') };
  const ran = spawnSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8', timeout, env });
  expect({ status: ran.status, stderr: ran.stderr }).toEqual({ status: 0, stderr: '' });
  return onPage(ran.stdout).split(`${between}\n`).slice(0, commands.length);
}

describe.each(recordedPages)('the session of %s', (name) => {
  const path = join(root, name);
  let folder: string;
  let launcher: Launcher;

  beforeAll(async () => {
    folder = folderForStack();
    // Another port may have another length, and tables would be as wide as that.
    const port = isRecording ? usualPort : await freePort();
    launcher = new Launcher({ folder, port }, '--broker', 'embedded');
    symlinkSync('data', join(folder, '.strongroom'));
    await launcher.says('Up in');
  }, 120_000);
  afterAll(() => launcher.remove());

  it('prints what the page says, beside ids, times, sizes and how long something took', () => {
    const { api, demo } = launcher.described;
    // No slot may come while the session goes on.
    const at = [13, 14].includes(new Date().getUTCHours()) ? '05:30' : '14:30';
    const names: Names = [
      [`http://127.0.0.1:${usualPort}`, api],
      ['15193', new URL(demo?.postgres ?? '').port],
      ['/home/ada/.config', join(folder, 'home', '.config')],
      ['/home/ada/strongroom/.strongroom', launcher.data],
      ['/home/ada/strongroom', folder],
      ['14:30', at],
    ];
    const page = readFileSync(path, 'utf8');
    const steps = stepsOf(page);
    expect(steps.length).toBeGreaterThan(15);
    const commands = steps.map(({ command }) => command);
    const outputs = outputsOf(commands, names, folder);
    if (isRecording) writeFileSync(path, withOutputs(page, outputs));
    const said = (texts: readonly string[]) =>
      texts.map((output, step) => ({ command: commands[step], says: whatStays(output) }));
    expect(said(outputs)).toEqual(said(stepsOf(readFileSync(path, 'utf8')).map(({ output }) => output)));
  }, 240_000);
});
