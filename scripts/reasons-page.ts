/** Writes the text of docs/reasons.md from the sentences by which the service explains its events. */
import { type Aggregate, aggregateOfEvent, aggregates } from '@strongroom/contracts';
import type { everyReason } from '@strongroom/domain';

const titles: Readonly<Record<Aggregate, string>> = {
  instance: 'Instances',
  schedule: 'Schedules',
  backup: 'Backups and slots',
  copy: 'Copies',
  webhook: 'Webhooks',
};

export function reasonsPage(reasons: ReturnType<typeof everyReason>): string {
  return `${[
    '# Reasons',
    `\`npm run docs\` writes this page from the sentences in [libs/domain/src/explanation](../libs/domain/src/explanation).`,
    `\`GET /explain/{id}\` says why a schedule, a backup, a copy or an instance is as it is. Each of its sentences follows from one event, and has
a \`reason\` for programs. A reason never changes its meaning, and new ones come with new events. A part in braces comes from the event. Where the
event has a ground or a code, the answer has it as \`ground\`. The grounds against incrementals are in
[incremental-grounds.md](incremental-grounds.md).`,
    'Each reason has a case in [reasons-of-backups.spec.ts](../libs/domain/src/explanation/reasons-of-backups.spec.ts) or in [reasons-of-others.spec.ts](../libs/domain/src/explanation/reasons-of-others.spec.ts), with an event and the sentence that is made of it. These specs fail when a reason has none.',
    ...aggregates.flatMap((kind) => [
      `## ${titles[kind]}`,
      [
        '| Reason | Event | Sentence |',
        '| --- | --- | --- |',
        ...reasons
          .filter(({ type }) => aggregateOfEvent[type] === kind)
          .map(({ reason, type, sentence }) => `| \`${reason}\` | \`${type}\` | ${sentence} |`),
      ].join('\n'),
    ]),
  ].join('\n\n')}\n`;
}
