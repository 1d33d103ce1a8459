/** `strongroom explain`: why something is as it is, or was at an instant, in sentences that name their events. */
import { type ExplainedSentence, getExplainId } from '@strongroom/contracts';
import type { Command } from 'commander';
import { inLine, note, say, sayJson } from '../output.js';
import { type ApiOptions, atLeastOne, instantArgument, ofApi, withId } from './api-options.js';
import { type Column, printRows } from './printing.js';
import { inSession } from './session.js';

interface ExplainOptions extends ApiOptions {
  asOf?: string;
  limit?: number;
}

const columns: readonly Column<ExplainedSentence>[] = [
  { title: 'AT', of: ({ event }) => event.at },
  { title: 'REASON', of: ({ reason }) => reason },
  { title: 'SENTENCE', of: ({ sentence }) => sentence },
  { title: 'EVENT', of: ({ event }) => event.id },
];

export function addExplain(program: Command): void {
  withId(ofApi(program.command('explain')), 'schedule, backup, copy or instance')
    .description(
      'Say why something is as it is, from the events alone: the answer in short, then its newest sentences.',
    )
    .option('--as-of <instant>', 'as it was then, such as 2026-11-14T14:30:00Z', instantArgument)
    .option('--limit <number>', 'how many sentences at the most', atLeastOne)
    .action((id: string, options: ExplainOptions) =>
      inSession(options, 'anything', async (session) => {
        const { asOf: as_of, limit } = options;
        const document = await session.ask(getExplainId, { id, query: { as_of, limit } });
        const { summary, sentences } = document.explanation;
        if (options.json) return sayJson(document, 2);
        if (options.plain) return printRows(document, sentences, columns, options);
        say(inLine(summary));
        for (const { sentence, event } of sentences)
          say(`  ${event.at}  ${inLine(sentence)}  (${event.type} ${event.id})`);
        if (document.links.length > 0)
          note(`There are older sentences. Ask for what was known then: --as-of ${sentences[0]?.event.at}`);
      }),
    );
}
