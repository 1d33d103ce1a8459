/** `strongroom events`: what happens in the account, as it happens. */
import type { EventResource } from '@strongroom/contracts';
import { type Command, InvalidArgumentError } from 'commander';
import { inLine, note, say, sayJson } from '../output.js';
import { type ApiOptions, atLeastOne, idArgument, ofApi } from './api-options.js';
import { inSession } from './session.js';

interface TailOptions extends ApiOptions {
  since?: string;
  type?: string[];
  limit?: number;
}

/** The place before the first event, in the words of the stream. */
const fromTheStart = '0';

export function addEvents(program: Command): void {
  const group = program.command('events').description('See what happens.');
  ofApi(group.command('tail'))
    .description(
      'Print each event of the account as it happens, a line for each, until it is ended. It outlasts its connections.',
    )
    .option(
      '--since <event-id>',
      'begin after this event; start: with the first one. Without it: with the next one',
      sinceArgument,
    )
    .option(
      '--type <type>',
      'only events of this type, such as BackupCompleted; may be given more than once',
      collected,
    )
    .option('--limit <number>', 'end after so many', atLeastOne)
    .action((options: TailOptions) =>
      inSession(options, 'event', async ({ client, signal }) => {
        let left = options.limit ?? Number.POSITIVE_INFINITY;
        const onReset = () =>
          note('The service does not have the last event any more. Everything comes again, from the first event on.');
        for await (const event of client.events.follow({ after: options.since, signal, onReset })) {
          if (options.type && !options.type.includes(event.type)) continue;
          show(event, options);
          left -= 1;
          if (left === 0) return;
        }
        signal.throwIfAborted();
      }),
    );
}

function show(event: EventResource, { json, plain }: ApiOptions): void {
  const { at, type, subject, actor, id } = event;
  if (json) sayJson(event);
  else say([at, type, `${subject.kind} ${subject.id}`, `by ${inLine(actor)}`, id].join(plain ? '\t' : '  '));
}

function sinceArgument(text: string): string {
  return text === 'start' ? fromTheStart : idArgument(text);
}

function collected(text: string, before: string[] = []): string[] {
  if (!/^[A-Za-z]{1,64}$/.test(text)) throw new InvalidArgumentError('It must be a type, such as BackupCompleted.');
  return [...before, text];
}
