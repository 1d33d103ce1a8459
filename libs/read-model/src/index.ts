/** The read model: one file a view, with its table, its fold and its queries, which have a file of their own where they are many. */
export * from './backup-view.js';
export * from './backups.js';
export * from './copy-view.js';
export * from './instance-view.js';
export * from './lineages.js';
export * from './run-view.js';
export * from './schedule-view.js';
export * from './unfinished.js';
export type { Page, PageRequest } from './view.js';
export { Views, viewTables } from './views.js';
