/** Can I restore, from where? A row for each schedule, a column for each region. */
import type { ComponentChildren } from 'preact';
import type { Known } from '../account.js';
import { rowsOf } from '../matrix.js';
import { Instant } from '../parts/instant.js';
import { Mark, type Tone } from '../parts/mark.js';
import type { Cell, Newer } from '../restorable.js';
import { FirstSchedule } from './first-schedule.js';

const newerWords: Readonly<Record<Newer, [Tone, string]>> = {
  'on-its-way': ['busy', 'A newer one is on its way'],
  lost: ['bad', 'A newer one was lost here, and is copied again'],
  failed: ['bad', 'A newer one was not copied'],
};

export function Restorable({ known, accountId, now }: { known: Known; accountId: string; now: Date }) {
  const rows = rowsOf(known, now);
  if (rows.length === 0 && known.reading !== 'schedules') return <FirstSchedule known={known} accountId={accountId} />;
  const cells = rows.flatMap((row) => row.cells);
  const count = (is: (cell: Cell) => boolean) => cells.filter(({ cell }) => is(cell)).length;
  const current = count((cell) => cell.is === 'restorable' && !cell.isOld);
  const old = count((cell) => cell.is === 'restorable' && cell.isOld);
  const none = count((cell) => cell.is === 'nothing');
  return (
    <>
      <p role="status" class="summary">
        {known.reading === 'done'
          ? `Restorable in ${current + old} of ${current + old + none} places, in ${old} of these from an old backup.`
          : 'Looking for backups…'}
      </p>
      <Scrolled label="What can be restored, by schedule and region">
        <table>
          <caption>The newest backup that can be restored, by schedule and region. Times are in UTC.</caption>
          <thead>
            <tr>
              <th scope="col">Schedule of</th>
              {known.regions.map(({ name, home, outage }) => (
                <th scope="col" key={name}>
                  {name} {home && <span class="quiet">home</span>}
                  {outage && <Mark tone="bad">away: {outage.message}</Mark>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ schedule, name, cells: ofRow }) => (
              <tr key={schedule.id}>
                <th scope="row">
                  {name}
                  {schedule.paused && <Mark tone="warning">Paused</Mark>}
                </th>
                {ofRow.map(({ region, cell }) => (
                  <td key={region}>
                    <CellText cell={cell} isReading={known.reading !== 'done'} now={now} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolled>
    </>
  );
}

function CellText({ cell, isReading, now }: { cell: Cell; isReading: boolean; now: Date }) {
  switch (cell.is) {
    case 'not-wanted':
      return <Mark tone="quiet">Not copied here</Mark>;
    case 'unknown':
      return isReading ? <Mark tone="busy">Looking…</Mark> : <Mark tone="warning">Not among the newest backups</Mark>;
    case 'nothing':
      return (
        <>
          <Mark tone="bad">Nothing to restore</Mark>
          <NewerText newer={cell.newer} />
        </>
      );
    case 'restorable':
      return (
        <>
          <Mark tone={cell.isOld ? 'warning' : 'good'}>{cell.isOld ? 'Old' : 'Restorable'}</Mark>
          <p>
            <Instant at={cell.at} now={now} />
          </p>
          <p class="quiet">
            {cell.verifiedAt === null ? (
              'not verified yet'
            ) : (
              <>
                verified <Instant at={cell.verifiedAt} now={now} />
              </>
            )}
          </p>
          <NewerText newer={cell.newer} />
        </>
      );
  }
}

function NewerText({ newer }: { newer: Newer | null }) {
  if (newer === null) return null;
  const [tone, words] = newerWords[newer];
  return <Mark tone={tone}>{words}</Mark>;
}

/** A table that is wider than the screen scrolls in its own box, which browsers let the keyboard reach. */
export function Scrolled({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <section class="scrolled" aria-label={label}>
      {children}
    </section>
  );
}
