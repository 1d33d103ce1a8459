/**
 * A change of a schedule: what it would do is shown before it can be made, and it is made as it was shown, of the version that was read. The
 * schedule may change beside the form.
 */
import type { SchedulePreviewResource, ScheduleResource } from '@strongroom/contracts';
import { useEffect, useId, useState } from 'preact/hooks';
import { call, changedMeanwhile, messageOf, whyNotChanged } from '../api/call.js';
import { getSchedulesId, postSchedulesIdPreview, putSchedulesId } from '../api/operations.js';
import { type Beside, besideOf, type Fields, unedited, withMade, withNews, withTyped } from '../edited.js';
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

interface Previewed {
  fields: Fields;
  /** The version of the schedule that was shown beside it. */
  version: number;
  told: SchedulePreviewResource;
}

/** The runs that are shown. */
const runs = 7;
const fullOn = [...days, 'every day'];
const labels: Readonly<Record<string, string>> = {
  time: 'Time of the day, in UTC',
  day: 'Full backup',
  keep: 'Full backups that are kept',
};
/** Before the name of a region, the name of the field that says whether it gets copies. */
const copiedTo = 'Copied to ';

export function EditSchedule({ schedule, regions, accountId, changed }: Asked) {
  /** What was read here, because the form has changed it. */
  const [own, setOwn] = useState(schedule);
  const current = own.version > schedule.version ? own : schedule;
  const now = fieldsOf(current, regions);
  const [edited, setEdited] = useState(() => unedited(now));
  const [preview, setPreview] = useState<Previewed | null>(null);
  const [told, setTold] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const [dayId, timeId, keepId] = [useId(), useId(), useId()];
  const parts = { accountId, id: schedule.id };
  useEffect(() => {
    setEdited((before) => withNews(before, now));
    if (preview && preview.version !== current.version) {
      setPreview(null);
      setTold(changedMeanwhile('schedule'));
    }
  }, [current.version, regions.join()]);

  const typed = (name: string, value: string) => {
    // What was previewed is not what stands in the form any more.
    setPreview(null);
    setEdited((before) => withTyped(before, name, value));
  };
  const readAgain = async () => {
    try {
      setOwn((await call(getSchedulesId, { parts })).schedule);
    } catch {
      // The stream of events tells it too.
    }
  };
  const show = async (event: SubmitEvent) => {
    event.preventDefault();
    const { typed: fields } = edited;
    const { version } = current;
    setProblem(null);
    try {
      const asked = { parts, query: { runs }, body: { schedule: changeIn(fields) } };
      setPreview({ fields, version, told: (await call(postSchedulesIdPreview, asked)).preview });
      setTold('This is what the change would do. Nothing is changed yet.');
    } catch (error) {
      setProblem(messageOf(error));
    }
  };
  const apply = async () => {
    if (!preview) return;
    const { fields, version } = preview;
    setPreview(null);
    try {
      const headers = { 'if-match': `"${version}"` };
      await call(putSchedulesId, { parts, body: { schedule: changeIn(fields) }, headers });
      setEdited((before) => withMade(before, fields));
      setTold('The schedule is changed.');
      changed();
    } catch (error) {
      setTold('');
      setProblem(whyNotChanged(error, 'schedule'));
    }
    await readAgain();
  };
  return (
    <>
      <form class="edit" onSubmit={(event) => void show(event)}>
        <label for={timeId}>{labels.time}</label>
        <input
          id={timeId}
          type="time"
          required
          value={edited.typed.time}
          onInput={({ currentTarget }) => typed('time', currentTarget.value)}
        />
        <label for={dayId}>{labels.day}</label>
        <select id={dayId} value={edited.typed.day} onInput={({ currentTarget }) => typed('day', currentTarget.value)}>
          {fullOn.map((day, at) => (
            <option key={day} value={String(at)}>
              {day}
            </option>
          ))}
        </select>
        <label for={keepId}>{labels.keep}</label>
        <input
          id={keepId}
          type="number"
          min="1"
          max="10000"
          required
          value={edited.typed.keep}
          onInput={({ currentTarget }) => typed('keep', currentTarget.value)}
        />
        <fieldset>
          <legend>Copied to</legend>
          {copyFields(edited.typed).map((name) => (
            <label key={name}>
              <input
                type="checkbox"
                checked={edited.typed[name] === 'yes'}
                onInput={({ currentTarget }) => typed(name, yesOrNo(currentTarget.checked))}
              />{' '}
              {name.slice(copiedTo.length)}
            </label>
          ))}
        </fieldset>
        <div role="status">
          <ChangedBeside all={besideOf(edited)} />
        </div>
        <p class="buttons">
          <button type="submit">Preview</button>
          <button type="button" class="main" disabled={!preview} onClick={() => void apply()}>
            Apply
          </button>
        </p>
      </form>
      <Problem of={problem} />
      {preview && <Preview of={preview.told} />}
      <p role="status">{told}</p>
    </>
  );
}

function ChangedBeside({ all }: { all: readonly Beside[] }) {
  if (all.length === 0) return null;
  return (
    <>
      <p>Somebody has changed the schedule since you began. What you have changed is kept.</p>
      <ul>
        {all.map(({ name, was, is, typed }) => (
          <li key={name}>
            {labels[name] ?? name}: {shown(name, was)} before, {shown(name, is)} now
            {typed !== is && <strong>; here {shown(name, typed)}</strong>}
          </li>
        ))}
      </ul>
    </>
  );
}

/** What stands in a field, for people. */
function shown(name: string, value: string): string {
  return name === 'day' ? (fullOn[Number(value)] ?? value) : value || 'no';
}

function fieldsOf(schedule: ScheduleResource, regions: readonly string[]): Fields {
  const { hour, minute, day_of_week, full_backup_retention, copy_to } = schedule;
  return {
    time: `${twoDigits(hour)}:${twoDigits(minute)}`,
    day: String(day_of_week),
    keep: String(full_backup_retention),
    // A region that is not there any more can still be taken out.
    ...Object.fromEntries(
      [...new Set([...regions, ...copy_to])].map((region) => [
        `${copiedTo}${region}`,
        yesOrNo(copy_to.includes(region)),
      ]),
    ),
  };
}

function copyFields(fields: Fields): string[] {
  return Object.keys(fields).filter((name) => name.startsWith(copiedTo));
}

function changeIn(fields: Fields): Change {
  const [hour = 0, minute = 0] = (fields.time ?? '').split(':').map(Number);
  return {
    hour,
    minute,
    day_of_week: Number(fields.day),
    full_backup_retention: Number(fields.keep),
    copy_to: copyFields(fields)
      .filter((name) => fields[name] === 'yes')
      .map((name) => name.slice(copiedTo.length)),
  };
}

function yesOrNo(is: boolean): string {
  return is ? 'yes' : 'no';
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
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
