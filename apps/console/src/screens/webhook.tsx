/** One webhook: how it stands, what became of the newest deliveries, and what can be done: try it, send an event again, pause it, and more. */
import type { DeliveryResource, WebhookAttempt, WebhookResource } from '@strongroom/contracts';
import { useState } from 'preact/hooks';
import { call, messageOf, pagesOf, Refused, whyNotChanged } from '../api/call.js';
import {
  getWebhooksId,
  getWebhooksIdDeliveries,
  patchWebhooksId,
  postWebhooksIdReplay,
  postWebhooksIdTest,
} from '../api/operations.js';
import { WhyDialog } from '../parts/explanation.js';
import { Instant } from '../parts/instant.js';
import { Mark } from '../parts/mark.js';
import { Problem, useRead } from '../parts/reading.js';
import { Scrolled } from '../parts/scrolled.js';
import type { Shown } from '../shown.js';
import { answerOf, deliveryWords, formatWords, typesOf, webhooksEveryMs } from '../webhooks.js';
import { DeleteDialog } from './delete-dialog.js';
import { RotateDialog } from './rotate-dialog.js';
import { WebhookDialog } from './webhook-dialog.js';
import { StandingOf } from './webhooks.js';

/** A page of deliveries has so many. */
const shownDeliveries = 50;

type Dialogs = 'change' | 'rotate' | 'delete' | 'why';

interface Read {
  webhook: WebhookResource;
  deliveries: readonly DeliveryResource[];
  hasOlder: boolean;
}

export function WebhookScreen({ id, known, accountId, rights, now }: Shown & { id: string }) {
  const [changes, setChanges] = useState(0);
  const [pages, setPages] = useState(1);
  const [dialog, setDialog] = useState<Dialogs | null>(null);
  const [tried, setTried] = useState<Tried | null>(null);
  const [newest] = known.events.filter(({ subject }) => subject.id === id);
  const when = [accountId, id, newest?.id, changes, pages];
  const { value, problem } = useRead(() => readWebhook(accountId, id, pages), when, webhooksEveryMs);
  if (value === 'gone') return <p>There is no such webhook any more.</p>;
  if (!value) return <Problem of={problem} />;
  const { webhook, deliveries, hasOlder } = value;
  const mayUpdate = rights.includes('webhook.update');
  const asked = {
    accountId,
    webhook,
    changed: () => setChanges((before) => before + 1),
    closed: () => setDialog(null),
  };
  return (
    <>
      <Problem of={problem} />
      <Facts webhook={webhook} now={now} />
      <p class="buttons">
        {mayUpdate && <Doing {...asked} ask={setDialog} setTried={setTried} />}
        {rights.includes('webhook.delete') && (
          <button type="button" onClick={() => setDialog('delete')}>
            Delete
          </button>
        )}
        <button type="button" onClick={() => setDialog('why')}>
          Why?
        </button>
      </p>
      <div role="status">
        <Answer of={tried} />
      </div>
      <h2>Deliveries</h2>
      {deliveries.length === 0 ? (
        <p>Nothing was sent yet.</p>
      ) : (
        <Deliveries {...asked} deliveries={deliveries} now={now} mayReplay={mayUpdate} />
      )}
      {hasOlder && (
        <p>
          <button type="button" onClick={() => setPages(pages + 1)}>
            Show older ones
          </button>
        </p>
      )}
      {dialog === 'change' && <WebhookDialog {...asked} />}
      {dialog === 'rotate' && <RotateDialog {...asked} />}
      {dialog === 'delete' && <DeleteDialog {...asked} />}
      {dialog === 'why' && (
        <WhyDialog
          accountId={accountId}
          id={id}
          name={webhook.name}
          now={now}
          when={newest?.id}
          closed={() => setDialog(null)}
        />
      )}
    </>
  );
}

async function readWebhook(accountId: string, id: string, pages: number): Promise<Read | 'gone'> {
  const parts = { accountId, id };
  const deliveries: DeliveryResource[] = [];
  let hasOlder = false;
  try {
    const { webhook } = await call(getWebhooksId, { parts });
    const asked = { parts, query: { limit: shownDeliveries } };
    for await (const page of pagesOf(getWebhooksIdDeliveries, asked, pages)) {
      deliveries.push(...page.deliveries);
      hasOlder = page.links.length > 0;
    }
    return { webhook, deliveries, hasOlder };
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return 'gone';
    throw error;
  }
}

function Facts({ webhook, now }: { webhook: WebhookResource; now: Date }) {
  return (
    <dl class="facts">
      <dt>Name</dt>
      <dd>{webhook.name}</dd>
      <dt>Sent to</dt>
      <dd>{webhook.url_origin}</dd>
      <dt>Sends</dt>
      <dd>{formatWords[webhook.format]}</dd>
      <dt>Events</dt>
      <dd>{typesOf(webhook)}</dd>
      <dt>State</dt>
      <dd>
        <StandingOf webhook={webhook} now={now} />
      </dd>
      <dt>Changed</dt>
      <dd>
        <Instant at={webhook.updated} now={now} />
      </dd>
    </dl>
  );
}

