/** Makes every change of certain rows fail as the database would say it, such as a statement that always takes too long. */
import type { DataSource } from 'typeorm';

interface Failing {
  table: string;
  column: string;
  value: string;
  /** The SQLSTATE: `57014` is what the database says of a statement that took too long. */
  code: string;
}

/** @returns a function that mends it */
export async function failFor(
  dataSource: DataSource,
  { table, column, value, code }: Failing,
): Promise<() => Promise<void>> {
  await dataSource.query(
    `create or replace function fail_for_spec() returns trigger language plpgsql as $$
     begin raise exception 'the test makes this row fail' using errcode = '${code}'; end $$`,
  );
  await dataSource.query(
    `create trigger fail_for_spec before insert or update on ${table} for each row
     when (new.${column} = '${value}') execute function fail_for_spec()`,
  );
  return async () => {
    await dataSource.query(`drop trigger fail_for_spec on ${table}`);
  };
}
