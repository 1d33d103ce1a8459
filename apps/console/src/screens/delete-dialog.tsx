/** Deletes a webhook, after its name was typed. */
import type { WebhookResource } from '@strongroom/contracts';
import { useId, useState } from 'preact/hooks';
import { call, whyNotChanged } from '../api/call.js';
import { deleteWebhooksId } from '../api/operations.js';
import { Dialog, DialogButtons } from '../parts/dialog.js';
import { Problem } from '../parts/reading.js';
import { webhooksAddress } from '../route.js';

interface Asked {
  accountId: string;
  webhook: WebhookResource;
  closed: () => void;
}

export function DeleteDialog({ accountId, webhook, closed }: Asked) {
  /** As it was when the dialog was opened. */
  const [{ id, name, version }] = useState(webhook);
  const [typed, setTyped] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const nameId = useId();

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (typed !== name) return setProblem(`Type the name as it is written: ${name}`);
    try {
      await call(deleteWebhooksId, { parts: { accountId, id }, headers: { 'if-match': `"${version}"` } });
      location.hash = webhooksAddress;
    } catch (error) {
      setProblem(whyNotChanged(error, 'webhook'));
    }
  };
  return (
    <Dialog title={`Delete ${name}?`} closed={closed}>
      <p>Nothing is sent there any more, and what became of its deliveries is forgotten. Its events stay.</p>
      <form onSubmit={(event) => void submit(event)}>
        <label for={nameId}>Its name, to be sure</label>
        <input
          id={nameId}
          required
          autocomplete="off"
          value={typed}
          onInput={({ currentTarget }) => setTyped(currentTarget.value)}
        />
        <Problem of={problem} />
        <DialogButtons word="Delete" closed={closed} />
      </form>
    </Dialog>
  );
}
