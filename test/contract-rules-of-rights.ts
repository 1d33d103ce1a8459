/** The rules of rights, limited tokens and the audit. */
import { api, type Rule } from './contract-rule.js';

export const audit = (title: string) => api('audit/audit.int.spec.ts', title);
const auditStream = (title: string) => api('audit/audit-stream.int.spec.ts', title);
export const apart = (title: string) => api('edge/accounts-apart.int.spec.ts', title);
const limited = (title: string) => api('edge/limited-tokens.int.spec.ts', title);

export const rulesOfRights: readonly Rule[] = [
  {
    rule: 'A 403 names the right that is missing. Restoring a backup needs `restore`, and no other right does it.',
    shown: [limited('%s needs the right %s, and a 403 names it')],
  },
  {
    rule: 'A token that reaches only some instances sees and changes nothing else: other things are a 404, and are in no list.',
    shown: [
      limited('sees its instance, and what belongs to it, and nothing else'),
      apart('is not told, used or changed by $method $path'),
    ],
  },
  {
    rule: 'Such a token registers and restores nothing, and reads no audit: these are a 403.',
    shown: [limited('adds no instance, and reads no audit')],
  },
  {
    rule: 'An Idempotency-Key of a token that reaches other instances is a 422.',
    shown: [limited('does not get the answer to a key of a token with another reach')],
  },
  {
    rule: 'A repeated Idempotency-Key of a token that lacks the right for the request is a 403.',
    shown: [limited('%s is answered again by its key only to who has %s')],
  },
  {
    rule: 'A token is a 401 from the time on when it expires.',
    shown: [limited('is a 401 from the time on when it expires')],
  },
  {
    rule: 'The audit lists, oldest first, each deletion, restore, hold, approval and change, and each refusal, with who it was and from where.',
    shown: [
      audit('tells each deletion, hold, approval and change, with who did it and from where'),
      audit(
        'tells each refusal once and then its count: no token, another account, a missing right, a person twice, too often',
      ),
      audit('comes in pages, oldest first, with no item lost or told twice'),
    ],
  },
  {
    rule: 'The audit is streamed live too, for an admin of the whole account. Such a stream goes on after `Last-Event-ID` as that of the events does.',
    shown: [
      auditStream('tells what is done and what is refused as it happens, and goes on after what was seen last'),
      auditStream('begins with what is new when it is not said where'),
      auditStream('is for an admin of the whole account, and tells nothing of another one'),
    ],
  },
  {
    rule: 'A stream ends within seconds when its token has expired, was withdrawn, or has lost the right.',
    shown: [api('events/event-streams.int.spec.ts', 'ends when its token %s')],
  },
];
