/** The history of the schema, and the connection to the database. */
export * from './data-source.js';
export * from './database-module.js';
export * from './migrations.js';
