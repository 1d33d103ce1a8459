/** The webhooks: where events are sent, in which form, and whether they are taken there. */
import type { WebhookResource } from '@strongroom/contracts';
import { useState } from 'preact/hooks';
import { mostPages } from '../account.js';
import { pagesOf } from '../api/call.js';
import { getWebhooks } from '../api/operations.js';
import { Instant } from '../parts/instant.js';
import { Mark } from '../parts/mark.js';
import { Problem, useRead } from '../parts/reading.js';
import { Scrolled } from '../parts/scrolled.js';
import { byName } from '../restorable.js';
import { webhookAddress } from '../route.js';
import type { Shown } from '../shown.js';
import { answerOf, deliveryWords, formatWords, standingOf, typesOf, webhooksEveryMs } from '../webhooks.js';
import { WebhookDialog } from './webhook-dialog.js';

export function WebhooksScreen({ known, accountId, rights, now }: Shown) {
  const [isNew, setIsNew] = useState(false);
  const [made, setMade] = useState(0);
  const [newest] = known.events.filter(({ subject }) => subject.kind === 'webhook');
  const when = [accountId, newest?.id, made];
  const { value: webhooks, problem } = useRead(() => webhooksOf(accountId), when, webhooksEveryMs);
  return (
    <>
      <Problem of={problem} />
      {rights.includes('webhook.create') && (
        <p>
          <button type="button" onClick={() => setIsNew(true)}>
            New webhook
          </button>
        </p>
      )}
      {webhooks?.length === 0 && (
        <p>
          There is no webhook yet. One sends the events of the account to a URL: a chat, a pager, or a program of yours.
        </p>
      )}
      {webhooks && webhooks.length > 0 && <Table webhooks={webhooks} now={now} />}
      {isNew && (
        <WebhookDialog
          accountId={accountId}
          webhook={null}
          changed={() => setMade(made + 1)}
          closed={() => setIsNew(false)}
        />
      )}
    </>
  );
}

async function webhooksOf(accountId: string): Promise<WebhookResource[]> {
  const all: WebhookResource[] = [];
  for await (const page of pagesOf(getWebhooks, { parts: { accountId } }, mostPages)) all.push(...page.webhooks);
  return all.sort((a, b) => byName(a.name, b.name));
}

function Table({ webhooks, now }: { webhooks: readonly WebhookResource[]; now: Date }) {
  return (
    <Scrolled label="Webhooks">
      <table>
        <caption>Where events are sent, by name. Times are in UTC.</caption>
        <thead>
          <tr>
            <th scope="col">Webhook</th>
            <th scope="col">Sent to</th>
            <th scope="col">Sends</th>
            <th scope="col">Events</th>
            <th scope="col">State</th>
            <th scope="col">Last delivery</th>
          </tr>
        </thead>
        <tbody>
          {webhooks.map((webhook) => (
            <tr key={webhook.id}>
              <th scope="row">
                <a href={webhookAddress(webhook.id)}>{webhook.name}</a>
              </th>
              <td>{webhook.url_origin}</td>
              <td>{formatWords[webhook.format]}</td>
              <td>{typesOf(webhook)}</td>
              <td>
                <StandingOf webhook={webhook} now={now} />
              </td>
              <td>
                <LastDelivery of={webhook.last_delivery} now={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolled>
  );
}

export function StandingOf({ webhook, now }: { webhook: WebhookResource; now: Date }) {
  const { tone, word, since, why } = standingOf(webhook);
  return (
    <>
      <Mark tone={tone}>
        {word}
        {since !== null && (
          <>
            {' since '}
            <Instant at={since} now={now} />
          </>
        )}
      </Mark>
      {why !== null && <p>{why}</p>}
      {webhook.next_attempt !== null && (
        <p class="quiet">
          sent again at <Instant at={webhook.next_attempt} now={now} />
        </p>
      )}
    </>
  );
}

function LastDelivery({ of, now }: { of: WebhookResource['last_delivery']; now: Date }) {
  if (!of) return <span class="quiet">none yet</span>;
  const [tone, word] = deliveryWords[of.state];
  return (
    <>
      <Mark tone={tone}>{word}</Mark>
      <p>
        {of.event_type} <Instant at={of.last_attempt} now={now} />
      </p>
      <p class="quiet">{answerOf(of)}</p>
    </>
  );
}
