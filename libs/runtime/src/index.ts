/** What every app runs on: configuration, clock, ids, logs, metrics, health, leased jobs, work loops, start and end. */

export { Fault, faultOf, messageOf, type ToldFault } from '@strongroom/contracts';
export * from './bootstrap.js';
export * from './clock.js';
export * from './config.js';
export * from './health.js';
export * from './http-requests.js';
export * from './ids.js';
export * from './jobs/jobs.js';
export * from './jobs/leased-worker.js';
export * from './known-vaults.js';
export * from './log.js';
export * from './metrics.js';
export * from './persist.js';
export * from './runtime-module.js';
export * from './service.js';
export * from './wait-for.js';
export * from './work-loop.js';
