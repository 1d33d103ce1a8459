/** The statements that a connection sends to the database. */
import type { DataSource } from 'typeorm';

/** @param sent is called with each statement, from now on */
export function hearStatements(dataSource: DataSource, sent: (statement: string) => void): void {
  const ignore = () => {};
  const others = {
    logQueryError: ignore,
    logQuerySlow: ignore,
    logSchemaBuild: ignore,
    logMigration: ignore,
    log: ignore,
  };
  dataSource.setOptions({ logging: true, logger: { ...others, logQuery: sent } });
}
