/** One schedule: what became of its slots in the last twelve months, its runs, and what a change of it would do before it is made. */
import type { BackupResource, RunResource, ScheduleResource } from '@strongroom/contracts';
import { useState } from 'preact/hooks';
import { call, pagesOf } from '../api/call.js';
import { getBackups, getSchedulesIdRuns } from '../api/operations.js';
import { calendarOf, outcomeOf } from '../calendar.js';
import { Calendar } from '../parts/calendar.js';
import { WhyDialog } from '../parts/explanation.js';
import { Instant } from '../parts/instant.js';
import { Mark } from '../parts/mark.js';
import { Problem, useRead } from '../parts/reading.js';
import { Scrolled } from '../parts/scrolled.js';
import { outcomeWords } from '../restorable.js';
import { backupAddress } from '../route.js';
import type { Shown } from '../shown.js';
import { timingOf } from '../times.js';
import { EditSchedule } from './edit-schedule.js';
import { NextRun, State } from './schedules.js';

/** A page has a hundred runs: these have a year, and slots that were decided twice. */
const mostPagesOfRuns = 4;
const shownRuns = 30;

interface Asked {
  id: string;
  name: string;
}

export function ScheduleScreen({ id, known, accountId, rights, now, changed }: Shown & { id: string }) {
  const [why, setWhy] = useState<Asked | null>(null);
  const schedule = known.schedules.get(id);
  const told = known.restorable.get(id);
  const [newest] = known.events.filter(({ instance_id }) => instance_id === schedule?.instance_id);
  const { value: runs, problem } = useRead(() => runsOf(accountId, id), [accountId, id, newest?.id]);
  const { value: began } = useRead(
    async () => (schedule ? beganOf(accountId, schedule.instance_id) : null),
    [accountId, schedule?.instance_id, newest?.id],
  );
  if (!schedule) {
    return known.reading === 'done' ? <p>There is no such schedule any more.</p> : <p>Looking for the schedule…</p>;
  }
  return (
    <>
      <Problem of={problem} />
      <dl class="facts">
        <dt>Runs, in UTC</dt>
        <dd>{timingOf(schedule)}</dd>
        <dt>Next run</dt>
        <dd>
          <NextRun schedule={schedule} now={now} />
        </dd>
        <dt>Copied to</dt>
        <dd>{schedule.copy_to.join(', ') || 'nowhere'}</dd>
        <dt>Keeps</dt>
        <dd>{keeps(schedule)}</dd>
        <dt>State</dt>
        <dd>
          <State schedule={schedule} />
        </dd>
      </dl>
      <p>
        <button type="button" onClick={() => setWhy({ id, name: 'this schedule' })}>
          Why?
        </button>
      </p>
      <h2>The last twelve months</h2>
      {runs && <Calendar months={calendarOf(runs, now)} />}
      <h2>Runs</h2>
      {runs && <Runs runs={runs} began={began} now={now} why={setWhy} />}
      {rights.includes('schedule.update') && told && (
        <>
          <h2>Change it</h2>
          <EditSchedule
            schedule={schedule}
            regions={known.regions.filter(({ home }) => !home).map(({ name }) => name)}
            accountId={accountId}
            changed={() => changed(schedule.instance_id)}
          />
        </>
      )}
      {why && <WhyDialog accountId={accountId} {...why} now={now} when={newest?.id} closed={() => setWhy(null)} />}
    </>
  );
}

function keeps({ full_backup_retention }: ScheduleResource): string {
  return full_backup_retention === 1
    ? 'the newest full backup, with what is built on it'
    : `the newest ${full_backup_retention} full backups, with what is built on them`;
}

/** The newest first. */
async function runsOf(accountId: string, id: string): Promise<RunResource[]> {
  const all: RunResource[] = [];
  for await (const page of pagesOf(getSchedulesIdRuns, { parts: { accountId, id } }, mostPagesOfRuns)) {
    all.push(...page.runs);
  }
  return all;
}

/** The newest backups of the instance, by id: a run does not tell when its backup began. */
async function beganOf(accountId: string, instanceId: string): Promise<Map<string, BackupResource>> {
  const asked = { parts: { accountId }, query: { instance_id: instanceId, limit: shownRuns } };
  const { backups } = await call(getBackups, asked);
  return new Map(backups.map((backup) => [backup.id, backup]));
}

interface Shows {
  runs: readonly RunResource[];
  began: ReadonlyMap<string, BackupResource> | null;
  now: Date;
  why: (asked: Asked) => void;
}

function Runs({ runs, began, now, why }: Shows) {
  return (
    <Scrolled label="Runs">
      <table>
        <caption>The next slot, and what became of the last {shownRuns}. Times are in UTC.</caption>
        <thead>
          <tr>
            <th scope="col">Slot</th>
            <th scope="col">Begun</th>
            <th scope="col">Outcome</th>
            <th scope="col">Kind</th>
            <th scope="col">Reason</th>
            <th scope="col">Explain</th>
          </tr>
        </thead>
        <tbody>
          {runs.slice(0, shownRuns + 1).map((run) => (
            <tr key={run.id}>
              <th scope="row">
                <Instant at={run.slot} now={now} />
              </th>
              <td>
                <Begun run={run} backup={began?.get(run.id)} now={now} />
              </td>
              <td>
                <Outcome run={run} />
              </td>
              <td>{run.type}</td>
              <td>{reasonOf(run)}</td>
              <td>
                {run.outcome !== 'coming' && (
                  <button
                    type="button"
                    onClick={() => why({ id: run.id, name: `the slot of ${run.slot.slice(0, 10)}` })}
                  >
                    Why?<span class="unseen"> {run.slot.slice(0, 10)}</span>
                  </button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolled>
  );
}

function Begun({ run, backup, now }: { run: RunResource; backup: BackupResource | undefined; now: Date }) {
  if (run.outcome !== 'ran') return <span class="quiet">–</span>;
  if (!backup?.started) return <span class="quiet">not told: the backup is older or gone</span>;
  return <Instant at={backup.started} now={now} />;
}

function Outcome({ run }: { run: RunResource }) {
  const outcome = outcomeOf(run);
  if (outcome === undefined) return <Mark tone="quiet">To come</Mark>;
  const [tone, word] = outcomeWords[outcome];
  const mark = <Mark tone={tone}>{word}</Mark>;
  return run.backup_status === null ? mark : <a href={backupAddress(run.id)}>{mark}</a>;
}

/** Why there is no backup, why it is late, or why it is full: the first of these that there is. */
function reasonOf({ reason, fault, delays, full_because }: RunResource): string {
  return reason ?? fault?.message ?? delays.at(-1)?.reason ?? full_because?.reason ?? '';
}
