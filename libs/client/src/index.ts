/** The typed client of Strongroom's HTTP API, made from the operations of the contract. */
export { type Answer, read } from './answer.js';
export { ApiFault, type ApiFaultCode } from './api-fault.js';
export type { Asked, BodyOf, CallOptions, QueryOf, RequestParts, ResponseOf } from './call.js';
export { Client } from './client.js';
export type { FollowOptions } from './live-stream.js';
export type { ClientOptions } from './operation-caller.js';
