/**
 * What can be asked of an instance. When a method returns, its effect is on disk. When the domain refuses, nothing has
 * changed, and the method throws the refusal as the contract answers it.
 */
import { Inject } from '@nestjs/common';
import {
  type ChangeInstanceRequest,
  type ConnectionTest,
  type Datastore,
  type Endpoint,
  isRefusal,
  type RecordedEvent,
  type RefusalCode,
  streamOf,
  tlsModes,
} from '@strongroom/contracts';
import { type Credential, CredentialFault, Credentials, type FirstBound } from '@strongroom/credentials';
import {
  backupDecider,
  backupToBuildFrom,
  decide,
  fold,
  type InstanceChanges,
  type InstanceCommand,
  instanceDecider,
  isSameEndpoint,
  noLimit,
  type RegisteredInstance,
  scheduleDecider,
  serverToBackUp,
} from '@strongroom/domain';
import { type EngineFor, Reach } from '@strongroom/engines';
import {
  type BoundCommand,
  ConflictFault,
  commandOn,
  execute,
  executeTogether,
  Ledger,
  SharedStatements,
  stateOf,
} from '@strongroom/ledger';
import { type AppConfig, Clock, configToken, Ids, type QuotaKind, quotaOf } from '@strongroom/runtime';
import { BackupResources } from '../backups/resource.js';
import { type Caller, mustHave, mustReach, targetOf, withoutKey, withoutRight } from '../edge/caller.js';
import { mustNotChangeTooOften } from '../edge/changes-a-day.js';
import { HttpFault, unlessRefused } from '../edge/http-fault.js';
import { expectedVersion } from '../edge/preconditions.js';
import { ScheduleResources } from '../schedules/resource.js';
import { type Connection, connectionWith, isSameCredential } from './connection-change.js';
import { enginesToken, mustAllowBackups, testResource, tryConnection } from './connection-tests.js';
import { InstanceResources } from './resource.js';

type Registration = Extract<InstanceCommand, { type: 'RegisterInstance' }>;

const none: Credential = { password: '' };
/** How many credentials are stored by one statement. */
const mostTogether = 100;

/** So often a change is made anew when somebody else has changed the instance or its schedule meanwhile. */
const turns = 5;
/** The schedule has come or gone since it was read. */
const ofSchedule: readonly RefusalCode[] = ['schedule-unknown', 'schedule-exists-for-instance'];

export class InstanceCommands {
  /** The credentials of instances that are registered at once share a statement. */
  private readonly puts = new SharedStatements<{ bound: FirstBound; credential: Credential }, void>(
    mostTogether,
    async (given) => {
      await this.credentials.putAll(given);
      return given.map(() => undefined);
    },
  );

  constructor(
    @Inject(Ledger) readonly ledger: Ledger,
    @Inject(Ids) readonly ids: Ids,
    @Inject(Credentials) private readonly credentials: Credentials,
    @Inject(configToken) private readonly config: AppConfig,
    @Inject(InstanceResources) private readonly instances: InstanceResources,
    @Inject(ScheduleResources) private readonly schedules: ScheduleResources,
    @Inject(BackupResources) private readonly backups: BackupResources,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(enginesToken) private readonly engines: EngineFor,
    @Inject(Reach) private readonly reach: Reach,
  ) {}

  /** @returns what was recorded of the new instance */
  async register(
    caller: Caller,
    server: Pick<Registration, 'name' | 'datastore' | 'endpoint'>,
    credential: Credential,
  ): Promise<RecordedEvent[]> {
    const { newId: instanceId } = caller;
    mustBeInReach(this.reach, server.endpoint);
    // The password is stored first. An instance without a password could not be backed up; a password without an instance
    // is removed in time.
    // Versions that know no client certificates find no credential that they could not read.
    const credentialId = credential.clientKey === undefined ? null : this.ids.next();
    const bound = { accountId: caller.accountId, instanceId, endpoint: server.endpoint };
    if (credentialId === null) await this.puts.do({ bound, credential });
    else await this.credentials.add({ ...bound, credentialId }, credential);
    const { accountId } = caller;
    const asked = { accountId, instanceId, credentialId, ...server, mostInstances: this.most('instances', accountId) };
    return this.run(caller, { type: 'RegisterInstance', ...asked }, instanceId);
  }

