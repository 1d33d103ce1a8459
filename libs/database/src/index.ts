/** The schema's history and the way to the database. */
export * from './data-source.js';
export * from './database-module.js';
