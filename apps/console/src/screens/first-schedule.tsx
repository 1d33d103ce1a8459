/** Leads an account without schedules to its first one. The commands are whole: only what is in capitals is to be filled in. */
import type { Known } from '../account.js';
import { urlOf } from '../api/call.js';
import { postInstances, postSchedules } from '../api/operations.js';

export function FirstSchedule({ known, accountId }: { known: Known; accountId: string }) {
  const instance = known.anInstance;
  const regions = known.regions.filter(({ home }) => !home).map(({ name }) => name);
  const server = {
    instance: {
      name: 'orders',
      datastore: { type: 'KIND', version: 'VERSION' },
      connection: { host: 'HOST', port: 5432, user: 'USER', password: 'PASSWORD' },
    },
  };
  const schedule = {
    schedule: {
      action: 'backup',
      instance_id: instance?.id ?? 'ID',
      day_of_week: 0,
      hour: 3,
      minute: 15,
      copy_to: regions,
    },
  };
  return (
    <div class="first">
      <h2>There is no schedule yet</h2>
      <p>A schedule takes a backup every day and copies each one to other regions. Two calls make the first one.</p>
      <ol>
        <li>
          {instance ? (
            <p>
              Your server <strong>{instance.name}</strong> is registered already.
            </p>
          ) : (
            <>
              <p>Register the server. The answer has its id.</p>
              <Command url={urlOf(postInstances, { accountId }).href} body={server} />
            </>
          )}
        </li>
        <li>
          <p>Make the schedule. Its first backup is taken at the next 03:15 UTC, and this page shows it by itself.</p>
          <Command url={urlOf(postSchedules, { accountId }).href} body={schedule} />
        </li>
      </ol>
    </div>
  );
}

function Command({ url, body }: { url: string; body: object }) {
  const lines = [
    `curl -X POST ${url} \\`,
    '  -H "X-Auth-Token: $TOKEN" -H "Content-Type: application/json" \\',
    `  -d '${JSON.stringify(body)}'`,
  ];
  return (
    <pre>
      <code>{lines.join('\n')}</code>
    </pre>
  );
}
