/** Every setting of the services, in the order in which the page of settings shows them and errors name them. */
import * as audit from './audit.js';
import * as built from './built-servers.js';
import * as deletion from './deletion.js';
import * as identity from './identity.js';
import * as kafka from './kafka.js';
import * as ledgerAndFeed from './ledger-and-feed.js';
import * as limits from './limits.js';
import * as service from './process.js';
import type { Setting } from './setting.js';
import * as vaults from './vaults.js';
import * as work from './work.js';

export const settings: readonly Setting<unknown>[] = [
  ledgerAndFeed.databaseUrl,
  ledgerAndFeed.feed,
  ledgerAndFeed.brokers,
  kafka.securityProtocol,
  kafka.sslCa,
  kafka.sslCertificate,
  kafka.sslKey,
  kafka.saslMechanism,
  kafka.saslUsername,
  kafka.saslPassword,
  ledgerAndFeed.namespace,
  vaults.vaults,
  vaults.homeRegion,
  service.httpHost,
  service.httpPort,
  service.logLevel,
  service.supervised,
  service.publicUrl,
  identity.identity,
  identity.tokensPath,
  identity.roles,
  identity.keystoneUrl,
  identity.keystonePlaintext,
  identity.keystoneUser,
  identity.keystoneUserDomain,
  identity.keystonePassword,
  identity.keystoneProject,
  identity.keystoneProjectDomain,
  identity.keystoneAccount,
  identity.keystoneAccountDomain,
  identity.keystoneRoles,
  identity.keystoneCache,
  identity.keystoneTimeout,
  audit.auditDays,
  audit.auditFile,
  audit.auditSyslog,
  deletion.deletionDelay,
  deletion.minimumRetention,
  deletion.bulkDeletionLimit,
  limits.mostSchedules,
  limits.rateLimits,
  limits.pageLimits,
  work.secretKey,
  built.builtServers,
  built.instancesFolder,
  built.mostBuiltServers,
  built.builtServerUsers,
  built.builtServerCommand,
  work.catchUp,
  work.backupConcurrency,
  work.longestBackup,
  work.slowestBackup,
  work.largestBackup,
  work.timesEstimate,
  work.engineMemory,
  work.lease,
  vaults.sweepGrace,
  work.copyConcurrency,
  work.copyRetry,
  work.mostCopyAttempts,
  work.copyStall,
];
