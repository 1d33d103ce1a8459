/** `strongroom webhook`: events that are sent to a URL, signed. */
import {
  type DeliveryResource,
  deleteWebhooksId,
  eventType,
  getWebhooks,
  getWebhooksId,
  getWebhooksIdDeliveries,
  patchWebhooksId,
  postWebhooks,
  postWebhooksIdReplay,
  postWebhooksIdSecret,
  postWebhooksIdTest,
  type WebhookAttempt,
  type WebhookFormat,
  type WebhookResource,
  webhookFormat,
} from '@strongroom/contracts';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { UsageFault } from '../command-fault.js';
import { endWith } from '../exit-codes.js';
import { note } from '../output.js';
import {
  type ApiOptions,
  type ChangeOptions,
  type DestructiveOptions,
  idArgument,
  type ListOptions,
  ofApi,
  ofChange,
  ofDestruction,
  ofList,
  withId,
} from './api-options.js';
import { isToBeAsked, mustBeConfirmed } from './confirm.js';
import { secretIn } from './given-file.js';
import { type Column, printList, printOne } from './printing.js';
import { inSession } from './session.js';

interface WebhookOptions extends ChangeOptions {
  name?: string;
  to?: string;
  toFile?: string;
  types?: Type[];
  format?: WebhookFormat;
}

interface UpdateOptions extends WebhookOptions {
  enable?: true;
  disable?: true;
}

type Type = (typeof eventType.options)[number];

const columns: readonly Column<WebhookResource>[] = [
  { title: 'WEBHOOK', of: ({ id }) => id },
  { title: 'NAME', of: ({ name }) => name },
  { title: 'TO', of: ({ url_origin }) => url_origin },
  { title: 'FORMAT', of: ({ format }) => format },
  { title: 'ENABLED', of: ({ enabled }) => enabled },
  { title: 'TYPES', of: ({ types }) => types.join(', ') || 'as the format has it' },
];
const fields: readonly Column<WebhookResource>[] = [
  ...columns,
  { title: 'CREATED', of: ({ created }) => created },
  { title: 'UPDATED', of: ({ updated }) => updated },
  { title: 'FAILING SINCE', of: ({ failing_since }) => failing_since },
  { title: 'NEXT ATTEMPT', of: ({ next_attempt }) => next_attempt },
  { title: 'WHY DISABLED', of: ({ disabled }) => disabled?.message },
];
const deliveries: readonly Column<DeliveryResource>[] = [
  { title: 'EVENT', of: ({ id }) => id },
  { title: 'TYPE', of: ({ event_type }) => event_type },
  { title: 'STATE', of: ({ state }) => state },
  { title: 'ATTEMPTS', of: ({ attempts }) => attempts },
  { title: 'ANSWER', of: ({ http_status }) => http_status },
  { title: 'LAST', of: ({ last_attempt }) => last_attempt },
  { title: 'FAULT', of: ({ fault }) => fault?.message },
];
const attempts: readonly Column<WebhookAttempt>[] = [
  { title: 'EVENT', of: ({ webhook_id }) => webhook_id },
  { title: 'DELIVERED', of: ({ delivered }) => delivered },
  { title: 'ANSWER', of: ({ http_status }) => http_status },
  { title: 'MILLISECONDS', of: ({ duration_ms }) => duration_ms },
  { title: 'FAULT', of: ({ fault }) => fault?.message },
];

export function addWebhook(program: Command): void {
  const group = program.command('webhook').description('Have events sent to a URL, and see what became of them.');
  addReading(group);
  addChanging(group);
  addSending(group);
}

function addReading(group: Command): void {
  ofList(group.command('list'))
    .description('List the webhooks, by id.')
    .action((options: ListOptions) =>
      inSession(options, 'webhook', (session) => {
        const page = (query: object) => session.ask(getWebhooks, { query });
        return printList({ name: 'webhooks', page, items: ({ webhooks }) => webhooks, columns }, options);
      }),
    );
  withId(ofApi(group.command('show')), 'webhook')
    .description('Show a webhook.')
    .action((id: string, options: ApiOptions) =>
      inSession(options, 'webhook', async (session) => {
        const answer = await session.ask(getWebhooksId, { id });
        printOne(answer, answer.webhook, fields, options);
      }),
    );
  withId(ofList(group.command('deliveries')), 'webhook')
    .description('List the newest deliveries to a webhook, those of the newest events first.')
    .action((id: string, options: ListOptions) =>
      inSession(options, 'webhook', (session) => {
        const page = (query: object) => session.ask(getWebhooksIdDeliveries, { id, query });
        return printList(
          { name: 'deliveries', page, items: ({ deliveries: items }) => items, columns: deliveries },
          options,
        );
      }),
    );
}

/** Adds what a webhook is. */
function ofWebhook(command: Command, { isNew }: { isNew: boolean }): Command {
  return ofChange(command)
    .addOption(new Option('--name <name>', 'what it is called').makeOptionMandatory(isNew))
    .option('--to <url>', 'where events are sent; others of this machine may see it in the list of processes')
    .option('--to-file <path>', 'a file with the URL as its one line, or -')
    .option('--types <types>', 'types of events with commas between them, such as BackupFailed,SlotMissed', typesIn)
    .addOption(new Option('--format <format>', 'how an event is written').choices(webhookFormat.options));
}

