/** The regions: which are away, how fast copies come there and what holds them back, what each is owed, and how old what it can restore is. */
import type { RegionResource, RestorableRegion } from '@strongroom/contracts';
import { homeFirst } from '../account.js';
import { call } from '../api/call.js';
import { getRegions } from '../api/operations.js';
import { limitWords } from '../limits.js';
import { Instant } from '../parts/instant.js';
import { Mark } from '../parts/mark.js';
import { Problem, useRead } from '../parts/reading.js';
import { Scrolled } from '../parts/scrolled.js';
import type { Shown } from '../shown.js';
import { bytesOf } from '../sizes.js';

/** How often the regions are read while somebody looks: no event tells of speeds and limits. */
const everyMs = 5_000;

export function RegionsScreen({ known, accountId, now }: Shown) {
  const { value, problem } = useRead(() => regionsOf(accountId), [accountId], everyMs);
  const all = [...known.restorable.values()].flatMap(({ regions }) => regions);
  return (
    <>
      <Problem of={problem} />
      {known.reading === 'restorable' && <p role="status">Looking for backups…</p>}
      <Scrolled label="Regions">
        <table>
          <caption>The regions, over all schedules. Times are in UTC.</caption>
          <thead>
            <tr>
              <th scope="col">Region</th>
              <th scope="col">State</th>
              <th scope="col">Copying now</th>
              <th scope="col">Limits</th>
              <th scope="col">Owed</th>
              <th scope="col">Lost</th>
              <th scope="col">Failed</th>
              <th scope="col">Oldest restorable point</th>
              <th scope="col">Verified longest ago</th>
              <th scope="col">Schedules with nothing to restore</th>
            </tr>
          </thead>
          <tbody>
            {(value ?? known.regions).map(({ name, home, outage, copying, limits }) => {
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
                  <td>
                    <Copying of={copying} />
                  </td>
                  <td>
                    <Limits of={limits} />
                  </td>
                  <td>{sum(told, 'owed')}</td>
                  <td>{sum(told, 'lost')}</td>
                  <td>{sum(told, 'failed')}</td>
                  <td>
                    <Oldest of={told} by="completed" now={now} />
                  </td>
                  <td>
                    <Oldest of={told} by="verified_at" now={now} />
                  </td>
                  <td>{told.filter(({ wanted, newest }) => wanted && !newest).length}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </Scrolled>
      <p class="quiet">
        Copying now has the copies of this account, with what they have brought a second in the last ten seconds. What a
        store copies by itself is not in it. Limits hold back the copies of all accounts: operators set them by{' '}
        <code>strongroom limits</code>. Owed, lost and failed count the newest 400 backups of each schedule&apos;s
        instance.
      </p>
    </>
  );
}

async function regionsOf(accountId: string): Promise<RegionResource[]> {
  return homeFirst((await call(getRegions, { parts: { accountId } })).regions);
}

function Copying({ of }: { of: RegionResource['copying'] }) {
  if (of === null) return <span class="quiet">not told</span>;
  if (of.copies === 0) return <span class="quiet">nothing</span>;
  return (
    <Mark tone="busy">
      {of.copies === 1 ? '1 copy' : `${of.copies} copies`}, {bytesOf(of.bytes_per_second)}/s
    </Mark>
  );
}

function Limits({ of }: { of: RegionResource['limits'] }) {
  if (of === null) return <span class="quiet">not told</span>;
  if (of.length === 0) return <span class="quiet">none</span>;
  return (
    <>
      {of.map((limit) => (
        <p key={limit.scope}>{limitWords(limit)}</p>
      ))}
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
