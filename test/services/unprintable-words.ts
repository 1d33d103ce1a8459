/** What a stranger's server may say that no terminal should get, and no database stores: in each text that it says of itself. */
import { type HostileCase, identity, notice, saying, setting } from './hostile-servers.js';
import * as protocol from './server-messages.js';

const unprintable = [
  ['a NUL', '\0'],
  ['an escape sequence', '\u001b[2J'],
  ['a control character of eight bits', '\u009b'],
  ['what turns the direction of writing around', '\u202e'],
] as const;
const usual: Readonly<Record<string, string>> = {
  segment_size: '1GB',
  server_version_num: '180004',
  server_version: '18.4',
  block_size: '8192',
};

export const unprintableWords: [what: string, HostileCase][] = [
  ...['segment_size', 'server_version_num', 'server_version', 'block_size', 'data_checksums', 'wal_log_hints'].flatMap(
    (name) =>
      unprintable.map(([what, text]): [string, HostileCase] => [
        `${what} in ${name}`,
        { script: setting(name, `${usual[name] ?? 'on'}${text}`), code: 'protocol-violation' },
      ]),
  ),
  ...unprintable.flatMap(([what, text]): [string, HostileCase][] => [
    [`${what} in its system id`, { script: identity(`7${text}`, '1', '0/2000000'), code: 'protocol-violation' }],
    [`${what} in its timeline`, { script: identity('7', `1${text}`, '0/2000000'), code: 'protocol-violation' }],
    [`${what} in its place in the WAL`, { script: identity('7', '1', `0/2000000${text}`), code: 'protocol-violation' }],
    [
      `${what} in an error and before it`,
      {
        script: saying(
          'SHOW block_size',
          notice(`a warning${text}`),
          protocol.message(
            'E',
            Buffer.from(`SERROR${text}\0CXX000\0Mit failed${text}\0Ddetail${text}\0Hhint${text}\0\0`),
          ),
        ),
        // A NUL ends the error before it says what it is.
        code: text === '\0' ? 'server-unreachable' : 'backup-aborted-by-server',
      },
    ],
  ]),
];
