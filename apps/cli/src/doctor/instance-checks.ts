/** Has the service try the server of each instance, and tells what backups of it lack. */
import { ApiFault } from '@strongroom/client';
import { type ConnectionTest, getInstances, getRegions, type InstanceResource, messageOf } from '@strongroom/contracts';
import { isLoopbackHost } from '@strongroom/runtime/light';
import type { ApiOptions } from '../api/api-options.js';
import { inSession, type Session } from '../api/session.js';
import { CredentialFault, UsageFault } from '../command-fault.js';
import { clockTold, type Finding, failed, noting, ok, unchecked, warning } from './finding.js';

type Note = ReturnType<typeof noting>;

export async function checkInstances(options: ApiOptions): Promise<Finding[]> {
  const found: Finding[] = [];
  const note = noting('instances', found);
  try {
    await inSession(options, 'instance', async (session) => {
      const { client, signal } = session;
      const asked = Date.now();
      const { headers } = await client.call(getRegions, { signal });
      const told = Date.parse(headers.get('date') ?? '');
      note('service', 'reach', ok('The service answers.'));
      // The header has whole seconds.
      if (!Number.isNaN(told))
        note('service', 'clock', clockTold('the service', told + 500 - (asked + Date.now()) / 2));
      let count = 0;
      for await (const page of client.pages(getInstances, { signal }))
        for (const instance of page.instances) {
          count += 1;
          await checkInstance(session, instance, note);
        }
      if (count === 0) note('all', 'server', ok('The account has no instances.'));
    });
  } catch (error) {
    const isUnknown = error instanceof UsageFault || error instanceof CredentialFault;
    const next = 'Run: strongroom login';
    note(
      'service',
      'reach',
      isUnknown ? unchecked(messageOf(error), next) : failed(messageOf(error), 'See that the API runs.'),
    );
  }
  return found;
}

async function checkInstance({ client, signal }: Session, instance: InstanceResource, note: Note): Promise<void> {
  const { id, name, connection, warning: told } = instance;
  // A server that Strongroom has built itself has no connection of its own to try.
  if (!connection) return note(name, 'server', ok('Strongroom runs this server.'));
  try {
    tell(name, id, await client.instances.testConnection(id, { signal }), note);
  } catch (error) {
    if (!(error instanceof ApiFault)) throw error;
    note(name, 'server', unchecked(error.message, `Try again: strongroom instance test ${id}`));
  }
  const isNear = isLoopbackHost(connection.host);
  const isProven = connection.tls === 'verify-full' || connection.tls === 'verify-ca';
  note(
    name,
    'tls',
    isProven || isNear
      ? ok(`tls is ${connection.tls}${isProven ? '' : ', on this machine alone'}.`)
      : warning(
          `tls is ${connection.tls}: whoever sits between could be the server.`,
          `Run: strongroom instance update ${id} --tls verify-full`,
        ),
  );
  if (told) note(name, 'lineage', warning(messageOf(told), `See why: strongroom explain ${id}`));
}

function tell(name: string, id: string, { server, full, incremental, warnings }: ConnectionTest, note: Note): void {
  const version = server ? `Its server, in version ${server.version},` : 'Its server';
  const again = `Then try again: strongroom instance test ${id}`;
  note(
    name,
    'full backups',
    full.possible ? ok(`${version} gives full backups.`) : failed(full.missing.join(' '), again),
  );
  const more = incremental.missing.filter((each) => !full.missing.includes(each));
  if (incremental.possible) note(name, 'incremental backups', ok('It gives incremental backups.'));
  else if (more.length > 0) note(name, 'incremental backups', warning(more.join(' '), again));
  const ahead = server?.clock_ahead_seconds ?? null;
  if (ahead !== null) note(name, 'clock', clockTold('its server', ahead * 1_000, 'the service'));
  for (const each of warnings) note(name, 'connection', warning(each, again));
}
