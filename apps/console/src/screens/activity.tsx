/** What happens, as it happens: the events since the page was opened, and why each came. */
import type { EventResource } from '@strongroom/contracts';
import { useState } from 'preact/hooks';
import { WhyDialog } from '../parts/explanation.js';
import { Instant } from '../parts/instant.js';
import { Scrolled } from '../parts/scrolled.js';
import { Search } from '../parts/search.js';
import { sought } from '../restorable.js';
import type { Shown } from '../shown.js';

/** So many rows are drawn. */
const mostRows = 100;

export function ActivityScreen({ known, accountId, now }: Shown) {
  const [text, setText] = useState('');
  const [why, setWhy] = useState<EventResource | null>(null);
  const names = new Map([...known.restorable.values()].map((each) => [each.instance_id, each.instance_name]));
  const nameOf = ({ instance_id }: EventResource) => names.get(instance_id) ?? instance_id;
  const rows = sought(known.events, text, (event) =>
    [event.type, event.subject.kind, event.subject.id, event.actor, nameOf(event)].join(' '),
  );
  return (
    <>
      <Search label="Filter" hint="BackupFailed, copy, a name" typed={setText} />
      <p role="status" class="summary">
        {rows.length} of {known.events.length} events since this page was opened
      </p>
      <Scrolled label="Events">
        <table>
          <caption>Events, the newest first. Times are in UTC.</caption>
          <thead>
            <tr>
              <th scope="col">Event</th>
              <th scope="col">When</th>
              <th scope="col">Of</th>
              <th scope="col">By</th>
              <th scope="col">Explain</th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, mostRows).map((event) => (
              <tr key={event.id}>
                <th scope="row">{event.type}</th>
                <td>
                  <Instant at={event.at} now={now} />
                </td>
                <td>
                  {event.subject.kind} of {nameOf(event)}
                </td>
                <td>{event.actor}</td>
                <td>
                  <button type="button" onClick={() => setWhy(event)}>
                    Why?
                    <span class="unseen">
                      {' '}
                      {event.type} of {nameOf(event)}
                    </span>
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolled>
      <p class="quiet">
        <code>strongroom events tail --since start</code> and the list of events of the API have those before.
      </p>
      {why && (
        <WhyDialog
          accountId={accountId}
          id={why.subject.id}
          name={`this ${why.subject.kind}`}
          now={now}
          when={why.id}
          closed={() => setWhy(null)}
        />
      )}
    </>
  );
}
