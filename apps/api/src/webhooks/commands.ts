/**
 * What can be asked of a webhook. When a method returns, its effect is on disk. What is secret is stored before the event that names it:
 * without the event it counts for nothing, and is removed in time.
 */
import { Inject } from '@nestjs/common';
import {
  type CreatedWebhook,
  type RecordedEvent,
  type RotatedSecret,
  streamOf,
  type UpdateWebhookRequest,
  type WebhookAttempt,
} from '@strongroom/contracts';
import { CredentialFault, type SealedOfWebhook, WebhookSecrets } from '@strongroom/credentials';
import { fold, type WebhookDefinition, webhookDecider } from '@strongroom/domain';
import { Reach } from '@strongroom/engines';
import { execute, Ledger } from '@strongroom/ledger';
import { type AppConfig, Clock, configToken, Ids, type Logger, loggerToken } from '@strongroom/runtime';
import { type Caller, mustReachAll, targetOf } from '../edge/caller.js';
import { mustNotChangeTooOften } from '../edge/changes-a-day.js';
import { HttpFault, notFound, unlessRefused } from '../edge/http-fault.js';
import { expectedVersion } from '../edge/preconditions.js';
import { WebhookDeliveries } from './deliveries.js';
import { goTogether, judgedUrl, originOf } from './endpoint.js';
import { type Written, writtenEvent, writtenTest } from './formats.js';
import { boundOf, secretsAt, signedMessage } from './lane.js';
import { madeWebhook } from './resource.js';
import { type SendOutcome, WebhookSender } from './sender.js';
import { newSecret } from './signature.js';
import { WebhookWork } from './webhook-work.js';

/** For so long a former secret signs beside the new one. */
const formerMs = 86_400_000;
/** Each of them is a signature more in a header. */
const mostSecrets = 4;
/** A client waits for the answer. */
const answerMs = 10_000;

export type NewWebhook = Omit<WebhookDefinition, 'origin' | 'secretId'> & { url: string };

/** A webhook as it is now. */
interface Found {
  version: number;
  definition: WebhookDefinition;
  history: RecordedEvent[];
}

export class WebhookCommands {
  constructor(
    @Inject(Ledger) readonly ledger: Ledger,
    @Inject(Ids) readonly ids: Ids,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(configToken) private readonly config: AppConfig,
    @Inject(Reach) private readonly reach: Reach,
    @Inject(WebhookSecrets) private readonly secrets: WebhookSecrets,
    @Inject(WebhookWork) private readonly work: WebhookWork,
    @Inject(WebhookDeliveries) private readonly deliveries: WebhookDeliveries,
    @Inject(WebhookSender) private readonly sender: WebhookSender,
    @Inject(loggerToken) private readonly log: Logger,
  ) {}

  async create(caller: Caller, { url, ...asked }: NewWebhook): Promise<{ webhook: CreatedWebhook }> {
    mustReachAll(caller, 'Webhooks');
    const { accountId, newId: webhookId } = caller;
    const origin = originOf(judgedUrl(url, asked.format, this.reach));
    // The id is that of the webhook, so that a request that is made again finds the same secret.
    const definition = { ...asked, origin, secretId: webhookId };
    const bound = boundOf(accountId, webhookId, definition);
    const kept = await this.secrets.keep(bound, { url, secrets: [{ secret: newSecret(), until: null }] });
    const outcome = await execute(this, webhookDecider, targetOf(caller, webhookId, webhookId), {
      type: 'CreateWebhook',
      ...{ accountId, webhookId, definition, mostWebhooks: this.config.mostWebhooks },
    });
    const { events } = unlessRefused('CreateWebhook', outcome);
    const position = events[0]?.position ?? 0;
    if (definition.enabled) await this.soon(() => this.work.begin({ webhookId, accountId, position }));
    // Nothing is read after the record, so nothing turns the success into an error.
    return { webhook: { ...madeWebhook(events), secret: newestOf(kept) } };
  }

  /** As `create` has answered it, for the same request again. @throws {HttpFault} itemNotFound when another secret is in force since long */
  async made(events: readonly RecordedEvent[]): Promise<{ webhook: CreatedWebhook }> {
    const [first] = events;
    if (first?.type !== 'WebhookCreated') throw new TypeError('no webhook was made');
    const { accountId, data } = first;
    if ((await this.secrets.webhookOf(data.secretId)) === undefined) throw secretIsGone();
    const content = await this.content(accountId, data.webhookId, data);
    return { webhook: { ...madeWebhook(events), secret: newestOf(content) } };
  }

