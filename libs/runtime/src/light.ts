/** What of this library the command line, the engines and the vaults use. It loads no framework. */
export * from './addresses.js';
export { placeOfDatabase, whyNotVerified } from './database-url.js';
