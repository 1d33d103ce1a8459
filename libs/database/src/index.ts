/** The schema's history and the way to the database. Imports nothing of ours. */
export * from './data-source.js';
