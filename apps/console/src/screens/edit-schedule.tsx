/** A change of a schedule: what it would do is shown before it can be made, and it is made as it was shown. */
import type { SchedulePreviewResource, ScheduleResource } from '@strongroom/contracts';
import { useId, useState } from 'preact/hooks';
import { call, messageOf, Refused } from '../api/call.js';
import { postSchedulesIdPreview, putSchedulesId } from '../api/operations.js';
import { Problem } from '../parts/reading.js';
import { Scrolled } from '../parts/scrolled.js';
import { backupAddress } from '../route.js';
import { days, utcMinute } from '../times.js';

interface Asked {
  schedule: ScheduleResource;
  /** Those that a schedule can copy to. */
  regions: readonly string[];
  accountId: string;
  changed: () => void;
}

type Change = Pick<ScheduleResource, 'day_of_week' | 'hour' | 'minute' | 'full_backup_retention' | 'copy_to'>;

/** The runs that are shown. */
const runs = 7;

export function EditSchedule(asked: Asked) {
  const [told, setTold] = useState('');
  return (
    <>
      {/* Whoever else changes the schedule changes what the form begins with. */}
      <EditForm key={asked.schedule.version} {...asked} setTold={setTold} />
      <p role="status">{told}</p>
    </>
  );
}

function EditForm({ schedule, regions, accountId, changed, setTold }: Asked & { setTold: (told: string) => void }) {
  const [preview, setPreview] = useState<{ of: Change; told: SchedulePreviewResource } | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [dayId, timeId, keepId] = [useId(), useId(), useId()];
  const parts = { accountId, id: schedule.id };

  const show = async (event: SubmitEvent) => {
    event.preventDefault();
    const of = changeIn(new FormData(event.currentTarget as HTMLFormElement));
    try {
      const { preview: found } = await call(postSchedulesIdPreview, { parts, query: { runs }, body: { schedule: of } });
      setPreview({ of, told: found });
      setProblem(null);
      setTold('This is what the change would do. Nothing is changed yet.');
    } catch (error) {
      setProblem(messageOf(error));
    }
  };
  const apply = async () => {
    if (!preview) return;
    try {
      const headers = { 'if-match': `"${schedule.version}"` };
      await call(putSchedulesId, { parts, body: { schedule: preview.of }, headers });
      setPreview(null);
      setTold('The schedule is changed.');
      changed();
    } catch (error) {
      const isStale = error instanceof Refused && error.status === 412;
      setProblem(isStale ? 'Somebody has changed the schedule meanwhile. Look at the change again.' : messageOf(error));
      setPreview(null);
    }
  };
  return (
    <>
      {/* What was previewed is not what stands in the form any more. */}
      <form class="edit" onSubmit={(event) => void show(event)} onInput={() => setPreview(null)}>
        <label for={timeId}>Time of the day, in UTC</label>
        <input
          id={timeId}
          name="time"
          type="time"
          required
          defaultValue={`${twoDigits(schedule.hour)}:${twoDigits(schedule.minute)}`}
        />
        <label for={dayId}>Full backup</label>
        <select id={dayId} name="day">
          {[...days, 'every day'].map((day, at) => (
            <option key={day} value={at} selected={at === schedule.day_of_week}>
              {day}
            </option>
          ))}
        </select>
        <label for={keepId}>Full backups that are kept</label>
        <input
          id={keepId}
          name="keep"
          type="number"
          min="1"
          max="10000"
          required
          defaultValue={String(schedule.full_backup_retention)}
        />
        <fieldset>
          <legend>Copied to</legend>
          {regions.map((region) => (
            <label key={region}>
              <input type="checkbox" name="region" value={region} defaultChecked={schedule.copy_to.includes(region)} />{' '}
              {region}
            </label>
          ))}
        </fieldset>
        <p class="buttons">
          <button type="submit">Preview</button>
          <button type="button" class="main" disabled={!preview} onClick={() => void apply()}>
            Apply
          </button>
        </p>
      </form>
      <Problem of={problem} />
      {preview && <Preview of={preview.told} />}
    </>
  );
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

function changeIn(form: FormData): Change {
  const [hour = 0, minute = 0] = String(form.get('time')).split(':').map(Number);
  return {
    hour,
    minute,
    day_of_week: Number(form.get('day')),
    full_backup_retention: Number(form.get('keep')),
    copy_to: form.getAll('region').map(String),
  };
}

function Preview({ of: { summary, runs, copies, backups } }: { of: SchedulePreviewResource }) {
  const different = backups.filter(({ differs }) => differs);
  return (
    <>
      <p>
        Of {summary.backups} backups, {summary.deleted_sooner} are deleted sooner and {summary.deleted_later} later than
        without the change.
      </p>
      {copies.map(({ region, reason }) => (
        <p key={region}>
          {region}: {reason}
        </p>
      ))}
      <Scrolled label="What would run">
        <table>
          <caption>The next runs, after the change</caption>
          <thead>
            <tr>
              <th scope="col">Slot</th>
              <th scope="col">Kind</th>
              <th scope="col">Without the change</th>
              <th scope="col">Reason</th>
            </tr>
          </thead>
          <tbody>
            {runs.map(({ slot, outcome, unchanged, reason }) => (
              <tr key={slot}>
                <th scope="row">{utcMinute(new Date(slot))}</th>
                <td>{outcome}</td>
                <td>{unchanged}</td>
                <td>{reason}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolled>
      {different.length > 0 && (
        <Scrolled label="What becomes of backups">
          <table>
            <caption>The newest backups to which it makes a difference</caption>
            <thead>
              <tr>
                <th scope="col">Backup</th>
                <th scope="col">After the change</th>
                <th scope="col">Without it</th>
              </tr>
            </thead>
            <tbody>
              {different.map(({ id, slot, after, unchanged }) => (
                <tr key={id}>
                  <th scope="row">
                    <a href={backupAddress(id)}>{slot ? utcMinute(new Date(slot)) : 'asked for'}</a>
                  </th>
                  <td>
                    {after.is}: {after.reason}
                  </td>
                  <td>
                    {unchanged.is}: {unchanged.reason}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scrolled>
      )}
    </>
  );
}
