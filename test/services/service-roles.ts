/** The roles of the services on the PostgreSQL server of the test run. They are of the server, so every database has them. */
import { migrate, roleOf, type ServiceName, serviceNames } from '@strongroom/database';
import pg from 'pg';
import { openDataSource } from './database.js';

/** Brings the database up to date and gives the services' roles their rights there, as an operator does. */
export async function giveServicesRoles(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const service of serviceNames) {
      const password = client.escapeLiteral(new URL(url).password);
      await client.query(
        `do $$ begin create role ${roleOf(service)} login password ${password}; exception when duplicate_object or unique_violation then null; end $$`,
      );
    }
  } finally {
    await client.end();
  }
  const owner = await openDataSource({ url, applicationName: 'spec', poolSize: 2, longestStatementMs: 0 });
  try {
    await migrate(owner);
  } finally {
    await owner.destroy();
  }
}

/** The URL with which the service logs in as its own role. */
export function urlOfService(url: string, service: ServiceName): string {
  const own = new URL(url);
  own.username = roleOf(service);
  return own.href;
}
