/** The one place where an event, a resource, an id, a refusal and a fault is spelled. Imports nothing of ours. */
export * from './events.js';
export * from './fault.js';
export * from './http/backups.js';
export * from './http/events.js';
export * from './http/faults.js';
export * from './http/instances.js';
export * from './http/operation.js';
export * from './http/operations.js';
export * from './http/schedules.js';
export * from './http/service.js';
export * from './primitives.js';
export * from './refusals.js';
export * from './region-faults.js';
export * from './schedule-timing.js';
export * from './streams.js';
export * from './vault-addresses.js';
export * from './vault-manifest.js';
