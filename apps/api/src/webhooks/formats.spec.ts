import { describe, expect, it } from '@jest/globals';
import type { RecordedEvent, WebhookFormat } from '@strongroom/contracts';
import { eventResource } from '../events/resource.js';
import { isWanted, titleOf, writtenEvent, writtenTest } from './formats.js';

const context = { requestId: 'r', correlationId: 'r', causationId: null, actor: 'spec' };
const scheduleId = '88b277eb-39be-4921-be31-3d61b43651d7';
const instanceId = '44b277eb-39be-4921-be31-3d61b43651d7';
const backupId = '5c3e2b6e-8d57-4b6e-9d35-0f0c2c9b3c11';
const envelope = {
  ...{ id: 'a1a7c1a0-6f0e-4d7c-8a8a-1c5d6c7f9e21', position: 1, version: 1, stream: `backup-${backupId}` },
  ...{ accountId: 'acme', instanceId, at: '2026-11-23T14:30:00.000Z', context },
};
const missed = (reason = 'no scheduler ran'): RecordedEvent => ({
  ...envelope,
  type: 'SlotMissed',
  data: { scheduleId, instanceId, slotAt: '2026-11-23T14:30:00.000Z', reason },
});
const marked = (trigger: 'request' | 'retention'): RecordedEvent => ({
  ...envelope,
  type: 'BackupDeletionMarked',
  data: { backupId, instanceId, scheduleId, trigger, rootId: backupId, purgeAt: '2026-11-30T00:00:00.000Z' },
});
const bodyOf = (format: WebhookFormat, event: RecordedEvent) => writtenEvent(format, event).body;

describe('an event for a webhook', () => {
  it('is the event as the API shows it, for programs', () => {
    expect(JSON.parse(bodyOf('event', missed()))).toEqual(eventResource(missed()));
  });

  it('is a sentence for Slack, in which nothing of a name is a mention or a link', () => {
    const { text } = JSON.parse(bodyOf('slack', missed('<!channel> & <https://evil.example|here>')));
    expect(text).toContain('*Slot missed*\n');
    expect(text).toContain('&lt;!channel&gt; &amp; &lt;https://evil.example|here&gt;');
    expect(text).toContain(backupId);
  });

  it('is an adaptive card for Teams, in which nothing of a name is Markdown', () => {
    const card = JSON.parse(bodyOf('teams', missed('[here](https://evil.example)')));
    const [title, text] = card.attachments[0].content.body;
    expect(card.attachments[0].contentType).toBe('application/vnd.microsoft.card.adaptive');
    expect([title.text, title.color]).toEqual(['Slot missed', 'attention']);
    expect(text.text).toContain('\\[here\\]\\(https://evil.example\\)');
  });

  it('is a text for ntfy, with a title and a priority in the headers', () => {
    const { headers, body } = writtenEvent('ntfy', missed('Übung'));
    expect(headers).toMatchObject({ title: 'Slot missed', priority: 'high', tags: 'warning' });
    expect(body).toContain('Übung');
  });

  it('is a text for mail, whose subject has words of ours alone', () => {
    const { subject, headers, body } = writtenEvent('email', missed('of Übung\r\nBcc: all@example.com'));
    expect([subject, headers]).toEqual(['Strongroom: Slot missed', {}]);
    expect(body).toContain('Übung');
  });

  it.each(['event', 'slack', 'teams', 'ntfy', 'email'] as const)('can be tried as %s', (format) => {
    const test = { id: envelope.id, at: envelope.at, webhookId: backupId, name: 'on call' };
    expect(writtenTest(format, test).body).toMatch(format === 'event' ? 'WebhookTest' : /This is a test/);
  });

  it('has its type as words', () => {
    expect(titleOf('BackupDeletionPutOff')).toBe('Backup deletion put off');
  });
});

describe('what is sent to a webhook that names no types', () => {
  const all = { types: [], format: 'event' } as const;
  const people = { types: [], format: 'slack' } as const;

  it('is everything for programs, and for people what they have to know', () => {
    const started: RecordedEvent = {
      ...envelope,
      type: 'BackupStarted',
      data: { backupId, attempt: 1, region: 'DFW', runner: 'spec' },
    };
    expect([missed(), started].map((event) => isWanted(event, all))).toEqual([true, true]);
    expect([missed(), started].map((event) => isWanted(event, people))).toEqual([true, false]);
  });

  it('has no deletion by retention, which comes every day', () => {
    expect(isWanted(marked('request'), people)).toBe(true);
    expect(isWanted(marked('retention'), people)).toBe(false);
    expect(isWanted(marked('retention'), { types: ['BackupDeletionMarked'], format: 'slack' })).toBe(true);
  });
});
