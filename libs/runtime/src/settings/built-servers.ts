/** Servers that are built from backups: whether there are any, where they live, and how they are confined. */
import { integer, mustBe, oneOf, parsedText, text } from './forms.js';
import type { Setting } from './setting.js';

const largestUser = 4_294_967_294;

export const builtServers = {
  name: 'STRONGROOM_BUILT_SERVERS',
  meaning:
    'Whether servers are built from backups. Whoever owns a backup decides what its server does, so this runs code of strangers: read [Built servers](operations.md#built-servers) first.',
  form: oneOf(['off', 'on']),
  usedBy: ['api', 'scheduler'],
  default: 'off',
} satisfies Setting<'off' | 'on'>;

export const instancesFolder = {
  name: 'STRONGROOM_INSTANCES_DIR',
  meaning:
    'The folder where servers that are built from backups live. It is needed with `STRONGROOM_BUILT_SERVERS=on`, and has no effect otherwise.',
  form: text('the path of a folder'),
  usedBy: ['scheduler'],
} satisfies Setting<string>;

export const mostBuiltServers = {
  name: 'STRONGROOM_BUILT_SERVERS_MOST',
  meaning: 'How many built servers a scheduler builds and runs at the most.',
  form: integer(1, 1_000),
  usedBy: ['scheduler'],
  default: '16',
} satisfies Setting<number>;

const usersForm = `two user ids of 1000 or more, such as 700000-700063`;

export const builtServerUsers = {
  name: 'STRONGROOM_BUILT_SERVERS_UIDS',
  meaning:
    'The user ids for built servers, each of which gets one of its own. The last one is that of the processes that take backups. Nothing else may run as these users, and no two folders of built servers may share them. A scheduler that runs as root needs them; only such a scheduler can use them.',
  form: parsedText(usersForm, usersOf),
  usedBy: ['scheduler'],
} satisfies Setting<{ first: number; last: number }>;

export const mostProcesses = {
  name: 'STRONGROOM_BUILT_SERVERS_PROCESSES',
  meaning:
    'How many processes a built server may have at the most, where it has a user of its own. Each of its connections is one, and it needs about 20 besides.',
  form: integer(50, 100_000),
  usedBy: ['scheduler'],
  default: '256',
} satisfies Setting<number>;

const commandForm = 'the absolute path of a program, and its arguments, with spaces between them';

export const builtServerCommand = {
  name: 'STRONGROOM_BUILT_SERVERS_COMMAND',
  meaning:
    'A program that confines a built server, such as `bwrap`, with its arguments. The server’s own command comes after them. `{id}`, `{folder}`, `{programs}` and `{port}` stand for the instance, the folder of the server, that of its programs, and its port. The server must be able to write into `{folder}/data` and `{folder}/data.tablespaces`, and into nothing else.',
  form: parsedText(commandForm, commandOf),
  usedBy: ['scheduler'],
} satisfies Setting<string[]>;

function usersOf(value: string): { first: number; last: number } | string {
  const [, first, last] = /^(\d{1,10})-(\d{1,10})$/.exec(value) ?? [];
  const users = { first: Number(first), last: Number(last) };
  const isRight = users.first >= 1_000 && users.first <= users.last && users.last <= largestUser;
  return isRight ? users : mustBe(usersForm);
}

function commandOf(value: string): string[] | string {
  const parts = value.split(/\s+/).filter((part) => part !== '');
  return parts[0]?.startsWith('/') ? parts : mustBe(commandForm);
}
