/** What of this library the command line, the engines and the vaults use, and their tests. It loads no framework. */
export * from './addresses.js';
export { afterMs } from './after-ms.js';
export * from './clock.js';
export { placeOfDatabase, whyNotVerified } from './database-url.js';
export { passedMemory } from './passed-memory.js';
export { recipients } from './settings/encryption.js';
export type { Setting } from './settings/setting.js';
export { freeSpaceReserve } from './settings/vaults.js';
export { engineMemory } from './settings/work.js';
export { whyInClear } from './vaults-in-clear.js';
export { WorkLoop } from './work-loop.js';
