/** The history of the schema, and the connection to the database. */
export * from './data-source.js';
export * from './database-module.js';
export * from './grants.js';
export * from './migrations.js';
export { mustBeUpToDate, ownsSchema, SchemaFault } from './schema-state.js';
