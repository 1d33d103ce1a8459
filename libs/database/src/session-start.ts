/**
 * What every session with the ledger's database says first. Defaults of a role, of the database or of the server can then bend neither
 * what is written nor how it is read, and a commit is on the disk before it is answered.
 */

/** Where each setting must be as it is here. Those that only make statements slower or faster are the operator's, but for the compiler. */
const pinned: Readonly<Record<string, string>> = {
  // How values are written and read as text.
  datestyle: 'ISO, MDY',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  bytea_output: 'hex',
  extra_float_digits: '1',
  standard_conforming_strings: 'on',
  array_nulls: 'on',
  transform_null_equals: 'off',
  // What a statement sees, and what ends it. The ledger's lock orders commits only when each statement sees those before it.
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  row_security: 'on',
  exit_on_error: 'off',
  lock_timeout: '0',
};

/**
 * These are set only where they are otherwise. Older servers do not have some of them, and only a superuser may set others: then the
 * server refuses the session and names the setting. `synchronous_commit` may be stricter than we need.
 */
const corrected = [
  `case when current_setting('idle_session_timeout', true) <> '0' then set_config('idle_session_timeout', '0', false) end`,
  `case when current_setting('transaction_timeout', true) <> '0' then set_config('transaction_timeout', '0', false) end`,
  `case when current_setting('session_replication_role') <> 'origin' then set_config('session_replication_role', 'origin', false) end`,
  `case when current_setting('synchronous_commit') = 'off' then set_config('synchronous_commit', 'on', false) end`,
];

/**
 * The schema of the ledger: the first on the search path that has it, else `public`, else any other. A temporary table of that name, which
 * every role may make, is none. Before there is a ledger, it is the schema where the role makes its tables.
 */
const searchPath = `set_config('search_path', quote_ident(coalesce((
    select n.nspname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relname = 'ledger_event' and c.relkind = 'r' and c.relpersistence = 'p'
    order by array_position(current_schemas(false), n.nspname) nulls last, n.nspname <> 'public', n.nspname
    limit 1
  ), current_schema(), 'public')) || ', pg_temp', false)`;

/** How long a statement may take, and how long a transaction may wait for its next one; 0 sets no limit. */
interface Limits {
  longestStatementMs: number;
  longestIdleMs: number;
}

/** @returns three statements, which are sent and answered together */
export function sessionStart({ longestStatementMs, longestIdleMs }: Limits): string {
  const settings = Object.entries({ idle_in_transaction_session_timeout: String(longestIdleMs), ...pinned });
  const all = [
    ...settings.map(([name, value]) => `set_config('${name}', '${value}', false)`),
    ...corrected,
    searchPath,
  ];
  return [
    // The limit of statements comes first: one that a role has by default may be too short for the rest.
    `set statement_timeout = '${longestStatementMs}';`,
    // A server that compiles statements takes half a second for an append that it does in two milliseconds otherwise.
    `set jit = 'off';`,
    `select ${all.join(',\n  ')};`,
  ].join('\n');
}
