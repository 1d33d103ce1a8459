/** The door of tests alone: an engine that takes and restores backups in the process that calls it. `npm run arrows` keeps apps out. */
export { wholeEngineFor } from './engines.js';
