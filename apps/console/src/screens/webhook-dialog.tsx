/** Makes a webhook, or changes one. The secret of a new one is shown once. What is asked for twice, because an answer was lost, is made once. */
import type { EventType, UpdateWebhookRequest, WebhookFormat, WebhookResource } from '@strongroom/contracts';
import { useId, useRef, useState } from 'preact/hooks';
import { call, whyNotChanged } from '../api/call.js';
import { eventTypes, patchWebhooksId, postWebhooks } from '../api/operations.js';
import { Dialog, DialogButtons } from '../parts/dialog.js';
import { Problem } from '../parts/reading.js';
import { Secret } from '../parts/secret.js';
import { formatWords } from '../webhooks.js';

interface Asked {
  accountId: string;
  /** The one that is changed; null for a new one. */
  webhook: WebhookResource | null;
  changed: () => void;
  closed: () => void;
}

const formats = Object.entries(formatWords) as [WebhookFormat, string][];

export function WebhookDialog({ accountId, webhook: current, changed, closed }: Asked) {
  /** As it was when the dialog was opened: that is what is changed. */
  const [webhook] = useState(current);
  const [secret, setSecret] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  /** Of what stands in the form. */
  const key = useRef(crypto.randomUUID());

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const { url, ...fields } = fieldsIn(new FormData(event.currentTarget as HTMLFormElement));
    setIsBusy(true);
    try {
      if (webhook) {
        const body = { webhook: { ...fields, ...(url !== '' && { url }) } };
        const headers = { 'if-match': `"${webhook.version}"` };
        await call(patchWebhooksId, { parts: { accountId, id: webhook.id }, body, headers });
        closed();
      } else {
        const headers = { 'idempotency-key': key.current };
        const made = await call(postWebhooks, { parts: { accountId }, body: { webhook: { ...fields, url } }, headers });
        setSecret(made.webhook.secret);
      }
      changed();
    } catch (error) {
      setProblem(whyNotChanged(error, 'webhook'));
    }
    setIsBusy(false);
  };

  return (
    <Dialog title={webhook ? `Change ${webhook.name}` : 'New webhook'} closed={closed}>
      {secret !== null ? (
        <Secret text={secret} closed={closed}>
          The webhook is made. Each message is signed with this secret, and who has it can tell that a message is from
          here.
        </Secret>
      ) : (
        <form
          onSubmit={(event) => void submit(event)}
          onInput={() => {
            key.current = crypto.randomUUID();
          }}
        >
          <Inputs webhook={webhook} />
          <Problem of={problem} />
          <DialogButtons word={webhook ? 'Change' : 'Create'} isBusy={isBusy} closed={closed} />
        </form>
      )}
    </Dialog>
  );
}

function Inputs({ webhook }: { webhook: WebhookResource | null }) {
  const [nameId, urlId, hintId, formatId] = [useId(), useId(), useId(), useId()];
  return (
    <>
      <label for={nameId}>Name</label>
      <input id={nameId} name="name" required maxLength={255} defaultValue={webhook?.name ?? ''} />
      <label for={urlId}>{webhook ? 'New URL' : 'URL'}</label>
      <input
        id={urlId}
        name="url"
        type="url"
        required={!webhook}
        maxLength={2048}
        autocomplete="off"
        aria-describedby={hintId}
      />
      <p id={hintId} class="quiet">
        {webhook
          ? `Empty, it stays the one at ${webhook.url_origin}. A URL is never shown again.`
          : 'It begins with https; for mail it is smtps://USER:PASSWORD@HOST?from=A@B&to=C@D. It may be a secret, so it is never shown again.'}
      </p>
      <label for={formatId}>What is sent</label>
      <select id={formatId} name="format">
        {formats.map(([format, words]) => (
          <option key={format} value={format} selected={format === webhook?.format}>
            {words}
          </option>
        ))}
      </select>
      <details open={(webhook?.types.length ?? 0) > 0}>
        <summary>Only some types of events</summary>
        <fieldset class="types">
          <legend>Without any, JSON has all types, and a message tells what fails, is late or is lost.</legend>
          {eventTypes.map((type) => (
            <label key={type}>
              <input type="checkbox" name="type" value={type} defaultChecked={webhook?.types.includes(type) ?? false} />{' '}
              {type}
            </label>
          ))}
        </fieldset>
      </details>
    </>
  );
}

interface Typed extends Pick<UpdateWebhookRequest, 'name' | 'format'> {
  url: string;
  name: string;
  types: EventType[];
}

function fieldsIn(form: FormData): Typed {
  const chosen = form.getAll('type');
  return {
    name: String(form.get('name')).trim(),
    url: String(form.get('url')).trim(),
    format: formats.find(([format]) => format === form.get('format'))?.[0],
    types: eventTypes.filter((type) => chosen.includes(type)),
  };
}
