/** Can I restore, from where? A row for each schedule, a column for each region. */
import type { RestorableRegion, RestorableResource } from '@strongroom/contracts';
import { useMemo, useState } from 'preact/hooks';
import type { Known } from '../account.js';
import { Instant } from '../parts/instant.js';
import { Mark } from '../parts/mark.js';
import { Scrolled } from '../parts/scrolled.js';
import { Search } from '../parts/search.js';
import { Tested } from '../parts/tested.js';
import { inOrder, nameOf, type Stand, sought, standOf, standWords, testStandOf, testWords } from '../restorable.js';
import { backupAddress, scheduleAddress } from '../route.js';
import { FirstSchedule } from './first-schedule.js';

/** More rows are drawn when they are asked for: a browser takes a second for some thousand cells. */
const firstRows = 100;

export function Restorable({ known, accountId, now }: { known: Known; accountId: string; now: Date }) {
  const [text, setText] = useState('');
  const [most, setMost] = useState(firstRows);
  const all = useMemo(() => inOrder(known.restorable.values()), [known.restorable]);
  if (known.restorable.size === 0 && known.reading !== 'restorable') {
    return <FirstSchedule known={known} accountId={accountId} />;
  }
  const counts: Record<Stand, number> = { restorable: 0, old: 0, nothing: 0, 'not-wanted': 0 };
  for (const { regions } of all) for (const region of regions) counts[standOf(region, now)] += 1;
  const { restorable, old, nothing } = counts;
  const rows = sought(all, text, (row) => textOf(row, now));
  return (
    <>
      <p role="status" class="summary">
        {known.reading === 'restorable'
          ? 'Looking for backups…'
          : `Restorable in ${restorable + old} of ${restorable + old + nothing} places, in ${old} of these from an old backup.`}
      </p>
      <Search label="Search" hint="name, old, nothing, owed, tested" typed={setText} />
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
            {rows.slice(0, most).map((row) => (
              <tr key={row.id}>
                <th scope="row">
                  <a href={scheduleAddress(row.id)}>{nameOf(row)}</a>
                  {row.paused && <Mark tone="warning">Paused</Mark>}
                </th>
                {known.regions.map(({ name }) => (
                  <td key={name}>
                    <Cell region={row.regions.find(({ region }) => region === name)} row={row} now={now} />
                  </td>
                ))}
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
    </>
  );
}

/** What is sought in. */
function textOf(row: RestorableResource, now: Date): string {
  const regions = row.regions.map((region) =>
    [
      region.region,
      standWords[standOf(region, now)][1],
      testWords[testStandOf(region.restore_tests)][1],
      missingWords(region),
    ].join(' '),
  );
  return [nameOf(row), row.id, row.paused ? 'paused' : '', ...regions].join(' ');
}

function Cell({ region, row, now }: { region: RestorableRegion | undefined; row: RestorableResource; now: Date }) {
  if (!region) return <Mark tone="quiet">Not told</Mark>;
  const [tone, word] = standWords[standOf(region, now)];
  const { newest, owed, lost, failed, restore_tests: tests } = region;
  const missing = missingWords(region);
  return (
    <>
      <Mark tone={tone}>{word}</Mark>
      {newest && (
        <>
          <p>
            <a href={backupAddress(newest.backup_id)}>
              <Instant at={newest.completed} now={now} />
              <span class="unseen"> in {region.region}</span>
            </a>
          </p>
          <p class="quiet">
            verified <Instant at={newest.verified_at} now={now} />
            {newest.verified_by === 'server' && ', by the store alone'}
          </p>
        </>
      )}
      {(newest || tests.length > 0) && <Tested tests={tests} now={now} />}
      {!newest && row.has_older && <p class="quiet">None of the newest 400 backups is here.</p>}
      {owed + lost + failed > 0 && <Mark tone={lost + failed > 0 ? 'bad' : 'busy'}>{missing}</Mark>}
    </>
  );
}

/** `2 owed, 1 failed`, without what is none. */
function missingWords({ owed, lost, failed }: RestorableRegion): string {
  return Object.entries({ owed, lost, failed })
    .filter(([, count]) => count > 0)
    .map(([word, count]) => `${count} ${word}`)
    .join(', ');
}
