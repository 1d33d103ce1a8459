/** `strongroom events`: what happens in the account, as it happens. */
import { type EventResource, uuid } from '@strongroom/contracts';
import { type Command, InvalidArgumentError } from 'commander';
import { UsageFault } from '../command-fault.js';
import { inLine, note, say, sayJson } from '../output.js';
import { type ApiOptions, atLeastOne, idArgument, instantArgument, ofApi } from './api-options.js';
import { cursorIn, forwarded } from './forward.js';
import { inSession } from './session.js';

/** After which event, or from which instant on. */
type Since = { after: string } | { from: string };

interface TailOptions extends ApiOptions {
  since?: Since;
  forwardTo?: string;
  cursor?: string;
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
      '--since <event>',
      'begin after the event of this id, or with the first one since an instant such as 2026-11-14T14:30:00Z; start: with the very first. Without it: with the next one',
      sinceArgument,
    )
    .option(
      '--type <type>',
      'only events of this type, such as BackupCompleted; may be given more than once',
      collected,
    )
    .option(
      '--forward-to <url>',
      'send each event there instead, as JSON by POST, in order, again and again until it is taken',
      forwardArgument,
    )
    .option(
      '--cursor <path>',
      'a file that remembers what was taken. The next call goes on after that, whatever --since says',
    )
    .option('--limit <number>', 'end after so many events', atLeastOne)
    .action((options: TailOptions) =>
      inSession(options, 'event', async ({ client, signal }) => {
        const { since, forwardTo, cursor } = options;
        if (cursor !== undefined && forwardTo === undefined)
          throw new UsageFault('--cursor remembers what was forwarded.', 'Say where to: --forward-to URL');
        const taken = cursor === undefined ? undefined : await cursorIn(cursor);
        const begins = taken === undefined ? since : { after: taken };
        const from = begins && 'from' in begins ? begins.from : undefined;
        const after = begins && 'after' in begins ? begins.after : undefined;
        let left = options.limit ?? Number.POSITIVE_INFINITY;
        const onReset = () =>
          note('The service does not have the last event any more. Everything comes again, from the first event on.');
        for await (const event of client.events.follow({ after, since: from, signal, onReset })) {
          // The service begins a little earlier.
          if (from !== undefined && event.at < from) continue;
          if (options.type && !options.type.includes(event.type)) continue;
          if (forwardTo === undefined) show(event, options);
          else await forwarded(event, { url: forwardTo, cursor }, signal);
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

function sinceArgument(text: string): Since {
  if (text === 'start') return { after: fromTheStart };
  if (/^\d{4}-\d\d-\d\d/.test(text) && !uuid.safeParse(text.toLowerCase()).success)
    return { from: instantArgument(text) };
  return { after: idArgument(text) };
}

function forwardArgument(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) throw new InvalidArgumentError('It must be like https://host/path.');
  if (url.username !== '' || url.password !== '')
    throw new InvalidArgumentError('It must have no user and no password in it, which others would read.');
  return url.href;
}

function collected(text: string, before: string[] = []): string[] {
  if (!/^[A-Za-z]{1,64}$/.test(text)) throw new InvalidArgumentError('It must be a type, such as BackupCompleted.');
  return [...before, text];
}
