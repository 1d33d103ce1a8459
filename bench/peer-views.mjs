/** The limit of a projection: the rows of the views, written by one statement of `unnest` a thousand rows, into tables like those of the views. */

export const viewNames = ['instance_view', 'schedule_view', 'backup_view', 'run_view', 'copy_view'];
const mostRows = 1_000;

export class PeerViews {
  constructor(client) {
    this.client = client;
    this.columns = {};
  }

  async prepare() {
    await this.client.query('create schema bench_peer');
    for (const view of viewNames) {
      await this.client.query(`create table bench_peer.${view} (like ${view} including all)`);
      const { rows } = await this.client.query(
        `select quote_ident(attname) as name, format_type(atttypid, atttypmod) as type from pg_attribute
         where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
        [view],
      );
      this.columns[view] = rows;
    }
  }

  /** The rows of a view as columns of text. @param where a condition with the given values */
  async read(view, where, values, most = 1_000_000) {
    const columns = this.columns[view];
    const { rows } = await this.client.query({
      text: `select ${columns.map(({ name }) => `${name}::text`).join(', ')} from ${view} where ${where} order by id limit ${most}`,
      values,
      rowMode: 'array',
    });
    return { view, rows };
  }

  /** What is sent: for each thousand rows one array a column. It is made before the time counts. */
  prepared({ view, rows }) {
    const pieces = [];
    for (let from = 0; from < rows.length; from += mostRows) {
      const piece = rows.slice(from, from + mostRows);
      pieces.push({
        text: this.statement(view),
        values: this.columns[view].map((_, at) => piece.map((row) => row[at])),
        name: view,
      });
    }
    return pieces;
  }

  /** @returns how many seconds it took to write them all, each statement in a transaction of its own that is not flushed */
  async write(pieces) {
    const begun = performance.now();
    for (const piece of pieces) await this.client.query(piece);
    return (performance.now() - begun) / 1_000;
  }

  async empty() {
    await this.client.query(`truncate ${viewNames.map((view) => `bench_peer.${view}`).join(', ')}`);
  }

  /** An array within an array would be taken apart, so it is sent as text. */
  statement(view) {
    const columns = this.columns[view];
    const isArray = ({ type }) => type.endsWith('[]');
    const given = columns.map((column, at) => `$${at + 1}::${isArray(column) ? 'text' : column.type}[]`);
    const read = columns.map((column, at) => `c${at}${isArray(column) ? `::${column.type}` : ''}`);
    const set = columns.filter(({ name }) => name !== 'id').map(({ name }) => `${name} = excluded.${name}`);
    return `insert into bench_peer.${view} (${columns.map(({ name }) => name).join(', ')}) select ${read.join(', ')}
      from unnest(${given.join(', ')}) as given(${columns.map((_, at) => `c${at}`).join(', ')})
      on conflict (id) do update set ${set.join(', ')}`;
  }
}
