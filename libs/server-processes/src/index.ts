/** Servers as child processes of ours. Built servers, trial restores, the local stack and the tests run on them. */
export { ChildService, lastLines, lastWords, logSince } from './child-service.js';
export { freePort, isFree } from './free-port.js';
export { clearAwayOf, endAllOf, endServersOn, listenersOn } from './guest-processes.js';
export { GuestUsers, type UserClaim, type UserRange } from './guest-users.js';
export { Movement, usageOf } from './movement.js';
export { ProgramFault, runMoving } from './moving-program.js';
export { type PostgresPrograms, postgresPrograms } from './postgres-binaries.js';
export { type PostgresOptions, PostgresServer } from './postgres-server.js';
export { commandLineOf, endProcess, identityOf, pidOf } from './process-identity.js';
export { descendantNamed, descendantsOf } from './process-tree.js';
export { outputOf } from './program-output.js';
export { serverEnvironment } from './server-environment.js';
export { calledOff, ServiceFault, type ServiceFaultCode } from './service-fault.js';
export { canReach, insteadOfRoot, type SystemUser } from './unprivileged.js';
