/** The rules of the contract on webhooks, each with the tests that show it. */
import { api, type Rule, whole } from './contract-rule.js';

const webhooks = (title: string) => api('webhooks/webhooks.int.spec.ts', title);
const written = (title: string) => api('webhooks/formats.spec.ts', title);
const sent = (title: string) => api('webhooks/sender.spec.ts', title);
const mail = (title: string) => api('webhooks/mail.spec.ts', title);
const mailed = (title: string) => api('webhooks/mail-webhooks.int.spec.ts', title);
const due = (title: string) => api('webhooks/accounts-due.int.spec.ts', title);
const processes = (title: string) => whole('webhooks', title);
const next = (title: string) => api('webhooks/retries.spec.ts', title);

export const rulesOfWebhooks: readonly Rule[] = [
  {
    rule: '`POST /webhooks` (+) has the events of the account sent to a URL from then on, each once or more, in the order of the ledger. The body is the event as `GET /events` shows it, signed as Standard Webhooks has it, and `webhook-id` is the id of the event.',
    shown: [
      webhooks('gets the events of its account that come after it, in order, as the API shows them, and signed'),
      webhooks('gets again, with the same id, what a process has sent and not noted'),
      webhooks('is delivered to by one process at a time, and by another one when that is lost'),
      webhooks('that nobody has begun, because a process died after its event, is begun'),
      processes('gets each event once and in order from two processes'),
      processes(
        'gets again, with the same id, what a killed process has sent and not noted, and then what comes after it',
      ),
    ],
  },
  {
    rule: 'An event is sent again until it is taken, with growing pauses, and as late as Retry-After asks for, up to an hour. One that is refused six times is passed over, and can be replayed. No webhook waits for another one.',
    shown: [
      webhooks('gets an event again until it is taken, with the same id, and the later ones after it'),
      webhooks('gets what it was refused no longer, when it has refused it often enough, and may ask for it again'),
      webhooks('that hangs holds up no other'),
      due('all get what is appended to their account, four at a time'),
      next('waits four times as long each time, an hour at the longest, and never in step with others'),
      next('waits as long as the receiver asks for, and never longer than an hour'),
    ],
  },
  {
    rule: 'A webhook is disabled when its URL is answered with 410, or when nothing was taken for three days. Enabled again, it goes on where it stopped.',
    shown: [
      webhooks('is disabled when it is gone, tells why, and goes on where it stopped when it is enabled'),
      next('disables a webhook at once when it is gone, and when nothing was taken for three days'),
    ],
  },
  {
    rule: 'The secret is told once, and the path of the URL never. A new secret signs beside the former one for a day.',
    shown: [
      webhooks('is told once, and is nowhere else, and neither is the path of its URL'),
      webhooks('is the same when the request is made again with its Idempotency-Key'),
      webhooks('is changed without a gap: for a day, the former one signs too'),
    ],
  },
  {
    rule: 'A URL leads where an instance may lead, and no redirect is followed.',
    shown: [
      webhooks('no webhook leads to %s'),
      webhooks('does not reach what the deployment keeps for itself'),
      sent('goes to the address that was judged, by the name of its host, which is looked up once'),
      sent('goes nowhere when its host leads to %j, and does not tell where that is'),
    ],
  },
  {
    rule: 'With `format` slack, teams or ntfy, an event is a sentence for people, and without `types` only what they have to know is sent.',
    shown: [
      written('is a sentence for Slack, in which nothing of a name is a mention or a link'),
      written('is an adaptive card for Teams, in which nothing of a name is Markdown'),
      written('is a text for ntfy, with a title and a priority in the headers'),
      written('has no deletion by retention, which comes every day'),
    ],
  },
  {
    rule: 'With `format` email, `url` is `smtps://USER:PASSWORD@HOST?from=A@B&to=C@D`, or `smtp://…` for a server that offers STARTTLS. The certificate is verified. `tls=disable` is taken where an instance may have it. An answer from 500 on refuses the message, and any other one has it sent again.',
    shown: [
      mail('has one recipient, words of ours as its subject, and the same id at each attempt'),
      mail('is one message to one recipient, whatever its text is'),
      mail('is not sent in clear, and no password is, to a server that offers no STARTTLS'),
      mail('is not sent by %s to a server whose certificate nobody vouches for'),
      mailed('waits for a server that takes a message the second time, and passes over what is refused for good'),
      mailed('has its URL changed with its format, and not alone'),
      processes('is mail to a server with %s whose certificate is verified'),
    ],
  },
];
