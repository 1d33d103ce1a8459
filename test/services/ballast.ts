/** What the rows of a customer's server are that fill it. */
import pg from 'pg';

const counted = 'select count(*)::int as rows, md5(string_agg(filling, id::text order by id)) as digest from ballast';

/** How many rows the server has, and a digest of all of them. @param url of the server, or of one that was started on a restore */
export async function contentOf(url: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(counted)).rows;
  } finally {
    await client.end();
  }
}