  /** @returns what was recorded of the instance that is to be built */
  async build(caller: Caller, name: string, backupId: string): Promise<RecordedEvent[]> {
    const { accountId, newId: instanceId } = caller;
    const backup = await stateOf(this.ledger, backupDecider, backupId);
    unlessRefused('BuildInstance', backupToBuildFrom(accountId, backupId, backup));
    if (!this.config.buildsServers) {
      throw new HttpFault(
        'notImplemented',
        'instance.restorePoint: this deployment builds no servers (STRONGROOM_BUILT_SERVERS is not on). Use: strongroom restore',
      );
    }
    const most = {
      mostInstances: this.most('instances', accountId),
      mostBuiltServers: this.most('built-servers', accountId),
    };
    const asked = { accountId, instanceId, name, backupId, backup, ...most };
    return this.run(caller, { type: 'BuildInstance', ...asked }, instanceId);
  }

  private most(kind: QuotaKind, accountId: string): number {
    return quotaOf(this.config.quotas[kind], accountId) ?? noLimit;
  }

  /**
   * Changes the name, the connection or the credential. A new connection is tried first, unless the caller wants it untried.
   * When somebody else changes the instance meanwhile, all of it is done again.
   */
  async change(
    caller: Caller,
    instanceId: string,
    asked: ChangeInstanceRequest,
    ifMatch: string | undefined,
  ): Promise<void> {
    const { accountId } = caller;
    mustReach(caller, instanceId);
    const what = { name: `Instance ${instanceId}`, stream: streamOf('instance', instanceId) };
    await mustNotChangeTooOften(this.ledger, caller, what, ['InstanceChanged']);
    for (let turn = 1; turn <= turns; turn += 1) {
      const history = await this.ledger.readStream(streamOf('instance', instanceId));
      const state = fold(instanceDecider, history);
      const instance = unlessRefused('ChangeInstance', serverToBackUp(accountId, instanceId, state));
      const version = history.at(-1)?.version ?? 0;
      const expected = expectedVersion(ifMatch, { id: instanceId, version });
      const change = { type: 'ChangeInstance', accountId, instanceId } as const;
      const stored = await this.credentialOf(instance);
      const before = { endpoint: instance.endpoint, credential: stored instanceof CredentialFault ? none : stored };
      const connection = asked.connection ? connectionWith(before, asked.connection) : before;
      const { host, port, tls } = instance.endpoint;
      const isLedElsewhere = connection.endpoint.host !== host || connection.endpoint.port !== port;
      const isOtherTls = connection.endpoint.tls !== tls;
      // What an instance has stays as it is, until its server is asked.
      if (isLedElsewhere || isOtherTls) mustBeInReach(this.reach, connection.endpoint, instance.builtFrom !== null);
      if (stored instanceof CredentialFault) mustBeGivenAnew(asked, stored, isSealedAlike(instance, connection));
      const changes = this.changesOf(instance, before, { name: asked.name, connection });
      // What the domain refuses is not tried.
      unlessRefused('ChangeInstance', decide(instanceDecider, { ...change, changes }, state));
      if (!caller.may('instance.lead-elsewhere')) mustGivePassword(asked, instance, connection);
      const told = await this.tried(instance, asked, changes, connection);
      const { credentialId } = changes;
      const { endpoint, credential } = connection;
      if (credentialId) await this.credentials.add({ accountId, instanceId, credentialId, endpoint }, credential);
      // A name stands alone. A connection was put together from the one before, which must still be in force.
      const ifVersion = asked.connection ? version : expected;
      const target = { ...targetOf(caller, instanceId, instanceId), ifVersion };
      const outcome = await execute(this, instanceDecider, target, { ...change, changes, told });
      const isOvertaken = isRefusal(outcome) && outcome.refused === 'changed-meanwhile';
      if (isOvertaken && expected === undefined) continue;
      unlessRefused('ChangeInstance', outcome);
      return;
    }
    throw new ConflictFault(`instance ${instanceId} changed ${turns} times while it was to be changed; try again`);
  }