interface Asked {
  accountId: string;
  webhook: WebhookResource;
  changed: () => void;
}

type Tried =
  | { is: 'trying' }
  | { is: 'told'; attempt: WebhookAttempt }
  | { is: 'done'; what: string }
  | { is: 'refused'; why: string };

interface Does extends Asked {
  ask: (dialog: Dialogs) => void;
  setTried: (tried: Tried) => void;
}

function Doing({ accountId, webhook, changed, ask, setTried }: Does) {
  const parts = { accountId, id: webhook.id };
  const test = async () => {
    setTried({ is: 'trying' });
    setTried(await told(() => call(postWebhooksIdTest, { parts })));
  };
  const enable = async (enabled: boolean) => {
    try {
      await call(patchWebhooksId, {
        parts,
        body: { webhook: { enabled } },
        headers: { 'if-match': `"${webhook.version}"` },
      });
      setTried({ is: 'done', what: enabled ? 'It goes on where it stopped.' : 'It is paused, and keeps its place.' });
    } catch (error) {
      setTried({ is: 'refused', why: whyNotChanged(error, 'webhook') });
    }
    changed();
  };
  return (
    <>
      <button type="button" onClick={() => void test()}>
        Send a test
      </button>
      <button type="button" onClick={() => void enable(!webhook.enabled)}>
        {webhook.enabled ? 'Pause' : 'Resume'}
      </button>
      <button type="button" onClick={() => ask('change')}>
        Change
      </button>
      <button type="button" onClick={() => ask('rotate')}>
        New secret
      </button>
    </>
  );
}

async function told(send: () => Promise<{ attempt: WebhookAttempt }>): Promise<Tried> {
  try {
    return { is: 'told', attempt: (await send()).attempt };
  } catch (error) {
    return { is: 'refused', why: messageOf(error) };
  }
}

function Answer({ of }: { of: Tried | null }) {
  switch (of?.is) {
    case undefined:
      return null;
    case 'trying':
      return <Mark tone="busy">Is sent…</Mark>;
    case 'refused':
      return <Mark tone="bad">{of.why}</Mark>;
    case 'done':
      return <Mark tone="good">{of.what}</Mark>;
    case 'told': {
      const { attempt } = of;
      const words = `${attempt.delivered ? 'Taken' : 'Not taken'}: ${answerOf(attempt)}`;
      return <Mark tone={attempt.delivered ? 'good' : 'bad'}>{words}</Mark>;
    }
  }
}

interface Shows extends Asked {
  deliveries: readonly DeliveryResource[];
  now: Date;
  mayReplay: boolean;
}

function Deliveries({ accountId, webhook, changed, deliveries, now, mayReplay }: Shows) {
  const [tried, setTried] = useState<ReadonlyMap<string, Tried>>(new Map());
  const replay = async (event_id: string) => {
    const note = (outcome: Tried) => setTried((before) => new Map(before).set(event_id, outcome));
    note({ is: 'trying' });
    const parts = { accountId, id: webhook.id };
    note(await told(() => call(postWebhooksIdReplay, { parts, body: { replay: { event_id } } })));
    changed();
  };
  return (
    <Scrolled label="Deliveries">
      <table>
        <caption>The newest events first; a thousand are kept. Times are in UTC.</caption>
        <thead>
          <tr>
            <th scope="col">Event</th>
            <th scope="col">Sent</th>
            <th scope="col">Outcome</th>
            <th scope="col">Attempts</th>
            <th scope="col">Answer</th>
            {mayReplay && <th scope="col">Send again</th>}
          </tr>
        </thead>
        <tbody>
          {deliveries.map((delivery) => (
            <tr key={delivery.id}>
              <th scope="row">{delivery.event_type}</th>
              <td>
                <Instant at={delivery.last_attempt} now={now} />
              </td>
              <td>
                <Outcome of={delivery} />
              </td>
              <td>{delivery.attempts}</td>
              <td>{answerOf(delivery)}</td>
              {mayReplay && (
                <td>
                  <button type="button" onClick={() => void replay(delivery.id)}>
                    Replay
                    <span class="unseen">
                      {' '}
                      {delivery.event_type} of {delivery.last_attempt}
                    </span>
                  </button>
                  <div role="status">
                    <Answer of={tried.get(delivery.id) ?? null} />
                  </div>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolled>
  );
}

function Outcome({ of: { state } }: { of: DeliveryResource }) {
  const [tone, word] = deliveryWords[state];
  return <Mark tone={tone}>{word}</Mark>;
}