function typesIn(text: string): Type[] {
  const given = text.split(',').map((type) => type.trim());
  const types = z.array(eventType).safeParse(given.filter((type) => type !== ''));
  if (!types.success) throw new InvalidArgumentError('It must be types of events, such as BackupFailed,SlotMissed.');
  return types.data;
}

async function givenIn({ name, to, toFile, types, format }: WebhookOptions) {
  if (to !== undefined && toFile !== undefined)
    throw new UsageFault('The URL is given twice.', 'Give --to or --to-file, and not both.');
  const url = toFile === undefined ? to : await secretIn(toFile, 'URL');
  return {
    ...(name !== undefined && { name }),
    ...(url !== undefined && { url }),
    ...(types !== undefined && { types }),
    ...(format !== undefined && { format }),
  };
}

function addChanging(group: Command): void {
  ofWebhook(group.command('create'), { isNew: true })
    .description(
      'Create a webhook, with --to or --to-file. Its secret is printed once, and verifies the signatures of its deliveries.',
    )
    .action((options: WebhookOptions & { name: string }) =>
      inSession(options, 'webhook', async (session) => {
        const { name } = options;
        const { url, ...given } = await givenIn(options);
        if (url === undefined) throw new UsageFault('A webhook has a URL.', 'Give it: --to URL, or --to-file PATH');
        const answer = await session.change(postWebhooks, { body: { webhook: { ...given, name, url } } });
        if (!answer) return;
        const { webhook } = answer.body;
        printOne(answer.body, webhook, [...columns, { title: 'SECRET', of: ({ secret }) => secret }], options);
        note(`The secret is not shown again. Try the webhook: strongroom webhook test ${webhook.id}`);
      }),
    );
  withId(ofWebhook(group.command('update'), { isNew: false }), 'webhook')
    .description('Change a webhook. What is not given stays as it is.')
    .option('--enable', 'send to it again, from the first event that was not delivered')
    .option('--disable', 'send nothing to it')
    .action((id: string, options: UpdateOptions) =>
      inSession(options, 'webhook', async (session) => {
        const { enable, disable } = options;
        if (enable && disable)
          throw new UsageFault('It is not known which is meant.', 'Give --enable or --disable, and not both.');
        const enabled = enable ? true : disable ? false : undefined;
        const webhook = { ...(await givenIn(options)), ...(enabled !== undefined && { enabled }) };
        if (Object.keys(webhook).length === 0)
          throw new UsageFault('Nothing is to change.', 'Say what is, such as --enable.');
        if (await session.change(patchWebhooksId, { id, body: { webhook } })) note(`Webhook ${id} is changed.`);
      }),
    );
  withId(ofChange(group.command('rotate')), 'webhook')
    .description('Give a webhook a new secret. For a day, deliveries are signed with the former one too.')
    .action((id: string, options: ChangeOptions) =>
      inSession(options, 'webhook', async (session) => {
        const answer = await session.change(postWebhooksIdSecret, { id });
        if (!answer) return;
        const rotated: readonly Column<typeof answer.body>[] = [
          { title: 'SECRET', of: ({ secret }) => secret },
          { title: 'FORMER UNTIL', of: ({ former_until }) => former_until },
        ];
        printOne(answer.body, answer.body, rotated, options);
      }),
    );
  withId(ofDestruction(group.command('delete')), 'webhook')
    .description('Delete a webhook. Nothing is sent to it any more.')
    .action((id: string, options: DestructiveOptions) =>
      inSession(options, 'webhook', async (session) => {
        if (isToBeAsked(options)) {
          const { webhook } = await session.ask(getWebhooksId, { id });
          const what = `Webhook ${id} (${webhook.name}) will be deleted. Nothing is sent to it any more.`;
          await mustBeConfirmed(what, [webhook.name, id], options);
        }
        if (await session.change(deleteWebhooksId, { id })) note(`Webhook ${id} is deleted.`);
      }),
    );
}

function addSending(group: Command): void {
  withId(ofApi(group.command('test')), 'webhook')
    .description('Send a webhook an event of the type WebhookTest. Ends with 1 when it was not taken.')
    .action((id: string, options: ApiOptions) =>
      inSession(options, 'webhook', async (session) =>
        showAttempt(id, await session.ask(postWebhooksIdTest, { id }), options),
      ),
    );
  withId(ofApi(group.command('replay')), 'webhook')
    .description('Send a webhook an event again, now and once. Ends with 1 when it was not taken.')
    .argument('<event-id>', 'the event, a UUID', idArgument)
    .action((id: string, eventId: string, options: ApiOptions) =>
      inSession(options, 'webhook', async (session) =>
        showAttempt(
          id,
          await session.ask(postWebhooksIdReplay, { id, body: { replay: { event_id: eventId } } }),
          options,
        ),
      ),
    );
}

function showAttempt(id: string, document: { attempt: WebhookAttempt }, options: ApiOptions): void {
  printOne(document, document.attempt, attempts, options);
  if (!document.attempt.delivered)
    endWith('failed', `Put the receiver right, and try again: strongroom webhook test ${id}`);
}
