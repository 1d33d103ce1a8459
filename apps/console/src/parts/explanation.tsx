/** Why something is as it is: the sentences of its explanation, each with its event, in order. */
import type { ExplanationResource } from '@strongroom/contracts';
import { call } from '../api/call.js';
import { getExplainId } from '../api/operations.js';
import { Dialog } from './dialog.js';
import { Instant } from './instant.js';
import { Problem, useRead } from './reading.js';

interface Asked {
  accountId: string;
  id: string;
  now: Date;
  /** It is read again when this changes. */
  when: unknown;
}

export function Explanation({ accountId, id, now, when }: Asked) {
  const { value, problem } = useRead(() => call(getExplainId, { parts: { accountId, id } }), [accountId, id, when]);
  return (
    <>
      <Problem of={problem} />
      {value && <Sentences explanation={value.explanation} hasOlder={value.links.length > 0} now={now} />}
    </>
  );
}

function Sentences({ explanation, hasOlder, now }: { explanation: ExplanationResource; hasOlder: boolean; now: Date }) {
  return (
    <>
      <p>{explanation.summary}</p>
      {hasOlder && (
        <p class="quiet">
          These are the newest. <code>strongroom explain</code> has the older ones too.
        </p>
      )}
      <ol class="events">
        {explanation.sentences.map(({ sentence, event }) => (
          <li key={`${event.id} ${sentence}`}>
            <Instant at={event.at} now={now} /> {sentence} <code>{event.type}</code>
          </li>
        ))}
      </ol>
    </>
  );
}

export function WhyDialog({ name, closed, ...asked }: Asked & { name: string; closed: () => void }) {
  return (
    <Dialog title={`Why is ${name} as it is?`} closed={closed}>
      <Explanation {...asked} />
      <p class="buttons">
        <button type="button" onClick={closed}>
          Close
        </button>
      </p>
    </Dialog>
  );
}
