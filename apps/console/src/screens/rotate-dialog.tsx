/** Gives a webhook a new secret, after it was asked, and shows it once. */
import type { RotatedSecret, WebhookResource } from '@strongroom/contracts';
import { useRef, useState } from 'preact/hooks';
import { call, messageOf } from '../api/call.js';
import { postWebhooksIdSecret } from '../api/operations.js';
import { Dialog, DialogButtons } from '../parts/dialog.js';
import { Problem } from '../parts/reading.js';
import { Secret } from '../parts/secret.js';
import { utcMinute } from '../times.js';

interface Asked {
  accountId: string;
  webhook: WebhookResource;
  changed: () => void;
  closed: () => void;
}

export function RotateDialog({ accountId, webhook: { id, name }, changed, closed }: Asked) {
  const [made, setMade] = useState<RotatedSecret | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  /** A lost answer is asked for again, and no other secret is made. */
  const key = useRef(crypto.randomUUID());

  const rotate = async () => {
    setIsBusy(true);
    try {
      setMade(
        await call(postWebhooksIdSecret, { parts: { accountId, id }, headers: { 'idempotency-key': key.current } }),
      );
      changed();
    } catch (error) {
      setProblem(messageOf(error));
    }
    setIsBusy(false);
  };
  return (
    <Dialog title={`A new secret for ${name}?`} closed={closed}>
      {made ? (
        <Secret text={made.secret} closed={closed}>
          This is the new secret. The former one signs too until {utcMinute(new Date(made.former_until))} UTC.
        </Secret>
      ) : (
        <>
          <p>
            Messages are signed with the new secret from then on. For a day the former one signs them too, so the
            receiver can change it.
          </p>
          <Problem of={problem} />
          <DialogButtons word="Make a new secret" isBusy={isBusy} act={() => void rotate()} closed={closed} />
        </>
      )}
    </Dialog>
  );
}