  /** Tries the connection as it is. Nothing is changed; the version that the server tells is recorded. */
  async testConnection(caller: Caller, instanceId: string): Promise<ConnectionTest> {
    const state = await stateOf(this.ledger, instanceDecider, instanceId);
    const instance = unlessRefused('NoteVersion', serverToBackUp(caller.accountId, instanceId, state));
    const { endpoint, datastore } = instance;
    const credential = await this.credentialOf(instance);
    if (credential instanceof CredentialFault) throw new HttpFault('unprocessableEntity', credential.message);
    const test = await tryConnection(this.engines, instance, { endpoint, credential });
    if (test.server) {
      const { version } = test.server;
      const told = { type: 'NoteVersion', instanceId, endpoint, datastore: { ...datastore, version } } as const;
      await this.run(withoutKey(caller), told, instanceId);
    }
    return testResource(test, endpoint, this.clock);
  }

  async acceptLineage(caller: Caller, instanceId: string, lineage: string): Promise<void> {
    const { accountId } = caller;
    const lineages = await this.instances.lineagesOf(instanceId);
    await this.run(caller, { type: 'AcceptLineage', accountId, instanceId, lineage, lineages }, instanceId);
  }

  /**
   * Forgets the instance, deletes its schedule and ends its backup that waits for another attempt, or nothing of this. When
   * somebody else makes or deletes the schedule meanwhile, all of it is done again.
   */
  async forget(caller: Caller, instanceId: string, ifMatch: string | undefined): Promise<void> {
    mustHave(caller, 'instance.forget', 'Forgetting an instance');
    for (let turn = 1; ; turn += 1) {
      const outcome = await executeTogether(this, await this.forgetting(caller, instanceId, ifMatch));
      const isOfSchedule = isRefusal(outcome) && ofSchedule.includes(outcome.refused);
      if (isOfSchedule && turn < turns) continue;
      unlessRefused('ForgetInstance', outcome);
      return;
    }
  }

  private async forgetting(caller: Caller, instanceId: string, ifMatch: string | undefined): Promise<BoundCommand[]> {
    const { accountId } = caller;
    const row = await this.instances.find(caller, instanceId);
    const target = { ...targetOf(caller, instanceId, instanceId), ifVersion: expectedVersion(ifMatch, row) };
    const scheduleId = await this.schedules.idOfInstance(accountId, instanceId);
    const remove =
      scheduleId !== undefined &&
      commandOn(scheduleDecider, targetOf(withoutKey(caller), scheduleId, instanceId), {
        type: 'DeleteSchedule',
        accountId,
        scheduleId,
      });
    return [
      ...(remove ? [remove] : []),
      ...(await this.givingUp(caller, instanceId)),
      commandOn(instanceDecider, target, { type: 'ForgetInstance', accountId, instanceId }),
    ];
  }

  /** A server may be gone for good: its backup must not hold up its instance until it has been tried to the end. */
  private async givingUp(caller: Caller, instanceId: string): Promise<BoundCommand[]> {
    const backupId = await this.backups.waitingOf(caller.accountId, instanceId);
    if (backupId === undefined) return [];
    const reason = 'The instance was deleted while the backup waited for its next attempt.';
    const command = { type: 'GiveUpBackup', backupId, code: 'instance-forgotten', reason } as const;
    return [commandOn(backupDecider, targetOf(withoutKey(caller), backupId, instanceId), command)];
  }

