/** Asks before schedules are paused or resumed, and why they are paused. The schedule shows the reason until it runs again. */
import type { ScheduleResource } from '@strongroom/contracts';
import { useId, useState } from 'preact/hooks';
import { call, whyNotChanged } from '../api/call.js';
import { putSchedulesId } from '../api/operations.js';
import { Dialog, DialogButtons } from '../parts/dialog.js';

export interface NamedSchedule {
  schedule: ScheduleResource;
  name: string;
}

interface Asked {
  accountId: string;
  asked: readonly NamedSchedule[];
  /** Whether they are to be paused; else they are resumed. */
  pauses: boolean;
  changed: (schedule: ScheduleResource) => void;
  closed: (done: boolean) => void;
}

/** What the API takes as `pause_reason`, in characters. */
const longestReason = 500;

export function PauseDialog({ accountId, asked, pauses, changed, closed }: Asked) {
  const [problems, setProblems] = useState<readonly string[]>([]);
  const [left, setLeft] = useState(asked);
  const [isBusy, setIsBusy] = useState(false);
  const reasonId = useId();
  const doing = pauses ? 'Pause' : 'Resume';
  const [first] = asked;
  const what = asked.length === 1 && first ? `the schedule of ${first.name}` : `${asked.length} schedules`;

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const reason = new FormData(event.currentTarget as HTMLFormElement).get('reason');
    const schedule = {
      paused: pauses,
      ...(typeof reason === 'string' && reason.trim() !== '' && { pause_reason: reason.trim() }),
    };
    setIsBusy(true);
    const refused: { each: NamedSchedule; why: string }[] = [];
    for (const each of left) {
      try {
        await call(putSchedulesId, {
          parts: { accountId, id: each.schedule.id },
          body: { schedule },
          headers: { 'if-match': `"${each.schedule.version}"` },
        });
        changed(each.schedule);
      } catch (error) {
        refused.push({ each, why: whyNotChanged(error, 'schedule') });
      }
    }
    if (refused.length === 0) closed(true);
    setLeft(refused.map(({ each }) => each));
    setProblems(refused.map(({ each, why }) => `${each.name}: ${why}`));
    setIsBusy(false);
  };

  return (
    <Dialog title={`${doing} ${what}?`} closed={() => closed(false)}>
      {asked.length > 1 && <p>{asked.map(({ name }) => name).join(', ')}</p>}
      <p>
        {pauses
          ? 'Slots are skipped until it is resumed. The backups stay, and go on being verified.'
          : 'It runs again from the next slot on. The slots that were skipped are not made up for.'}
      </p>
      <form onSubmit={(event) => void submit(event)}>
        {pauses && (
          <>
            <label for={reasonId}>Reason</label>
            <input id={reasonId} name="reason" required maxLength={longestReason} />
          </>
        )}
        <div role="alert" class="problem">
          {problems.map((each) => (
            <p key={each}>{each}</p>
          ))}
        </div>
        <DialogButtons word={doing} isBusy={isBusy} closed={() => closed(false)} />
      </form>
    </Dialog>
  );
}
