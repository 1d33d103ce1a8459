/** Tells who asks, and what they may do. */
export * from './identity.js';
export * from './identity-fault.js';
export { type KeystoneOptions, KeystoneTokens } from './keystone-tokens.js';
export * from './rights.js';
export * from './static-tokens.js';