  async change(
    caller: Caller,
    webhookId: string,
    { url, ...changes }: UpdateWebhookRequest,
    ifMatch: string | undefined,
  ): Promise<void> {
    const found = await this.find(caller, webhookId);
    const { accountId } = caller;
    const ifVersion = expectedVersion(ifMatch, { id: webhookId, version: found.version });
    const what = { name: `Webhook ${webhookId}`, stream: streamOf('webhook', webhookId) };
    await mustNotChangeTooOften(this.ledger, caller, what, ['WebhookUpdated', 'WebhookSecretRotated']);
    const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
    const format = changes.format ?? found.definition.format;
    if (url === undefined) mustGoTogether(format, found.definition.origin);
    const sealed = url === undefined ? {} : await this.sealedUrl(accountId, webhookId, found, { url, format });
    const target = {
      ...targetOf(caller, webhookId, webhookId),
      // What was sealed with the URL are the secrets of this version, and a format goes with its URL.
      ifVersion: url === undefined && changes.format === undefined ? ifVersion : found.version,
      history: found.history,
    };
    const command = { type: 'UpdateWebhook', accountId, webhookId, changes: { ...given, ...sealed } } as const;
    unlessRefused(command.type, await execute(this, webhookDecider, target, command));
    if (changes.enabled === true) {
      await this.soon(() => this.work.begin({ webhookId, accountId, position: createdAt(found) }));
    }
    if (url !== undefined) await this.soon(() => this.work.retry({ webhookId, accountId }));
  }

  async rotate(caller: Caller, webhookId: string): Promise<RotatedSecret> {
    const { accountId, newId: secretId } = caller;
    const found = await this.find(caller, webhookId);
    const what = { name: `Webhook ${webhookId}`, stream: streamOf('webhook', webhookId) };
    await mustNotChangeTooOften(this.ledger, caller, what, ['WebhookUpdated', 'WebhookSecretRotated']);
    const now = this.clock.now();
    const formerUntil = new Date(now.getTime() + formerMs).toISOString();
    const { url, secrets } = await this.content(accountId, webhookId, found.definition);
    const former = secretsAt({ secrets }, now).map(({ secret, until }) => ({
      ...{ secret, until: until ?? formerUntil },
    }));
    const content = { url, secrets: [{ secret: newSecret(), until: null }, ...former].slice(0, mostSecrets) };
    const bound = boundOf(accountId, webhookId, { ...found.definition, secretId });
    let kept = await this.secrets.keep(bound, content);
    if (kept.url !== url) {
      // The request came before, had no effect, and the URL is another one since.
      await this.secrets.remove(secretId);
      kept = await this.secrets.keep(bound, content);
    }
    const target = {
      ...targetOf(caller, webhookId, webhookId),
      ...{ ifVersion: found.version, history: found.history },
    };
    const command = { type: 'RotateWebhookSecret', accountId, webhookId, secretId, formerUntil } as const;
    unlessRefused(command.type, await execute(this, webhookDecider, target, command));
    return { secret: newestOf(kept), former_until: formerUntil };
  }

  /** The answer to the rotation that made a secret. */
  async rotatedAs(secretId: string): Promise<RotatedSecret> {
    const webhookId = (await this.secrets.webhookOf(secretId)) ?? secretId;
    const history = await this.ledger.readStream(streamOf('webhook', webhookId));
    const index = history.findIndex(({ type, data }) => type === 'WebhookSecretRotated' && data.secretId === secretId);
    const rotated = history[index];
    const state = fold(webhookDecider, history.slice(0, index + 1));
    if (rotated?.type !== 'WebhookSecretRotated' || state.is !== 'there') {
      throw secretIsGone();
    }
    const content = await this.content(rotated.accountId, webhookId, state.definition);
    return { secret: newestOf(content), former_until: rotated.data.formerUntil };
  }

  async remove(caller: Caller, webhookId: string, ifMatch: string | undefined): Promise<void> {
    const { accountId } = caller;
    const { version, history } = await this.find(caller, webhookId);
    const ifVersion = expectedVersion(ifMatch, { id: webhookId, version });
    const target = { ...targetOf(caller, webhookId, webhookId), ifVersion, history };
    const command = { type: 'DeleteWebhook', accountId, webhookId } as const;
    unlessRefused(command.type, await execute(this, webhookDecider, target, command));
    await this.soon(() => this.work.wake({ webhookId, accountId }));
  }

  async test(caller: Caller, webhookId: string): Promise<WebhookAttempt> {
    const { definition } = await this.find(caller, webhookId);
    const id = this.ids.next();
    const at = this.clock.now().toISOString();
    const test = writtenTest(definition.format, { id, at, webhookId, name: definition.name });
    return attemptOf(id, await this.sent(caller, { webhookId, definition, id }, test));
  }

