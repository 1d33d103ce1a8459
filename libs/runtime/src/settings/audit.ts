/** How the audit is kept, and where it is written besides. */
import { integer, mustBe, parsedText, text } from './forms.js';
import type { AppName, Setting } from './setting.js';

const usedBy: readonly AppName[] = ['api'];

export const auditDays = {
  name: 'STRONGROOM_AUDIT_DAYS',
  meaning:
    'For how many days the audit keeps refused requests, and which rights and keys were in force. What was done stays for ever: it is in the ledger.',
  form: integer(1, 3_650),
  usedBy,
  default: '90',
} satisfies Setting<number>;

export const auditFile = {
  name: 'STRONGROOM_AUDIT_FILE',
  meaning:
    'A file that the audit of all accounts is appended to, one JSON object a line. It may be renamed at any time. It has everything since the first start with this setting, and the refusals that are kept from before.',
  form: text('the path of a file'),
  usedBy,
} satisfies Setting<string>;

export const auditSyslog = {
  name: 'STRONGROOM_AUDIT_SYSLOG',
  meaning:
    'Where syslog takes the audit of all accounts, over TCP: messages of RFC 5424, each with one JSON object. They go in clear, so only a syslog of this machine is taken, which may forward them by TLS, unless `STRONGROOM_ALLOW_PLAINTEXT` has `syslog`. A scheduler gets it only so that no instance leads there.',
  form: parsedText('like log.example.com:601', (value) => {
    const [, ipv6, name = ipv6, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value) ?? [];
    const port = Number(digits);
    return name !== undefined && port >= 1 && port <= 65_535
      ? { host: name, port }
      : mustBe('like log.example.com:601');
  }),
  usedBy: ['api', 'scheduler'],
} satisfies Setting<{ host: string; port: number }>;
