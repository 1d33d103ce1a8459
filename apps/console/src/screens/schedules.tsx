/** The schedules: found as one types, paused and resumed, one or many at once. */
import type { RestorableResource, ScheduleResource } from '@strongroom/contracts';
import { useState } from 'preact/hooks';
import { Instant } from '../parts/instant.js';
import { Mark } from '../parts/mark.js';
import { Scrolled } from '../parts/scrolled.js';
import { Search } from '../parts/search.js';
import { Strip } from '../parts/strip.js';
import { inOrder, nameOf, outcomeWords, sought } from '../restorable.js';
import { scheduleAddress } from '../route.js';
import type { Shown } from '../shown.js';
import { away, instantOf, localMinute, timingOf, utcMinute } from '../times.js';
import { FirstSchedule } from './first-schedule.js';
import { type NamedSchedule, PauseDialog } from './pause-dialog.js';

/** More rows are drawn when they are asked for. */
const firstRows = 100;

interface Row extends NamedSchedule {
  told: RestorableResource;
}

interface AskedChange {
  asked: readonly NamedSchedule[];
  pauses: boolean;
}

export function SchedulesScreen({ known, accountId, rights, now, changed }: Shown) {
  const [text, setText] = useState('');
  const [most, setMost] = useState(firstRows);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [change, setChange] = useState<AskedChange | null>(null);
  const [told, setTold] = useState('');
  if (known.restorable.size === 0 && known.reading !== 'restorable') {
    return <FirstSchedule known={known} accountId={accountId} />;
  }
  const all: Row[] = inOrder(known.restorable.values()).flatMap((each) => {
    const schedule = known.schedules.get(each.id);
    return schedule ? [{ schedule, told: each, name: nameOf(each) }] : [];
  });
  const rows = sought(all, text, textOf);
  const mayChange = rights.includes('schedule.update');
  const selected = rows.filter(({ schedule }) => chosen.has(schedule.id));
  const choose = (ids: readonly string[], isChosen: boolean) => {
    const next = new Set(chosen);
    for (const id of ids) isChosen ? next.add(id) : next.delete(id);
    setChosen(next);
  };
  const ask = (pauses: boolean, of: readonly NamedSchedule[]) =>
    setChange({ pauses, asked: of.filter(({ schedule }) => schedule.paused !== pauses) });
  return (
    <>
      <Search label="Search" hint="name, region, paused" typed={setText} />
      <p role="status" class="summary">
        {told || `${rows.length} of ${known.restorable.size} schedules`}
      </p>
      {mayChange && (
        <p class="buttons">
          <button
            type="button"
            disabled={!selected.some(({ schedule }) => !schedule.paused)}
            onClick={() => ask(true, selected)}
          >
            Pause the selected
          </button>
          <button
            type="button"
            disabled={!selected.some(({ schedule }) => schedule.paused)}
            onClick={() => ask(false, selected)}
          >
            Resume the selected
          </button>
        </p>
      )}
      <Scrolled label="Schedules">
        <table>
          <caption>Schedules, by the name of their instance</caption>
          <thead>
            <tr>
              {mayChange && (
                <th scope="col">
                  <input
                    type="checkbox"
                    aria-label="Select all that are found"
                    checked={rows.length > 0 && selected.length === rows.length}
                    onChange={({ currentTarget }) =>
                      choose(
                        rows.map(({ schedule }) => schedule.id),
                        currentTarget.checked,
                      )
                    }
                  />
                </th>
              )}
              <th scope="col">Schedule of</th>
              <th scope="col">Runs, in UTC</th>
              <th scope="col">Next run</th>
              <th scope="col">Last run</th>
              <th scope="col">Last 30 slots</th>
              <th scope="col">Copied to</th>
              <th scope="col">State</th>
              {mayChange && <th scope="col">Change</th>}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, most).map((row) => (
              <tr key={row.schedule.id}>
                {mayChange && (
                  <td>
                    <input
                      type="checkbox"
                      aria-label={`Select ${row.name}`}
                      checked={chosen.has(row.schedule.id)}
                      onChange={({ currentTarget }) => choose([row.schedule.id], currentTarget.checked)}
                    />
                  </td>
                )}
                <th scope="row">
                  <a href={scheduleAddress(row.schedule.id)}>{row.name}</a>
                </th>
                <td>{timingOf(row.schedule)}</td>
                <td>
                  <NextRun schedule={row.schedule} now={now} />
                </td>
                <td>
                  <LastRun run={row.told.last_run} now={now} />
                </td>
                <td>
                  <Strip outcomes={row.told.outcomes} />
                </td>
                <td>{row.schedule.copy_to.join(', ') || 'nowhere'}</td>
                <td>
                  <State schedule={row.schedule} />
                </td>
                {mayChange && (
                  <td>
                    <button type="button" onClick={() => ask(!row.schedule.paused, [row])}>
                      {row.schedule.paused ? 'Resume' : 'Pause'}
                      <span class="unseen"> {row.name}</span>
                    </button>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolled>
      {rows.length > most && (
        <p>
          {most} of {rows.length} schedules are shown.{' '}
          <button type="button" onClick={() => setMost(most + 400)}>
            Show more
          </button>
        </p>
      )}
      {change && (
        <PauseDialog
          accountId={accountId}
          {...change}
          changed={({ instance_id }) => changed(instance_id)}
          closed={(done) => {
            if (done) {
              setTold(toldOf(change));
              setChosen(new Set());
            }
            setChange(null);
          }}
        />
      )}
    </>
  );
}

function textOf({ schedule, name }: Row): string {
  return `${name} ${schedule.id} ${schedule.copy_to.join(' ')} ${schedule.paused ? 'paused' : 'active'}`;
}

function toldOf({ asked, pauses }: AskedChange): string {
  const [first] = asked;
  const what = asked.length === 1 && first ? `The schedule of ${first.name} is` : `${asked.length} schedules are`;
  return `${what} ${pauses ? 'paused' : 'resumed'}.`;
}

export function NextRun({ schedule: { next_run }, now }: { schedule: ScheduleResource; now: Date }) {
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

function LastRun({ run, now }: { run: RestorableResource['last_run']; now: Date }) {
  if (!run) return <span class="quiet">none yet</span>;
  const [tone, word] = outcomeWords[run.outcome];
  return (
    <>
      <Mark tone={tone}>{word}</Mark> <Instant at={run.slot} now={now} />{' '}
      <span>{run.fault?.message ?? run.reason}</span>
    </>
  );
}

export function State({ schedule: { paused, pause_reason, fault } }: { schedule: ScheduleResource }) {
  if (fault) return <Mark tone="bad">{fault.message}</Mark>;
  if (!paused) return <Mark tone="good">Active</Mark>;
  return <Mark tone="warning">{pause_reason === null ? 'Paused' : `Paused: ${pause_reason}`}</Mark>;
}