  async replay(caller: Caller, webhookId: string, eventId: string): Promise<WebhookAttempt> {
    const { definition } = await this.find(caller, webhookId);
    const { accountId } = caller;
    const position = await this.ledger.positionOf(accountId, eventId);
    const [event] = position === undefined ? [] : await this.ledger.followAccount(accountId, position - 1, 1);
    if (event?.id !== eventId) throw notFound('Event', eventId);
    const written = writtenEvent(definition.format, event);
    const outcome = await this.sent(caller, { webhookId, definition, id: eventId }, written);
    await this.deliveries.note(webhookId, event, outcome.fault === null ? 'delivered' : 'failed', outcome);
    return attemptOf(eventId, outcome);
  }

  private async sent(
    { accountId }: Caller,
    { webhookId, definition, id }: { webhookId: string; definition: WebhookDefinition; id: string },
    written: Written,
  ): Promise<SendOutcome> {
    const content = await this.content(accountId, webhookId, definition);
    return this.sender.send(signedMessage(accountId, id, written, content, this.clock.now()), answerMs);
  }

  /** As the ledger has it now. @throws {HttpFault} itemNotFound; forbidden for a token that does not reach the whole account */
  private async find(caller: Caller, webhookId: string): Promise<Found> {
    mustReachAll(caller, 'Webhooks');
    const history = await this.ledger.readStream(streamOf('webhook', webhookId));
    const state = fold(webhookDecider, history);
    if (state.is !== 'there' || state.accountId !== caller.accountId) throw notFound('Webhook', webhookId);
    return { version: history.at(-1)?.version ?? 0, definition: state.definition, history };
  }

  private async sealedUrl(
    accountId: string,
    webhookId: string,
    { definition }: Found,
    { url, format }: Pick<WebhookDefinition, 'format'> & { url: string },
  ): Promise<Pick<WebhookDefinition, 'origin' | 'secretId'>> {
    const origin = originOf(judgedUrl(url, format, this.reach));
    const before = await this.readable(accountId, webhookId, definition);
    if (before.url === url) return { origin, secretId: definition.secretId };
    const secretId = this.ids.next();
    const secrets = secretsAt(before, this.clock.now());
    await this.secrets.keep({ accountId, webhookId, secretId, origin }, { url, secrets });
    return { origin, secretId };
  }

  /** What is sealed of it. Where that can't be opened, it has a secret that nobody was told, until a client asks for a new one. */
  private async readable(
    accountId: string,
    webhookId: string,
    definition: WebhookDefinition,
  ): Promise<Omit<SealedOfWebhook, 'url'> & { url?: string }> {
    try {
      return await this.secrets.get(boundOf(accountId, webhookId, definition));
    } catch (error) {
      if (!(error instanceof CredentialFault)) throw error;
      return { secrets: [{ secret: newSecret(), until: null }] };
    }
  }

  /** @throws {HttpFault} unprocessableEntity when what is sealed can't be opened */
  private async content(accountId: string, webhookId: string, definition: WebhookDefinition): Promise<SealedOfWebhook> {
    try {
      return await this.secrets.get(boundOf(accountId, webhookId, definition));
    } catch (error) {
      if (error instanceof CredentialFault) throw new HttpFault('unprocessableEntity', error.message);
      throw error;
    }
  }

  /** What is only done sooner by this: it is found all the same, and after the commit nothing turns the success into an error. */
  private async soon(work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => this.log.warn({ err: error }, 'a webhook begins within a minute'));
  }
}

/** @throws {HttpFault} badRequest */
function mustGoTogether(format: WebhookDefinition['format'], origin: string): void {
  if (goTogether(format, new URL(origin))) return;
  const why = format === 'email' ? 'A URL with smtps: or smtp: goes with it.' : 'A URL with https goes with it.';
  throw new HttpFault('badRequest', `webhook.format: must come with another URL. ${why}`);
}

function secretIsGone(): HttpFault {
  return new HttpFault('itemNotFound', 'The secret that this request made is not there any more. Ask for a new one.');
}

function newestOf({ secrets }: SealedOfWebhook): string {
  return secrets[0]?.secret ?? '';
}

function createdAt({ history }: Found): number {
  return history[0]?.position ?? 0;
}

function attemptOf(webhookId: string, { status, fault, durationMs }: SendOutcome): WebhookAttempt {
  return {
    ...{ webhook_id: webhookId, delivered: fault === null, http_status: status },
    ...{ fault, duration_ms: durationMs },
  };
}
