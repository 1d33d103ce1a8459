/** The read model. Each view has a file with its table, its fold and its queries; many queries have a file of their own. */
export * from './backup-texts.js';
export * from './backup-view.js';
export * from './backups.js';
export * from './copy-view.js';
export * from './datastores.js';
export { viewTables } from './fold-into.js';
export * from './instance-view.js';
export * from './lineages.js';
export * from './run-view.js';
export * from './schedule-texts.js';
export * from './schedule-view.js';
export * from './stored-bytes.js';
export * from './unfinished.js';
export { bringUpToDate } from './up-to-date.js';
export * from './verifications.js';
export { type Page, type PageRequest, rowOf, type View, type ViewRow } from './view.js';
export { sampleOfViews } from './view-sample.js';
export { type RebuildProgress, Views } from './views.js';
