import { describe, expect, it } from '@jest/globals';
import { stepsOf, whatStays, withOutputs } from './recorded-session.js';

const page = [
  '# A page',
  '```console',
  '$ one --with \\',
  '  two',
  'said',
  '$ three',
  '```',
  'Text between.',
  '```console',
  '$ four',
  'said \\',
  'more',
  '```',
  '```sh',
  '$ five',
  '```',
  '',
].join('\n');

describe('a page with a session', () => {
  it('has commands, each with what it has printed, and commands of several lines', () => {
    expect(stepsOf(page)).toEqual([
      { command: 'one --with \\\n  two', output: 'said\n' },
      { command: 'three', output: '' },
      { command: 'four', output: 'said \\\nmore\n' },
    ]);
    expect(() => stepsOf('```console\nno command\n```\n')).toThrow('no command');
  });

  it('stays as it was when the outputs are the same, and differs in them alone', () => {
    const outputs = stepsOf(page).map(({ output }) => output);
    expect(withOutputs(page, outputs)).toBe(page);
    const other = withOutputs(page, ['', '$1 for it\n', 'x\n']);
    expect(stepsOf(other)).toEqual([
      { command: 'one --with \\\n  two', output: '' },
      { command: 'three', output: '$1 for it\n' },
      { command: 'four', output: 'x\n' },
    ]);
    expect(other.split('Text between.')).toHaveLength(2);
  });
});

describe('what a session says at each run', () => {
  it.each([
    ['BACKUP  01a215f5-024d-71e2-8f62-5d8c74389f2c  9.6 MB', 'BACKUP  01a215f5-ffff-71e2-8f62-5d8c74389f2c  10.1 MB'],
    ['CREATED  2026-11-26T03:45:07Z', 'CREATED   2027-01-02T13:45:07.123Z'],
    ['shop-20261126T034508Z at 14:30', 'shop-20270102T044508Z at 05:30'],
    ['Backup x is whole: 2 objects, 9.6 MB in 0.1 s.', 'Backup x is whole: 3 objects, 12.6 MB in 12.4 s.'],
    ['All 1042 files match, of version 18.4', 'All 998 files match, of version 18.10'],
    ['at  X  by scheduler-5624f79483f6  01a2', 'at  X  by scheduler-host.example  01a2'],
    [
      'Start a server of version 18 on it, as the user who owns the folder:\n  postgres -D /r',
      'Start a server of version 18 on it. PostgreSQL does not run as root: …\n  chown -R x: /r && runuser -u x -- postgres -D /r',
    ],
    ['backup PENDING 0 %, 0 s\nbackup BUILDING 50 %, 1 s\nSTATUS  COMPLETED', 'STATUS  COMPLETED'],
    [
      'Runs:\n2026-11-26T03:15:00.000Z  full  none  why\n2026-11-27T03:15:00.000Z  incremental  none  why\nend',
      'Runs:\n2026-11-29T03:15:00.000Z  full  none  why\nend',
    ],
    [
      'sum\n  2026-11-26T03:45:07.000Z  to IAD  (x)\n  2026-11-26T03:45:08.000Z  to ORD  (x)',
      'sum\n  2026-11-26T03:45:07.500Z  to ORD  (x)\n  2026-11-26T03:45:09.000Z  to IAD  (x)',
    ],
  ])('is the same for %j and %j', (one, other) => expect(whatStays(one)).toBe(whatStays(other)));

  it.each([
    ['STATUS  COMPLETED', 'STATUS  FAILED'],
    ['WHOLE IN  DFW,IAD,ORD', 'WHOLE IN  DFW,IAD'],
    ['1 failed, 2 not looked at', '0 failed, 2 not looked at'],
    ['sum\n  2026-11-26T03:45:07.000Z  to IAD', 'sum\n  2026-11-26T03:45:07.000Z  to ORD'],
    ['SCHEDULE  01a215f5-024d-71e2-8f62-5d8c74389f2c', 'SCHEDULE  -'],
  ])('differs for %j and %j', (one, other) => expect(whatStays(one)).not.toBe(whatStays(other)));
});
