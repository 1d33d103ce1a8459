/** The schedules: found as one types, paused and resumed. */
import type { Right, ScheduleResource } from '@strongroom/contracts';
import { useId, useState } from 'preact/hooks';
import type { Known } from '../account.js';
import { byName, lastBackupOf, nameOf } from '../matrix.js';
import { Instant } from '../parts/instant.js';
import { Mark } from '../parts/mark.js';
import type { KnownBackup } from '../restorable.js';
import { away, instantOf, localMinute, timingOf, utcMinute } from '../times.js';
import { FirstSchedule } from './first-schedule.js';
import { PauseDialog } from './pause-dialog.js';
import { Scrolled } from './restorable.js';

interface Shown {
  known: Known;
  accountId: string;
  rights: readonly Right[];
  now: Date;
  changed: (id: string) => void;
}

export function SchedulesScreen({ known, accountId, rights, now, changed }: Shown) {
  const [sought, setSought] = useState('');
  const [asked, setAsked] = useState<ScheduleResource | null>(null);
  const [told, setTold] = useState('');
  const searchId = useId();
  if (known.schedules.size === 0 && known.reading !== 'schedules') {
    return <FirstSchedule known={known} accountId={accountId} />;
  }
  const words = sought.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...known.schedules.values()]
    .map((schedule) => ({ schedule, name: nameOf(known, schedule) }))
    .filter(({ schedule, name }) => {
      const text = `${name} ${schedule.id} ${schedule.copy_to.join(' ')} ${schedule.paused ? 'paused' : 'active'}`;
      return words.every((word) => text.toLowerCase().includes(word));
    })
    .sort((a, b) => byName(a.name, b.name));
  const mayChange = rights.includes('schedule.update');
  return (
    <>
      <p>
        <label for={searchId}>Search</label>{' '}
        <input
          id={searchId}
          type="search"
          placeholder="name, region, paused"
          onInput={({ currentTarget }) => setSought(currentTarget.value)}
        />
      </p>
      <p role="status" class="summary">
        {told || `${rows.length} of ${known.schedules.size} schedules`}
      </p>
      <Scrolled label="Schedules">
        <table>
          <caption>Schedules, by the name of their instance</caption>
          <thead>
            <tr>
              <th scope="col">Schedule of</th>
              <th scope="col">Runs, in UTC</th>
              <th scope="col">Next run</th>
              <th scope="col">Last run</th>
              <th scope="col">Copied to</th>
              <th scope="col">State</th>
              {mayChange && <th scope="col">Change</th>}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ schedule, name }) => (
              <tr key={schedule.id}>
                <th scope="row">{name}</th>
                <td>{timingOf(schedule)}</td>
                <td>
                  <NextRun schedule={schedule} now={now} />
                </td>
                <td>
                  <LastRun backup={lastBackupOf(known, schedule)} now={now} />
                </td>
                <td>{schedule.copy_to.join(', ') || 'nowhere'}</td>
                <td>
                  <State schedule={schedule} />
                </td>
                {mayChange && (
                  <td>
                    <button type="button" onClick={() => setAsked(schedule)}>
                      {schedule.paused ? 'Resume' : 'Pause'}
                      <span class="unseen"> {name}</span>
                    </button>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolled>
      {asked && (
        <PauseDialog
          accountId={accountId}
          schedule={asked}
          name={nameOf(known, asked)}
          closed={(done) => {
            if (done) {
              changed(asked.id);
              setTold(`The schedule of ${nameOf(known, asked)} is ${asked.paused ? 'resumed' : 'paused'}.`);
            }
            setAsked(null);
          }}
        />
      )}
    </>
  );
}

function NextRun({ schedule: { next_run }, now }: { schedule: ScheduleResource; now: Date }) {
  if (next_run === null) return <span class="quiet">none</span>;
  const at = instantOf(next_run);
  return (
    <time dateTime={at.toISOString()}>
      {utcMinute(at)} UTC <span class="quiet">({away(at, now)})</span>
      <br />
      <span class="quiet">{localMinute(at)} here</span>
    </time>
  );
}

function LastRun({ backup, now }: { backup: KnownBackup | undefined; now: Date }) {
  if (!backup) return <span class="quiet">none yet</span>;
  const at = <Instant at={backup.completedAt ?? backup.createdAt} now={now} />;
  switch (backup.status) {
    case 'COMPLETED':
    case 'DELETE_FAILED':
      return (
        <>
          <Mark tone="good">Completed</Mark> {at}
        </>
      );
    case 'FAILED':
      return (
        <>
          <Mark tone="bad">Failed</Mark> {at} <span>{backup.faultMessage}</span>
        </>
      );
    default:
      return (
        <>
          <Mark tone="busy">Running</Mark> {at} <span>{backup.faultMessage}</span>
        </>
      );
  }
}

function State({ schedule: { paused, fault } }: { schedule: ScheduleResource }) {
  if (fault) return <Mark tone="bad">{fault.message}</Mark>;
  return paused ? <Mark tone="warning">Paused</Mark> : <Mark tone="good">Active</Mark>;
}
