/** The regions: what each is owed, how old what it can restore is, and what the API does not tell. */
import type { RestorableRegion } from '@strongroom/contracts';
import type { Known } from '../account.js';
import { Instant } from '../parts/instant.js';
import { Mark } from '../parts/mark.js';
import { Scrolled } from '../parts/scrolled.js';

export function RegionsScreen({ known, now }: { known: Known; now: Date }) {
  const all = [...known.restorable.values()].flatMap(({ regions }) => regions);
  return (
    <>
      {known.reading === 'restorable' && <p role="status">Looking for backups…</p>}
      <Scrolled label="Regions">
        <table>
          <caption>The regions, over all schedules. Times are in UTC.</caption>
          <thead>
            <tr>
              <th scope="col">Region</th>
              <th scope="col">State</th>
              <th scope="col">Schedules with nothing to restore</th>
              <th scope="col">Oldest restorable point</th>
              <th scope="col">Verified longest ago</th>
              <th scope="col">Owed</th>
              <th scope="col">Lost</th>
              <th scope="col">Failed</th>
            </tr>
          </thead>
          <tbody>
            {known.regions.map(({ name, home, outage }) => {
              const told = all.filter(({ region }) => region === name);
              return (
                <tr key={name}>
                  <th scope="row">
                    {name} {home && <span class="quiet">home</span>}
                  </th>
                  <td>
                    {outage ? (
                      <>
                        <Mark tone="bad">Away</Mark> {outage.message} <Instant at={outage.since} now={now} />
                      </>
                    ) : (
                      <Mark tone="good">Reached</Mark>
                    )}
                  </td>
                  <td>{told.filter(({ wanted, newest }) => wanted && !newest).length}</td>
                  <td>
                    <Oldest of={told} by="completed" now={now} />
                  </td>
                  <td>
                    <Oldest of={told} by="verified_at" now={now} />
                  </td>
                  <td>{sum(told, 'owed')}</td>
                  <td>{sum(told, 'lost')}</td>
                  <td>{sum(told, 'failed')}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </Scrolled>
      <p class="quiet">
        Owed, lost and failed count the newest 400 backups of each schedule&apos;s instance. The API tells neither how
        fast a region is copied to nor its limits: these are metrics of the replicator.
      </p>
    </>
  );
}

function sum(told: readonly RestorableRegion[], field: 'owed' | 'lost' | 'failed'): number {
  return told.reduce((total, each) => total + each[field], 0);
}

/** The oldest of the newest points: how far the schedule that is worst off lies behind. */
function Oldest({ of, by, now }: { of: readonly RestorableRegion[]; by: 'completed' | 'verified_at'; now: Date }) {
  const [oldest] = of.flatMap(({ wanted, newest }) => (wanted && newest ? newest[by] : [])).sort();
  return oldest === undefined ? <span class="quiet">none</span> : <Instant at={oldest} now={now} />;
}
