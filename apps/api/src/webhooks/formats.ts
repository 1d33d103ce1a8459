/** How an event is written for who receives it: as the API shows it, or as a message for people in the form of a chat or of mail. */
import type { EventType, RecordedEvent, WebhookFormat } from '@strongroom/contracts';
import { explainedEvent } from '@strongroom/domain';
import { shownName } from '@strongroom/runtime';
import { eventResource } from '../events/resource.js';

export interface Written {
  /** What mail is headed with: words of ours alone. */
  subject: string;
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** What a message for people tells. */
export interface Told {
  title: string;
  text: string;
  isTrouble: boolean;
}

/** What people want to hear of when they have named no types. */
const wanted: readonly EventType[] = [
  ...(['SlotMissed', 'BackupFailed', 'BackupDelayed', 'CopyFailed', 'CopyLost', 'CopyStranded'] as const),
  ...(['AnotherServerFound', 'InstanceServerDown', 'InstanceBuildFailed', 'BackupDeletionFailed'] as const),
  ...(['RestoreTestFailed'] as const),
  ...(['BackupDeletionMarked', 'WebhookDisabled'] as const),
];

/** Whether an event is sent to a webhook with these types and this format. */
export function isWanted(event: RecordedEvent, { types, format }: { types: readonly string[]; format: WebhookFormat }) {
  if (types.length > 0) return types.includes(event.type);
  if (format === 'event') return true;
  // Retention deletes every day, and that is no news.
  if (event.type === 'BackupDeletionMarked') return event.data.trigger === 'request';
  return wanted.includes(event.type);
}

export function writtenEvent(format: WebhookFormat, event: RecordedEvent): Written {
  if (format === 'event') return { subject: event.type, ...inJson(eventResource(event)) };
  return inFormat(format, toldOf(event));
}

/** What is sent to try a webhook. */
export function writtenTest(
  format: WebhookFormat,
  test: { id: string; at: string; webhookId: string; name: string },
): Written {
  const { id, at, webhookId, name } = test;
  if (format === 'event') {
    const subject = { kind: 'webhook', id: webhookId };
    return { subject: 'WebhookTest', ...inJson({ id, type: 'WebhookTest', at, subject, data: { webhookId } }) };
  }
  const text = `This is a test of the webhook ${name}. Nothing has happened.`;
  return inFormat(format, { title: 'Webhook test', text, isTrouble: false });
}

function toldOf(event: RecordedEvent): Told {
  const subject = `${event.stream.replace('-', ' ')}, ${event.at.slice(0, 19)}Z`;
  return {
    title: titleOf(event.type),
    text: `${explainedEvent(event, shownName).sentence} (${subject})`,
    isTrouble: wanted.includes(event.type),
  };
}

/** `BackupFailed` as "Backup failed". */
export function titleOf(type: string): string {
  return type.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

type FormatOfWords = Exclude<WebhookFormat, 'event'>;

function inFormat(format: FormatOfWords, told: Told): Written {
  return { subject: `Strongroom: ${told.title}`, ...inWords[format](told) };
}

const inWords: Record<FormatOfWords, (told: Told) => Omit<Written, 'subject'>> = {
  slack: ({ title, text }) => inJson({ text: `*${forSlack(title)}*\n${forSlack(text)}` }),
  teams: ({ title, text, isTrouble }) =>
    inJson({
      type: 'message',
      attachments: [
        {
          contentType: 'application/vnd.microsoft.card.adaptive',
          content: {
            $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
            type: 'AdaptiveCard',
            version: '1.4',
            body: [
              {
                type: 'TextBlock',
                text: title,
                weight: 'bolder',
                size: 'medium',
                color: isTrouble ? 'attention' : 'default',
              },
              { type: 'TextBlock', text: forTeams(text), wrap: true },
            ],
          },
        },
      ],
    }),
  ntfy: ({ title, text, isTrouble }) => ({
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      title,
      priority: isTrouble ? 'high' : 'default',
      tags: isTrouble ? 'warning' : 'floppy_disk',
    },
    body: text,
  }),
  email: ({ text }) => ({ headers: {}, body: `${text}\n` }),
};

function inJson(value: unknown): Omit<Written, 'subject'> {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}

/** Slack takes these three for its own, and everything else as it is: https://api.slack.com/reference/surfaces/formatting */
function forSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** A text block takes Markdown: a name could otherwise be a link. */
function forTeams(text: string): string {
  return text.replaceAll(/[\\[\]()*_`#<>]/g, (character) => `\\${character}`);
}
