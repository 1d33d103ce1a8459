/** Asks before a schedule is paused or resumed, and why. The reason goes with the event, as the name of the work that it belongs to. */
import type { ScheduleResource } from '@strongroom/contracts';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { call, Refused } from '../api/call.js';
import { putSchedulesId } from '../api/operations.js';

interface Asked {
  accountId: string;
  schedule: ScheduleResource;
  name: string;
  closed: (done: boolean) => void;
}

/** What the API takes in X-Correlation-Id. */
const reasonForm = '[A-Za-z0-9][A-Za-z0-9._:\\-]{0,127}';

export function PauseDialog({ accountId, schedule, name, closed }: Asked) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const [titleId, reasonId, hintId] = [useId(), useId(), useId()];
  const doing = schedule.paused ? 'Resume' : 'Pause';
  useEffect(() => {
    // The browser gives the focus back to what had it.
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const reason = new FormData(event.currentTarget as HTMLFormElement).get('reason');
    setIsBusy(true);
    try {
      await call(putSchedulesId, {
        parts: { accountId, id: schedule.id },
        body: { schedule: { paused: !schedule.paused } },
        headers: {
          'if-match': `"${schedule.version}"`,
          ...(typeof reason === 'string' && reason !== '' && { 'x-correlation-id': reason }),
        },
      });
      closed(true);
    } catch (error) {
      const isStale = error instanceof Refused && error.status === 412;
      setProblem(
        isStale ? 'Somebody has changed the schedule meanwhile. Close this, and look again.' : messageOf(error),
      );
      setIsBusy(false);
    }
  };

  return (
    <dialog ref={dialog} aria-labelledby={titleId} onClose={() => closed(false)}>
      <h2 id={titleId}>
        {doing} the schedule of {name}?
      </h2>
      <p>
        {schedule.paused
          ? 'It runs again from its next slot on. The slots that were skipped are not made up for.'
          : 'Its slots are skipped until it is resumed. Its backups stay, and go on being verified.'}
      </p>
      <form onSubmit={(event) => void submit(event)}>
        <label for={reasonId}>Reason</label>
        <input id={reasonId} name="reason" required={!schedule.paused} pattern={reasonForm} aria-describedby={hintId} />
        <p id={hintId} class="quiet">
          A ticket, or words joined by hyphens, such as CHG-4711 or disk-is-replaced. It stands in the event, as
          client_correlation_id.
        </p>
        <p role="alert" class="problem">
          {problem}
        </p>
        <p class="buttons">
          <button type="submit" class="main" disabled={isBusy}>
            {doing}
          </button>
          <button type="button" onClick={() => closed(false)}>
            Cancel
          </button>
        </p>
      </form>
    </dialog>
  );
}

function messageOf(error: unknown): string {
  return error instanceof Refused ? error.message : String(error);
}