  /** The credential in force, or why it can't be opened. */
  private async credentialOf(instance: RegisteredInstance): Promise<Credential | CredentialFault> {
    try {
      return (await this.credentials.get(instance)) ?? none;
    } catch (error) {
      if (error instanceof CredentialFault) return error;
      throw error;
    }
  }

  private changesOf(
    instance: RegisteredInstance,
    before: Connection,
    { name = instance.name, connection }: { name: string | undefined; connection: Connection },
  ): InstanceChanges {
    const { endpoint, credential } = connection;
    return {
      ...(name !== instance.name && { name }),
      ...(!isSameEndpoint(endpoint, instance.endpoint) && { endpoint }),
      // A credential is sealed for its connection, so it is sealed anew for another one.
      ...((!isSameCredential(credential, before.credential) || !isSealedAlike(instance, connection)) && {
        credentialId: this.ids.next(),
      }),
    };
  }

  /** @returns what the server tells of itself; undefined when it was not asked */
  private async tried(
    instance: RegisteredInstance,
    { verify = true }: ChangeInstanceRequest,
    { endpoint, credentialId }: InstanceChanges,
    connection: Connection,
  ): Promise<Datastore | undefined> {
    if (!verify || (!endpoint && !credentialId)) return undefined;
    const test = await tryConnection(this.engines, instance, connection);
    mustAllowBackups(test);
    return test.server && { ...instance.datastore, version: test.server.version };
  }

  private async run(caller: Caller, command: InstanceCommand, instanceId: string): Promise<RecordedEvent[]> {
    const target = targetOf(caller, instanceId, instanceId);
    return unlessRefused(command.type, await execute(this, instanceDecider, target, command)).events;
  }
}

/** @throws {HttpFault} badRequest naming the field that this deployment does not allow */
function mustBeInReach(reach: Reach, endpoint: Endpoint, isBuiltHere = false): void {
  const found = isBuiltHere ? undefined : reach.whyNot(endpoint);
  if (found) throw new HttpFault('badRequest', `instance.connection.${found.field}: ${found.why}`);
}

/** Whether the seal of the instance's credential holds for the connection too. */
function isSealedAlike({ endpoint: before }: RegisteredInstance, { endpoint }: Connection): boolean {
  const { host, port, user, tls, caCertificate = null } = endpoint;
  const isSameServer = host === before.host && port === before.port && user === before.user;
  return isSameServer && tls === before.tls && (caCertificate ?? null) === (before.caCertificate ?? null);
}

/**
 * A credential that can't be opened can't be sealed for another connection. Nor is a connection tried with it: the server's answer would
 * blame the password.
 * @throws {HttpFault} unprocessableEntity
 */
function mustBeGivenAnew(
  { connection, verify = true }: ChangeInstanceRequest,
  { message }: CredentialFault,
  isSealedAlready: boolean,
): void {
  if (!connection || connection.password !== undefined || (!verify && isSealedAlready)) return;
  const why = isSealedAlready ? 'to try the connection' : 'with another connection';
  throw new HttpFault('unprocessableEntity', `instance.connection.password: is needed ${why}. ${message}`);
}

/**
 * The stored password goes to no server that somebody chooses who could not read it. With less TLS, or by another authority, any server
 * on the way could be taken for the right one.
 * @throws {HttpFault} forbidden
 */
function mustGivePassword(
  { connection: asked }: ChangeInstanceRequest,
  { endpoint: before }: RegisteredInstance,
  { endpoint }: Connection,
): void {
  const isSame =
    endpoint.host === before.host &&
    endpoint.port === before.port &&
    tlsModes.indexOf(endpoint.tls) >= tlsModes.indexOf(before.tls) &&
    (endpoint.caCertificate ?? null) === (before.caCertificate ?? null);
  if (asked?.password !== undefined || isSame) return;
  throw withoutRight(
    ['instance.lead-elsewhere'],
    'instance.connection: give the password with another host, port or ca_certificate, and with less TLS. Without it, the stored one could reach another server',
  );
}
